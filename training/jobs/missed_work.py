"""Missed work: what a worker makes up for when it starts: missed ticks and the MLflow runs of cancelled jobs."""

from datetime import datetime, timedelta

from dbos import DBOSClient, WorkflowStatus

from models.jobs import names
from models.jobs.cron import next_fires
from training.jobs.client import RUNNING
from training.jobs.job_data import Row, request_of


def queue_missed_ticks(client: DBOSClient, now: datetime) -> list[str]:
    """Queue the job of the newest tick that each schedule missed while no worker ran, and return the new ids.

    Older missed ticks are skipped: they would train on the same data. The watch needs none, since it looks at the present.
    """
    queued = []
    for schedule in client.list_schedules(status="ACTIVE"):
        fired = schedule["last_fired_at"]
        if fired is None or schedule["schedule_name"] == names.WATCH_SCHEDULE:
            continue
        tick = newest_tick(schedule["schedule"], schedule["cron_timezone"] or "UTC", datetime.fromisoformat(fired), now)
        if tick is None:
            continue
        job = f"sched-{schedule['schedule_name']}-{tick.isoformat()}"
        if not client.list_workflows(workflow_ids=[job]):
            around = timedelta(microseconds=1)
            client.backfill_schedule(schedule["schedule_name"], tick - around, tick + around)
            queued.append(job)
    return queued


def close_cancelled_jobs(client: DBOSClient, worker: str) -> list[str]:
    """Close the MLflow runs of jobs that were cancelled while no worker had them, and return the ids of these jobs.

    A closing that failed, because MLflow did not respond, is tried again. So is one that this worker left unfinished: its step
    may have failed already, and DBOS would repeat the recorded error.

    Args:
        client: The client.
        worker: Name of this worker, before it takes jobs.
    """
    closed = []
    for job in client.list_workflows(name=names.WORKFLOW, status="CANCELLED"):
        closing = names.close_workflow_id(job.workflow_id)
        before = client.list_workflows(workflow_ids=[closing], load_input=False)
        if any(_is_done_or_elsewhere(one, worker) for one in before):
            continue
        if client.get_event(job.workflow_id, names.PROGRESS, 0) is None:
            continue  # the job never began
        client.delete_workflows([closing])
        close_runs(client, job.workflow_id, request_of(job))
        closed.append(job.workflow_id)
    return closed


def _is_done_or_elsewhere(closing: WorkflowStatus, worker: str) -> bool:
    """Return whether a closing has succeeded or another worker runs it."""
    return closing.status == "SUCCESS" or (closing.status == RUNNING and closing.executor_id != worker)


def close_runs(client: DBOSClient, job: str, request: Row) -> None:
    """Queue the workflow that closes a cancelled job's MLflow runs, once."""
    options = {
        "workflow_name": names.CLOSE_WORKFLOW,
        "queue_name": names.WATCH_QUEUE,
        "workflow_id": names.close_workflow_id(job),
    }
    client.enqueue(options, job, request)  # type: ignore[arg-type] # a TypedDict


def newest_tick(cron: str, timezone: str, fired: datetime, now: datetime) -> datetime | None:
    """Return the newest tick after `fired` and not after `now`, or None.

    The search begins a minute ago and looks back ever further, so it is fast after a long pause.
    """
    span = timedelta(minutes=1)
    while True:
        begin = max(fired, now - span)
        newest, tick = None, next_fires(cron, timezone, begin)[0]
        while tick <= now:
            newest, tick = tick, next_fires(cron, timezone, tick)[0]
        if newest is not None or begin == fired:
            return newest
        span *= 4
