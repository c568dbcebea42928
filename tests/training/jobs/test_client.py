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
from training.jobs.client import Jobs, connect, open_jobs
from training.jobs.worker_lock import lock_worker

REQUEST = {"name": "sales", "config": {"horizon": 12}, "if_needed": False, "reason": "schedule"}
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Return an environment whose home is this test's own."""
    return {"ALMANAC_HOME": str(tmp_path / "home")}


@pytest.fixture
def jobs(environment: dict[str, str]) -> Iterator[Jobs]:
    """Return jobs that no worker runs."""
    with open_jobs(environment) as found:
        yield found


def test_a_schedule_is_what_was_asked(jobs: Jobs) -> None:
    """Its line, its clock and its request come back."""
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
    """Pausing is not removing."""
    jobs.add_schedule("nightly", "0 3 * * *", REQUEST)

    jobs.pause("nightly")
    paused = jobs.schedule("nightly")
    jobs.resume("nightly")

    assert (paused["paused"], paused["next_at"]) == (True, None)
    assert jobs.schedule("nightly")["next_at"] is not None


def test_a_removed_schedule_is_gone(jobs: Jobs) -> None:
    """And its name is free."""
    jobs.add_schedule("nightly", "0 3 * * *", REQUEST)

    jobs.remove("nightly")

    assert jobs.schedules() == []
    with pytest.raises(ScheduleUnknown, match="none yet"):
        jobs.pause("nightly")


def test_what_is_no_schedule_is_refused(jobs: Jobs) -> None:
    """A cron line, a time zone and a name are checked before anything is written."""
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


def test_the_built_in_watch_makes_no_jobs(jobs: Jobs, environment: dict[str, str]) -> None:
    """It retrains nothing, so it is neither triggered nor backfilled nor removed."""
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


def test_a_backfill_makes_each_tick_once(jobs: Jobs) -> None:
    """Asked twice, or in overlapping spans, each tick still has one job."""
    jobs.add_schedule("hourly", "0 * * * *", REQUEST)

    first = jobs.backfill("hourly", NOW, NOW + timedelta(hours=10, minutes=1))
    again = jobs.backfill("hourly", NOW + timedelta(hours=5), NOW + timedelta(hours=12, minutes=1))

    assert (len(first), len(again)) == (10, 7)
    assert len(set(first) | set(again)) == len(jobs.jobs(schedule="hourly")) == 12


def test_a_job_by_hand_says_its_model_and_when_it_was_asked(jobs: Jobs) -> None:
    """Its id can be read."""
    job = jobs.enqueue(REQUEST, now=NOW)

    assert job.startswith("sales-20260301T120000Z-")
    assert [row["id"] for row in jobs.jobs(name="sales")] == [job]
    assert jobs.jobs(name="other") == []


def test_a_cancelled_job_is_not_run(jobs: Jobs) -> None:
    """It leaves the queue."""
    job = jobs.enqueue(REQUEST, now=NOW)

    jobs.cancel(job)

    assert jobs.job(job)["status"] == "CANCELLED"


def test_a_job_that_nobody_knows_is_said_so(jobs: Jobs) -> None:
    """With where to look."""
    with pytest.raises(JobUnknown, match="almanac jobs"):
        jobs.job("nonsense")


def test_jobs_of_a_living_worker_are_not_adopted(jobs: Jobs, environment: dict[str, str]) -> None:
    """They are running; those of a dead one without jobs are none."""
    with lock_worker(f"sqlite:///{environment['ALMANAC_HOME']}/jobs.db", "a"):
        with pytest.raises(WorkerAlive):
            jobs.adopt("a")
        assert jobs.workers() == [{"worker": "a", "alive": True, "jobs": []}]

    assert jobs.adopt("a") == []
    assert jobs.workers() == []


def test_a_worker_that_nobody_ever_saw_has_nothing_to_adopt(jobs: Jobs, environment: dict[str, str]) -> None:
    """A name that was misspelt is said to be one, and leaves nothing behind."""
    with pytest.raises(WorkerUnknown, match="trainer-l"):
        jobs.adopt("trainer-l")

    assert not (Path(environment["ALMANAC_HOME"]) / "workers").exists()


def test_who_only_reads_makes_no_database(environment: dict[str, str]) -> None:
    """And is told how one comes to be."""
    with pytest.raises(JobsUnreachable, match="almanac worker"), open_jobs(environment, make=False):
        pass

    assert not Path(environment["ALMANAC_HOME"]).exists()


def test_a_database_that_does_not_answer_is_one_sentence() -> None:
    """Its address is said, its password is not."""
    environment = {"ALMANAC_JOBS_URL": "postgresql://almanac:secret@127.0.0.1:9/almanac"}

    with pytest.raises(JobsUnreachable, match=r"almanac@127\.0\.0\.1:9") as unreachable, open_jobs(environment):
        pass

    assert "secret" not in str(unreachable.value)
