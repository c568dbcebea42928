"""Client: schedules and jobs as a program sees them that runs none of them."""

import secrets
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dbos import DBOS, DBOSClient, DBOSPortableJSONSerializer, EnqueueOptions, WorkflowSchedule, WorkflowStatus
from dbos import error as dbos_error

from models.jobs import names
from models.jobs.cron import check_cron, check_timezone, next_fires
from models.jobs.database import jobs_url, sqlite_file, without_password
from models.jobs.errors import (
    JobsUnreachable,
    JobUnknown,
    ScheduleDuplicated,
    ScheduleInvalid,
    ScheduleUnknown,
    WorkerUnknown,
)
from training.config.training import check_name
from training.jobs import worker_lock

RUNNING = "PENDING"
"""DBOS's word for a job that a worker has taken."""

WAITING = ("ENQUEUED", "DELAYED")
"""Its words for a job that waits."""

LOCK_SECONDS = 30.0

Row = dict[str, Any]


@contextmanager
def open_jobs(environment: Mapping[str, str], *, make: bool = True) -> Iterator["Jobs"]:
    """Yield the schedules and jobs at the address of the environment.

    Args:
        environment: With ALMANAC_JOBS_URL or ALMANAC_HOME.
        make: Whether a SQLite file is made where there is none.

    Raises:
        JobsUnreachable: If the database does not answer, or is a file that is not there and must not be made.
    """
    url = jobs_url(environment)
    client = connect(url, make=make)
    try:
        with _told(url):
            yield Jobs(client, url)
    finally:
        client.destroy()


def connect(url: str, *, make: bool = True) -> DBOSClient:
    """Bring the database's tables to DBOS's own version and return a client of it; raises JobsUnreachable."""
    file = sqlite_file(url)
    if file is not None and not file.exists() and not make:
        raise JobsUnreachable(f"No jobs at {file} yet:", hint="run almanac schedule add or almanac worker.")
    with _told(url):
        if file is not None:
            _make_file(file)
        DBOS.migrate(url, schema=names.SCHEMA)
        client = DBOSClient(
            system_database_url=url,
            dbos_system_schema=names.SCHEMA,
            serializer=DBOSPortableJSONSerializer(),
            application_name=names.APPLICATION,
            retry_connection_errors=False,
        )
        # DBOS does this when a worker is launched; a schedule may be triggered before the first one ever was.
        client._sys_db.create_application_version(names.APPLICATION_VERSION)  # noqa: SLF001 (there is no public way)
    return client


