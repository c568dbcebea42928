import os
import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from models.jobs.errors import WorkerAlive
from tests.training.fake_service import FakeService, serving
from tests.training.jobs.endurance import endure
from tests.training.jobs.killing import House
from tests.training.jobs.workers import eventually, finished, stages_done, working
from training.jobs.client import Jobs, open_jobs
from training.jobs.worker import newest_tick

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return a home of this test's own."""
    return tmp_path / "home"


@pytest.fixture
def jobs(home: Path) -> Iterator[Jobs]:
    """Return the jobs of that home."""
    with open_jobs({"ALMANAC_HOME": str(home)}) as found:
        yield found


class Healthy(FakeService):
    """A service that answers."""

    def respond(self, query: dict[str, str]) -> dict[str, Any]:  # noqa: ARG002 (whatever it is)
        """Return nothing."""
        return {}


def ask(jobs: Jobs, **config: Any) -> str:  # noqa: ANN401 (any setting)
    """Ask for a job and return its id."""
    return jobs.enqueue({"name": "sales", "config": config, "if_needed": False, "reason": "manual"}, now=NOW)


def ticks_of(jobs: Jobs) -> list[datetime]:
    """Return the moments that the schedule `often` has jobs for."""
    return [datetime.fromisoformat(row["id"].removeprefix("sched-often-")) for row in jobs.jobs(schedule="often")]


def test_jobs_are_run_retried_and_fail_with_their_reason(home: Path, jobs: Jobs) -> None:
    """What a retry can mend is mended; what it cannot ends the job at once, with its code and its sentence."""
    good, shaky, wrong, crashing = (
        ask(jobs),
        ask(jobs, read_fails=2),
        ask(jobs, read_fails="invalid"),
        ask(jobs, candidates=["lstm", "dies"]),
    )
    judged = jobs.enqueue({"name": "sales", "config": {}, "if_needed": True, "reason": "schedule"}, now=NOW)

    with working(home) as worker:
        eventually(lambda: finished(jobs, good, shaky, wrong, crashing, judged))
        lines = worker.lines

    assert jobs.job(good)["result"]["version"] == "7"
    assert jobs.job(good)["summary"]["run_id"] == "r1"
    assert [step["name"] for step in jobs.job(good)["steps"]] == [
        "read",
        "fit lstm",
        "compare",
        "refit",
        "register",
        "promote",
    ]
    assert (jobs.job(shaky)["status"], stages_done(home, shaky).count("read")) == ("SUCCESS", 3)
    assert jobs.job(wrong)["error"] == {"code": "DATA_INVALID", "message": "Row 3 is wrong. Mend it."}
    assert stages_done(home, wrong) == ["read", "fail"]
    assert jobs.job(crashing)["error"]["code"] == "STAGE_FAILED"
    assert stages_done(home, crashing).count("fit dies") == 3
    assert jobs.job(judged)["result"] == {"decision": {"retrain": False, "reasons": []}}
    assert f"{good}: sales version 7 is champion. It is better." in lines
    assert f"{wrong}: failed: Row 3 is wrong. Mend it." in lines
    assert "Traceback" not in lines


def test_progress_is_visible_while_a_candidate_is_fitted(home: Path, jobs: Jobs) -> None:
    """Whoever looks sees the step, the epoch and the error so far."""
    job = ask(jobs, candidates=["waits"])

    with working(home):
        eventually(lambda: (jobs.job(job)["progress"] or {}).get("step") == "fit waits")
        workers = jobs.workers()
        (home / "jobs" / job / "go.txt").touch()
        eventually(lambda: finished(jobs, job))

    assert workers == [{"worker": "a", "alive": True, "jobs": [job]}]
    assert jobs.job(job)["result"]["version"] == "7"


def test_a_job_goes_on_at_the_step_it_was_in(home: Path, jobs: Jobs) -> None:
    """Killed, or asked to end: the next start does the broken step again, and none that was done."""
    job = ask(jobs, candidates=["lstm", "waits"])
    pid = home / "jobs" / job / "pid.txt"
    codes = []

    for how in (signal.SIGKILL, signal.SIGTERM):
        with working(home) as worker:
            eventually(pid.exists)
            worker.process.send_signal(how)
            codes.append(worker.process.wait(15))
            pid.unlink()
    (home / "jobs" / job / "go.txt").touch()
    with working(home):
        eventually(lambda: finished(jobs, job))

    assert codes == [-signal.SIGKILL, 0]
    assert jobs.job(job)["status"] == "SUCCESS"
    assert stages_done(home, job) == ["read", "fit lstm", *["fit waits"] * 3, "compare", "refit", "register", "promote"]


