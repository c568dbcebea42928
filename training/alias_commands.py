"""Alias commands: promote and rollback, a person's word on which version is champion, written down in MLflow."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from training.commands import open_registry
from training.moving import FILES, Move, log_move

if TYPE_CHECKING:
    from training.registry import Registry


@click.command(short_help="Make a version the champion.")
@click.argument("name")
@click.argument("version")
def promote(name: str, version: str) -> None:
    """Make VERSION of NAME the champion; the old champion becomes `previous`. Its run says that it was done by hand.

    \b
    Example:
        almanac promote temperatures 3
    """  # noqa: D301 - click's \b keeps the example's lines
    from training.registry import CHAMPION

    registry = open_registry()
    found = registry.resolve(f"{name}/{version}" if version.isdigit() else f"{name}@{version}")
    wanted = found.version
    if CHAMPION in found.aliases:
        click.echo(f"{name} version {wanted} is champion already; nothing has changed.")
        return
    old = registry.promote(name, wanted)
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
    champion, previous = registry.rollback(name)
    click.echo(f"{name} version {champion} is champion again; version {previous} is previous.")
    _write_down(registry, Move("rollback", name, champion, previous, datetime.now(UTC)))


def _write_down(registry: "Registry", move: Move) -> None:
    """Write a move of the champion alias in MLflow, and say where."""
    if run_id := log_move(registry, move):
        click.echo(f"Written down in run {run_id}, {FILES[move.action]}.")
