"""The client of the job queue: schedules and jobs, for programs that do not run jobs."""

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from dbos import DBOSClient, EnqueueOptions, WorkflowSchedule, WorkflowStatus

from models.jobs import names
from models.jobs.cron import LEAST_SECONDS, check_cron, check_interval, check_timezone, least_interval
from models.jobs.database import jobs_url
from models.jobs.errors import JobUnknown, ScheduleDuplicated, ScheduleInvalid, ScheduleUnknown, WorkerUnknown
from training.config.training import check_name
from training.jobs import worker_lock
from training.jobs.connection import connect, look, translated_errors
from training.jobs.job_data import Row, job_row, schedule_row, step_row

RUNNING = "PENDING"
"""DBOS's status of a job that a worker has started."""

WAITING = ("ENQUEUED", "DELAYED")
"""DBOS's statuses of a job that waits in the queue."""


@contextmanager
def open_jobs(environment: Mapping[str, str], *, create: bool = True) -> Iterator["Jobs"]:
    """Yield the schedules and jobs of the database that the environment names; raises JobsUnreachable."""
    url, least_seconds = jobs_url(environment), least_interval(environment)
    client = connect(url, create=create)
    try:
        with translated_errors(url):
            yield Jobs(client, url, least_seconds)
    finally:
        client.destroy()


@contextmanager
def look_at_jobs(environment: Mapping[str, str]) -> Iterator["Jobs | None"]:
    """Yield the schedules and jobs to read only, or None where the tables are missing or older; raises JobsUnreachable."""
    url = jobs_url(environment)
    client = look(url)
    if client is None:
        yield None
        return
    try:
        with translated_errors(url):
            yield Jobs(client, url)
    finally:
        client.destroy()


