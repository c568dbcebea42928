"""Tune command: `almanac tune`, which searches for better settings."""

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from training.cli.options import (
    FILE,
    FILE_HELP,
    column_options,
    covariate_options,
    engine_of,
    engine_options,
    make_runtime,
    missing_option,
    open_registry,
    pop_columns,
    print_json,
)
from training.config.toml import merge, parse_override, read_config
from training.config.training import check_name, require_file, train_config

if TYPE_CHECKING:
    from training.tuning.search import Budget, Search
    from training.tuning.tune import SearchResult


@click.command(short_help="Search for better settings, by validation error.")
@click.argument("config", type=FILE, required=False)
@click.option("--data", type=FILE, help=FILE_HELP)
@click.option("--horizon", type=int, help="Steps to forecast.")
@click.option("--frequency", help="Default: inferred from the data.")
@click.option("--architecture", help="Comma-separated architectures to choose from, instead of those of the space.")
@click.option("--name", help="Name of the MLflow experiment. Default: the data file's stem.")
@click.option("--seed", type=int, help="Seed of weights, windows and draws. Default: 0.")
@click.option(
    "--trials", type=int, default=20, show_default=True, help="Trials in all, those of earlier calls included."
)
@click.option("--max-seconds", type=float, default=1800.0, show_default=True, help="Begin no trial after this time.")
@click.option("--study", help="Name of the study; an existing one is continued. Default: the experiment's name.")
@click.option("--output", type=FILE, help="The best configuration. Default: ALMANAC_HOME/studies/STUDY.toml.")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Any setting, such as fit.max_steps=400.")
@engine_options
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON on standard output.")
@covariate_options
@missing_option
@column_options
def tune(  # noqa: PLR0913 - click's options
    config: Path | None,
    architecture: str | None,
    overrides: Sequence[str],
    *,
    trials: int,
    max_seconds: float,
    study: str | None,
    output: Path | None,
    as_json: bool,
    **flags: Any,  # noqa: ANN401 - click's options
) -> None:
    """Try settings on validation origins before the held-out end, and write the best as TOML for `almanac train`.

    CONFIG is a TOML file as `almanac train` takes; its table [space] lists the settings to vary. After
    Ctrl-C the same command resumes the study. With --engine trials are drawn in rounds of eight and
    fitted on all cores.

    \b
    Example:
        almanac tune --data sales.csv --horizon 12 --trials 30 --output best.toml
        almanac train best.toml
    """  # noqa: D301 - click's \b keeps the example's lines
    from training.tuning.search import Budget
    from training.tuning.tune import tune as run_search

    engine = engine_of({key: flags.pop(key) for key in ("engine", "workers")})
    columns = pop_columns(flags)
    flags["data"] = None if flags["data"] is None else str(flags["data"])
    layers = [read_config(config)] if config else []
    settings = merge(*layers, {**flags, "columns": columns}, *map(parse_override, overrides))
    chosen = architecture.split(",") if architecture else settings.pop("architecture", None)
    search = _make_search(settings, chosen, Budget(trials, max_seconds), study, output)
    with tempfile.TemporaryDirectory(prefix="almanac-") as scratch:
        found = run_search(search, open_registry(make=True), make_runtime(Path(scratch)), engine)
    if as_json:
        print_json(found.to_dict())
    else:
        _print(found)


def _make_search(
    settings: dict[str, Any], chosen: Sequence[str] | None, budget: "Budget", study: str | None, output: Path | None
) -> "Search":
    """Return the search that settings with a table `space` describe; raises ConfigInvalid."""
    from training.registry.location import RegistryLocation
    from training.tuning import search_space
    from training.tuning.search import Search

    tables = dict(settings.pop("space", None) or search_space.default_space())
    settings.pop("pick", None)  # one architecture comes out, so there is nothing to pick from
    if chosen:
        tables["architecture"] = list(chosen)
    dimensions = search_space.read_space(tables, settings)
    config = train_config(settings)
    require_file(config.data)
    name = study or config.name
    check_name("study", name, "with --study")
    folder = RegistryLocation.from_environment(os.environ).home / "studies"
    return Search(settings, dimensions, budget, folder, name, output or folder / f"{name}.toml")


def _print(found: "SearchResult") -> None:
    click.echo(
        f"Best of {sum(found.trials.values())} trials: trial {found.trial}, validation MASE {found.validation_mase:.4f}."
    )
    for key, value in found.best.items():
        click.echo(f"  {key} = {value:.4g}" if isinstance(value, float) else f"  {key} = {value}")
    click.echo(f"almanac train {found.output} trains it. almanac ui shows run {found.run_id}.")
