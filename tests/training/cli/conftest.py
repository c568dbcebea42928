"""The command line over an empty home, and a configuration of a training."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from almanac.command_line import almanac
from tests.training.cli.command_line import CONFIG, Run


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return the path of a home that does not exist yet."""
    return tmp_path / "home"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Return a configuration file with its data beside it."""
    (tmp_path / "sales.csv").write_text("ds,y\n2024-01-01,1\n")
    path = tmp_path / "sales.toml"
    path.write_text(CONFIG)
    return path


@pytest.fixture
def run(home: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return a function that runs a command line over the home."""
    for name in ("ALMANAC_JOBS_URL", "ALMANAC_SERVICE_URL", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ALMANAC_HOME", str(home))
    return lambda *arguments: CliRunner().invoke(almanac, list(map(str, arguments)))


@pytest.fixture
def monthly(run: Run, config: Path) -> None:
    """Add a schedule."""
    added = run("schedule", "add", "monthly", "--cron", "0 3 1 * *", "--timezone", "Europe/Berlin", "--config", config)
    assert added.exit_code == 0, added.output
