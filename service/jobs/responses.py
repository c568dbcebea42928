"""Job responses: jobs and schedules as JSON, without credentials."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from models.jobs.cron import next_fires
from models.jobs.names import PROGRESS, SUMMARY, WORKFLOW
from service.jobs.client import Client, Schedule, Status
from service.jobs.jobs import find_job, request_of, state_of

DBOS_STEPS = "DBOS."
"""Prefix of the names of DBOS's own steps."""

_CREDENTIALS = re.compile(r"(?<=://)[^\s/@]+@")
"""User name and password in a URL."""


@dataclass(frozen=True, slots=True)
class JobDetails:
    """A job with its ended steps in order, the last progress event of the current step, and the results so far."""

    status: Status
    steps: Sequence[Mapping[str, Any]] = ()
    progress: Mapping[str, Any] = field(default_factory=dict)
    summary: Mapping[str, Any] = field(default_factory=dict)


def read_job(client: Client, job_id: str) -> JobDetails:
    """Return a job with its steps and events; raises JobUnknown."""
    status = find_job(client, job_id)
    steps = [step for step in client.list_workflow_steps(job_id) if not step["function_name"].startswith(DBOS_STEPS)]
    progress, summary = (client.get_event(job_id, key, 0) or {} for key in (PROGRESS, SUMMARY))
    return JobDetails(status, steps, progress, summary)


def job_response(details: JobDetails, tracking_uri: str) -> dict[str, Any]:
    """Return a job with its steps, progress, decision, and its run in the MLflow at `tracking_uri`."""
    job, is_running = details.status, state_of(details.status) == "RUNNING"
    result = {**details.summary, **(job.output if isinstance(job.output, dict) else {})}
    summary = job_summary(job)
    response: dict[str, Any] = {
        **summary,
        "reason": result.get("reason") or summary["reason"],
        "judgement": result.get("judgement"),
        "steps": [_step(step) for step in details.steps],
        "progress": details.progress if is_running and details.progress else None,
        "decision": result.get("decision"),
        "winner": result.get("winner"),
        "version": result.get("version"),
        "run": job_run(result, tracking_uri),
        "request": request_of(job),
    }
    return {key: _without_credentials(value) for key, value in response.items()}


def job_run(result: Mapping[str, Any], tracking_uri: str) -> dict[str, Any] | None:
    """Return a job's run with its URL on the MLflow server, or None before there is one."""
    run_id, url = result.get("run_id"), result.get("run_url")
    if not run_id:
        return None
    if not url and tracking_uri.startswith(("http://", "https://")):
        url = f"{tracking_uri.rstrip('/')}/#/runs/{run_id}"
    return {"run_id": run_id, "run_url": _without_credentials(url)}


def job_summary(job: Status) -> dict[str, Any]:
    """Return a job as an entry of the list of jobs."""
    request = request_of(job)
    return {
        "id": job.workflow_id,
        "state": state_of(job),
        "name": request.get("name"),
        "schedule": job.schedule_name,
        "reason": request.get("reason"),
        "if_needed": bool(request.get("if_needed")),
        "worker": job.executor_id,
        "created_at": _time(job.created_at),
        "started_at": _time(job.dequeued_at),
        "ended_at": _time(job.completed_at),
        "outcome": _outcome(job),
        "error": _without_credentials(_job_error(job)),
    }


def schedule_response(schedule: Schedule, now: datetime) -> dict[str, Any]:
    """Return a schedule with its next run, None while it is paused."""
    timezone = schedule["cron_timezone"] or "UTC"
    is_paused = schedule["status"] != "ACTIVE"
    request = schedule["context"] if isinstance(schedule["context"], dict) else {}
    return {
        "name": schedule["schedule_name"],
        "cron": schedule["schedule"],
        "timezone": timezone,
        "paused": is_paused,
        "builtin": schedule["workflow_name"] != WORKFLOW,
        "model": request.get("name"),
        "if_needed": bool(request.get("if_needed")),
        "last_fired_at": schedule["last_fired_at"],
        "next_at": None if is_paused else next_fires(schedule["schedule"], timezone, now)[0].isoformat(),
        "config": request.get("config"),
    }


def _step(step: Mapping[str, Any]) -> dict[str, Any]:
    started, ended = step["started_at_epoch_ms"], step["completed_at_epoch_ms"]
    error = step["error"]
    return {
        "name": step["function_name"],
        "state": "FAILED" if error is not None else "SUCCEEDED",
        "started_at": _time(started),
        "ended_at": _time(ended),
        "seconds": (ended - started) / 1000 if started is not None and ended is not None else None,
        "error": None if error is None else _error(error),
    }


def _job_error(job: Status) -> dict[str, Any] | None:
    if job.status == "MAX_RECOVERY_ATTEMPTS_EXCEEDED":
        return {
            "code": "RECOVERIES_EXCEEDED",
            "detail": f"The worker died {job.recovery_attempts} times during the job.",
        }
    return None if job.error is None else _error(job.error)


def _error(error: object) -> dict[str, Any]:
    """Return an exception as code and detail; DBOS passes exceptions of other programs on by name."""
    code = getattr(error, "code", None)
    if not isinstance(code, str):  # an exception of the system has a number
        code = str(getattr(error, "name", None) or type(error).__name__)
    return {"code": code, "detail": str(error)}


def _outcome(job: Status) -> str | None:
    """Return the outcome of a job that succeeded, else None."""
    decision = job.output.get("decision") if isinstance(job.output, dict) else None
    if not isinstance(decision, dict):
        return None
    if decision.get("retrain") is False:
        return "NOT_NEEDED"
    return "PROMOTED" if decision.get("promote") else "KEPT"


def _without_credentials(value: Any) -> Any:  # noqa: ANN401 (any JSON)
    """Return data without the user names and passwords in its URLs."""
    if isinstance(value, str):
        return _CREDENTIALS.sub("", value)
    if isinstance(value, Mapping):
        return {key: _without_credentials(entry) for key, entry in value.items()}
    return [_without_credentials(entry) for entry in value] if isinstance(value, list | tuple) else value


def _time(milliseconds: int | None) -> str | None:
    if milliseconds is None:
        return None
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds")
