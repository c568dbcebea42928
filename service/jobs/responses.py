"""Job answers: jobs and schedules as data for the wire, with nothing in them that opens a door."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from models.jobs.cron import next_fires
from models.jobs.names import PROGRESS, SUMMARY, WORKFLOW
from service.jobs.client import Client, Schedule, Status
from service.jobs.jobs import find_job, request_of, state_of

OWN_STEPS = "DBOS."
"""What the names of DBOS's own steps begin with."""

_CREDENTIALS = re.compile(r"(?<=://)[^\s/@]+@")
"""Name and password in an address."""


@dataclass(frozen=True, slots=True)
class Told:
    """A job, and all that it has told.

    Attributes:
        status: The job itself.
        steps: Those that have ended, in order, as DBOS has them.
        progress: What it said last of the step that runs.
        summary: What has come of it so far.
    """

    status: Status
    steps: Sequence[Mapping[str, Any]] = ()
    progress: Mapping[str, Any] = field(default_factory=dict)
    summary: Mapping[str, Any] = field(default_factory=dict)


def hear(client: Client, job_id: str) -> Told:
    """Return a job and all that it has told; raises JobUnknown."""
    status = find_job(client, job_id)
    steps = [one for one in client.list_workflow_steps(job_id) if not one["function_name"].startswith(OWN_STEPS)]
    progress, summary = (client.get_event(job_id, key, 0) or {} for key in (PROGRESS, SUMMARY))
    return Told(status, steps, progress, summary)


def job_answer(told: Told, tracking_uri: str) -> dict[str, Any]:
    """Return a job with its steps, its progress, what it has decided, and its run in the MLflow at `tracking_uri`."""
    one, running = told.status, state_of(told.status) == "RUNNING"
    result = {**told.summary, **(one.output if isinstance(one.output, dict) else {})}
    row = job_row(one)
    answer: dict[str, Any] = {
        **row,
        "reason": result.get("reason") or row["reason"],
        "judgement": result.get("judgement"),
        "steps": [_step(step) for step in told.steps],
        "progress": told.progress if running and told.progress else None,
        "decision": result.get("decision"),
        "winner": result.get("winner"),
        "version": result.get("version"),
        "run": run_answer(result, tracking_uri),
        "request": request_of(one),
    }
    return {key: _without_credentials(value) for key, value in answer.items()}


def run_answer(result: Mapping[str, Any], tracking_uri: str) -> dict[str, Any] | None:
    """Return a job's run, and where MLflow's own server shows it; None before there is one."""
    run_id, url = result.get("run_id"), result.get("run_url")
    if not run_id:
        return None
    if not url and tracking_uri.startswith(("http://", "https://")):
        url = f"{tracking_uri.rstrip('/')}/#/runs/{run_id}"
    return {"run_id": run_id, "run_url": _without_credentials(url)}


def job_row(one: Status) -> dict[str, Any]:
    """Return a job in short."""
    request = request_of(one)
    return {
        "id": one.workflow_id,
        "state": state_of(one),
        "name": request.get("name"),
        "schedule": one.schedule_name,
        "reason": request.get("reason"),
        "if_needed": bool(request.get("if_needed")),
        "worker": one.executor_id,
        "created_at": _time(one.created_at),
        "started_at": _time(one.dequeued_at),
        "ended_at": _time(one.completed_at),
        "outcome": _outcome(one),
        "error": _without_credentials(_error(one)),
    }


def schedule_answer(one: Schedule, now: datetime) -> dict[str, Any]:
    """Return a schedule, and when it fires next, None while it is paused."""
    timezone = one["cron_timezone"] or "UTC"
    paused = one["status"] != "ACTIVE"
    request = one["context"] if isinstance(one["context"], dict) else {}
    return {
        "name": one["schedule_name"],
        "cron": one["schedule"],
        "timezone": timezone,
        "paused": paused,
        "builtin": one["workflow_name"] != WORKFLOW,
        "model": request.get("name"),
        "if_needed": bool(request.get("if_needed")),
        "last_fired_at": one["last_fired_at"],
        "next_at": None if paused else next_fires(one["schedule"], timezone, now)[0].isoformat(),
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
        "error": None if error is None else _fault(error),
    }


def _error(one: Status) -> dict[str, Any] | None:
    if one.status == "MAX_RECOVERY_ATTEMPTS_EXCEEDED":
        return {"code": "RECOVERIES_EXCEEDED", "detail": f"Its worker died {one.recovery_attempts} times at it."}
    return None if one.error is None else _fault(one.error)


def _fault(error: object) -> dict[str, Any]:
    """Return an error as code and detail; DBOS hands on one that another program raised by name."""
    code = getattr(error, "code", None)
    if not isinstance(code, str):  # DBOS takes a number of the system's for one
        code = str(getattr(error, "name", None) or type(error).__name__)
    return {"code": code, "detail": str(error)}


def _outcome(one: Status) -> str | None:
    """Return what a job that succeeded has come to, in a word."""
    decision = one.output.get("decision") if isinstance(one.output, dict) else None
    if not isinstance(decision, dict):
        return None
    if decision.get("retrain") is False:
        return "NOT_NEEDED"
    return "PROMOTED" if decision.get("promote") else "KEPT"


def _without_credentials(value: Any) -> Any:  # noqa: ANN401 (any JSON)
    """Return data whose addresses have lost names and passwords."""
    if isinstance(value, str):
        return _CREDENTIALS.sub("", value)
    if isinstance(value, Mapping):
        return {key: _without_credentials(one) for key, one in value.items()}
    return [_without_credentials(one) for one in value] if isinstance(value, list | tuple) else value


def _time(milliseconds: int | None) -> str | None:
    if milliseconds is None:
        return None
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds")