def test_a_cancelled_job_ends_in_the_middle_of_a_step(home: Path, jobs: Jobs) -> None:
    """Its process is ended within seconds, its run is closed, and the worker goes on with the next job."""
    job, following = ask(jobs, candidates=["waits"]), ask(jobs)

    with working(home) as worker:
        eventually((home / "jobs" / job / "pid.txt").exists)
        jobs.cancel(job)
        eventually(lambda: finished(jobs, following))
        eventually((home / "jobs" / job / "status.txt").exists)

    assert jobs.job(job)["status"] == "CANCELLED"
    assert stages_done(home, job) == ["read", "fit waits", "fail"]
    assert (home / "jobs" / job / "status.txt").read_text(encoding="utf-8") == "KILLED"
    assert f"{job}: cancelled" in worker.lines
    assert "recorded outcome" not in worker.lines


def test_a_job_cancelled_while_no_worker_has_it_is_closed_by_the_next(home: Path, jobs: Jobs) -> None:
    """Killed in the middle of a step, or given back when its worker ended; one that never began has nothing to close."""
    left = [ask(jobs, candidates=["waits"]) for _ in range(2)]
    for job, how in zip(left, (signal.SIGKILL, signal.SIGTERM), strict=True):
        with working(home) as worker:
            eventually((home / "jobs" / job / "pid.txt").exists)
            worker.process.send_signal(how)
            worker.process.wait(15)
        jobs.cancel(job)
    jobs.cancel(never := ask(jobs))

    for _ in range(2):
        with working(home) as worker:
            eventually(lambda: all((home / "jobs" / job / "status.txt").exists() for job in left))
            eventually(partial(finished, jobs, ask(jobs)))

    assert [stages_done(home, job) for job in left] == [["read", "fit waits", "fail"]] * 2
    assert {jobs.job(job)["status"] for job in (*left, never)} == {"CANCELLED"}
    assert not (home / "jobs" / never).exists()
    assert worker.lines.count("left runs open, which are closed next") == 2


def test_runs_that_could_not_be_closed_are_tried_again_by_the_next_worker(home: Path, jobs: Jobs) -> None:
    """MLflow did not answer, three times on end."""
    job = ask(jobs, candidates=["waits"], fail_fails=3)
    with working(home) as worker:
        eventually((home / "jobs" / job / "pid.txt").exists)
        jobs.cancel(job)
        eventually(lambda: f"{job}: fail failed: No answer." in worker.lines)
        eventually(partial(finished, jobs, ask(jobs)))

    with working(home):
        eventually((home / "jobs" / job / "status.txt").exists)

    assert stages_done(home, job) == ["read", "fit waits", *["fail"] * 4]


def test_the_watch_looks_where_a_service_answers(home: Path, jobs: Jobs) -> None:
    """Its schedule is the worker's own; what it does is printed; `off` takes it away."""
    with serving(Healthy()) as service, working(home, watch="* * * * * *", service=service) as worker:
        eventually(lambda: "watch: sales version 1 is champion again." in worker.lines)
        built_in = [row["name"] for row in jobs.schedules()]
    with working(home):
        eventually(lambda: jobs.schedules() == [])

    assert built_in == ["almanac-watch"]
    assert jobs.jobs() == []


def test_a_second_worker_of_one_name_refuses_and_another_takes_what_a_dead_one_left(home: Path, jobs: Jobs) -> None:
    """Jobs of a living worker are its own; of a dead one they are adopted, and go on."""
    job = ask(jobs, candidates=["waits"])
    with working(home, "a") as worker:
        eventually((home / "jobs" / job / "pid.txt").exists)
        with working(home, "a") as second:
            refused = second.process.wait(20)
        with pytest.raises(WorkerAlive):
            jobs.adopt("a")
        worker.kill()
    left = jobs.workers()

    adopted = jobs.adopt("a")

    (home / "jobs" / job / "go.txt").touch()
    with working(home, "b"):
        eventually(lambda: finished(jobs, job))
    assert refused == 1
    assert (left, adopted) == ([{"worker": "a", "alive": False, "jobs": [job]}], [job])
    assert (jobs.job(job)["status"], jobs.job(job)["worker"]) == ("SUCCESS", "b")


