"""Jobs on PostgreSQL."""

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest

from models.jobs.errors import JobsUnreachable, WorkerAlive
from tests.system.programs import Postgres, postgres, revived
from tests.training.jobs.endurance import endure
from tests.training.jobs.workers import eventually, finished, working
from training.jobs.client import open_jobs
from training.jobs.worker_lock import lock_worker, running_workers

pytestmark = pytest.mark.system

REQUEST = {"name": "sales", "config": {"candidates": ["waits"]}, "if_needed": False, "reason": "manual"}
NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def database() -> Iterator[Postgres]:
    """Run an empty PostgreSQL."""
    with postgres() as running:
        yield running


def names(url: str) -> list[str]:
    """Return the running workers, none while the database is unreachable."""
    try:
        return running_workers(url)
    except JobsUnreachable:
        return []


def test_each_run_has_one_effect_on_postgresql(database: Postgres, tmp_path: Path) -> None:
    """As in tests/prove/test_jobs.py, but shorter."""
    endured = endure(tmp_path, ticks=8, kills=2, url=database.url)

    assert (endured.ticks, endured.succeeded, endured.effects) == (8, 8, 8)
    assert endured.repeated == []


def test_a_worker_keeps_its_name_after_a_restart_of_the_database(database: Postgres) -> None:
    """It acquires its lock again; a second worker is refused before and after."""
    url = database.url.replace("+psycopg", "")
    with ExitStack() as ours:
        held = ours.enter_context(lock_worker(url, "a"))
        with pytest.raises(WorkerAlive), lock_worker(url, "a"):
            pass
        database.kill()
        with revived(database):
            eventually(lambda: held.is_held() and names(url) == ["a"])
            with pytest.raises(WorkerAlive), lock_worker(url, "a"):
                pass
            ours.close()


def test_a_worker_on_another_machine_adopts_the_jobs_of_a_dead_one(database: Postgres, tmp_path: Path) -> None:
    """They share only the database."""
    left, right = tmp_path / "left", tmp_path / "right"
    with open_jobs({"ALMANAC_JOBS_URL": database.url}) as jobs:
        job = jobs.enqueue(REQUEST, now=NOW)
        with working(left, "a", url=database.url) as worker:
            eventually((left / "jobs" / job / "pid.txt").exists)
            with pytest.raises(WorkerAlive):
                jobs.adopt("a")
            worker.kill()
        eventually(lambda: jobs.workers() == [{"worker": "a", "alive": False, "jobs": [job]}])
        (right / "jobs" / job).mkdir(parents=True)
        (right / "jobs" / job / "go.txt").touch()

        adopted = jobs.adopt("a")

        with working(right, "b", url=database.url):
            eventually(lambda: finished(jobs, job))
        assert adopted == [job]
        assert (jobs.job(job)["status"], jobs.job(job)["worker"]) == ("SUCCESS", "b")
