"""Job words: jobs and schedules as a person reads them, in tables and lines."""

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
"""By the queue's word for a job's state, ours."""
ENDED = ("succeeded", "failed", "cancelled")
COLOURS = {"running": "cyan", "succeeded": "green", "failed": "red", "cancelled": "yellow"}
MINUTE, HOUR = 60, 3600
WITH_SECONDS = 6
"""Fields of a cron line that begins with seconds."""


def schedules_table(rows: Sequence[Row]) -> Table:
    """Return a row for each schedule, its next moment by its own clocks."""
    table = Table(title="Schedules", title_justify="left")
    for heading in ("name", "model", "cron", "time zone", "next", "last"):
        table.add_column(heading)
    for row in rows:
        following = "paused" if row["paused"] else moment(row["next_at"], row["cron"])
        model = model_of(row) or "(the worker's watch)"
        needed = " if needed" if (row["request"] or {}).get("if_needed") else ""
        last = moment(row["last_fired_at"], row["cron"])
        table.add_row(row["name"], f"{model}{needed}", row["cron"], row["timezone"], following, last)
    return table


def jobs_table(rows: Sequence[Row]) -> Table:
    """Return a row for each job."""
    table = Table(title="Jobs, the newest first", title_justify="left")
    for heading in ("id", "state", "model", "because of", "worker", "made", "took", "outcome"):
        table.add_column(heading, overflow="fold")
    for row in rows:
        state = state_of(row)
        why = f"schedule {row['schedule']}" if row["schedule"] else str(row["request"].get("reason", ""))
        cells = [row["name"] or "", why, row["worker"] or "", moment(row["created_at"]), took(row), outcome(row)]
        table.add_row(row["id"], Text(state, style=COLOURS.get(state, "")), *cells)
    return table


def reasons_table(judgement: Row) -> Table:
    """Return a row for each reason to retrain, whether it holds, what was seen, and what it was held against."""
    version = f" version {judgement['version']}" if judgement.get("version") else ""
    verdict = "would be retrained" if judgement["retrain"] else "would not be retrained"
    table = Table(title=f"{judgement.get('name', '')}{version} {verdict}".strip(), title_justify="left")
    for heading in ("reason", "", "value", "threshold", "said"):
        table.add_column(heading, justify="right" if heading in {"value", "threshold"} else "left")
    for one in judgement["reasons"]:
        word, style = ("holds", "bold red") if one["holds"] else ("does not hold", "")
        if not one["known"]:
            word, style = "unknown", "yellow"
        table.add_row(
            one["code"], Text(word, style=style), _number(one["value"]), _number(one["threshold"]), one["sentence"]
        )
    return table


def describe_job(row: Row) -> Iterator[str]:
    """Yield what is known of a job, a line at a time: its steps, its progress, what was decided and where it stands."""
    why = f"schedule {row['schedule']}" if row["schedule"] else row["request"].get("reason", "")
    worker = f", on {row['worker']}" if row["worker"] else ""
    yield f"{row['id']}: {row['name']}, {state_of(row)}{worker} ({why}; made {moment(row['created_at'])})"
    yield from (describe_step(step) for step in row["steps"])
    if state_of(row) == "running" and row["progress"]:
        yield f"  {describe_progress(row['progress'])}"
    yield from describe_end(row)


def describe_end(row: Row) -> Iterator[str]:
    """Yield what a job has come to so far: error, decision with its figures, version and run."""
    result = {**(row.get("summary") or {}), **(row["result"] or {})}
    if row["error"]:
        code = f"{row['error']['code']}: " if row["error"].get("code") else ""
        yield f"Failed. {code}{row['error']['message']}"
    decision = result.get("decision") or {}
    if decision.get("retrain") is False:
        yield "Not retrained: no reason holds."
    elif "promote" in decision:
        yield f"{'Promoted' if decision['promote'] else 'Not promoted'}. {decision.get('reason', '')}"
        yield from (f"  {key} {_number(value)}" for key, value in (decision.get("figures") or {}).items())
        yield from decision.get("notes") or ()
    if result.get("version"):
        yield f"Registered as {row['name']} version {result['version']}."
    if result.get("run_id"):
        yield f"Run {result['run_id']}{': ' + result['run_url'] if result.get('run_url') else '; almanac ui shows it.'}"


def describe_step(step: Row) -> str:
    """Return a step that has ended as a line."""
    seconds = "" if step["seconds"] is None else f"  {step['seconds']:.1f} s"
    return f"  {step['name']:<20} {'failed: ' + step['error'] if step['error'] else 'done'}{seconds}"


def describe_progress(progress: Row) -> str:
    """Return what a running step said last as a line."""
    told = str(progress.get("text") or "")
    if "epoch" in progress:
        error = progress.get("validation_mase")
        told = f"epoch {progress['epoch']}" + ("" if error is None else f", validation MASE {error:.4f}")
    attempt = f", try {progress['attempt']}" if progress.get("attempt", 1) > 1 else ""
    return f"{progress.get('step', '')}{attempt}: {told or 'running'}"


def state_of(row: Row) -> str:
    """Return the state of a job in our words."""
    return STATES[row["status"]]


def outcome(row: Row) -> str:
    """Return what a job has come to in a word."""
    decision = (row["result"] or {}).get("decision") or {}
    if decision.get("retrain") is False:
        return "not needed"
    if "promote" in decision:
        return "promoted" if decision["promote"] else "champion kept"
    return str((row["error"] or {}).get("code") or "")


def took(row: Row) -> str:
    """Return how long a job took from its start to its end, "" before that."""
    if not (row["started_at"] and row["completed_at"]):
        return ""
    began, ended = (datetime.fromisoformat(row[key]) for key in ("started_at", "completed_at"))
    seconds = (ended - began).total_seconds()
    if seconds < MINUTE:
        return f"{seconds:.0f} s"
    return f"{seconds / MINUTE:.0f} min" if seconds < HOUR else f"{seconds / HOUR:.1f} h"


def moment(text: str | None, cron: str = "") -> str:
    """Return an ISO moment with its offset, to the minute, or to the second of a cron line that has them; "" for none."""
    clock = "%H:%M:%S" if len(cron.split()) == WITH_SECONDS else "%H:%M"
    return datetime.fromisoformat(text).strftime(f"%Y-%m-%d {clock} %z") if text else ""


def _number(value: object) -> str:
    return "" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)
