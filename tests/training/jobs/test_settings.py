import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from models.errors import ConfigInvalid
from models.jobs.errors import ScheduleInvalid
from training.jobs.settings import LONGEST_NAME, Settings


def test_a_worker_has_its_hosts_name_by_default() -> None:
    """A name that stays the same lets a restarted worker find its jobs."""
    given = Settings.from_environment({"ALMANAC_WORKER_ID": "left", "ALMANAC_WATCH_CRON": "off"})
    default = Settings.from_environment({})

    assert (given.name, given.watch, default.watch) == ("left", None, "*/5 * * * *")
    assert default.name == Settings.from_environment({}).name


def test_invalid_settings_are_refused() -> None:
    """A name that is too long, and an invalid cron expression."""
    with pytest.raises(ConfigInvalid, match="ALMANAC_WORKER_ID"):
        Settings.from_environment({"ALMANAC_WORKER_ID": "x" * (LONGEST_NAME + 1)})
    with pytest.raises(ScheduleInvalid):
        Settings.from_environment({"ALMANAC_WATCH_CRON": "now and then"})


def test_the_command_runs_until_sigterm_without_tensorflow_and_mlflow(tmp_path: Path) -> None:
    """`almanac worker` prints where it takes jobs from, and exits with 0; only its stage processes load the libraries."""
    environment = {
        **os.environ,
        "ALMANAC_HOME": str(tmp_path),
        "ALMANAC_WORKER_ID": "left",
        "ALMANAC_WATCH_CRON": "off",
        "PYTHONPROFILEIMPORTTIME": "1",
    }
    with (
        (tmp_path / "imports.txt").open("wb") as imports,
        subprocess.Popen(
            [sys.executable, "-m", "almanac", "worker"],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=imports,
            text=True,
        ) as process,
    ):
        assert process.stdout is not None
        first = process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        process.stdout.read()

    assert f"worker left takes jobs from sqlite:///{tmp_path}/jobs.db" in first
    assert process.returncode == 0
    imported = {line.rpartition("|")[2].strip() for line in (tmp_path / "imports.txt").read_text().splitlines()}
    assert "dbos" in imported
    assert not imported & {"tensorflow", "keras", "mlflow"}
