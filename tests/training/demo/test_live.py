import io
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest
from rich.console import Console

from training.config.toml import merge, read_config
from training.config.training import train_config
from training.demo.live import CONFIG, LiveDemo, make_home, print_jobs, train_first
from training.demo.replay import ReplayPlan, World
from training.processes import ChildFailed, ChildProcess

NOW = datetime(2026, 3, 1, 12, 30, 15)  # noqa: DTZ001 (a name for a folder)
STEP = {"name": "read", "started_at": "12:30", "seconds": 1.0, "error": None}


def make_demo(home: Path, *, as_json: bool = False) -> LiveDemo:
    """Return a demo whose console writes into memory."""
    return LiveDemo(home, Console(file=io.StringIO(), width=200), as_json=as_json)


def printed(demo: LiveDemo) -> str:
    """Return what the console has printed."""
    file = demo.console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


def test_every_demo_has_a_folder_and_databases_of_its_own(tmp_path: Path) -> None:
    """Files in the home and the user's own settings are not touched; an existing folder is refused."""
    folder = make_home(tmp_path, NOW)

    assert folder == tmp_path / "live" / "2026-03-01-123015"
    with pytest.raises(ChildFailed):
        make_home(tmp_path, NOW)
    environment = make_demo(folder).environment
    databases = {
        "MLFLOW_TRACKING_URI": "mlflow.db",
        "ALMANAC_DATABASE_URL": "almanac.db",
        "ALMANAC_JOBS_URL": "jobs.db",
    }
    assert {name: environment[name] for name in databases} == {
        name: f"sqlite:///{folder / file}" for name, file in databases.items()
    }
    assert environment["ALMANAC_API_KEYS"] == environment["ALMANAC_API_KEY"] == ""


def test_the_configuration_is_valid() -> None:
    """The file in the package trains one network with a warm start."""
    config = train_config(merge(read_config(CONFIG), {"data": "service"}))

    assert config.architecture == ("lstm",)
    assert config.retrain.warm_start


def test_a_job_is_not_waited_for_without_a_worker(tmp_path: Path) -> None:
    """Each poll of the job checks the processes."""
    log = tmp_path / "worker.log"
    log.write_text("Out of memory.\n", encoding="utf-8")
    with subprocess.Popen([sys.executable, "-c", "raise SystemExit(3)"]) as process:
        process.wait()
    on_job = print_jobs(make_demo(tmp_path), (ChildProcess("The worker", process, "", log),))

    with pytest.raises(ChildFailed, match=r"(?s)exit code 3.*Out of memory"):
        on_job({"id": "j", "steps": []})


def test_a_failed_first_training_shows_the_end_of_its_log(tmp_path: Path) -> None:
    """The error has exit code and log."""
    demo = LiveDemo(tmp_path, make_demo(tmp_path).console, config=tmp_path / "none.toml")

    with pytest.raises(ChildFailed, match=r"(?s)exit code.*none\.toml.*train\.log"):
        train_first(demo, World({"a": {"1984-12": 1.0}}), ["a"], ReplayPlan())
