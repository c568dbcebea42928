"""Prometheus' own checker reads what ships for it."""

import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.system

SHIPPED = Path(__file__).resolve().parents[2] / "deploy" / "prometheus"


@pytest.mark.parametrize(
    "arguments",
    [["check", "config", "--syntax-only", "prometheus.yml"], ["check", "rules", "rules.yml"]],
    ids=["configuration", "rules"],
)
def test_promtool_finds_nothing_wrong(arguments: list[str]) -> None:
    """The configuration and the rules are valid."""
    command = ["promtool", *arguments]
    result = subprocess.run(command, cwd=SHIPPED, capture_output=True, text=True, check=False)  # noqa: S603 fixed

    assert result.returncode == 0, result.stderr
    assert "SUCCESS" in result.stdout


def test_the_rules_on_live_accuracy_do_what_they_say(tmp_path: Path) -> None:
    """Alerts are of champions with enough scores; the mean weighs buckets by their scores."""
    for path in (SHIPPED / "rules.yml", Path(__file__).with_name("rules_test.yml")):
        shutil.copy(path, tmp_path)

    command = ["promtool", "test", "rules", "rules_test.yml"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)  # noqa: S603 fixed

    assert result.returncode == 0, result.stdout + result.stderr
