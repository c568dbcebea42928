"""The worker: the process that takes jobs from the queue and runs them."""

import logging
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Event, Thread
from typing import Any

from dbos import DBOS, DBOSClient, DBOSConfig, DBOSPortableJSONSerializer

from models.jobs import names
from models.jobs.database import sqlite_file, without_password
from models.machine.sqlite_file import SqliteFile
from models.tracing.provider import tracer_provider
from training.jobs import worker_lock
from training.jobs.client import requeue
from training.jobs.connection import connect
from training.jobs.missed_work import close_cancelled_jobs, queue_missed_ticks
from training.jobs.worker_lock import WorkerLock
from training.jobs.worker_settings import WorkerSettings
from training.jobs.workflows import Workflows

SCHEDULE_POLL_SECONDS, CHECK_SECONDS = 2.0, 5.0
HIDDEN_LOG_LINES = (
    "in background workflow",
    "the owner's recorded outcome",
    "was cancelled during execution",
    "Workflow already exists in queue",
    "OTLP is enabled but logger provider not set",
)
"""Parts of DBOS's log lines about jobs that failed or changed workers, for which the worker prints its own; and that its log is
not exported, only its spans are."""

REQUEUE_SECONDS = 5.0
"""Longest time for returning jobs to the queue when the worker ends, and for exporting the last spans."""


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker, which runs until `stop` is set; `spans` gets a span of each job and stage, None for no traces."""

    settings: WorkerSettings
    log: Callable[[str], None]
    stop: Event = field(default_factory=Event)
    spans: Any = field(default_factory=tracer_provider)

    def run(self) -> int:
        """Run jobs until SIGTERM, SIGINT or the loss of the name or the database file, and return the exit code.

        Raises:
            WorkerAlive: If another process has the worker's name.
            JobsUnreachable: If the database does not respond.
        """
        settings = self.settings
        client = connect(settings.url)
        file = _known_file(settings.url)
        with worker_lock.lock_worker(settings.url, settings.name) as lock:
            for signum in (signal.SIGTERM, signal.SIGINT):
                signal.signal(signum, lambda *_: self.stop.set())
            self._launch(client)
            self.log(f"worker {settings.name} takes jobs from {without_password(settings.url)}")
            while not self.stop.wait(CHECK_SECONDS):
                if fault := self._fault(file, lock):
                    self.log(fault)
                    self.stop.set()
                    return os.EX_TEMPFAIL
            self._requeue(client)
            if self.spans is not None:
                _run_for(REQUEUE_SECONDS, self.spans.shutdown)
        return 0

    def _fault(self, file: SqliteFile | None, lock: WorkerLock) -> str:
        """Return why the worker must end, "" if it may go on."""
        name = self.settings.name
        if file is not None and (fault := file.fault()):
            return f"the jobs' database {file.path} {fault}; worker {name} ends. Start it again."
        return "" if lock.is_held() else f"another process has taken the name of worker {name}, which ends"

    def _launch(self, client: DBOSClient) -> None:
        """Start DBOS, which resumes this worker's unfinished jobs at their current step."""
        settings = self.settings
        _hide_log_lines()
        for job in close_cancelled_jobs(client, settings.name):
            self.log(f"{job}: was cancelled; its open MLflow runs are closed")
        if self.spans is not None:
            from opentelemetry import trace

            trace.set_tracer_provider(self.spans)
        DBOS(config=_configure(settings, is_traced=self.spans is not None))
        Workflows(settings, client, self.log, self.stop).register()
        DBOS.launch()
        for queue, at_once in ((names.QUEUE, settings.jobs), (names.WATCH_QUEUE, 1)):
            DBOS.register_queue(
                queue, worker_concurrency=at_once, polling_interval_sec=settings.poll, on_conflict="always_update"
            )
        for job in queue_missed_ticks(client, datetime.now(UTC)):
            self.log(f"{job}: queued, because its tick was missed while no worker ran")
        self._schedule_watch(client)

    def _schedule_watch(self, client: DBOSClient) -> None:
        """Add, change or delete the schedule of the watch as the settings say; a paused one stays paused."""
        found = client.get_schedule(names.WATCH_SCHEDULE)
        cron = self.settings.watch
        if cron is None or (found is not None and found["schedule"] != cron):
            client.delete_schedule(names.WATCH_SCHEDULE)
            found = None
        if cron is not None and found is None:
            client.apply_schedules(
                [
                    {
                        "schedule_name": names.WATCH_SCHEDULE,
                        "workflow_name": names.WATCH_WORKFLOW,
                        "schedule": cron,
                        "context": {},
                        "queue_name": names.WATCH_QUEUE,
                    }
                ]
            )

    def _requeue(self, client: DBOSClient) -> None:
        """Return the running jobs to the queue, for another worker or this one's next start."""
        self.log(f"worker {self.settings.name} ends")
        requeued: list[str] = []
        _run_for(REQUEUE_SECONDS, lambda: requeued.extend(requeue(client, self.settings.name)))
        for job in requeued:
            self.log(f"{job}: back in the queue; a worker resumes it at its current step")


def _run_for(seconds: float, work: Callable[[], None]) -> None:
    """Run something in a thread, and go on without it after a time."""
    thread = Thread(target=work, daemon=True)
    thread.start()
    thread.join(seconds)


def _known_file(url: str) -> SqliteFile | None:
    """Return the database's file as it is now, None for PostgreSQL."""
    path = sqlite_file(url)
    if path is None:
        return None
    file = SqliteFile(path)
    file.learn()
    return file


def _configure(settings: WorkerSettings, *, is_traced: bool) -> DBOSConfig:
    """Return the configuration of DBOS, which makes a span of each job and of each of its stages."""
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
        "enable_otlp": is_traced,
    }


def _hide_log_lines() -> None:
    logging.getLogger("dbos").addFilter(
        lambda record: not any(words in record.getMessage() for words in HIDDEN_LOG_LINES)
    )
