"""Commands: train, backtest, models and ui, each a thin edge over the pipeline."""

import json
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from training.config import BASELINES, Columns, require_file, train_config
from training.options import COVARIATES, check_reserved, covariate_options
from training.settings import SERVICE, merge, parse_override, read_config

if TYPE_CHECKING:
    from training.pipeline import Bench, Outcome
    from training.place import Version
    from training.registry import Registry

FILE = click.Path(dir_okay=False, path_type=Path)


def column_options(command: Any) -> Any:  # noqa: ANN401 - click's decorators are untyped
    """Add the options that name a long file's columns."""
    for name, what in (("value", "values"), ("time", "timestamps"), ("id", "series ids")):
        command = click.option(f"--{name}-column", metavar="NAME", help=f"Column of a long file with the {what}.")(
            command
        )
    return command


def baseline_options(command: Any) -> Any:  # noqa: ANN401 - click's decorators are untyped
    """Add the options that choose the baselines."""
    names = click.option("--baselines", help=f"Comma-separated. Default: {','.join(BASELINES)}.")
    series = click.option(
        "--baseline-series",
        type=int,
        metavar="N",
        help="Series for auto_ets and auto_theta. Default: a minute's worth.",
    )
    return names(series(command))


@click.command(short_help="Train, compare, register and promote.")
@click.argument("config", type=FILE, required=False)
@click.option(
    "--data",
    type=FILE,
    help="CSV or Parquet: unique_id, ds, y, or a date column and one column per series; or `service` for what "
    "ALMANAC_SERVICE_URL has observed.",
)
@click.option("--horizon", type=int, help="Steps to forecast.")
@click.option("--frequency", help="Such as M, W-SUN, D, h or monthly. Default: inferred from the data.")
@click.option(
    "--architecture",
    help="Comma-separated: lstm,gru,simple_rnn,wavenet, starter, starter_tuned, auto for what validation makes of "
    "networks and starter, or warm_start for the champion, tuned. Default: the first four.",
)
@click.option("--name", help="Registered name. Default: the data file's stem.")
@click.option("--seed", type=int, help="Seed of weights, windows and draws, the first of several. Default: 0.")
@click.option("--seeds", type=int, help="Networks of each architecture. Two networks make an ensemble. Default: 1.")
@click.option("--pick", metavar="NAME", help="Register this candidate, such as lstm, lstm/1 or ensemble.")
@click.option("--unit", help="Unit of the values, for the figures.")
@click.option("--refit/--no-refit", default=None, help="Train the winner again on all data. Default: yes.")
@click.option("--promote", is_flag=True, default=None, help="Make the winner champion whatever the test says.")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Any setting, such as fit.units=32.")
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON on standard output.")
@baseline_options
@covariate_options
@column_options
def train(
    config: Path | None,
    architecture: str | None,
    overrides: Sequence[str],
    *,
    as_json: bool,
    **flags: Any,  # noqa: ANN401 - click's options
) -> None:
    """Train networks on a file of series, compare them and register the best one in MLflow.

    CONFIG is a TOML file; flags go before what it says.

    \b
    Example:
        almanac train training/configs/temperatures.toml
        almanac train --data sales.csv --horizon 12 --architecture lstm,wavenet --set fit.max_steps=400
        almanac train --data sales.csv --horizon 12 --architecture auto
        almanac train --data sales.csv --horizon 28 --future-covariates price,promotion --holidays DE
        almanac train --data service --name sales --horizon 12 --architecture lstm,warm_start
    """  # noqa: D301 - click's \b keeps the example's lines
    columns = {key: flags.pop(f"{key}_column") for key in ("id", "time", "value")}
    flags["architecture"] = None if architecture is None else architecture.split(",")
    flags["baselines"] = None if flags["baselines"] is None else flags["baselines"].split(",")
    flags["data"] = None if flags["data"] is None else str(flags["data"])
    layers = [read_config(config)] if config else []
    settings = merge(*layers, {**flags, "columns": columns}, *map(parse_override, overrides))
    for key in ("data", "horizon"):
        if key not in settings:
            raise click.UsageError(f"No {key} given: name a configuration or use --{key}.")
    outcome = _train(settings)
    _print_outcome(outcome, as_json=as_json)


