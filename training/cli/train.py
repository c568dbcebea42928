"""The command train."""

import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from training.cli.options import (
    FILE,
    baseline_options,
    check_reserved,
    column_options,
    covariate_options,
    open_bench,
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


def _train(settings: Mapping[str, Any]) -> "Outcome":
    """Run the pipeline in a folder that is gone afterwards."""
    config = train_config(settings)
    check_reserved(config.name)
    if str(config.data) != SERVICE:
        require_file(config.data)
    from training.pipeline import train
    from training.progress import Terminal
    from training.service_client.observations import local_data

    config, findings = local_data(config, os.environ)
    Terminal().say_findings(findings)
    with tempfile.TemporaryDirectory(prefix="almanac-") as scratch:
        return train.train(config, open_bench(Path(scratch)))


def _print_outcome(outcome: "Outcome", *, as_json: bool) -> None:
    from training.cli.tables import comparison_table, describe_outcome
    from training.progress import plain_console

    if as_json:
        print_json(outcome.to_dict())
        return
    console = plain_console(stderr=False)
    console.print(comparison_table(outcome.comparison))
    for line in describe_outcome(outcome):
        console.print(line, soft_wrap=True)