def test_a_job_that_has_no_folder_fails_with_a_code(home: Path, jobs: Jobs) -> None:
    """What the system said is a sentence, its number no code."""
    job = ask(jobs)
    (home / "jobs").mkdir(parents=True)
    (home / "jobs" / job).touch()

    with working(home):
        eventually(lambda: finished(jobs, job))

    error = jobs.job(job)["error"]
    assert error["code"] == "STAGE_FAILED"
    assert "read could not be run" in error["message"]


def test_a_worker_whose_database_is_removed_ends_and_says_so(home: Path, jobs: Jobs) -> None:
    """It would run jobs that nobody sees, and see none that is asked for."""
    job = ask(jobs)
    with working(home) as worker:
        eventually(lambda: finished(jobs, job))
        (home / "jobs.db").unlink()
        code = worker.process.wait(20)

    assert code == os.EX_TEMPFAIL
    assert f"the jobs' database {home / 'jobs.db'} is gone" in worker.lines


def test_a_schedule_ticks_and_the_newest_tick_that_was_missed_is_made_up_for(home: Path, jobs: Jobs) -> None:
    """One job for a pause, however many ticks it had; and none twice."""
    jobs.add_schedule("often", "* * * * * *", {"name": "sales", "config": {}, "if_needed": True, "reason": "schedule"})
    with working(home):
        eventually(lambda: len(jobs.jobs(schedule="often")) >= 2)
    jobs.pause("often")
    before = ticks_of(jobs)
    eventually(lambda: datetime.now(UTC) > max(before) + timedelta(seconds=3))
    jobs.resume("often")

    with working(home) as worker:
        eventually(lambda: "made up for" in worker.lines)
        jobs.pause("often")

    ticks = ticks_of(jobs)
    assert len(ticks) == len(set(ticks)) > len(before)
    assert worker.lines.count("made up for") == 1
    assert min(tick for tick in ticks if tick > max(before)) > max(before) + timedelta(seconds=1)


@pytest.mark.parametrize(
    ("line", "fired", "now", "expected"),
    [
        ("0 3 * * *", "2026-03-01T03:00", "2026-03-01T12:00", None),
        ("0 3 * * *", "2026-02-01T03:00", "2026-03-01T12:00", "2026-03-01T03:00"),
        ("0 3 1 * *", "2023-01-01T03:00", "2026-03-01T02:59", "2026-02-01T03:00"),
        ("* * * * *", "2020-01-01T00:00", "2026-03-01T12:00:30", "2026-03-01T12:00"),
    ],
)
def test_the_newest_missed_tick_is_found(line: str, fired: str, now: str, expected: str | None) -> None:
    """However long ago the last one was."""
    found = newest_tick(line, "UTC", *(datetime.fromisoformat(one).replace(tzinfo=UTC) for one in (fired, now)))

    assert (found and found.strftime("%Y-%m-%dT%H:%M")) == expected


def test_each_tick_takes_effect_once_though_workers_are_killed(home: Path) -> None:
    """The short form of tests/prove/test_jobs.py, on SQLite."""
    endured = endure(home, ticks=8, kills=2)

    assert (endured.ticks, endured.succeeded, endured.effects) == (8, 8, 8)
    assert endured.repeated == []
    assert endured.kills >= 1


def test_a_job_killed_while_it_registers_and_while_it_promotes_makes_one_version(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The short form of tests/prove/test_jobs.py, with real stages: the aliases name whole versions at every moment."""
    house = House.make(home, monkeypatch)

    killed = house.run(["create_model_version", "set_model_version_tag"])

    assert killed.died == 2
    assert killed.row["status"] == "SUCCESS"
    assert killed.repeated == []
    assert house.versions_of(killed.row["id"]) == ["1"]
    assert house.aliases() == {"champion": "1", "challenger": "1"}
