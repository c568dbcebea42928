"""Two workers run many ticks while they are killed at random."""

import random
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.training.jobs.workers import DONE, RunningWorker, stages_begun, start
from training.jobs.client import Jobs, open_jobs

NAMES = ("a", "b")
FIRST = datetime(2026, 1, 1, tzinfo=UTC)
REQUEST = {"name": "sales", "config": {"fit_seconds": 0.5}, "if_needed": False, "reason": "schedule"}


@dataclass(frozen=True, slots=True)
class Endurance:
    """Counts of a run.

    Attributes:
        ticks: Jobs.
        succeeded: Jobs that succeeded.
        effects: Versions that were registered: one file for each job that registered one.
        kills: SIGKILLs.
        stages: Calls of stages.
        repeated: Calls of stages after their step had been recorded.
        workers: Number of jobs that each worker finished.
        seconds: Duration.
    """

    ticks: int
    succeeded: int
    effects: int
    kills: int
    stages: int
    repeated: list[str]
    workers: dict[str, int]
    seconds: float


def endure(home: Path, *, ticks: int, kills: int, url: str | None = None, seed: int = 0) -> Endurance:
    """Run the jobs of many ticks on two workers that are killed and restarted.

    Args:
        home: ALMANAC_HOME.
        ticks: Number of ticks, backfilled at once.
        kills: Smallest number of kills, at random moments.
        url: Address of the jobs' database, if it is not in the home.
        seed: Seed of the moments.
    """
    environment = {"ALMANAC_HOME": str(home)} | ({"ALMANAC_JOBS_URL": url} if url else {})
    began = time.monotonic()
    with open_jobs(environment) as jobs:
        jobs.add_schedule("hourly", "0 * * * *", REQUEST)
        ids = jobs.backfill("hourly", FIRST, FIRST + timedelta(hours=ticks, minutes=1))
        crew = _Crew(home, url, random.Random(seed))  # noqa: S311 (reproducible, not secret)
        killed = crew.run(jobs, kills=kills, most=ticks)
        rows = [jobs.job(one) for one in ids]
    repeated = [f"{row['id']} {step}" for row in rows for step in repeated_stages(home, row)]
    return Endurance(
        ticks=len(ids),
        succeeded=sum(row["status"] == "SUCCESS" for row in rows),
        effects=sum(
            (home / "jobs" / "versions" / one).is_file() for one in ids
        ),  # a tick that came due meanwhile is not among them
        kills=killed,
        stages=sum(len(stages_begun(home, one)) for one in ids),
        repeated=repeated,
        workers={name: sum(row["worker"] == name for row in rows) for name in NAMES},
        seconds=time.monotonic() - began,
    )


@dataclass(frozen=True, slots=True)
class _Crew:
    """Two workers."""

    home: Path
    url: str | None
    chance: random.Random

    def run(self, jobs: Jobs, *, kills: int, most: int) -> int:
        """Run until all jobs have ended, and return the number of kills."""
        workers = {name: self._start(name) for name in NAMES}
        killed = 0
        deadline = time.monotonic() + 60 + 10 * most
        try:
            while not all(row["status"] in DONE for row in jobs.jobs(schedule="hourly", limit=most)):
                assert time.monotonic() < deadline, "the jobs do not end"
                time.sleep(self.chance.uniform(2.0, 5.0) if killed < kills else 0.5)
                if killed < kills:
                    name = self.chance.choice(NAMES)
                    workers[name].kill()
                    killed += 1
                    workers[name] = self._start(name)
        finally:
            for worker in workers.values():
                worker.kill()
        return killed

    def _start(self, name: str) -> RunningWorker:
        return start(self.home, name, url=self.url)


def repeated_stages(home: Path, row: dict[str, Any]) -> list[str]:
    """Return the calls of stages after their step had been recorded as done."""
    recorded = {
        step["name"]: datetime.fromisoformat(step["started_at"]).timestamp() * 1000 + step["seconds"] * 1000
        for step in row["steps"]
    }
    return [stage for when, stage in stages_begun(home, str(row["id"])) if when > recorded.get(stage, float("inf"))]
