"""Jobs with real stages whose worker is killed after chosen calls of MLflow."""

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from models import artifact
from tests.training.fakes import make_series, write_csv
from tests.training.jobs.endurance import repeated_stages
from tests.training.jobs.workers import DONE, eventually, start
from training.jobs.client import Jobs, open_jobs
from training.registry.client import Registry
from training.registry.location import RegistryLocation
from training.retraining.job_context import JOB

COMMAND = [sys.executable, "-m", "tests.training.jobs.killing_stages"]
NAME = "weather"
NOW = datetime(2026, 3, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class JobHome:
    """An ALMANAC_HOME in which jobs are killed.

    Attributes:
        home: The folder.
        registry: Its registry.
    """

    home: Path
    registry: Registry

    @classmethod
    def make(cls, home: Path, monkeypatch: pytest.MonkeyPatch) -> "JobHome":
        """Create one with data."""
        home.mkdir(parents=True, exist_ok=True)
        write_csv(home / "data.csv", [make_series(str(seed), seed=seed, length=60) for seed in range(3)])
        monkeypatch.setenv("KILL_FILE", str(home / "kill.json"))
        monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
        return cls(home, Registry(RegistryLocation.from_environment({"ALMANAC_HOME": str(home)})))

    def run(self, kills: Sequence[int | str]) -> "Killed":
        """Run a job to its end; its worker is killed after each of these calls of MLflow: a number, or the first of a name.

        Raises:
            AssertionError: If an alias ever has an incomplete version.
        """
        (self.home / "kill.json").write_text(json.dumps(list(kills)), encoding="utf-8")
        (self.home / "calls.txt").write_text("", encoding="utf-8")
        with open_jobs({"ALMANAC_HOME": str(self.home)}) as jobs:
            job = jobs.enqueue(self._request(), now=NOW)
            died = self._work(jobs, job)
            row = jobs.job(job)
        calls = (self.home / "calls.txt").read_text(encoding="utf-8").splitlines()
        return Killed(row, died, calls, repeated_stages(self.home, row))

    def versions_of(self, job: str) -> list[str]:
        """Return the versions that a job has registered."""
        return self.registry.models.tagged(NAME, {JOB: job})

    def aliases(self) -> dict[str, str]:
        """Return the version of each alias; each is loaded, which replays its golden forecasts."""
        named = {alias: one for one in self.registry.models.versions(NAME) for alias in one.aliases}
        for alias, version in named.items():
            artifact.load(self.registry.models.download(version, self.home / "looked" / alias / os.urandom(4).hex()))
        return {alias: version.version for alias, version in named.items()}

    def _work(self, jobs: Jobs, job: str) -> int:
        """Start workers until the job has ended, and return how many were killed."""
        died = -1
        while jobs.job(job)["status"] not in DONE:
            died += 1
            worker = start(self.home, "a", changes={"command": COMMAND})
            try:
                eventually(lambda: worker.process.poll() is not None or jobs.job(job)["status"] in DONE, 480)  # noqa: B023 (waited for here)
            finally:
                worker.kill()
            self.aliases()
        return died

    def _request(self) -> dict[str, Any]:
        config = {
            "data": str(self.home / "data.csv"),
            "horizon": 6,
            "architecture": ["lstm"],
            "baselines": ["seasonal_naive"],
            "retrain": {"warm_start": False, "origins": 1},
            "promote": True,
        }
        return {"name": NAME, "config": config, "if_needed": False, "reason": "manual"}


@dataclass(frozen=True, slots=True)
class Killed:
    """A job whose worker was killed.

    Attributes:
        row: The job, as the client returns it.
        died: Number of killed workers.
        calls: Calls of MLflow in order, including those of interrupted steps.
        repeated: Calls of stages after their step had been recorded.
    """

    row: dict[str, Any]
    died: int
    calls: list[str]
    repeated: list[str]
