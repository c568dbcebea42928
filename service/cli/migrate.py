"""Command `almanac migrate`: creates or upgrades the tables of the service and of the jobs."""

import asyncio

import click

from service.errors import DatabaseUnreachable
from service.jobs.client import JobsClient
from service.settings import Settings
from service.store.database import Database


@click.command(short_help="Create or upgrade the tables of the databases.")
def migrate() -> None:
    """Create or upgrade the tables in ALMANAC_DATABASE_URL and ALMANAC_JOBS_URL, then end.

    `almanac serve` and `almanac worker` do the same when they start. A deployment runs this first, so that an upgrade that
    fails stops before any process is replaced. A second run changes nothing.

    \b
    Example:
        ALMANAC_DATABASE_URL=postgresql://almanac@db/almanac almanac migrate
    """  # noqa: D301 (click's mark for lines that it must not wrap)
    settings = Settings.from_environment()
    database = Database(settings.database)
    try:
        database.migrate()
    except DatabaseUnreachable as error:
        raise DatabaseUnreachable(
            error.detail, hint="Check ALMANAC_DATABASE_URL, and that the database runs; then give the command again."
        ) from error
    finally:
        database.engine.dispose()
    click.echo("The tables of observations, forecasts and scores are up to date.")
    jobs = JobsClient(settings.jobs, limit=1)
    try:
        asyncio.run(jobs.run(lambda _client: None))
    finally:
        jobs.close()
    click.echo("The tables of schedules and jobs are up to date.")
