"""Job data: schedules and jobs of DBOS as plain data."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from dbos import WorkflowSchedule, WorkflowStatus

from models.jobs.cron import next_fires

Row = dict[str, Any]


def schedule_row(schedule: WorkflowSchedule, now: datetime) -> Row:
    """Return a schedule as plain data."""
    zone = schedule["cron_timezone"] or "UTC"
    paused = schedule["status"] != "ACTIVE"
    upcoming = [] if paused else next_fires(schedule["schedule"], zone, now)
    return {
        "name": schedule["schedule_name"],
        "cron": schedule["schedule"],
        "timezone": zone,
        "paused": paused,
        "last_fired_at": schedule["last_fired_at"],
        "next_at": upcoming[0].isoformat() if upcoming else None,
        "request": schedule["context"],
    }


def job_row(job: WorkflowStatus) -> Row:
    """Return a job as plain data."""
    request, error = request_of(job), job.error
    return {
        "id": job.workflow_id,
        "status": job.status,
        "name": request.get("name"),
        "schedule": job.schedule_name,
        "worker": job.executor_id,
        "created_at": _iso(job.created_at),
        "started_at": _iso(job.dequeued_at),
        "completed_at": _iso(job.completed_at),
        "request": request,
        "result": job.output,
        "error": None if error is None else {"code": _code(error), "message": str(error)},
    }


def step_row(step: Mapping[str, Any]) -> Row:
    """Return a step of a job as plain data."""
    began, ended, error = step["started_at_epoch_ms"], step["completed_at_epoch_ms"], step["error"]
    return {
        "name": step["function_name"],
        "started_at": _iso(began),
        "seconds": None if began is None or ended is None else (ended - began) / 1000,
        "error": None if error is None else str(error),
    }


def request_of(job: WorkflowStatus) -> Row:
    """Return the request of a job, {} if it has none."""
    request: Row = job.input["args"][1] if job.input and len(job.input["args"]) > 1 else {}
    return request


def _code(error: Exception) -> str:
    """Return an error's code, or the name of its type: `code` of an OSError or of DBOS's own errors is not a text."""
    code = getattr(error, "code", None)
    return code if isinstance(code, str) else str(getattr(error, "name", None) or type(error).__name__)


def _iso(milliseconds: int | None) -> str | None:
    return None if milliseconds is None else datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat()
