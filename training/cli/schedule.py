"""Schedule command: `almanac schedule` manages the schedules of retraining."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import click

from models.audit.log import record_own
from models.errors import ConfigInvalid
from models.jobs.database import almanac_home
from training.cli.options import print_json
from training.cli.requests import missing_data, read_request

if TYPE_CHECKING:
    from training.jobs.client import Jobs

MOST_TICKS = 500
"""Largest number of ticks in one backfill, as over REST."""
MOMENTS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"]


@click.group(short_help="Make, list, pause and run schedules of retraining.")
def schedule() -> None:
    """Retrain models on schedules.

    \b
    Example:
        almanac schedule add temperatures --cron "0 3 1 * *" --config training/configs/temperatures.toml
        almanac schedule list
    """  # noqa: D301 - click's \b keeps the example's lines


@schedule.command(short_help="Add a schedule.")
@click.argument("name")
@click.option(
    "--cron", required=True, metavar="LINE", help="minute hour day month weekday; of six fields the first is seconds."
)
@click.option(
    "--config", required=True, type=click.Path(dir_okay=False, path_type=Path), help="TOML file of the training."
)
@click.option("--timezone", default="UTC", show_default=True, help="IANA time zone of the cron expression.")
@click.option("--if-needed", is_flag=True, help="Train only at ticks at which a reason is met.")
def add(name: str, cron: str, config: Path, timezone: str, *, if_needed: bool) -> None:
    """Add a schedule that retrains a model at every tick of a cron expression.

    The configuration is stored: later changes of the file have no effect. The model is the configuration's `name`, or NAME.

    \b
    Example:
        almanac schedule add monthly --cron "0 3 1 * *" --timezone Europe/Berlin --config sales.toml
        almanac schedule add nightly --cron "0 2 * * *" --if-needed --config sales.toml
    """  # noqa: D301 - click's \b keeps the example's lines
    from training.cli.job_tables import moment
    from training.cli.jobs import no_worker
    from training.jobs.client import open_jobs

    request = read_request(config, name, if_needed=if_needed, reason="schedule")
    if request["config"].get("promote"):
        raise ConfigInvalid(
            f"{config} sets promote, but a schedule promotes on evidence only.",
            hint="Remove the line. almanac retrain accepts it.",
        )
    with open_jobs(os.environ) as jobs:
        jobs.add_schedule(name, cron, request, timezone=timezone)
        record_own(almanac_home(os.environ), "schedule.create", schedule=name)
        following, warnings = jobs.schedule(name)["next_at"], [missing_data(request), no_worker(jobs)]
    click.echo(f"Schedule {name} retrains {request['name']}, next at {moment(following, cron)} ({timezone}).")
    click.echo(f"The schedule keeps {config} as it is now. To change it, remove the schedule and add it again.")
    for warning in filter(None, warnings):
        click.echo(warning, err=True)


@schedule.command("list", short_help="List the schedules.")
@click.option("--json", "as_json", is_flag=True, help="Print an object on standard output.")
def list_(*, as_json: bool) -> None:
    """List the schedules, each with its next tick in its time zone.

    \b
    Example:
        almanac schedule list --json
    """  # noqa: D301 - click's \b keeps the example's lines
    from training.cli.job_tables import schedules_table
    from training.cli.jobs import database_exists
    from training.jobs.client import open_jobs
    from training.progress import plain_console

    rows = []
    if database_exists():
        with open_jobs(os.environ) as jobs:
            rows = jobs.schedules()
    if as_json:
        print_json({"schedules": rows})
    elif rows:
        plain_console(stderr=False).print(schedules_table(rows))
    else:
        click.echo("No schedules. Add one with almanac schedule add.")


@schedule.command(short_help="Show a schedule with its configuration.")
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print an object on standard output.")
def show(name: str, *, as_json: bool) -> None:
    """Show a schedule and its configuration.

    \b
    Example:
        almanac schedule show monthly
    """  # noqa: D301 - click's \b keeps the example's lines
    from training.cli.job_tables import schedules_table
    from training.jobs.client import open_jobs
    from training.progress import plain_console

    with open_jobs(os.environ, create=False) as jobs:
        row = jobs.schedule(name)
    if as_json:
        print_json(row)
        return
    plain_console(stderr=False).print(schedules_table([row]))
    click.echo(json.dumps(row["request"], indent=2))


@schedule.command(short_help="Pause a schedule.")
@click.argument("name")
def pause(name: str) -> None:
    """Pause a schedule until it is resumed.

    \b
    Example:
        almanac schedule pause monthly
    """  # noqa: D301 - click's \b keeps the example's lines
    from training.jobs.client import open_jobs

    with open_jobs(os.environ, create=False) as jobs:
        jobs.pause(name)
        record_own(almanac_home(os.environ), "schedule.pause", schedule=name)
    click.echo(f"{name} is paused. Resume it with almanac schedule resume {name}.")


@schedule.command(short_help="Resume a paused schedule.")
@click.argument("name")
def resume(name: str) -> None:
    """Resume a paused schedule.

    \b
    Example:
        almanac schedule resume monthly
    """  # noqa: D301 - click's \b keeps the example's lines
    from training.cli.job_tables import moment
    from training.jobs.client import open_jobs

    with open_jobs(os.environ, create=False) as jobs:
        jobs.resume(name)
        record_own(almanac_home(os.environ), "schedule.resume", schedule=name)
        row = jobs.schedule(name)
    click.echo(f"{name} is resumed, next at {moment(row['next_at'], row['cron'])}.")


@schedule.command(short_help="Queue a schedule's job now.")
@click.argument("name")
def trigger(name: str) -> None:
    """Queue the job of a schedule now, whether it is paused or not.

    \b
    Example:
        almanac schedule trigger monthly
    """  # noqa: D301 - click's \b keeps the example's lines
    from training.cli.jobs import no_worker
    from training.jobs.client import open_jobs

    with open_jobs(os.environ, create=False) as jobs:
        job_id, warning = jobs.trigger(name), no_worker(jobs)
    click.echo(f"Job {job_id} is queued. Follow it: almanac jobs {job_id} --follow")
    if warning:
        click.echo(warning, err=True)


@schedule.command(short_help="Delete a schedule.")
@click.argument("name")
def remove(name: str) -> None:
    """Delete a schedule; its jobs stay.

    \b
    Example:
        almanac schedule remove monthly
    """  # noqa: D301 - click's \b keeps the example's lines
    from training.jobs.client import open_jobs

    with open_jobs(os.environ, create=False) as jobs:
        waiting = jobs.remove(name)
        record_own(almanac_home(os.environ), "schedule.delete", schedule=name)
    click.echo(f"{name} is removed.")
    if waiting:
        text = "1 of its jobs still waits" if waiting == 1 else f"{waiting} of its jobs still wait"
        click.echo(f"{text}: almanac jobs --schedule {name} lists them, almanac jobs cancel ID cancels one.")


@schedule.command(short_help="Queue the jobs of past ticks.")
@click.argument("name")
@click.option("--start", required=True, type=click.DateTime(MOMENTS), help="Exclusive.")
@click.option("--end", required=True, type=click.DateTime(MOMENTS), help="Exclusive. Not in the future.")
def backfill(name: str, start: datetime, end: datetime) -> None:
    """Queue a job for each tick between two times; ticks that have a job keep it.

    Times without an offset are in the schedule's time zone.

    \b
    Example:
        almanac schedule backfill monthly --start 2026-01-01 --end 2026-06-30T12:00:00+0200
    """  # noqa: D301 - click's \b keeps the example's lines
    from training.jobs.client import open_jobs

    with open_jobs(os.environ, create=False) as jobs:
        first, last = _between(jobs, name, start, end)
        made = jobs.backfill(name, first, last)
    for job_id in made:
        click.echo(job_id)
    click.echo(f"{len(made)} ticks of {name} have jobs. almanac jobs lists them.", err=True)


def _between(jobs: "Jobs", name: str, start: datetime, end: datetime) -> tuple[datetime, datetime]:
    """Return two times with their time zone; raises UsageError if they are out of order, in the future or too far apart."""
    from models.jobs.cron import count_fires

    row = jobs.schedule(name)
    zone = ZoneInfo(row["timezone"])
    first, last = (one if one.tzinfo else one.replace(tzinfo=zone) for one in (start, end))
    if not first < last <= datetime.now(UTC):
        raise click.UsageError(
            f"--end must be after --start and not in the future. Received: {first.isoformat()}, {last.isoformat()}."
        )
    if count_fires(row["cron"], row["timezone"], first, last, MOST_TICKS + 1) > MOST_TICKS:
        raise click.UsageError(f"{name} has more than {MOST_TICKS} ticks in this period. Backfill a shorter one.")
    return first, last
