"""Command worker: runs jobs until it is told to end."""

import os
import sys
from datetime import datetime

import click


@click.command(short_help="Run scheduled and requested retrainings.")
@click.option("--jobs", type=click.IntRange(1), default=1, show_default=True, help="Jobs at once, of each worker.")
def worker(jobs: int) -> None:
    """Take jobs from the queue and run them, until Ctrl-C or SIGTERM.

    What is running then goes back to the queue and goes on at the step it was in. ALMANAC_WORKER_ID names the worker, by
    default after its host; two workers of one name are refused. --jobs counts for every worker of the queue, as the one
    that started last says.

    \b
    Example:
        almanac worker
        ALMANAC_JOBS_URL=postgresql://almanac@db/almanac almanac worker --jobs 2
    """  # noqa: D301 - click's \b keeps the example's lines
    from training.jobs.settings import Settings
    from training.jobs.worker import Worker

    code = Worker(Settings.from_environment(os.environ, jobs=jobs), say).run()
    # DBOS's threads may wait for the database for minutes; all that matters is written down.
    sys.stdout.flush()
    os._exit(code)


def say(text: str) -> None:
    """Print a line with the time of day, at once."""
    click.echo(f"{datetime.now().astimezone():%H:%M:%S} {text}")
    sys.stdout.flush()
