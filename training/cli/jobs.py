"""Jobs commands: `almanac jobs` shows retraining jobs, and cancels or adopts them; `almanac worker` runs them."""

import os
import sys
import time
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from models.jobs.database import jobs_url
from training.cli.options import print_json

if TYPE_CHECKING:
    from training.jobs.client import Jobs

SUBCOMMANDS = ("adopt", "cancel", "show")
POLL_SECONDS = 1.0

Row = dict[str, Any]


class JobsGroup(click.Group):
    """A group whose first argument may be a job's id: `almanac jobs ID` means `almanac jobs show ID`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Insert `show` unless the first argument is a subcommand or asks for help."""
        first = args[0] if args else ""
        given = first in SUBCOMMANDS or first in ctx.help_option_names
        return super().parse_args(ctx, args if given else ["show", *args])


@click.group(cls=JobsGroup, short_help="Show jobs, follow one, cancel it, adopt a dead worker's.")
def jobs() -> None:
    """Show the newest jobs, or one job with its steps, progress and decision.

    \b
    Example:
        almanac jobs
        almanac jobs temperatures-20261122T081500Z-9f3c --follow
        almanac jobs --name temperatures --json
        almanac jobs adopt trainer-1
    """  # noqa: D301 - click's \b keeps the example's lines


@jobs.command(hidden=True)
@click.argument("job_id", metavar="ID", required=False)
@click.option("--name", help="Only jobs of this model.")
@click.option("--schedule", help="Only jobs of this schedule.")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="Largest number of jobs.")
@click.option("--follow", "following", is_flag=True, help="Print each step until the job has ended.")
@click.option("--json", "as_json", is_flag=True, help="Print an object on standard output.")
def show(  # noqa: PLR0913 (each an option)
    job_id: str | None, name: str | None, schedule: str | None, limit: int, *, following: bool, as_json: bool
) -> None:
    """Show the newest jobs, or the job ID.

    \b
    Example:
        almanac jobs ID --follow
    """  # noqa: D301 - click's \b keeps the example's lines
    if job_id is None and following:
        raise click.UsageError("--follow needs the id of a job: almanac jobs ID --follow.")
    if job_id is None:
        _list(name, schedule, limit, as_json=as_json)
    else:
        _show(job_id, following=following, as_json=as_json)


@jobs.command(short_help="Let other workers resume the jobs of a dead one.")
@click.argument("worker")
def adopt(worker: str) -> None:
    """Return the jobs of a dead WORKER to the queue; the next worker resumes each at its current step.

    \b
    Example:
        almanac jobs adopt trainer-1
    """  # noqa: D301 - click's \b keeps the example's lines
    from training.jobs.client import open_jobs

    with open_jobs(os.environ, create=False) as queue:
        adopted = queue.adopt(worker)
        warning = no_worker(queue)
    for job_id in adopted:
        click.echo(f"{job_id} is back in the queue.")
    if not adopted:
        click.echo(f"{worker} has no unfinished jobs.")
    elif warning:
        click.echo(warning, err=True)


@jobs.command(short_help="Cancel a job that waits or runs.")
@click.argument("job_id", metavar="ID")
def cancel(job_id: str) -> None:
    """Cancel a job: its current step ends when it next reports progress.

    \b
    Example:
        almanac jobs cancel temperatures-20261122T081500Z-9f3c
    """  # noqa: D301 - click's \b keeps the example's lines
    from training.cli.job_tables import state_of
    from training.jobs.client import open_jobs

    with open_jobs(os.environ, create=False) as queue:
        if (state := state_of(queue.job(job_id))) in {"succeeded", "failed"}:
            raise click.ClickException(f"{job_id} has already {state}.")
        queue.cancel(job_id)
    click.echo(f"{job_id} is cancelled.")


def _list(name: str | None, schedule: str | None, limit: int, *, as_json: bool) -> None:
    from training.cli.job_tables import jobs_table
    from training.jobs.client import open_jobs
    from training.progress import plain_console

    rows = []
    if database_exists():
        with open_jobs(os.environ) as queue:
            rows = queue.jobs(name=name, schedule=schedule, limit=limit)
    if as_json:
        print_json({"jobs": rows})
    elif rows:
        plain_console(stderr=False).print(jobs_table(rows))
    else:
        click.echo("No jobs. Queue one with almanac retrain NAME or almanac schedule add.")


