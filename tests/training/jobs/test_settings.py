import subprocess
import sys

import pytest

from models.errors import ConfigInvalid
from models.job_errors import ScheduleInvalid
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
