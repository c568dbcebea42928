"""Worker processes with fake stages, which a test starts and kills."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from training.jobs.client import Jobs

DONE = {"SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"}


@dataclass(frozen=True, slots=True)
class RunningWorker:
    """A worker process and its log."""

    process: "subprocess.Popen[bytes]"
    log: Path

    def kill(self) -> None:
        """Send SIGKILL."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    @property
    def lines(self) -> str:
        """Return its log."""
        return self.log.read_text(encoding="utf-8")


@contextmanager
def working(home: Path, name: str = "a", *, url: str | None = None, **changes: object) -> Iterator[RunningWorker]:
    """Run a worker with fake stages until the block ends.

    Args:
        home: ALMANAC_HOME.
        name: Name of the worker.
        url: Address of the jobs' database, if it is not in the home.
        changes: Other settings of the worker.
    """
    started = start(home, name, url=url, changes=changes)
    try:
        yield started
    finally:
        started.kill()


def start(
    home: Path, name: str, *, url: str | None = None, changes: Mapping[str, object] | None = None
) -> RunningWorker:
    """Start a worker with fake stages."""
    home.mkdir(parents=True, exist_ok=True)
    log = home / f"worker-{name}.txt"
    environment = {**os.environ, "ALMANAC_HOME": str(home), "ALMANAC_WORKER_ID": name, "ALMANAC_WATCH_CRON": "off"}
    if url:
        environment["ALMANAC_JOBS_URL"] = url
    command = [sys.executable, "-m", "tests.training.jobs.fake_worker", json.dumps(changes or {})]
    with log.open("ab") as output:
        process = subprocess.Popen(  # noqa: S603 (our own program)
            command, env=environment, stdout=output, stderr=subprocess.STDOUT
        )
    return RunningWorker(process, log)


def eventually(condition: Callable[[], bool], seconds: float = 90.0) -> None:
    """Return once `condition` is true; AssertionError if it is not within `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.05)


def finished(jobs: Jobs, *ids: str) -> bool:
    """Return whether all jobs have ended."""
    return all(jobs.job(one)["status"] in DONE for one in ids)


def stages_done(home: Path, job: str) -> list[str]:
    """Return the calls of stages for a job, in order."""
    return [stage for _, stage in stages_begun(home, job)]


def stages_begun(home: Path, job: str) -> list[tuple[int, str]]:
    """Return the calls of stages for a job: milliseconds since 1970 and the stage."""
    lines = (home / "jobs" / job / "done.txt").read_text(encoding="utf-8").splitlines()
    return [(int(when), stage) for when, _, stage in (line.partition(" ") for line in lines)]
