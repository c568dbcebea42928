import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from models.errors import ConfigInvalid
from models.jobs.errors import ScheduleInvalid
from training.jobs.memory_limit import cgroup_limits, memory_limit
from training.jobs.worker_settings import LONGEST_NAME, WorkerSettings


def test_a_worker_has_its_hosts_name_by_default() -> None:
    """A name that stays the same lets a restarted worker find its jobs."""
    given = WorkerSettings.from_environment({"ALMANAC_WORKER_ID": "left", "ALMANAC_WATCH_CRON": "off"})
    default = WorkerSettings.from_environment({})

    assert (given.name, given.watch, default.watch) == ("left", None, "*/5 * * * *")
    assert default.name == WorkerSettings.from_environment({}).name


def test_invalid_settings_are_refused() -> None:
    """A name that is too long, and an invalid cron expression."""
    with pytest.raises(ConfigInvalid, match="ALMANAC_WORKER_ID"):
        WorkerSettings.from_environment({"ALMANAC_WORKER_ID": "x" * (LONGEST_NAME + 1)})
    with pytest.raises(ScheduleInvalid):
        WorkerSettings.from_environment({"ALMANAC_WATCH_CRON": "now and then"})


@pytest.mark.parametrize(
    ("text", "jobs", "megabytes"),
    [("", 1, 5_600), ("50%", 2, 2_000), ("3000", 4, 3_000), ("off", 1, None), ("100%", 1, 8_000)],
)
def test_a_job_has_a_share_of_the_memory(text: str, jobs: int, megabytes: int | None) -> None:
    """By default 70 %, which the jobs of a worker divide among them."""
    assert memory_limit({"ALMANAC_JOB_MEMORY": text}, jobs, total=8_000) == megabytes


@pytest.mark.parametrize("text", ["much", "-5%", "101%", "nan", "inf", "10"])
def test_a_memory_limit_that_is_none_is_refused(text: str) -> None:
    """Also one that no training fits into."""
    with pytest.raises(ConfigInvalid, match="ALMANAC_JOB_MEMORY"):
        memory_limit({"ALMANAC_JOB_MEMORY": text}, 1, total=8_000)


@pytest.mark.parametrize(
    ("group", "file", "limits"),
    [
        ("0::/pod/box", "pod/memory.max", [2e9]),
        ("0::/", "memory.max", [2e9]),
        ("4:cpu,memory:/box", "memory/box/memory.limit_in_bytes", [2e9]),
        ("4:cpu:/box", "memory/box/memory.limit_in_bytes", []),
    ],
)
def test_a_container_has_less_memory_than_its_machine(
    tmp_path: Path, group: str, file: str, limits: list[float]
) -> None:
    """Its control group, or one above it, has the limit, in both versions of Linux's files."""
    (tmp_path / "own").write_text(group)
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / file).write_text("2000000000\n")
    (tmp_path / "pod").mkdir(exist_ok=True)
    (tmp_path / "pod" / "unlimited").write_text("max")

    assert cgroup_limits(tmp_path, tmp_path / "own") == limits
    assert cgroup_limits(tmp_path, tmp_path / "none")[:1] == ([2e9] if file == "memory.max" else [])


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