class Jobs:
    """Schedules and jobs; methods raise JobsUnreachable, ScheduleUnknown or JobUnknown."""

    def __init__(self, client: DBOSClient, url: str) -> None:
        """Keep what asks the database."""
        self._client = client
        self._url = url

    def enqueue(self, request: Mapping[str, Any], *, now: datetime) -> str:
        """Have a worker retrain, as soon as one is free, and return the job's id."""
        check_name("model", request["name"])
        job = f"{request['name']}-{now.astimezone(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(2)}"
        options: EnqueueOptions = {"workflow_name": names.WORKFLOW, "queue_name": names.QUEUE, "workflow_id": job}
        self._client.enqueue(options, now.astimezone(UTC).isoformat(), dict(request))
        return job

    def add_schedule(self, name: str, cron: str, request: Mapping[str, Any], *, timezone: str = "UTC") -> None:
        """Have a job made at every tick of a cron line.

        Args:
            name: Of the schedule.
            cron: Five fields, or six with seconds first.
            request: What each job is asked.
            timezone: IANA name of the zone whose clocks tick.

        Raises:
            ScheduleInvalid: If a name, cron line or time zone is none.
            ScheduleDuplicated: If there is a schedule of this name.
        """
        check_name("schedule", name, "as NAME")
        if name == names.WATCH_SCHEDULE:
            raise ScheduleInvalid(f"{name} is the built-in watch's name.", hint="Choose another.")
        cron, timezone = check_cron(cron), check_timezone(timezone)
        if self._client.get_schedule(name) is not None:
            raise ScheduleDuplicated(
                f"There is a schedule named {name}.", hint=f"almanac schedule remove {name} first."
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
        """Return every schedule, by name."""
        found = self._client.list_schedules()
        return sorted((describe_schedule(one, datetime.now(UTC)) for one in found), key=lambda row: str(row["name"]))

    def schedule(self, name: str) -> Row:
        """Return one schedule; raises ScheduleUnknown."""
        return describe_schedule(self._require(name), datetime.now(UTC))

    def pause(self, name: str) -> None:
        """Let a schedule's ticks pass until it is resumed; raises ScheduleUnknown."""
        self._require(name)
        self._client.pause_schedule(name)

    def resume(self, name: str) -> None:
        """Let a paused schedule tick again; raises ScheduleUnknown."""
        self._require(name)
        self._client.resume_schedule(name)

    def remove(self, name: str) -> int:
        """Delete a schedule, and return how many of its jobs wait still; they stay, as all of its jobs do.

        Raises:
            ScheduleUnknown: If there is none of this name.
            ScheduleInvalid: If it is the built-in watch.
        """
        self._require_own(name)
        self._client.delete_schedule(name)
        return len(self._client.list_workflows(schedule_name=name, status=list(WAITING), load_input=False))

    def trigger(self, name: str) -> str:
        """Make a schedule's job now, and return its id; raises as `remove`."""
        self._require_own(name)
        return str(self._client.trigger_schedule(name).get_workflow_id())

    def backfill(self, name: str, start: datetime, end: datetime) -> list[str]:
        """Make the jobs of all ticks after `start` and before `end` that have none yet; raises as `remove`.

        Returns:
            The ids of all jobs of that time, also of those that were there before.
        """
        self._require_own(name)
        return [str(one.get_workflow_id()) for one in self._client.backfill_schedule(name, start, end)]

    def jobs(self, *, name: str | None = None, schedule: str | None = None, limit: int = 50) -> list[Row]:
        """Return the newest jobs, the newest first.

        Args:
            name: Only those of this model.
            schedule: Only those of this schedule.
            limit: How many at most.
        """
        found = self._client.list_workflows(
            name=names.WORKFLOW, schedule_name=schedule, sort_desc=True, limit=None if name else limit
        )
        rows = [describe_job(one) for one in found]
        return [row for row in rows if name is None or row["name"] == name][:limit]

    def job(self, job: str) -> Row:
        """Return one job with its steps, its progress and its result; raises JobUnknown."""
        row = describe_job(self._require_job(job))
        row["progress"], row["summary"] = (
            self._client.get_event(job, key, 0) for key in (names.PROGRESS, names.SUMMARY)
        )
        row["steps"] = [_describe_step(step) for step in self._client.list_workflow_steps(job)]
        return row

    def cancel(self, job: str) -> None:
        """Have a job end before its next step, or before its step next tells of itself; raises JobUnknown."""
        self._require_job(job)
        self._client.cancel_workflow(job)

    def workers(self) -> list[Row]:
        """Return the workers that run, and those that died and left jobs, with the jobs each has taken."""
        alive = worker_lock.running_workers(self._url)
        taken = self._client.list_workflows(name=names.WORKFLOW, status=RUNNING)
        workers = dict.fromkeys([*alive, *(str(one.executor_id) for one in taken)])
        return [
            {
                "worker": name,
                "alive": name in alive,
                "jobs": [one.workflow_id for one in taken if one.executor_id == name],
            }
            for name in workers
        ]

    def adopt(self, worker: str) -> list[str]:
        """Give the jobs of a dead worker back to the queue, where any worker goes on with them at the step they were in.

        Returns:
            Their ids.

        Raises:
            WorkerAlive: If it lives.
            WorkerUnknown: If none of this name ever took a job or, on SQLite, ran.
        """
        if not worker_lock.has_run(self._url, worker) and not self._client.list_workflows(executor_id=worker, limit=1):
            raise WorkerUnknown(f"No worker {worker} is known.", hint="almanac jobs names the worker of each job.")
        with worker_lock.lock_worker(self._url, worker):
            return give_back(self._client, worker)

    def _require(self, name: str) -> WorkflowSchedule:
        found = self._client.get_schedule(name)
        if found is None:
            known = ", ".join(sorted(one["schedule_name"] for one in self._client.list_schedules()))
            raise ScheduleUnknown(f"No schedule {name}.", hint=f"Schedules: {known or 'none yet'}.")
        return found

    def _require_own(self, name: str) -> None:
        """Raise ScheduleUnknown, or ScheduleInvalid for the built-in watch, which retrains nothing."""
        self._require(name)
        if name == names.WATCH_SCHEDULE:
            raise ScheduleInvalid(
                f"{name} is built in and retrains nothing.",
                hint="Pause it, or start workers with ALMANAC_WATCH_CRON=off.",
            )

    def _require_job(self, job: str) -> WorkflowStatus:
        found = self._client.list_workflows(workflow_ids=[job], name=names.WORKFLOW)
        if not found:
            raise JobUnknown(f"No job {job}.", hint="almanac jobs lists them.")
        return found[0]


def give_back(client: DBOSClient, worker: str) -> list[str]:
    """Put what a worker has taken back into its queues, and return the ids."""
    taken = client.list_workflows(status=RUNNING, executor_id=worker)
    for one in taken:
        client.resume_workflow(one.workflow_id, queue_name=one.queue_name)
    return [one.workflow_id for one in taken]


def describe_schedule(schedule: WorkflowSchedule, now: datetime) -> Row:
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


def request_of(job: WorkflowStatus) -> Row:
    """Return what a job was asked to do."""
    request: Row = job.input["args"][1] if job.input and len(job.input["args"]) > 1 else {}
    return request


def describe_job(job: WorkflowStatus) -> Row:
    """Return a job as plain data."""
    request, error = request_of(job), job.error
    return {
        "id": job.workflow_id,
        "status": job.status,
        "name": request.get("name"),
        "schedule": job.schedule_name,
        "worker": job.executor_id,
        "created_at": _moment(job.created_at),
        "started_at": _moment(job.dequeued_at),
        "completed_at": _moment(job.completed_at),
        "request": request,
        "result": job.output,
        "error": None if error is None else {"code": _code(error), "message": str(error)},
    }


def _code(error: Exception) -> str:
    """Return an error's code, or its type's name where it has none of ours: DBOS takes a number of the system's for one."""
    code = getattr(error, "code", None)
    return code if isinstance(code, str) else str(getattr(error, "name", None) or type(error).__name__)


def _describe_step(step: Mapping[str, Any]) -> Row:
    began, ended, error = step["started_at_epoch_ms"], step["completed_at_epoch_ms"], step["error"]
    return {
        "name": step["function_name"],
        "started_at": _moment(began),
        "seconds": None if began is None or ended is None else (ended - began) / 1000,
        "error": None if error is None else str(error),
    }


def _moment(milliseconds: int | None) -> str | None:
    return None if milliseconds is None else datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat()


def _make_file(file: Path) -> None:
    """Make a SQLite database whose readers and writers do not wait for each other."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(file, timeout=LOCK_SECONDS)) as database:
        if database.execute("PRAGMA journal_mode").fetchone() != ("wal",):
            # Whoever opens it at the same moment says the same.
            with suppress(sqlite3.OperationalError):
                database.execute("PRAGMA journal_mode = WAL")


@contextmanager
def _told(url: str) -> Iterator[None]:
    """Turn what the database's libraries raise into one clear sentence."""
    try:
        yield
    except (dbos_error.DBOSException, OSError) as error:
        raise _unreachable(url, error) from error
    except Exception as error:
        if not type(error).__module__.startswith(("sqlalchemy", "sqlite3", "psycopg")):
            raise
        raise _unreachable(url, getattr(error, "orig", None) or error) from error


def _unreachable(url: str, error: object) -> JobsUnreachable:
    cause = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return JobsUnreachable(
        f"The jobs' database {without_password(url)} cannot be used: {cause}.", hint="Check ALMANAC_JOBS_URL."
    )
