"""Jobs command: `almanac jobs`, what became of retrainings, and what to do about those that hang."""

import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from training.cli.job_tables import ENDED, describe_end, describe_progress, describe_step, state_of
from training.cli.options import print_json

if TYPE_CHECKING:
    from training.jobs.client import Jobs

OWN = ("adopt", "cancel", "show")


class JobsGroup(click.Group):
    """A group whose first word may be a job's id: `almanac jobs ID` is `almanac jobs show ID`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the `show` in that people leave out."""
        helped = args[:1] in ([option] for option in ctx.help_option_names)
        return super().parse_args(ctx, args if helped or args[:1] in ([name] for name in OWN) else ["show", *args])


@click.group(cls=JobsGroup, short_help="Show jobs, follow one, cancel it, adopt a dead worker's.")
def jobs() -> None:
    """Show the newest jobs, or one of them with its steps, its progress and what was decided.

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
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="Newest jobs to list.")
@click.option("--follow", "following", is_flag=True, help="Say each step until the job has ended.")
@click.option("--json", "as_json", is_flag=True, help="Print an object on standard output.")
def show(  # noqa: PLR0913 (each an option)
    job_id: str | None, name: str | None, schedule: str | None, limit: int, *, following: bool, as_json: bool
) -> None:
    """Show the newest jobs, or the one of this ID.

    \b
    Example:
        almanac jobs ID --follow
    """  # noqa: D301 - click's \b keeps the example's lines
    if job_id is None and following:
        raise click.UsageError("--follow needs a job: almanac jobs ID --follow.")
    if job_id is None:
        _list(name, schedule, limit, as_json=as_json)
    else:
        _show(job_id, following=following, as_json=as_json)


@jobs.command(short_help="Have other workers go on with a dead worker's jobs.")
@click.argument("worker")
def adopt(worker: str) -> None:
    """Give the jobs of a dead WORKER back to the queue; the next worker goes on at the step each was in.

    \b
    Example:
        almanac jobs adopt trainer-1
    """  # noqa: D301 - click's \b keeps the example's lines
    from training.jobs.client import open_jobs

    with open_jobs(os.environ, create=False) as queue:
        adopted = queue.adopt(worker)
        warning = no_worker(queue)
    for job_id in adopted:
        click.echo(f"{job_id} goes on.")
    if not adopted:
        click.echo(f"{worker} has left no jobs.")
    elif warning:
        click.echo(warning, err=True)


@jobs.command(short_help="Cancel a job that waits or runs.")
@click.argument("job_id", metavar="ID")
def cancel(job_id: str) -> None:
    """Cancel a job: the step that runs is broken off when it next tells of itself, and no other follows.

    \b
    Example:
        almanac jobs cancel temperatures-20261122T081500Z-9f3c
    """  # noqa: D301 - click's \b keeps the example's lines
    from training.cli.job_tables import state_of
    from training.jobs.client import open_jobs

    with open_jobs(os.environ, create=False) as queue:
        if (state := state_of(queue.job(job_id))) in {"succeeded", "failed"}:
            raise click.ClickException(f"{job_id} has {state} already.")
        queue.cancel(job_id)
    click.echo(f"{job_id} is cancelled.")


def _list(name: str | None, schedule: str | None, limit: int, *, as_json: bool) -> None:
    from training.cli.job_tables import jobs_table
    from training.jobs.client import open_jobs
    from training.progress import plain_console

    rows = []
    if is_there():
        with open_jobs(os.environ) as queue:
            rows = queue.jobs(name=name, schedule=schedule, limit=limit)
    if as_json:
        print_json({"jobs": rows})
    elif rows:
        plain_console(stderr=False).print(jobs_table(rows))
    else:
        click.echo("No jobs. almanac retrain NAME or almanac schedule add makes them.")


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


def is_there() -> bool:
    """Return whether there is a database to look into: looking makes none."""
    from models.jobs.database import jobs_url, sqlite_file

    file = sqlite_file(jobs_url(os.environ))
    return file is None or file.exists()


LOOK_SECONDS = 1.0


Row = dict[str, Any]


def follow(
    jobs: "Jobs", job_id: str, say: Callable[[str], None], *, pause: Callable[[float], None] = time.sleep
) -> Row:
    """Say each step as it ends, and the progress of the one that runs, until the job has ended; return it then.

    Args:
        jobs: The queue.
        job_id: Of the job.
        say: Takes a line.
        pause: Waits so many seconds.

    Raises:
        JobUnknown: If there is no such job.
    """
    told, newest = 0, ""
    while True:
        row = jobs.job(job_id)
        for step in row["steps"][told:]:
            say(describe_step(step))
        told = len(row["steps"])
        if state_of(row) in ENDED:
            say(f"{job_id} has {_ended(state_of(row))}.")
            for line in describe_end(row):
                say(line)
            return row
        line = describe_progress(row["progress"]) if row["progress"] else f"{job_id} is {state_of(row)}"
        if line != newest:
            say(f"  {line}")
            newest = line
        pause(LOOK_SECONDS)


def _ended(state: str) -> str:
    return "been cancelled" if state == "cancelled" else state


def no_worker(jobs: "Jobs") -> str | None:
    """Return what is said where no worker lives, None where one does."""
    if any(row["alive"] for row in jobs.workers()):
        return None
    return "No worker is running: jobs wait until one is started with almanac worker."
