"""Alias commands: promote and rollback, a person's word on which version is champion, written down in MLflow."""

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from training.cli.options import open_registry, print_json

if TYPE_CHECKING:
    from training.registry.client import Registry
    from training.registry.location import Version

from typing import TYPE_CHECKING

from training.registry.alias_log import FILES, Move, log_move

if TYPE_CHECKING:
    from training.registry.client import Registry


@click.command(short_help="Make a version the champion.")
@click.argument("name")
@click.argument("version")
def promote(name: str, version: str) -> None:
    """Make VERSION of NAME the champion; the old champion becomes `previous`. Its run says that it was done by hand.

    \b
    Example:
        almanac promote temperatures 3
    """  # noqa: D301 - click's \b keeps the example's lines
    from training.registry.model_versions import CHAMPION

    registry = open_registry()
    found = registry.models.resolve(f"{name}/{version}" if version.isdigit() else f"{name}@{version}")
    wanted = found.version
    if CHAMPION in found.aliases:
        click.echo(f"{name} version {wanted} is champion already; nothing has changed.")
        return
    old = registry.models.promote(name, wanted)
    before = f"; version {old} is now previous" if old is not None else ""
    click.echo(f"{name} version {wanted} is champion{before}.")
    _write_down(registry, Move("promote", name, wanted, old, datetime.now(UTC)))


@click.command(short_help="Go back to the previous champion.")
@click.argument("name")
def rollback(name: str) -> None:
    """Exchange champion and previous of NAME. The run of the version that was taken back says so.

    \b
    Example:
        almanac rollback temperatures
    """  # noqa: D301 - click's \b keeps the example's lines
    registry = open_registry()
    champion, previous = registry.models.rollback(name)
    click.echo(f"{name} version {champion} is champion again; version {previous} is previous.")
    _write_down(registry, Move("rollback", name, champion, previous, datetime.now(UTC)))


def _write_down(registry: "Registry", move: Move) -> None:
    """Write a move of the champion alias in MLflow, and say where."""
    if run_id := log_move(registry, move):
        click.echo(f"Written down in run {run_id}, {FILES[move.action]}.")


@click.command(short_help="List registered models.")
@click.option("--json", "as_json", is_flag=True, help="Print the list as JSON on standard output.")
def models(*, as_json: bool) -> None:
    """List every registered version with its aliases and figures.

    \b
    Example:
        almanac models --json
    """  # noqa: D301 - click's \b keeps the example's lines
    from training.cli.tables import models_table
    from training.progress import plain_console
    from training.registry.location import Place

    place = Place.from_environment(os.environ)
    if place.is_absent:
        click.echo(f"{place.absence}: run almanac train or almanac demo.", err=as_json)
        if as_json:
            print_json({"models": []})
        return
    rows = [_version_row(version) for version in open_registry().models.versions(metrics=True)]
    if as_json:
        print_json({"models": rows})
    elif rows:
        plain_console(stderr=False).print(models_table(rows))
    else:
        click.echo("No models yet. almanac train makes the first one.")


def _version_row(version: "Version") -> dict[str, Any]:
    created = datetime.fromtimestamp(version.created / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "name": version.name,
        "version": version.version,
        "aliases": list(version.aliases),
        "architecture": version.architecture,
        "run_id": version.run_id,
        "created": created,
        "metrics": dict(version.metrics),
    }
