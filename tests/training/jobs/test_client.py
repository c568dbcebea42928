from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from models.errors import ConfigInvalid
from models.jobs.errors import (
    JobsUnreachable,
    JobUnknown,
    ScheduleDuplicated,
    ScheduleInvalid,
    ScheduleUnknown,
    WorkerAlive,
    WorkerUnknown,
)
from training.jobs.client import Jobs, open_jobs
from training.jobs.connection import connect
from training.jobs.worker_lock import lock_worker

REQUEST = {"name": "sales", "config": {"horizon": 12}, "if_needed": False, "reason": "schedule"}
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Return an environment with an empty home."""
    return {"ALMANAC_HOME": str(tmp_path / "home")}


@pytest.fixture
def jobs(environment: dict[str, str]) -> Iterator[Jobs]:
    """Return jobs that no worker runs."""
    with open_jobs(environment) as found:
        yield found


def test_a_schedule_is_stored(jobs: Jobs) -> None:
    """With its cron expression, time zone and request."""
    jobs.add_schedule("nightly", "0  3 * * *", REQUEST, timezone="Europe/Berlin")

    row = jobs.schedule("nightly")
    assert (row["cron"], row["timezone"], row["paused"], row["request"]) == (
        "0 3 * * *",
        "Europe/Berlin",
        False,
        REQUEST,
    )
    assert datetime.fromisoformat(row["next_at"]).hour == 3
    assert [one["name"] for one in jobs.schedules()] == ["nightly"]


def test_a_paused_schedule_has_no_next_tick_until_it_is_resumed(jobs: Jobs) -> None:
    """A paused schedule stays."""
    jobs.add_schedule("nightly", "0 3 * * *", REQUEST)

    jobs.pause("nightly")
    paused = jobs.schedule("nightly")
    jobs.resume("nightly")

    assert (paused["paused"], paused["next_at"]) == (True, None)
    assert jobs.schedule("nightly")["next_at"] is not None


def test_a_removed_schedule_is_gone(jobs: Jobs) -> None:
    """It is unknown afterwards."""
    jobs.add_schedule("nightly", "0 3 * * *", REQUEST)

    jobs.remove("nightly")

    assert jobs.schedules() == []
    with pytest.raises(ScheduleUnknown, match="nightly"):
        jobs.pause("nightly")


def test_an_invalid_schedule_is_refused(jobs: Jobs) -> None:
    """Cron expression, time zone and name are checked before anything is written."""
    jobs.add_schedule("nightly", "0 3 * * *", REQUEST)

    with pytest.raises(ScheduleInvalid):
        jobs.add_schedule("other", "0 25 * * *", REQUEST)
    with pytest.raises(ScheduleInvalid):
        jobs.add_schedule("other", "0 3 * * *", REQUEST, timezone="Mars/Olympus")
    with pytest.raises(ScheduleInvalid, match="built-in"):
        jobs.add_schedule("almanac-watch", "0 3 * * *", REQUEST)
    for name in ("..", "a" * 300, "a/b"):
        with pytest.raises(ConfigInvalid, match="name"):
            jobs.add_schedule(name, "0 3 * * *", REQUEST)
        with pytest.raises(ConfigInvalid, match="name"):
            jobs.enqueue({**REQUEST, "name": name}, now=NOW)
    with pytest.raises(ScheduleDuplicated, match="nightly"):
        jobs.add_schedule("nightly", "0 4 * * *", REQUEST)
    assert len(jobs.schedules()) == 1


def test_a_schedule_can_be_triggered_before_any_worker_ever_ran(jobs: Jobs) -> None:
    """The job waits for the first worker."""
    jobs.add_schedule("nightly", "0 3 * * *", REQUEST)

    job = jobs.job(jobs.trigger("nightly"))

    assert (job["status"], job["name"], job["schedule"], job["request"]) == ("ENQUEUED", "sales", "nightly", REQUEST)
    assert (job["progress"], job["summary"], job["steps"]) == (None, None, [])


def test_the_built_in_watch_cannot_be_triggered_or_removed(jobs: Jobs, environment: dict[str, str]) -> None:
    """Nor backfilled: it trains nothing."""
    client = connect(f"sqlite:///{environment['ALMANAC_HOME']}/jobs.db")
    client.create_schedule(schedule_name="almanac-watch", workflow_name="watch", schedule="0 3 * * *")
    client.destroy()

    for refused in (
        lambda: jobs.trigger("almanac-watch"),
        lambda: jobs.remove("almanac-watch"),
        lambda: jobs.backfill("almanac-watch", NOW, NOW + timedelta(days=3)),
    ):
        with pytest.raises(ScheduleInvalid, match="built in"):
            refused()


def test_a_backfill_queues_each_tick_once(jobs: Jobs) -> None:
    """Overlapping periods give each tick one job."""
    jobs.add_schedule("hourly", "0 * * * *", REQUEST)

    first = jobs.backfill("hourly", NOW, NOW + timedelta(hours=10, minutes=1))
    again = jobs.backfill("hourly", NOW + timedelta(hours=5), NOW + timedelta(hours=12, minutes=1))

    assert (len(first), len(again)) == (10, 7)
    assert len(set(first) | set(again)) == len(jobs.jobs(schedule="hourly")) == 12


def test_a_job_id_has_model_and_time(jobs: Jobs) -> None:
    """Jobs can be filtered by model."""
    job = jobs.enqueue(REQUEST, now=NOW)

    assert job.startswith("sales-20260301T120000Z-")
    assert [row["id"] for row in jobs.jobs(name="sales")] == [job]
    assert jobs.jobs(name="other") == []


def test_a_cancelled_job_is_not_run(jobs: Jobs) -> None:
    """It leaves the queue."""
    job = jobs.enqueue(REQUEST, now=NOW)

    jobs.cancel(job)

    assert jobs.job(job)["status"] == "CANCELLED"


def test_an_unknown_job_is_an_error(jobs: Jobs) -> None:
    """It has a type of its own."""
    with pytest.raises(JobUnknown):
        jobs.job("nonsense")


def test_jobs_of_a_running_worker_are_not_adopted(jobs: Jobs, environment: dict[str, str]) -> None:
    """An ended worker without jobs has none to adopt."""
    with lock_worker(f"sqlite:///{environment['ALMANAC_HOME']}/jobs.db", "a"):
        with pytest.raises(WorkerAlive):
            jobs.adopt("a")
        assert jobs.workers() == [{"worker": "a", "alive": True, "jobs": []}]

    assert jobs.adopt("a") == []
    assert jobs.workers() == []


def test_an_unknown_worker_is_an_error(jobs: Jobs, environment: dict[str, str]) -> None:
    """A misspelt name creates no file."""
    with pytest.raises(WorkerUnknown, match="trainer-l"):
        jobs.adopt("trainer-l")

    assert not (Path(environment["ALMANAC_HOME"]) / "workers").exists()


def test_reading_creates_no_database(environment: dict[str, str]) -> None:
    """The error says how to create one."""
    with pytest.raises(JobsUnreachable, match="almanac worker"), open_jobs(environment, create=False):
        pass

    assert not Path(environment["ALMANAC_HOME"]).exists()


def test_a_database_that_is_down_is_reported_without_its_password() -> None:
    """The error has the rest of its address."""
    environment = {"ALMANAC_JOBS_URL": "postgresql://almanac:secret@127.0.0.1:9/almanac"}

    with pytest.raises(JobsUnreachable, match=r"almanac@127\.0\.0\.1:9") as unreachable, open_jobs(environment):
        pass

    assert "secret" not in str(unreachable.value)
