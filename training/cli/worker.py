"""Worker command: `almanac worker` runs jobs until it is stopped."""

import os
import sys
from datetime import datetime

import click


@click.command(short_help="Run scheduled and requested retrainings.")
@click.option(
    "--jobs", type=click.IntRange(1), default=1, show_default=True, help="Jobs that each worker runs at once."
)
def worker(jobs: int) -> None:
    """Take jobs from the queue and run them until Ctrl-C or SIGTERM.

    Running jobs then return to the queue; a worker resumes them at their current step. ALMANAC_WORKER_ID sets the name of
    the worker, by default the host's name; each worker needs its own. --jobs applies to all workers of the queue: the
    worker that started last sets it.

    \b
    Example:
        almanac worker
        ALMANAC_JOBS_URL=postgresql://almanac@db/almanac almanac worker --jobs 2
    """  # noqa: D301 - click's \b keeps the example's lines
    from training.jobs.settings import Settings
    from training.jobs.worker import Worker

    code = Worker(Settings.from_environment(os.environ, jobs=jobs), log).run()
    # DBOS's threads may wait for the database for minutes; everything is stored already.
    sys.stdout.flush()
    os._exit(code)


def log(text: str) -> None:
    """Print a line with the time of day."""
    click.echo(f"{datetime.now().astimezone():%H:%M:%S} {text}")
    sys.stdout.flush()
