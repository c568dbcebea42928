"""Worker: the process that takes jobs from the queue and runs them, one checkpointed step after another."""

import logging
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from threading import Event, Thread

from dbos import DBOS, DBOSClient, DBOSConfig, DBOSPortableJSONSerializer

from models.jobs import names
from models.jobs.cron import next_fires
from models.jobs.database import sqlite_file, without_password
from models.sqlite_file import SqliteFile
from training.jobs import worker_lock
from training.jobs.client import connect, give_back, request_of
from training.jobs.settings import Settings
from training.jobs.workflows import Workflows, close_runs

SCHEDULE_POLL_SECONDS, HELD_POLL_SECONDS = 2.0, 5.0
SAID_OURSELVES = (
    "in background workflow",
    "the owner's recorded outcome",
    "was cancelled during execution",
    "Workflow already exists in queue",
)
FAREWELL_SECONDS = 5.0
"""How long giving the jobs back may take when the worker ends."""


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker at work.

    Attributes:
        settings: What it was told.
        say: Prints a line.
        stop: Set when it ends.
    """

    settings: Settings
    say: Callable[[str], None]
    stop: Event = field(default_factory=Event)

    def run(self) -> int:
        """Take jobs until SIGTERM, SIGINT or the loss of its name, and return the exit code.

        Raises:
            WorkerAlive: If another process works under its name.
            JobsUnreachable: If the database does not answer.
        """
        settings = self.settings
        client = connect(settings.url)
        file = sqlite_file(settings.url)
        opened = None if file is None else SqliteFile(file)
        if opened is not None:
            opened.learn()
        with worker_lock.lock_worker(settings.url, settings.name) as held:
            for signum in (signal.SIGTERM, signal.SIGINT):
                signal.signal(signum, lambda *_: self.stop.set())
            self._launch(client)
            self.say(f"worker {settings.name} takes jobs from {without_password(settings.url)}")
            while not self.stop.wait(HELD_POLL_SECONDS):
                if opened is not None and (fault := opened.fault()):
                    self.say(f"the jobs' database {file} {fault}; worker {settings.name} ends. Start it again.")
                    self.stop.set()
                    return os.EX_TEMPFAIL
                if not held.is_held():
                    self.say(f"worker {settings.name} has lost its name to another process, and ends")
                    self.stop.set()
                    return os.EX_TEMPFAIL
            self._part(client)
        return 0

    def _launch(self, client: DBOSClient) -> None:
        """Start DBOS: what this worker had taken and not finished goes on at the step it was in."""
        settings = self.settings
        _quieten()
        DBOS(config=_configure(settings))
        Workflows(settings, client, self.say, self.stop).register()
        DBOS.launch()
        for queue, at_once in ((names.QUEUE, settings.jobs), (names.WATCH_QUEUE, 1)):
            DBOS.register_queue(
                queue, worker_concurrency=at_once, polling_interval_sec=settings.poll, on_conflict="always_update"
            )
        for job in catch_up(client, datetime.now(UTC)):
            self.say(f"{job}: its tick was missed while no worker ran, and is made up for")
        for job in close_cancelled(client):
            self.say(f"{job}: was cancelled, and left runs open, which are closed next")
        self._schedule_watch(client)

    def _schedule_watch(self, client: DBOSClient) -> None:
        """Put the watch into the table of schedules, as this worker was told; one that was paused stays paused."""
        found = client.get_schedule(names.WATCH_SCHEDULE)
        line = self.settings.watch
        if line is None or (found is not None and found["schedule"] != line):
            client.delete_schedule(names.WATCH_SCHEDULE)
            found = None
        if line is not None and found is None:
            client.apply_schedules(
                [
                    {
                        "schedule_name": names.WATCH_SCHEDULE,
                        "workflow_name": names.WATCH_WORKFLOW,
                        "schedule": line,
                        "context": {},
                        "queue_name": names.WATCH_QUEUE,
                    }
                ]
            )

    def _part(self, client: DBOSClient) -> None:
        """Give what is running back to the queue, for this worker's next start or for another one at once."""
        self.say(f"worker {self.settings.name} ends")
        given: list[str] = []
        parting = Thread(target=lambda: given.extend(give_back(client, self.settings.name)), daemon=True)
        parting.start()
        parting.join(FAREWELL_SECONDS)
        for job in given:
            self.say(f"{job}: goes on at the step it was in, here or on another worker")


def catch_up(client: DBOSClient, now: datetime) -> list[str]:
    """Make the job of the newest tick that each schedule missed while no worker ran, and return the new ids.

    Older ticks that were missed stay missed: they would train on the same data. The watch misses nothing, since it looks at
    what is.
    """
    made = []
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
            made.append(job)
    return made


def close_cancelled(client: DBOSClient) -> list[str]:
    """Have the runs of jobs closed that had begun and were cancelled while no worker had them, and return these jobs.

    Runs that could not be closed before, since MLflow did not answer, are tried again.
    """
    made = []
    for job in client.list_workflows(name=names.WORKFLOW, status="CANCELLED"):
        closing = names.close_workflow_id(job.workflow_id)
        before = client.list_workflows(workflow_ids=[closing], load_input=False)
        if any(one.status != "ERROR" for one in before) or client.get_event(job.workflow_id, names.PROGRESS, 0) is None:
            continue
        client.delete_workflows([closing])
        close_runs(client, job.workflow_id, request_of(job))
        made.append(job.workflow_id)
    return made


def newest_tick(line: str, timezone: str, fired: datetime, now: datetime) -> datetime | None:
    """Return the newest tick after `fired` and not after `now`, or None; looks back ever further, so a long pause is quick."""
    span = timedelta(minutes=1)
    while True:
        begin = max(fired, now - span)
        newest = None
        for tick in _ticks(line, timezone, begin, now):
            newest = tick
        if newest is not None or begin == fired:
            return newest
        span *= 4


def _ticks(line: str, timezone: str, begin: datetime, end: datetime) -> list[datetime]:
    found = []
    at = begin
    while (tick := next_fires(line, timezone, at)[0]) <= end:
        found.append(tick)
        at = tick
    return found


def _configure(settings: Settings) -> DBOSConfig:
    return {
        "name": names.APPLICATION,
        "system_database_url": settings.url,
        "dbos_system_schema": names.SCHEMA,
        "serializer": DBOSPortableJSONSerializer(),
        "application_version": names.APPLICATION_VERSION,
        "executor_id": settings.name,
        "scheduler_polling_interval_sec": SCHEDULE_POLL_SECONDS,
        "run_migrations": False,
        "log_level": "WARNING",
        "enable_otlp": False,
    }


def _quieten() -> None:
    """Leave out what DBOS says of jobs that failed or changed hands: the worker says so in a line of its own."""
    logging.getLogger("dbos").addFilter(
        lambda record: not any(words in record.getMessage() for words in SAID_OURSELVES)
    )
