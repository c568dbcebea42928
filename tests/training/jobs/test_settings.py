import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from models.errors import ConfigInvalid
from models.jobs.errors import ScheduleInvalid
from training.jobs.settings import LONGEST_NAME, Settings


def test_a_worker_is_named_after_its_host_unless_it_is_told() -> None:
    """A name is stable from one start to the next, which is how its jobs find back to it."""
    told = Settings.from_environment({"ALMANAC_WORKER_ID": "left", "ALMANAC_WATCH_CRON": "off"})
    untold = Settings.from_environment({})

    assert (told.name, told.watch, untold.watch) == ("left", None, "*/5 * * * *")
    assert untold.name == Settings.from_environment({}).name


def test_settings_that_are_none_are_refused() -> None:
    """Before anything is started."""
    with pytest.raises(ConfigInvalid, match="ALMANAC_WORKER_ID"):
        Settings.from_environment({"ALMANAC_WORKER_ID": "x" * (LONGEST_NAME + 1)})
    with pytest.raises(ScheduleInvalid):
        Settings.from_environment({"ALMANAC_WATCH_CRON": "now and then"})


def test_a_worker_loads_neither_tensorflow_nor_mlflow() -> None:
    """Its child does."""
    code = "import sys, training.jobs.worker; sys.exit(any(name in sys.modules for name in ('tensorflow', 'keras', 'mlflow')))"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0  # noqa: S603 (our own program)


def test_the_command_takes_jobs_until_it_is_told_to_end(tmp_path: Path) -> None:
    """`almanac worker` says what it is and where it takes jobs from, and ends well on SIGTERM."""
    environment = {
        **os.environ,
        "ALMANAC_HOME": str(tmp_path),
        "ALMANAC_WORKER_ID": "left",
        "ALMANAC_WATCH_CRON": "off",
    }
    with subprocess.Popen(
        [sys.executable, "-m", "almanac", "worker"], env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        rest = process.stdout.read()

    assert f"worker left takes jobs from sqlite:///{tmp_path}/jobs.db" in first
    assert "worker left ends" in rest
    assert process.returncode == 0
