import os
import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from models.jobs.errors import WorkerAlive
from tests.training.fake_service import FakeService, serving
from tests.training.jobs.collector import collecting
from tests.training.jobs.workers import RunningWorker, eventually, finished, stages_done, working
from training.jobs.client import Jobs, open_jobs

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return an empty home."""
    return tmp_path / "home"


@pytest.fixture
def jobs(home: Path) -> Iterator[Jobs]:
    """Return the jobs of that home."""
    with open_jobs({"ALMANAC_HOME": str(home), "ALMANAC_MIN_SCHEDULE_SECONDS": "1"}) as found:
        yield found


@pytest.fixture(scope="module")
def spans() -> Iterator[list[Span]]:
    """Return the spans that a collector has received; its address is in the environment."""
    with collecting() as (address, spans), pytest.MonkeyPatch.context() as patch:
        patch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", address)
        patch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
        yield spans


@pytest.fixture(scope="module")
def shared(
    tmp_path_factory: pytest.TempPathFactory,
    spans: list[Span],  # noqa: ARG001 (its address is in the worker's environment)
) -> Iterator[tuple[Path, Jobs, RunningWorker]]:
    """Return a home, its jobs, and worker `a`, which runs four at once."""
    home = tmp_path_factory.mktemp("shared")
    with open_jobs({"ALMANAC_HOME": str(home)}) as jobs, working(home, jobs=4) as worker:
        yield home, jobs, worker


def enqueue(jobs: Jobs, **config: Any) -> str:  # noqa: ANN401 (any setting)
    """Queue a job and return its id."""
    return jobs.enqueue({"name": "sales", "config": config, "if_needed": False, "reason": "manual"}, now=NOW)


def within_jobs(spans: list[Span]) -> set[str]:
    """Return the names of the spans within those of jobs."""
    jobs = {span.span_id for span in spans if span.name == "retrain"}
    return {span.name for span in spans if span.parent_span_id in jobs}


def test_jobs_succeed_are_retried_or_fail_with_their_error(
    shared: tuple[Path, Jobs, RunningWorker], spans: list[Span]
) -> None:
    """A registry that is down is retried; wrong data ends the job at once. Each job has a span, and each stage one within it."""
    home, jobs, worker = shared
    good, shaky, wrong, crashing = (
        enqueue(jobs),
        enqueue(jobs, read_fails=2),
        enqueue(jobs, read_fails="invalid"),
        enqueue(jobs, candidates=["lstm", "dies"]),
    )
    not_needed = jobs.enqueue({"name": "sales", "config": {}, "if_needed": True, "reason": "schedule"}, now=NOW)

    eventually(lambda: finished(jobs, good, shaky, wrong, crashing, not_needed))

    assert jobs.job(good)["result"]["version"] == "7"
    assert jobs.job(good)["summary"]["run_id"] == "r1"
    names = ["read", "fit lstm", "compare", "refit", "register", "promote"]
    assert [step["name"] for step in jobs.job(good)["steps"]] == names
    assert (jobs.job(shaky)["status"], stages_done(home, shaky).count("read")) == ("SUCCESS", 3)
    assert jobs.job(wrong)["error"] == {"code": "DATA_INVALID", "message": "Row 3 is wrong. Correct it."}
    assert stages_done(home, wrong) == ["read", "fail"]
    assert jobs.job(crashing)["error"]["code"] == "STAGE_FAILED"
    assert stages_done(home, crashing).count("fit dies") == 3
    assert jobs.job(not_needed)["result"] == {"decision": {"retrain": False, "reasons": []}}
    assert "Traceback" not in worker.lines
    eventually(lambda: {*names, "fail"} <= within_jobs(spans))


def test_progress_is_visible_while_a_candidate_is_fitted(shared: tuple[Path, Jobs, RunningWorker]) -> None:
    """The job has its current step, and the worker has the job."""
    home, jobs, _ = shared
    job = enqueue(jobs, candidates=["waits"])

    eventually(lambda: (jobs.job(job)["progress"] or {}).get("step") == "fit waits")
    workers = jobs.workers()
    (home / "jobs" / job / "go.txt").touch()

    assert workers == [{"worker": "a", "alive": True, "jobs": [job]}]
    eventually(lambda: finished(jobs, job))


def test_a_cancelled_job_ends_in_the_middle_of_a_step(shared: tuple[Path, Jobs, RunningWorker]) -> None:
    """Its process ends within seconds, and its run is closed."""
    home, jobs, worker = shared
    job = enqueue(jobs, candidates=["waits"])

    eventually((home / "jobs" / job / "pid.txt").exists)
    jobs.cancel(job)
    eventually((home / "jobs" / job / "status.txt").exists)

    assert jobs.job(job)["status"] == "CANCELLED"
    assert stages_done(home, job) == ["read", "fit waits", "fail"]
    assert (home / "jobs" / job / "status.txt").read_text(encoding="utf-8") == "KILLED"
    assert "recorded outcome" not in worker.lines


def test_a_worker_that_starts_again_resumes_and_closes_what_was_left(home: Path, jobs: Jobs) -> None:
    """After SIGKILL and after SIGTERM a job resumes at its current step; a cancelled one is closed, again where that failed."""
    job, cancelled = enqueue(jobs, candidates=["lstm", "waits"]), enqueue(jobs, candidates=["waits"], fail_fails=3)
    folder = home / "jobs"
    with working(home, jobs=2) as worker:
        eventually(lambda: all((folder / one / "pid.txt").exists() for one in (job, cancelled)))
        worker.kill()
    jobs.cancel(cancelled)
    jobs.cancel(never := enqueue(jobs))
    (folder / job / "pid.txt").unlink()

    with working(home) as worker:
        eventually(lambda: (folder / job / "pid.txt").exists() and stages_done(home, cancelled).count("fail") == 3)
        worker.process.send_signal(signal.SIGTERM)
        code = worker.process.wait(15)
    (folder / job / "go.txt").touch()
    with working(home):
        eventually(lambda: finished(jobs, job) and (folder / cancelled / "status.txt").exists())

    assert code == 0
    assert jobs.job(job)["status"] == "SUCCESS"
    assert stages_done(home, job) == ["read", "fit lstm", *["fit waits"] * 3, "compare", "refit", "register", "promote"]
    assert stages_done(home, cancelled) == ["read", "fit waits", *["fail"] * 4]
    assert not (folder / never).exists()


def test_a_dead_workers_jobs_are_adopted_and_a_running_ones_are_not(home: Path, jobs: Jobs) -> None:
    """A second worker of the same name is refused."""
    job = enqueue(jobs, candidates=["waits"])
    with working(home, "a") as worker:
        eventually((home / "jobs" / job / "pid.txt").exists)
        with working(home, "a") as second:
            refused = second.process.wait(30)
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


def test_schedules_and_the_watch_tick_and_one_missed_tick_is_made_up_for(home: Path, jobs: Jobs) -> None:
    """The watch needs a service that is up, and `off` removes it."""
    jobs.add_schedule("often", "* * * * * *", {"name": "sales", "config": {}, "if_needed": True, "reason": "schedule"})
    with serving(FakeService()) as service, working(home, watch="* * * * * *", service=service) as worker:
        eventually(lambda: "watch: sales version 1 is champion again." in worker.lines)
        eventually(lambda: len(jobs.jobs(schedule="often")) >= 2)
        built_in = [row["name"] for row in jobs.schedules()]
    jobs.pause("often")
    before = ticks_of(jobs)
    eventually(lambda: datetime.now(UTC) > max(before) + timedelta(seconds=3))
    jobs.resume("often")

    with working(home) as worker:
        eventually(lambda: "tick was missed" in worker.lines)
        jobs.pause("often")
        eventually(lambda: [row["name"] for row in jobs.schedules()] == ["often"])

    ticks = ticks_of(jobs)
    assert built_in == ["almanac-watch", "often"]
    assert len(ticks) == len(set(ticks)) > len(before)
    assert worker.lines.count("tick was missed") == 1
    assert min(tick for tick in ticks if tick > max(before)) > max(before) + timedelta(seconds=1)


def ticks_of(jobs: Jobs) -> list[datetime]:
    """Return the ticks that the schedule `often` has jobs for."""
    return [datetime.fromisoformat(row["id"].removeprefix("sched-often-")) for row in jobs.jobs(schedule="often")]


def test_a_job_without_a_folder_fails_and_a_worker_without_a_database_ends(home: Path, jobs: Jobs) -> None:
    """The job has an error code; the worker would run jobs that are not in the table, and see no new ones."""
    job = enqueue(jobs)
    (home / "jobs").mkdir(parents=True)
    (home / "jobs" / job).touch()

    with working(home) as worker:
        eventually(lambda: finished(jobs, job))
        code = jobs.job(job)["error"]["code"]
        (home / "jobs.db").unlink()
        exit_code = worker.process.wait(30)

    assert (code, exit_code) == ("STAGE_FAILED", os.EX_TEMPFAIL)
