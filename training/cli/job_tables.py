"""Tables and lines that show jobs and schedules."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.table import Table
from rich.text import Text

from training.cli.requests import model_of

Row = Mapping[str, Any]

STATES = {
    "ENQUEUED": "queued",
    "DELAYED": "queued",
    "PENDING": "running",
    "SUCCESS": "succeeded",
    "ERROR": "failed",
    "MAX_RECOVERY_ATTEMPTS_EXCEEDED": "failed",
    "CANCELLED": "cancelled",
}
"""States that users see, by DBOS's status."""
ENDED = ("succeeded", "failed", "cancelled")
COLOURS = {"running": "cyan", "succeeded": "green", "failed": "red", "cancelled": "yellow"}
MINUTE, HOUR = 60, 3600
FIELDS_WITH_SECONDS = 6
"""Number of fields of a cron expression that begins with seconds."""


def schedules_table(rows: Sequence[Row]) -> Table:
    """Return a table of schedules, with times in each schedule's time zone."""
    table = Table(title="Schedules", title_justify="left")
    for heading in ("name", "model", "cron", "time zone", "next", "last"):
        table.add_column(heading)
    for row in rows:
        upcoming = "paused" if row["paused"] else moment(row["next_at"], row["cron"])
        model = model_of(row) or "(the worker's watch)"
        needed = " if needed" if (row["request"] or {}).get("if_needed") else ""
        last = moment(row["last_fired_at"], row["cron"])
        table.add_row(row["name"], f"{model}{needed}", row["cron"], row["timezone"], upcoming, last)
    return table


def jobs_table(rows: Sequence[Row]) -> Table:
    """Return a table of jobs."""
    table = Table(title="Jobs, newest first", title_justify="left")
    for heading in ("id", "state", "model", "reason", "worker", "created", "duration", "outcome"):
        table.add_column(heading, overflow="fold")
    for row in rows:
        state = state_of(row)
        why = f"schedule {row['schedule']}" if row["schedule"] else str(row["request"].get("reason", ""))
        cells = [row["name"] or "", why, row["worker"] or "", moment(row["created_at"]), duration(row), outcome(row)]
        table.add_row(row["id"], Text(state, style=COLOURS.get(state, "")), *cells)
    return table


def reasons_table(assessment: Row) -> Table:
    """Return a table of the reasons to retrain: whether each is met, its value and its threshold."""
    version = f" version {assessment['version']}" if assessment.get("version") else ""
    outcome = "would be retrained" if assessment["retrain"] else "would not be retrained"
    table = Table(title=f"{assessment.get('name', '')}{version} {outcome}".strip(), title_justify="left")
    for heading in ("reason", "", "value", "threshold", "explanation"):
        table.add_column(heading, justify="right" if heading in {"value", "threshold"} else "left")
    for one in assessment["reasons"]:
        word, style = ("met", "bold red") if one["holds"] else ("not met", "")
        if not one["known"]:
            word, style = "unknown", "yellow"
        table.add_row(
            one["code"], Text(word, style=style), _number(one["value"]), _number(one["threshold"]), one["sentence"]
        )
    return table


def describe_job(row: Row) -> Iterator[str]:
    """Yield lines about a job: its steps, progress, decision and version."""
    why = f"schedule {row['schedule']}" if row["schedule"] else row["request"].get("reason", "")
    worker = f", on {row['worker']}" if row["worker"] else ""
    yield f"{row['id']}: {row['name']}, {state_of(row)}{worker} ({why}; created {moment(row['created_at'])})"
    yield from (describe_step(step) for step in row["steps"])
    if state_of(row) == "running" and row["progress"]:
        yield f"  {describe_progress(row['progress'])}"
    yield from describe_end(row)


def describe_end(row: Row) -> Iterator[str]:
    """Yield lines about the results of a job so far: error, decision with its figures, version and run."""
    result = {**(row.get("summary") or {}), **(row["result"] or {})}
    if row["error"]:
        code = f"{row['error']['code']}: " if row["error"].get("code") else ""
        yield f"Failed. {code}{row['error']['message']}"
    decision = result.get("decision") or {}
    if decision.get("retrain") is False:
        yield "Not retrained: no reason is met."
    elif "promote" in decision:
        yield f"{'Promoted' if decision['promote'] else 'Not promoted'}. {decision.get('reason', '')}"
        yield from (f"  {key} {_number(value)}" for key, value in (decision.get("figures") or {}).items())
        yield from decision.get("notes") or ()
    if result.get("version"):
        yield f"Registered as {row['name']} version {result['version']}."
    if result.get("run_id"):
        yield f"Run {result['run_id']}{': ' + result['run_url'] if result.get('run_url') else '; almanac ui shows it.'}"


def describe_step(step: Row) -> str:
    """Return a finished step as a line."""
    seconds = "" if step["seconds"] is None else f"  {step['seconds']:.1f} s"
    return f"  {step['name']:<20} {'failed: ' + step['error'] if step['error'] else 'done'}{seconds}"


def describe_progress(progress: Row) -> str:
    """Return the latest progress of the current step as a line."""
    text = str(progress.get("text") or "")
    if "epoch" in progress:
        error = progress.get("validation_mase")
        text = f"epoch {progress['epoch']}" + ("" if error is None else f", validation MASE {error:.4f}")
    attempt = f", try {progress['attempt']}" if progress.get("attempt", 1) > 1 else ""
    return f"{progress.get('step', '')}{attempt}: {text or 'running'}"


def state_of(row: Row) -> str:
    """Return the state of a job that users see."""
    return STATES[row["status"]]


def outcome(row: Row) -> str:
    """Return the outcome of a job in a word or two."""
    decision = (row["result"] or {}).get("decision") or {}
    if decision.get("retrain") is False:
        return "not needed"
    if "promote" in decision:
        return "promoted" if decision["promote"] else "champion kept"
    return str((row["error"] or {}).get("code") or "")


def duration(row: Row) -> str:
    """Return the duration of a finished job, otherwise ""."""
    if not (row["started_at"] and row["completed_at"]):
        return ""
    began, ended = (datetime.fromisoformat(row[key]) for key in ("started_at", "completed_at"))
    seconds = (ended - began).total_seconds()
    if seconds < MINUTE:
        return f"{seconds:.0f} s"
    return f"{seconds / MINUTE:.0f} min" if seconds < HOUR else f"{seconds / HOUR:.1f} h"


def moment(text: str | None, cron: str = "") -> str:
    """Return an ISO time with its offset, with seconds if the cron expression has them; "" for None."""
    clock = "%H:%M:%S" if len(cron.split()) == FIELDS_WITH_SECONDS else "%H:%M"
    return datetime.fromisoformat(text).strftime(f"%Y-%m-%d {clock} %z") if text else ""


def _number(value: object) -> str:
    return "" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)