class Jobs:
    """Schedules and jobs. Methods raise JobsUnreachable, ScheduleUnknown or JobUnknown."""

    def __init__(self, client: DBOSClient, url: str, least_seconds: float = LEAST_SECONDS) -> None:
        """Keep a client of the database at `url`, and the shortest time between two runs of a schedule."""
        self._least_seconds = least_seconds
        self._client = client
        self._url = url

    def enqueue(self, request: Mapping[str, Any], *, now: datetime) -> str:
        """Queue a retraining, and return the job's id."""
        check_name("model", request["name"])
        job = f"{request['name']}-{now.astimezone(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(2)}"
        options: EnqueueOptions = {"workflow_name": names.WORKFLOW, "queue_name": names.QUEUE, "workflow_id": job}
        self._client.enqueue(options, now.astimezone(UTC).isoformat(), dict(request))
        return job

    def add_schedule(self, name: str, cron: str, request: Mapping[str, Any], *, timezone: str = "UTC") -> None:
        """Add a schedule that queues a job at every tick; raises ScheduleInvalid, ScheduleDuplicated."""
        check_name("schedule", name, "as NAME")
        if name == names.WATCH_SCHEDULE:
            raise ScheduleInvalid(f"{name} is the name of the built-in watch.", hint="Choose another one.")
        cron, timezone = check_interval(check_cron(cron), self._least_seconds), check_timezone(timezone)
        if self._client.get_schedule(name) is not None:
            raise ScheduleDuplicated(
                f"There is a schedule named {name}.", hint=f"Remove it first: almanac schedule remove {name}"
            )
        self._client.create_schedule(
            schedule_name=name,
            workflow_name=names.WORKFLOW,
            schedule=cron,
            context=dict(request),
            cron_timezone=timezone,
            queue_name=names.QUEUE,
        )

    def schedules(self) -> list[Row]:
        """Return all schedules, sorted by name."""
        found = self._client.list_schedules()
        return sorted((schedule_row(one, datetime.now(UTC)) for one in found), key=lambda row: str(row["name"]))

    def schedule(self, name: str) -> Row:
        """Return a schedule; raises ScheduleUnknown."""
        return schedule_row(self._require(name), datetime.now(UTC))

    def pause(self, name: str) -> None:
        """Stop a schedule from queueing jobs until it is resumed; raises ScheduleUnknown."""
        self._require(name)
        self._client.pause_schedule(name)

    def resume(self, name: str) -> None:
        """Resume a paused schedule; raises ScheduleUnknown."""
        self._require(name)
        self._client.resume_schedule(name)

    def remove(self, name: str) -> int:
        """Delete a schedule, and return the number of its waiting jobs; its jobs stay.

        Raises:
            ScheduleUnknown: If there is no such schedule.
            ScheduleInvalid: If it is the built-in watch.
        """
        self._require_own(name)
        self._client.delete_schedule(name)
        return len(self._client.list_workflows(schedule_name=name, status=list(WAITING), load_input=False))

    def trigger(self, name: str) -> str:
        """Queue a job of a schedule now, and return its id; raises as `remove`."""
        self._require_own(name)
        return str(self._client.trigger_schedule(name).get_workflow_id())

    def backfill(self, name: str, start: datetime, end: datetime) -> list[str]:
        """Queue the missing jobs of all ticks after `start` and before `end`; raises as `remove`.

        Returns:
            The ids of all jobs in this period, including those that existed before.
        """
        self._require_own(name)
        return [str(one.get_workflow_id()) for one in self._client.backfill_schedule(name, start, end)]

    def jobs(self, *, name: str | None = None, schedule: str | None = None, limit: int = 50) -> list[Row]:
        """Return the newest jobs, newest first."""
        found = self._client.list_workflows(
            name=names.WORKFLOW, schedule_name=schedule, sort_desc=True, limit=None if name else limit
        )
        rows = [job_row(one) for one in found]
        return [row for row in rows if name is None or row["name"] == name][:limit]

    def job(self, job: str) -> Row:
        """Return a job with its steps, progress and summary; raises JobUnknown."""
        row = job_row(self._require_job(job))
        row["progress"], row["summary"] = (
            self._client.get_event(job, key, 0) for key in (names.PROGRESS, names.SUMMARY)
        )
        row["steps"] = [step_row(step) for step in self._client.list_workflow_steps(job)]
        return row

    def cancel(self, job: str) -> None:
        """Cancel a job: it ends when its current step next reports progress, or before the next step; raises JobUnknown."""
        self._require_job(job)
        self._client.cancel_workflow(job)

    def workers(self) -> list[Row]:
        """Return the workers that run, and those that have ended and left jobs, with their jobs."""
        alive = worker_lock.running_workers(self._url)
        running = self._client.list_workflows(name=names.WORKFLOW, status=RUNNING)
        workers = dict.fromkeys([*alive, *(str(one.executor_id) for one in running)])
        return [
            {
                "worker": name,
                "alive": name in alive,
                "jobs": [one.workflow_id for one in running if one.executor_id == name],
            }
            for name in workers
        ]

    def adopt(self, worker: str) -> list[str]:
        """Return the jobs of an ended worker to the queue, where any worker resumes them at their current step.

        Returns:
            Their ids.

        Raises:
            WorkerAlive: If the worker runs.
            WorkerUnknown: If no worker of this name ever took a job or, with SQLite, ran.
        """
        if not worker_lock.has_run(self._url, worker) and not self._client.list_workflows(executor_id=worker, limit=1):
            raise WorkerUnknown(f"Unknown worker {worker!r}.", hint="almanac jobs shows the worker of each job.")
        with worker_lock.lock_worker(self._url, worker):
            return requeue(self._client, worker)

    def _require(self, name: str) -> WorkflowSchedule:
        found = self._client.get_schedule(name)
        if found is None:
            known = ", ".join(sorted(one["schedule_name"] for one in self._client.list_schedules()))
            raise ScheduleUnknown(f"Unknown schedule {name!r}.", hint=f"Schedules: {known or 'none yet'}.")
        return found

    def _require_own(self, name: str) -> None:
        """Raise ScheduleUnknown, or ScheduleInvalid for the built-in watch, which trains nothing."""
        self._require(name)
        if name == names.WATCH_SCHEDULE:
            raise ScheduleInvalid(
                f"{name} is built in and trains nothing.",
                hint="Pause it, or start workers with ALMANAC_WATCH_CRON=off.",
            )

    def _require_job(self, job: str) -> WorkflowStatus:
        found = self._client.list_workflows(workflow_ids=[job], name=names.WORKFLOW)
        if not found:
            raise JobUnknown(f"Unknown job {job!r}.", hint="almanac jobs lists the jobs.")
        return found[0]


def requeue(client: DBOSClient, worker: str) -> list[str]:
    """Return the running jobs of a worker to their queues, and return their ids."""
    running = client.list_workflows(status=RUNNING, executor_id=worker)
    for one in running:
        client.resume_workflow(one.workflow_id, queue_name=one.queue_name)
    return [one.workflow_id for one in running]