@click.command(short_help="Measure networks and baselines on held-out data.")
@click.option("--data", type=FILE, required=True, help="CSV or Parquet, long or wide; or `service`.")
@click.option("--horizon", type=click.IntRange(1), required=True, help="Points held out at the end of each series.")
@click.option("--frequency", help="Default: inferred from the data.")
@click.option(
    "--architecture",
    default="lstm,gru,simple_rnn,wavenet",
    show_default=True,
    help="Comma-separated; also starter, starter_tuned, auto.",
)
@click.option("--origins", type=click.IntRange(1), default=1, show_default=True, help="Origins, a horizon apart.")
@click.option("--cutoff", metavar="DATE", help="Last date seen, the same for all series. Default: each before its end.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="First seed.")
@click.option(
    "--seeds",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Networks of each architecture. Two networks make an ensemble.",
)
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Any of [fit], such as fit.units=32.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON on standard output.")
@baseline_options
@covariate_options
@column_options
def backtest(data: Path, overrides: Sequence[str], *, as_json: bool, **flags: Any) -> None:  # noqa: ANN401 - click's options
    """Train on all but the last points of each series, forecast those, and score networks and baselines.

    With --cutoff all series are cut at one date, so that no series' training lies in another's test. DATE is a day, a
    month or a year, and is seen itself; series that do not reach a horizon past it are left out and counted.

    \b
    Example:
        almanac backtest --data sales.parquet --horizon 24 --architecture lstm,wavenet --json
        almanac backtest --data sales.parquet --horizon 24 --cutoff 2019-12 --origins 3
    """  # noqa: D301 - click's \b keeps the example's lines
    asked = {key: flags[key] for key in ("horizon", "frequency", "seed", "seeds", "baseline_series", *COVARIATES)}
    asked["baselines"] = None if flags["baselines"] is None else flags["baselines"].split(",")
    asked["columns"] = asdict(columns_of(flags))
    settings = merge({"data": str(data), **asked}, *map(parse_override, overrides))
    config = train_config({**settings, "name": "backtest", "architecture": flags["architecture"].split(",")})
    if str(data) != SERVICE:
        require_file(data)
    from training import ensemble, evaluation, pipeline, provenance
    from training.backtest import Cutoff
    from training.export import local_data
    from training.terminal import Terminal, blocks_table, plain_console, scores_table

    cutoff = Cutoff.parse(flags["cutoff"]) if flags["cutoff"] else None
    terminal = Terminal()
    config, findings = local_data(config, os.environ)
    terminal.say_findings(findings)
    table = pipeline.read(config, terminal)
    question = evaluation.Question(
        config.horizon,
        config.architecture,
        flags["origins"],
        config.seed,
        config.seeds,
        config.fit,
        cutoff,
        baselines=config.baselines,
        baseline_series=config.baseline_series,
    )
    with tempfile.TemporaryDirectory(prefix="almanac-") as scratch:
        found = evaluation.evaluate(
            table,
            question,
            pipeline.fit_with_keras,
            terminal=terminal,
            scratch=Path(scratch),
            combine=ensemble.combine_with_keras,
        )
    if as_json:
        told = provenance.describe(
            config, table, provenance.Surroundings.gather(sys.argv[1:]), origins=question.origins
        )
        print_json(evaluation.to_dict(found, table, question, told))
    else:
        console = plain_console(stderr=False)
        console.print(scores_table(found.rows, found.dropped))
        if found.blocks:
            console.print(blocks_table(found.blocks))


@click.command(short_help="List registered models.")
@click.option("--json", "as_json", is_flag=True, help="Print the list as JSON on standard output.")
def models(*, as_json: bool) -> None:
    """List every registered version with its aliases and figures.

    \b
    Example:
        almanac models --json
    """  # noqa: D301 - click's \b keeps the example's lines
    from training.place import Place
    from training.terminal import models_table, plain_console

    place = Place.from_environment(os.environ)
    if place.is_absent:
        click.echo(f"{place.absence}: run almanac train or almanac demo.", err=as_json)
        if as_json:
            print_json({"models": []})
        return
    rows = [_version_row(version) for version in open_registry().versions(metrics=True)]
    if as_json:
        print_json({"models": rows})
    elif rows:
        plain_console(stderr=False).print(models_table(rows))
    else:
        click.echo("No models yet. almanac train makes the first one.")


@click.command(short_help="Show runs and models in MLflow's UI.")
@click.option("--port", type=click.IntRange(1, 65535), default=5000, show_default=True, help="Port on loopback.")
def ui(port: int) -> None:
    """Serve MLflow's UI over Almanac's runs until Ctrl-C.

    \b
    Example:
        almanac ui --port 5000
    """  # noqa: D301 - click's \b keeps the example's lines
    from training.interface import serve_interface
    from training.place import Place

    place = Place.from_environment(os.environ)
    if place.is_server:
        click.echo(f"MLflow's UI: {place.uri}")
        return
    serve_interface(place, port)


def _train(settings: Mapping[str, Any]) -> "Outcome":
    """Run the pipeline in a folder that is gone afterwards."""
    config = train_config(settings)
    check_reserved(config.name)
    if str(config.data) != SERVICE:
        require_file(config.data)
    from training import pipeline
    from training.export import local_data
    from training.terminal import Terminal

    config, findings = local_data(config, os.environ)
    Terminal().say_findings(findings)
    with tempfile.TemporaryDirectory(prefix="almanac-") as scratch:
        return pipeline.train(config, open_bench(Path(scratch)))


def open_bench(scratch: Path) -> "Bench":
    """Return what a comparison works with, its registry made where there is none."""
    from training import ensemble, pipeline
    from training.provenance import Surroundings
    from training.terminal import Terminal

    surroundings = Surroundings.gather(sys.argv[1:])
    made = (open_registry(make=True), Terminal(), pipeline.fit_with_keras, scratch, surroundings)
    return pipeline.Bench(*made, ensemble.combine_with_keras)


def _print_outcome(outcome: "Outcome", *, as_json: bool) -> None:
    from training.terminal import comparison_table, describe_outcome, plain_console

    if as_json:
        print_json(outcome.to_dict())
        return
    console = plain_console(stderr=False)
    console.print(comparison_table(outcome.comparison))
    for line in describe_outcome(outcome):
        console.print(line, soft_wrap=True)


def open_registry(*, make: bool = False) -> "Registry":
    """Return the registry; only a training makes one where there is none."""
    from training.place import Place

    place = Place.from_environment(os.environ)
    if not make:
        place.require_registry()
    from training.registry import Registry

    return Registry(place)


def columns_of(flags: Mapping[str, Any]) -> Columns:
    """Return the columns that a command's flags name."""
    return Columns(flags["id_column"], flags["time_column"], flags["value_column"])


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


def print_json(data: Mapping[str, Any]) -> None:
    """Print one JSON object alone on standard output."""
    click.echo(json.dumps(data, indent=2, allow_nan=False))
