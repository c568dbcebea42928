from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from models.errors import AlmanacError
from models.jobs.errors import WorkerAlive
from tests.training.cli.command_line import Run, printed_json
from tests.training.jobs.workers import eventually, working
from training.cli.jobs import follow
from training.jobs.client import open_jobs

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def test_reading_creates_no_database(run: Run, home: Path) -> None:
    """Lists are empty, and a job or schedule that is named is unknown."""
    assert run("schedule", "list").exit_code == 0
    assert run("jobs").exit_code == 0
    for arguments in (["jobs", "nobody"], ["schedule", "pause", "nobody"]):
        error = run(*arguments).exception
        assert isinstance(error, AlmanacError)
        assert error.code == "JOBS_UNREACHABLE"
    assert not home.exists()


@pytest.mark.usefixtures("monthly")
@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["jobs", "nobody"], "JOB_UNKNOWN"),
        (["jobs", "nobody", "--follow"], "JOB_UNKNOWN"),
        (["jobs", "cancel", "nobody"], "JOB_UNKNOWN"),
        (["schedule", "show", "nobody"], "SCHEDULE_UNKNOWN"),
        (["schedule", "trigger", "nobody"], "SCHEDULE_UNKNOWN"),
        (["schedule", "remove", "nobody"], "SCHEDULE_UNKNOWN"),
        (["schedule", "backfill", "nobody", "--start", "2026-01-01", "--end", "2026-02-01"], "SCHEDULE_UNKNOWN"),
    ],
)
def test_an_unknown_job_or_schedule_is_an_error(run: Run, arguments: list[str], code: str) -> None:
    """The error has its name."""
    error = run(*arguments).exception

    assert isinstance(error, AlmanacError)
    assert error.code == code
    assert "nobody" in str(error)


def has_worker(run: Run, monkeypatch: pytest.MonkeyPatch, name: str) -> int:
    """Return the exit code of `almanac worker --check` for a worker."""
    monkeypatch.setenv("ALMANAC_WORKER_ID", name)
    return run("worker", "--check").exit_code


def test_a_job_is_followed_until_it_has_ended(
    run: Run, home: Path, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each step is printed; the exit code says whether it succeeded; a running worker keeps its jobs."""
    wrong = {"name": "sales", "config": {"read_fails": "invalid"}, "if_needed": False, "reason": "manual"}
    with open_jobs({"ALMANAC_HOME": str(home)}) as jobs, working(home):
        eventually(lambda: jobs.workers() != [])
        codes = [has_worker(run, monkeypatch, name) for name in ("a", "other")]
        waited = run("retrain", "sales", "--config", config, "--wait")
        job_id = printed_json(run("jobs", "--json"))["jobs"][0]["id"]
        failed = run("jobs", jobs.enqueue(wrong, now=NOW), "--follow")
        shown, late, alive = run("jobs", job_id), run("jobs", "cancel", job_id), run("jobs", "adopt", "a")

    assert codes == [0, 1]
    assert (waited.exit_code, waited.stderr) == (0, ""), waited.output
    for text in ("read ", "fit lstm", "register", "sales version 7", "Run r1"):
        assert text in waited.stdout
        assert text in shown.stdout
    assert failed.exit_code == 1
    assert "DATA_INVALID: Row 3 is wrong. Correct it." in failed.stdout
    assert late.exit_code == 1
    assert isinstance(alive.exception, WorkerAlive)
    assert run("jobs", "adopt", "a").exit_code == 0


def test_progress_is_printed_when_it_changes() -> None:
    """The queue is polled until the job has ended."""
    lines: list[str] = []
    steps = [{"name": "read", "seconds": 1.5, "error": None}]
    job: dict[str, Any] = dict.fromkeys(("progress", "summary", "result", "error")) | {"steps": [], "name": "sales"}
    fitting = {"step": "fit lstm", "attempt": 2, "epoch": 3, "validation_mase": 0.8}
    rows: list[dict[str, Any]] = [
        {**job, "status": "ENQUEUED"},
        {**job, "status": "PENDING", "steps": steps, "progress": fitting},
        {**job, "status": "PENDING", "steps": steps, "progress": fitting},
        {**job, "status": "CANCELLED", "steps": steps},
    ]

    class Queue:
        def job(self, _job: str) -> dict[str, Any]:
            return rows.pop(0)

    follow(Queue(), "a-1", lines.append, sleep=lambda _seconds: None)  # type: ignore[arg-type]

    assert lines == [
        "  a-1 is queued",
        "  read                 done  1.5 s",
        "  fit lstm, try 2: epoch 3, validation MASE 0.8000",
        "a-1 is cancelled.",
    ]
