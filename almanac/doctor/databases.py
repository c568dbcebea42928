"""Databases: whether that of observations and forecasts, and that of jobs, answer and are migrated; and the clock."""

import time
from collections.abc import Iterator, Mapping
from datetime import timedelta

from almanac.doctor.check import Check
from models.jobs.database import sqlite_file, without_password
from models.jobs.errors import JobsUnreachable
from service.errors import DatabaseUnreachable
from service.settings import Settings
from service.store.database import Database
from service.store.forecasts import newest_time
from service.store.tables import HEAD

MIGRATE = "Run almanac migrate, or start the service."
MIGRATE_JOBS = "Start almanac worker, or run almanac jobs: both make them."
AHEAD_SECONDS = 60.0
"""A stored row may be so much newer than now: replicas' clocks differ a little."""


def check_database(settings: Settings) -> Iterator[Check]:
    """Yield whether the database answers and has the newest tables; raises DatabaseUnusable."""
    where = without_password(settings.database)
    if _is_absent(settings.database):
        yield Check("database", "ok", f"{where} does not exist yet; the service creates it.")
        return
    database = Database(settings.database)
    try:
        revision = database.revision()
        if revision != HEAD:
            yield _other_tables(where, revision)
            return
        database.ping()
        newest = newest_time(database)
    except DatabaseUnreachable as error:
        yield Check("database", "error", error.detail, _remedy(settings.database, "ALMANAC_DATABASE_URL"))
        return
    finally:
        database.close()
    yield Check("database", "ok", f"{where} answers, tables {HEAD}.")
    yield check_clock(newest, time.time())


def check_clock(newest: float | None, now: float) -> Check:
    """Return whether this machine's clock is behind the newest stored row; both are seconds since 1970."""
    ahead = 0.0 if newest is None else newest - now
    if ahead > AHEAD_SECONDS:
        detail = f"The newest stored forecast is of {timedelta(seconds=round(ahead))} h from now."
        return Check(
            "clock", "error", detail, "Set the clock of this machine, or of the one that wrote it (chrony, ntpd)."
        )
    return Check("clock", "ok", "No stored forecast is newer than now.")


def check_jobs(settings: Settings, environment: Mapping[str, str]) -> Iterator[Check]:
    """Yield whether the jobs' database answers, and workers are there for what is due."""
    where = without_password(settings.jobs)
    if _is_absent(settings.jobs):
        yield Check("jobs", "ok", f"{where} does not exist yet; there are no schedules.")
        return
    from models.jobs.names import WATCH_SCHEDULE
    from training.jobs.client import RUNNING, WAITING, look_at_jobs

    try:
        with look_at_jobs({**environment, "ALMANAC_JOBS_URL": settings.jobs}) as queue:
            if queue is None:
                yield Check("jobs", "warning", f"{where} has no tables of jobs yet, or older ones.", MIGRATE_JOBS)
                return
            active = [one["name"] for one in queue.schedules() if not one["paused"] and one["name"] != WATCH_SCHEDULE]
            unfinished = [job["id"] for job in queue.jobs(limit=1_000) if job["status"] in {RUNNING, *WAITING}]
            workers = queue.workers()
    except JobsUnreachable as error:
        yield Check("jobs", "error", error.detail, _remedy(settings.jobs, "ALMANAC_JOBS_URL"))
        return
    yield Check("jobs", "ok", f"{where} answers; {len(active)} active schedules, {len(unfinished)} unfinished jobs.")
    yield from check_workers(active, unfinished, workers)


def check_workers(active: list[str], unfinished: list[str], workers: list[dict[str, object]]) -> Iterator[Check]:
    """Yield whether a worker runs if there are schedules or unfinished jobs, and each that ended with jobs of its own."""
    alive = [str(one["worker"]) for one in workers if one["alive"]]
    for one in workers:
        if not one["alive"]:
            remedy = f"Start it again under its name, or run almanac jobs adopt {one['worker']}."
            yield Check("workers", "error", f"The worker {one['worker']} has ended and left jobs.", remedy)
    if alive:
        yield Check("workers", "ok", f"Running: {', '.join(alive)}.")
    elif active or unfinished:
        waits = ", ".join([*active, *unfinished][:3])
        yield Check("workers", "error", f"No worker runs for {waits}.", "Start almanac worker.")
    else:
        yield Check("workers", "ok", "None runs, and none is needed.")


def _other_tables(where: str, revision: str | None) -> Check:
    """Return what is wrong with tables that are not those of this version."""
    if revision is None:
        return Check("database", "warning", f"{where} has no tables yet.", MIGRATE)
    detail = f"{where} has the tables {revision}; this Almanac uses {HEAD}."
    if revision < HEAD:
        return Check("database", "warning", detail, MIGRATE)
    return Check("database", "error", detail, "Run the version of Almanac that made them, or a newer one.")


def _remedy(url: str, variable: str) -> str:
    """Return what to do about a database that does not answer."""
    file = sqlite_file(url)
    if file is None:
        return f"Start PostgreSQL, create the database if it is missing, or correct {variable}."
    return f"Let this user read and write {file} and its folder, or correct {variable}."


def _is_absent(url: str) -> bool:
    """Return whether a database is a SQLite file that does not exist."""
    file = sqlite_file(url)
    return file is not None and not file.exists()
