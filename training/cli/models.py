"""Model commands: `almanac models`, `promote` and `rollback`."""

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from models.errors import PromotionRefused
from models.names import CHAMPION
from models.registry.champion import BY_HAND, FILES, AliasChange
from models.retraining.live_promotion import decide_live_promotion
from training.cli.options import open_registry, print_json

if TYPE_CHECKING:
    from training.registry.client import Registry
    from training.registry.location import Version

REASON = click.option("--reason", default=BY_HAND, help="Why, in one sentence; it is logged with the change.")


@click.command(short_help="Make a version the champion.")
@click.argument("name")
@click.argument("version")
@REASON
@click.option(
    "--live-scores",
    type=click.IntRange(1),
    metavar="N",
    help="Promote only if N forecasts of VERSION, made in the shadow or as a canary, have scores beside the champion's at the service "
    "(ALMANAC_SERVICE_URL), and its error is not significantly larger.",
)
def promote(name: str, version: str, reason: str, live_scores: int | None) -> None:
    """Make VERSION of NAME the champion; the old champion becomes `previous`. The change is logged in the version's run.

    \b
    Examples:
        almanac promote temperatures 3 --reason "Calmer in July."
        almanac promote temperatures challenger --live-scores 200
    """  # noqa: D301 - click's \b keeps the example's lines
    registry = open_registry()
    found = registry.models.resolve(f"{name}/{version}" if version.isdigit() else f"{name}@{version}")
    if CHAMPION in found.aliases:
        click.echo(f"{name} version {found.version} is already champion; nothing has changed.")
        return
    figures = _check_live(registry, found, live_scores) if live_scores is not None else {}
    previous = registry.models.promote(name, found.version)
    suffix = f"; version {previous} is now previous" if previous is not None else ""
    click.echo(f"{name} version {found.version} is champion{suffix}.")
    _log(
        registry,
        AliasChange("promote", name, found.version, previous, datetime.now(UTC), reason=reason, figures=figures),
    )


def _check_live(registry: "Registry", challenger: "Version", fewest: int) -> Mapping[str, Any]:
    """Return the figures of a comparison of live scores, {} without a champion, and print what they say.

    Raises:
        PromotionRefused: If there are too few, or the errors are significantly larger than the champion's.
        ServiceUnreachable: If the service does not answer.
    """
    from training.service_client.client import SERVICE_URL, service_address
    from training.service_client.live_accuracy import read_scored_steps

    name = challenger.name
    champion = next((one.version for one in registry.models.versions(name) if CHAMPION in one.aliases), None)
    if champion is None:
        return {}
    address = service_address({"ALMANAC_SERVICE_URL": SERVICE_URL, **os.environ})
    assert address is not None  # noqa: S101 - there is always a URL
    ours, theirs = (read_scored_steps(address, name, one) for one in (challenger.version, champion))
    compared = decide_live_promotion(ours, theirs, versions=(challenger.version, champion), fewest=fewest)
    if not compared.allowed:
        raise PromotionRefused(compared.reason, hint="Without --live-scores it is promoted all the same.")
    click.echo(compared.reason)
    return compared.figures


@click.command(short_help="Go back to the previous champion.")
@click.argument("name")
@REASON
def rollback(name: str, reason: str) -> None:
    """Exchange champion and previous of NAME. The change is logged in the run of the version that was rolled back.

    \b
    Example:
        almanac rollback temperatures
    """  # noqa: D301 - click's \b keeps the example's lines
    registry = open_registry()
    champion, previous = registry.models.rollback(name)
    click.echo(f"{name} version {champion} is champion again; version {previous} is previous.")
    _log(registry, AliasChange("rollback", name, champion, previous, datetime.now(UTC), reason=reason))


def _log(registry: "Registry", change: AliasChange) -> None:
    """Log a change of the champion alias in MLflow, and print where."""
    if run_id := registry.models.log_change(change):
        click.echo(f"Logged in run {run_id}, {FILES[change.action]}.")


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
    from training.registry.location import RegistryLocation

    location = RegistryLocation.from_environment(os.environ)
    if location.is_missing:
        click.echo(f"{location.missing} Run almanac train or almanac demo.", err=as_json)
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
