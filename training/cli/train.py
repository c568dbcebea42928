"""The command train."""

import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from models.errors import ConfigInvalid
from training.cli.options import (
    FILE,
    baseline_options,
    check_reserved,
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
from training.config.toml import SERVICE, merge, parse_override, read_config
from training.config.training import require_file, train_config

if TYPE_CHECKING:
    from training.pipeline.train import Outcome


@click.command(short_help="Train, compare, register and promote.")
@click.argument("config", type=FILE, required=False)
@click.option(
    "--data",
    type=FILE,
    help="CSV, Parquet, Excel or JSON lines: unique_id, ds, y, or a date column and one column per series; or `service` for the "
    "observations of the service at ALMANAC_SERVICE_URL.",
)
@click.option("--horizon", type=int, help="Steps to forecast.")
@click.option("--frequency", help="Such as M, W-SUN, D, h or monthly. Default: inferred from the data.")
@click.option(
    "--architecture",
    help="Comma-separated: lstm, gru, simple_rnn, wavenet, starter, starter_tuned, auto (networks and starter, combined "
    "by validation error) or warm_start (the champion, fine-tuned). Default: starter, starter_tuned, lstm, wavenet.",
)
@click.option("--name", help="Registered name. Default: the data file's stem.")
@click.option("--seed", type=int, help="Seed of weights, windows and draws, the first of several. Default: 0.")
@click.option("--seeds", type=int, help="Networks of each architecture. Two networks make an ensemble. Default: 1.")
@click.option("--pick", metavar="NAME", help="Register this candidate, such as lstm, lstm/1 or ensemble.")
@click.option("--unit", help="Unit of the values, for the figures.")
@click.option("--refit/--no-refit", default=None, help="Fit the winner again on all data. Default: yes.")
@click.option("--promote", is_flag=True, default=None, help="Make the winner champion whatever the test says.")
@click.option(
    "--segment-column",
    metavar="NAME",
    help="Train one model for each value of a column, such as region, named NAME-VALUE. Also a key of CONFIG.",
)
@engine_options
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Any setting, such as fit.units=32.")
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON on standard output.")
@baseline_options
@covariate_options
@missing_option
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

    CONFIG is a TOML file; flags override it. The last points of each series are held out at up to three rolling origins
    (retrain.origins); if the name has a champion, the winner must be better there to replace it.

    \b
    Example:
        almanac train training/configs/temperatures.toml
        almanac train --data sales.csv --horizon 12 --architecture lstm,wavenet --set fit.max_steps=400
        almanac train --data sales.csv --horizon 12 --architecture auto
        almanac train --data sales.csv --horizon 28 --future-covariates price,promotion --holidays DE
        almanac train --data shops.csv --horizon 12 --segment-column region --name sales
        almanac train --data service --name sales --horizon 12 --architecture lstm,warm_start
    """  # noqa: D301 - click's \b keeps the example's lines
    columns = pop_columns(flags)
    engine = {key: flags.pop(key) for key in ("engine", "workers")}
    flags["architecture"] = None if architecture is None else architecture.split(",")
    flags["baselines"] = None if flags["baselines"] is None else flags["baselines"].split(",")
    flags["data"] = None if flags["data"] is None else str(flags["data"])
    layers = [read_config(config)] if config else []
    settings = merge(*layers, {**flags, "columns": columns}, *map(parse_override, overrides))
    for key in ("data", "horizon"):
        if key not in settings:
            raise click.UsageError(f"No {key} given: name a configuration or use --{key}.")
    column = settings.pop("segment_column", None)
    if column is not None:
        _train_segments(settings, column, engine, as_json=as_json)
        return
    if engine["engine"] or engine["workers"]:
        raise click.UsageError("--engine and --workers need --segment-column: one training runs in one process.")
    _print_outcome(_train(settings), as_json=as_json)


def _train_segments(settings: Mapping[str, Any], column: object, chosen: Mapping[str, Any], *, as_json: bool) -> None:
    """Train a model for each segment, on worker processes if no engine is chosen, and print the result of each."""
    config = train_config(settings)
    check_reserved(config.name)
    if not isinstance(column, str):
        raise ConfigInvalid(f"segment_column must be text. Received: {column!r}.", hint="Name one column.")
    if str(config.data) == SERVICE:
        raise ConfigInvalid("Observations of the service have no segments.", hint="Give a file with --data.")
    require_file(config.data)
    from training.cli.tables import segments_table
    from training.engines.engine import LOCAL
    from training.pipeline.segments import train_segments
    from training.progress import plain_console

    engine = engine_of({"engine": chosen["engine"] or LOCAL, "workers": chosen["workers"]})
    assert engine is not None  # noqa: S101 - an engine is named
    with tempfile.TemporaryDirectory(prefix="almanac-") as scratch:
        found = train_segments(config, column, open_registry(make=True), make_runtime(Path(scratch)), engine)
    if as_json:
        print_json(found.to_dict())
        return
    plain_console(stderr=False).print(segments_table(found.models, found.failed))


def _train(settings: Mapping[str, Any]) -> "Outcome":
    """Train with a scratch folder that is deleted afterwards."""
    config = train_config(settings)
    check_reserved(config.name)
    if str(config.data) != SERVICE:
        require_file(config.data)
    from training.pipeline import train
    from training.progress import Progress
    from training.service_client.observations import local_data

    config, findings = local_data(config, os.environ)
    Progress().report_findings(findings)
    with tempfile.TemporaryDirectory(prefix="almanac-") as scratch:
        return train.train(config, open_registry(make=True), make_runtime(Path(scratch)))


def _print_outcome(outcome: "Outcome", *, as_json: bool) -> None:
    from training.cli.tables import comparison_table, describe_outcome
    from training.progress import plain_console

    if as_json:
        print_json(outcome.to_dict())
        return
    console = plain_console(stderr=False)
    console.print(comparison_table(outcome.comparison, outcome.compared.winner))
    for line in describe_outcome(outcome):
        console.print(line, soft_wrap=True)
