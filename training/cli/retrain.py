"""Retrain command: `almanac retrain` queues a retraining now, or checks whether it is needed."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from models.jobs.errors import JobsUnreachable
from training.cli.requests import Request, missing_data, read_request, request_of


@click.command(short_help="Retrain a model now, or check whether it is needed.")
@click.argument("name")
@click.option(
    "--config",
    type=click.Path(dir_okay=False, path_type=Path),
    help="TOML file. Default: the schedule's configuration.",
)
@click.option("--if-needed", is_flag=True, help="Train only if a reason to retrain is met.")
@click.option("--dry-run", is_flag=True, help="Show which reasons to retrain are met, and queue nothing.")
@click.option("--wait", is_flag=True, help="Follow the job until it has ended.")
@click.option("--json", "as_json", is_flag=True, help="Print an object on standard output.")
def retrain(name: str, config: Path | None, *, if_needed: bool, dry_run: bool, wait: bool, as_json: bool) -> None:  # noqa: PLR0913
    """Queue a job that trains the model NAME again.

    Without --config the job uses the configuration of the model's schedule. With --dry-run nothing is queued: the
    reasons to retrain are shown, each as met, not met or unknown, with its value and its threshold ([retrain] in the
    configuration). Live scores come from the service at ALMANAC_SERVICE_URL.

    \b
    Example:
        almanac retrain temperatures --dry-run
        almanac retrain temperatures --config training/configs/temperatures.toml --wait
    """  # noqa: D301 - click's \b keeps the example's lines
    given = None if config is None else read_request(config, name, if_needed=if_needed, reason="manual")
    if given is not None and given["name"] != name:
        raise click.UsageError(f"{config} is the configuration of the model {given['name']!r}, not of {name!r}.")
    if dry_run:
        _assess(name, given, as_json=as_json)
    else:
        _enqueue(name, given, if_needed=if_needed, wait=wait, as_json=as_json)


def _enqueue(name: str, given: Request | None, *, if_needed: bool, wait: bool, as_json: bool) -> None:
    from training.cli.job_tables import state_of
    from training.cli.jobs import database_exists, follow, no_worker
    from training.jobs.client import open_jobs

    if given is None and not database_exists():
        given = request_of((), name, if_needed=if_needed)  # raises ConfigInvalid without creating a database
    with open_jobs(os.environ) as jobs:
        request = request_of(jobs.schedules(), name, if_needed=if_needed) if given is None else given
        for warning in (missing_data(request), no_worker(jobs)):
            if warning:
                click.echo(warning, err=True)
        job_id = jobs.enqueue(request, now=datetime.now(UTC))
        if not wait:
            _print_queued(job_id, as_json=as_json)
            return
        row = follow(jobs, job_id, lambda line: click.echo(line, err=as_json))
    if as_json:
        _print_json(row)
    if state_of(row) != "succeeded":
        raise click.exceptions.Exit(1)


def _print_queued(job_id: str, *, as_json: bool) -> None:
    if as_json:
        _print_json({"id": job_id})
    else:
        click.echo(f"Job {job_id} is queued. Follow it: almanac jobs {job_id} --follow")


def _assess(name: str, given: Request | None, *, as_json: bool) -> None:
    from training.cli.job_tables import reasons_table
    from training.cli.options import open_registry
    from training.config.retrain import RetrainConfig
    from training.progress import plain_console
    from training.registry.location import RegistryLocation
    from training.retraining.triggers import assess
    from training.service_client.client import SERVICE_URL, service_address

    request = given or _scheduled(name)
    config = RetrainConfig(**request["config"].get("retrain", {})) if request else RetrainConfig()
    environment = {**os.environ, "ALMANAC_SERVICE_URL": os.environ.get("ALMANAC_SERVICE_URL") or SERVICE_URL}
    registry = None if RegistryLocation.from_environment(os.environ).is_missing else open_registry()
    found = assess(name, config, service_address(environment), registry, datetime.now(UTC)).to_dict()
    if as_json:
        _print_json(found)
    else:
        plain_console(stderr=False).print(reasons_table(found))


def _scheduled(name: str) -> Request | None:
    """Return the request of the model's schedule, or None if it has none; then the default thresholds apply."""
    from models.errors import ConfigInvalid
    from training.jobs.client import open_jobs

    try:
        with open_jobs(os.environ, create=False) as jobs:
            return request_of(jobs.schedules(), name, if_needed=True)
    except (JobsUnreachable, ConfigInvalid):
        return None


def _print_json(data: Any) -> None:  # noqa: ANN401 (any JSON)
    from training.cli.options import print_json

    print_json(data)
