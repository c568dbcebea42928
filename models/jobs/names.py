"""Names that the service and the workers must agree on: application, queues, workflows, schedule and events in DBOS."""

APPLICATION = "almanac"
APPLICATION_VERSION = "1"
"""The same in every release: DBOS leaves waiting jobs of another version in the queue."""

SCHEMA = "dbos"
QUEUE, WORKFLOW = "training", "retrain"
WATCH_QUEUE, WATCH_WORKFLOW, WATCH_SCHEDULE = "watch", "watch", "almanac-watch"
CLOSE_WORKFLOW = "close"
"""Closes the MLflow runs that a cancelled job left open. It uses the queue of the watch, so it never waits for a training."""

PROGRESS, SUMMARY = "progress", "summary"
"""Events of a job: the latest progress of its current step, and its results so far."""


def close_workflow_id(job_id: str) -> str:
    """Return the id of the workflow that closes a cancelled job's runs; one id per job, so it is enqueued once."""
    return f"{CLOSE_WORKFLOW}-{job_id}"
