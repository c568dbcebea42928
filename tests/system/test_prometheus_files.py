"""Prometheus' own checker reads what ships for it."""

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