def _show(job_id: str, *, following: bool, as_json: bool) -> None:
    from training.cli.job_tables import describe_job, reasons_table, state_of
    from training.jobs.client import open_jobs
    from training.progress import plain_console

    with open_jobs(os.environ, create=False) as queue:
        row = queue.job(job_id)
        if following:
            row = follow(queue, job_id, lambda line: click.echo(line, err=as_json))
    if as_json:
        print_json(row)
    elif not following:
        for line in describe_job(row):
            click.echo(line)
    decision = (row["result"] or {}).get("decision") or {}
    if not as_json and decision.get("reasons"):
        plain_console(stderr=False).print(reasons_table({"name": row["name"], **decision}))
    if following and state_of(row) != "succeeded":
        raise click.exceptions.Exit(1)


def database_exists() -> bool:
    """Return whether the jobs' database exists; commands that only read do not create it."""
    from models.jobs.database import sqlite_file

    file = sqlite_file(jobs_url(os.environ))
    return file is None or file.exists()


def follow(
    jobs: "Jobs", job_id: str, print_line: Callable[[str], None], *, sleep: Callable[[float], None] = time.sleep
) -> Row:
    """Print finished steps and the progress of the current one until the job has ended; return the job.

    Raises:
        JobUnknown: If there is no such job.
    """
    from training.cli.job_tables import ENDED, describe_end, describe_progress, describe_step, state_of

    printed, latest = 0, ""
    while True:
        row = jobs.job(job_id)
        state = state_of(row)
        for step in row["steps"][printed:]:
            print_line(describe_step(step))
        printed = len(row["steps"])
        if state in ENDED:
            print_line(f"{job_id} {'is' if state == 'cancelled' else 'has'} {state}.")
            for line in describe_end(row):
                print_line(line)
            return row
        line = describe_progress(row["progress"]) if row["progress"] else f"{job_id} is {state}"
        if line != latest:
            print_line(f"  {line}")
            latest = line
        sleep(POLL_SECONDS)


def no_worker(jobs: "Jobs") -> str | None:
    """Return a warning if no worker runs, otherwise None."""
    if any(row["alive"] for row in jobs.workers()):
        return None
    return "No worker is running. Jobs wait until one is started with almanac worker."


@click.command(short_help="Run scheduled and requested retrainings.")
@click.option(
    "--jobs", type=click.IntRange(1), default=1, show_default=True, help="Jobs that each worker runs at once."
)
@click.option("--check", is_flag=True, help="Only show whether the worker of this name runs: exit code 0, or 1.")
def worker(jobs: int, *, check: bool) -> None:
    """Take jobs from the queue and run them until Ctrl-C or SIGTERM.

    Running jobs then return to the queue; a worker resumes them at their current step. ALMANAC_WORKER_ID sets the name of
    the worker, by default the host's name; each worker needs its own. --jobs applies to all workers of the queue: the
    worker that started last sets it.

    \b
    Example:
        almanac worker
        ALMANAC_JOBS_URL=postgresql://almanac@db/almanac almanac worker --jobs 2
        almanac worker --check
    """  # noqa: D301 - click's \b keeps the example's lines
    if check:
        sys.exit(_check())
    from training.jobs.worker import Worker
    from training.jobs.worker_settings import WorkerSettings
    from training.registry.home import check_home
    from training.registry.location import RegistryLocation

    check_home(RegistryLocation.from_environment(os.environ))
    code = Worker(WorkerSettings.from_environment(os.environ, jobs=jobs), log).run()
    # DBOS's threads may wait for the database for minutes; everything is stored already.
    sys.stdout.flush()
    os._exit(code)


def _check() -> int:
    """Print whether the worker of this name runs, and return the exit code."""
    from training.jobs.worker_lock import running_workers
    from training.jobs.worker_settings import worker_id

    name = worker_id(os.environ)
    runs = name in running_workers(jobs_url(os.environ))
    click.echo(f"The worker {name} {'runs' if runs else 'does not run'}.", err=not runs)
    return 0 if runs else 1


def log(text: str) -> None:
    """Print a line with the time of day."""
    click.echo(f"{datetime.now().astimezone():%H:%M:%S} {text}")
    sys.stdout.flush()
