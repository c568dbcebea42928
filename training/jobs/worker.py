"""Worker: the process that takes jobs from the queue and runs them, one checkpointed step after another."""

import logging
import os
import platform
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event, Thread
from typing import Any

from dbos import DBOS, DBOSClient, DBOSConfig, DBOSPortableJSONSerializer

from models.cron import check_cron, next_fires
from models.errors import ConfigInvalid
from training.children import answers
from training.jobs import holder, place, story
from training.jobs.child import COMMAND, Child, Limits
from training.jobs.client import connect, give_back
from training.jobs.steps import FIRST_WAIT_SECONDS, Bench, Seat, limits_of, run_stage
from training.live import SERVICE_URL

LONGEST_NAME = 47
"""Letters of a worker's name: PostgreSQL shows so many of it beside `almanac worker`."""

WATCH_CRON = "*/5 * * * *"
OFF = ("off", "never", "0")
WATCH_LIMITS = Limits(600.0)

MOST_RECOVERIES = 100
"""A job that has taken so many workers down with it is given up."""

POLL_SECONDS, SCHEDULE_POLL_SECONDS, HELD_POLL_SECONDS = 1.0, 2.0, 5.0
FAREWELL_SECONDS = 5.0
"""How long giving the jobs back may take when the worker ends."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What a worker is told by its environment and its command line.

    Attributes:
        url: Of the jobs' database.
        home: ALMANAC_HOME.
        name: ALMANAC_WORKER_ID, by default the host's name.
        watch: Cron line of the watch, None for no watch.
        jobs: How many it runs at once.
        command: What runs a stage.
        service: ALMANAC_SERVICE_URL: the service whose scores are watched.
        first_wait: Seconds before a stage that failed is tried again.
        poll: Seconds between two looks at the queue.
    """

    url: str
    home: Path
    name: str
    watch: str | None = WATCH_CRON
    jobs: int = 1
    command: Sequence[str] = COMMAND
    service: str = SERVICE_URL
    first_wait: float = FIRST_WAIT_SECONDS
    poll: float = POLL_SECONDS

    @classmethod
    def from_environment(cls, environment: Mapping[str, str], **changes: Any) -> "Settings":  # noqa: ANN401 (any field)
        """Return what the environment says; raises ConfigInvalid or ScheduleInvalid."""
        name = environment.get("ALMANAC_WORKER_ID") or platform.node()[:LONGEST_NAME] or "worker"
        if len(name) > LONGEST_NAME or not name.isprintable():
            raise ConfigInvalid(
                f"ALMANAC_WORKER_ID has at most {LONGEST_NAME} printable letters. Received: {name!r}.",
                hint="Choose a shorter one.",
            )
        line = environment.get("ALMANAC_WATCH_CRON") or WATCH_CRON
        watch = None if line.strip().lower() in OFF else check_cron(line)
        url, home = place.jobs_url(environment), place.home(environment)
        service = (environment.get("ALMANAC_SERVICE_URL") or SERVICE_URL).rstrip("/")
        return cls(**{"url": url, "home": home, "name": name, "watch": watch, "service": service, **changes})


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
        with holder.holding(settings.url, settings.name) as held:
            for signum in (signal.SIGTERM, signal.SIGINT):
                signal.signal(signum, lambda *_: self.stop.set())
            self._launch(client)
            self.say(f"worker {settings.name} takes jobs from {place.without_password(settings.url)}")
            while not self.stop.wait(HELD_POLL_SECONDS):
                if not held.still_held():
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
        self._register()
        DBOS.launch()
        for queue, at_once in ((place.QUEUE, settings.jobs), (place.WATCH_QUEUE, 1)):
            DBOS.register_queue(
                queue, worker_concurrency=at_once, polling_interval_sec=settings.poll, on_conflict="always_update"
            )
        for job in catch_up(client, datetime.now(UTC)):
            self.say(f"{job}: its tick was missed while no worker ran, and is made up for")
        self._schedule_watch(client)

    def _register(self) -> None:
        """Tell DBOS its workflows: functions of this worker, not of a module, since importing does nothing here."""
        bench = Bench(self.settings.home, self.stop, self.say, self.settings.first_wait)

        @DBOS.workflow(name=place.WORKFLOW, max_recovery_attempts=MOST_RECOVERIES)
        def retrain(scheduled_at: str, request: dict[str, Any]) -> dict[str, Any]:
            with Child(self.stop, self.settings.command) as child:
                return self._retrain(bench, child, scheduled_at, request)

        @DBOS.workflow(name=place.WATCH_WORKFLOW, max_recovery_attempts=MOST_RECOVERIES)
        def watch(_scheduled_at: str, _request: dict[str, Any] | None) -> dict[str, Any]:
            with Child(self.stop, self.settings.command) as child:
                return self._watch(bench, child)

    def _retrain(self, bench: Bench, child: Child, scheduled_at: str, request: dict[str, Any]) -> dict[str, Any]:
        """Run one job's story, each stage a step of DBOS."""
        job = str(DBOS.workflow_id)
        summary = {"name": request["name"], "reason": request.get("reason"), "worker": self.settings.name}
        seat = Seat(job, child, limits_of(request), lambda told: DBOS.set_event(place.PROGRESS, dict(told)))

        def run(name: str, stage: str, arguments: list[Any]) -> dict[str, Any]:
            answer = run_stage(bench, seat, name, stage, arguments)
            DBOS.set_event(place.SUMMARY, {**summary, **story.gist(stage, answer)})
            return answer

        def step(name: str, stage: str, *arguments: Any) -> dict[str, Any]:  # noqa: ANN401 (any JSON)
            answer = DBOS.run_step({"name": name}, run, name, stage, list(arguments))
            summary.update(story.gist(stage, answer))
            return answer

        self.say(f"{job}: retraining {request['name']} ({request.get('reason') or 'schedule'}, asked {scheduled_at})")
        try:
            result = story.retrain(step, request)
        except Exception as error:
            self.say(f"{job}: failed: {error}")
            raise
        self.say(f"{job}: {story.tell_result(request['name'], result)}")
        return result

    def _watch(self, bench: Bench, child: Child) -> dict[str, Any]:
        """Look at the fresh champions, where a service answers that could have scored them."""
        quiet = Bench(bench.home, bench.stop, lambda _: None, bench.first_wait)
        seat = Seat(place.WATCH_FOLDER, child, WATCH_LIMITS, lambda _: None)

        def look() -> dict[str, Any]:
            if not answers(f"{self.settings.service}/health/live"):
                return {"lines": [], "rollbacks": {}}
            return run_stage(quiet, seat, "watch", "watch", [])

        try:
            seen = DBOS.run_step({"name": "watch"}, look)
        except Exception as error:
            self.say(f"watch: failed: {error}")
            raise
        for line in seen["lines"]:
            self.say(f"watch: {line}")
        return seen

    def _schedule_watch(self, client: DBOSClient) -> None:
        """Put the watch into the table of schedules, as this worker was told; one that was paused stays paused."""
        found = client.get_schedule(place.WATCH_SCHEDULE)
        line = self.settings.watch
        if line is None or (found is not None and found["schedule"] != line):
            client.delete_schedule(place.WATCH_SCHEDULE)
            found = None
        if line is not None and found is None:
            client.apply_schedules(
                [
                    {
                        "schedule_name": place.WATCH_SCHEDULE,
                        "workflow_name": place.WATCH_WORKFLOW,
                        "schedule": line,
                        "context": {},
                        "queue_name": place.WATCH_QUEUE,
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
        if fired is None or schedule["schedule_name"] == place.WATCH_SCHEDULE:
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
        "name": place.APPLICATION,
        "system_database_url": settings.url,
        "dbos_system_schema": place.SCHEMA,
        "serializer": DBOSPortableJSONSerializer(),
        "application_version": place.APPLICATION_VERSION,
        "executor_id": settings.name,
        "scheduler_polling_interval_sec": SCHEDULE_POLL_SECONDS,
        "run_migrations": False,
        "log_level": "WARNING",
        "enable_otlp": False,
    }


def _quieten() -> None:
    """Leave out DBOS's tracebacks of jobs that failed: the worker says why in a line of its own."""
    logging.getLogger("dbos").addFilter(lambda record: "in background workflow" not in record.getMessage())
