"""Workers: real worker processes with fake stages, started, killed and watched by a test."""

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
class Started:
    """A worker at work, and the file that takes its lines."""

    process: "subprocess.Popen[bytes]"
    log: Path

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def ask_to_end(self) -> int:
        """Send SIGTERM and return the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)

    @property
    def lines(self) -> str:
        """Return what it has said."""
        return self.log.read_text(encoding="utf-8")


@contextmanager
def working(home: Path, name: str = "a", *, url: str | None = None, **changes: object) -> Iterator[Started]:
    """Run a worker with fake stages until the block ends.

    Args:
        home: ALMANAC_HOME.
        name: Of the worker.
        url: Of the jobs' database, if it is not in the home.
        changes: Other settings of the worker.
    """
    started = start(home, name, url=url, changes=changes)
    try:
        yield started
    finally:
        started.kill()


def start(home: Path, name: str, *, url: str | None = None, changes: Mapping[str, object] | None = None) -> Started:
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
    return Started(process, log)


def eventually(condition: Callable[[], bool], seconds: float = 40.0) -> None:
    """Return once `condition` is true; AssertionError if it is not within `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.05)


def finished(jobs: Jobs, *ids: str) -> bool:
    """Return whether all these jobs have ended."""
    return all(jobs.job(one)["status"] in DONE for one in ids)


def stages_done(home: Path, job: str) -> list[str]:
    """Return the stages that were run for a job, in order, each as often as it was."""
    return [stage for _, stage in stages_begun(home, job)]


def stages_begun(home: Path, job: str) -> list[tuple[int, str]]:
    """Return when, in milliseconds since 1970, which stage of a job was begun."""
    lines = (home / "jobs" / job / "done.txt").read_text(encoding="utf-8").splitlines()
    return [(int(when), stage) for when, _, stage in (line.partition(" ") for line in lines)]
