"""The files for Prometheus are valid, according to promtool."""

import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.system

FILES = Path(__file__).resolve().parents[2] / "deploy" / "prometheus"


@pytest.mark.parametrize(
    "arguments",
    [["check", "config", "--syntax-only", "prometheus.yml"], ["check", "rules", "rules.yml"]],
    ids=["configuration", "rules"],
)
def test_the_files_are_valid(arguments: list[str]) -> None:
    """Configuration and rules."""
    command = ["promtool", *arguments]
    result = subprocess.run(command, cwd=FILES, capture_output=True, text=True, check=False)  # noqa: S603 fixed

    assert result.returncode == 0, result.stderr
    assert "SUCCESS" in result.stdout


def test_the_rules_on_live_accuracy_pass_their_unit_tests(tmp_path: Path) -> None:
    """Alerts need enough scores, and means are weighted by the number of scores."""
    for path in (FILES / "rules.yml", Path(__file__).with_name("rules_test.yml")):
        shutil.copy(path, tmp_path)

    command = ["promtool", "test", "rules", "rules_test.yml"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)  # noqa: S603 fixed

    assert result.returncode == 0, result.stdout + result.stderr
