"""The command backtest."""

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from training.cli.options import (
    COVARIATES,
    FILE,
    FILE_HELP,
    baseline_options,
    column_options,
    covariate_options,
    engine_of,
    engine_options,
    make_runtime,
    missing_option,
    pop_columns,
    print_json,
)
from training.config.toml import SERVICE, merge, parse_override
from training.config.training import require_file, train_config


@click.command(short_help="Measure networks and baselines on held-out data.")
@click.option("--data", type=FILE, required=True, help=f"{FILE_HELP} Or `service`.")
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
@engine_options
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON on standard output.")
@baseline_options
@covariate_options
@missing_option
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
    asked = {
        key: flags[key] for key in ("horizon", "frequency", "missing", "seed", "seeds", "baseline_series", *COVARIATES)
    }
    asked["baselines"] = None if flags["baselines"] is None else flags["baselines"].split(",")
    asked["columns"] = pop_columns(flags)
    settings = merge({"data": str(data), **asked}, *map(parse_override, overrides))
    config = train_config({**settings, "name": "backtest", "architecture": flags["architecture"].split(",")})
    if str(data) != SERVICE:
        require_file(data)
    from training.cli.tables import blocks_table, scores_table
    from training.data.holdout import Cutoff
    from training.pipeline.backtest import BacktestRequest, run_backtest, to_dict
    from training.pipeline.plan import read_data
    from training.progress import plain_console
    from training.registry import provenance
    from training.service_client.observations import local_data

    engine = engine_of(flags)
    cutoff = Cutoff.parse(flags["cutoff"]) if flags["cutoff"] else None
    request = BacktestRequest(config, flags["origins"], cutoff)
    with tempfile.TemporaryDirectory(prefix="almanac-") as scratch:
        runtime = make_runtime(Path(scratch))
        config, findings = local_data(config, os.environ)
        runtime.progress.report_findings(findings)
        series = read_data(config, runtime.progress)
        found = run_backtest(series, request, runtime, engine)
    if as_json:
        described = provenance.describe(config, series, runtime.environment, origins=request.origins)
        print_json(to_dict(found, series, request, described))
        return
    console = plain_console(stderr=False)
    console.print(scores_table(found.rows, found.dropped))
    if found.blocks:
        console.print(blocks_table(found.blocks))
