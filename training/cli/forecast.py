"""Forecast command: `almanac forecast`, which forecasts a file."""

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from models.errors import RegistryUnreachable
from models.irregular.bounds import read_bounds
from models.starters import NAME as STARTER
from training.bulk.places import is_bulk
from training.cli.options import (
    FILE,
    FILE_HELP,
    check_output,
    column_options,
    columns_of,
    missing_option,
    open_registry,
    print_json,
)
from training.config.training import require_file
from training.engines.engine import ENGINES

if TYPE_CHECKING:
    from training.bulk.part_forecast import Model
    from training.bulk.run import BulkRequest
    from training.cli.forecast_file import FileForecastRequest, FileForecasts
    from training.data.series_options import SeriesOptions
    from training.registry.client import Registry


@click.command(short_help="Forecast a file with a registered model, or the starter.")
@click.option("--model", help="NAME, NAME@ALIAS, NAME/VERSION, or starter, which comes with Almanac.")
@click.option(
    "--data",
    required=True,
    help=f"{FILE_HELP} Or a folder of Parquet files, also as an address such as s3://bucket/folder.",
)
@click.option("--horizon", type=click.IntRange(1), help="Steps to forecast. Default: the trained horizon.")
@click.option("--frequency", help="Default: inferred from the data.")
@click.option(
    "--season-length",
    type=click.IntRange(1),
    metavar="N",
    help="Read rows as periods without dates, N to a season: 12 for fiscal months of 4, 4 and 5 weeks.",
)
@click.option("--minimum", type=float, help="Lowest value that a forecast may have, such as 0.")
@click.option("--maximum", type=float, help="Highest value that a forecast may have.")
@missing_option
@click.option("--mask-outliers", is_flag=True, help="Treat implausible values, such as -9999, as gaps.")
@click.option("--future", type=FILE, help="Long file with covariates over the horizon, if --data does not have them.")
@click.option("--levels", default="80", show_default=True, help="Intervals in per cent, comma-separated.")
@click.option(
    "--mean",
    is_flag=True,
    help="Add the mean beside the median: the average of the quantiles at 0.005, 0.015 … 0.995. The tail of rare sales is that of "
    "the newest values.",
)
@click.option(
    "--paths",
    type=click.IntRange(0, 1_000),
    default=0,
    help="Add so many sample paths, possible futures of each series.",
)
@click.option("--sums", help="Add the sums of windows of steps, comma-separated, such as 1-3,1-12 or horizon.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of --paths and --sums.")
@click.option(
    "--output",
    help="Write the forecasts to a .csv, .parquet or .json file; those of a folder to a folder or an address.",
)
@click.option(
    "--engine",
    type=click.Choice(ENGINES),
    help="Forecast part by part, resumable, on worker processes of this machine (local, the default for a folder) or on Ray.",
)
@click.option("--workers", type=click.IntRange(1), help="Worker processes of --engine. Default: one for each core.")
@click.option(
    "--plot",
    type=FILE,
    help="Draw the newest seasons, the forecast and all intervals of the first 36 series to a .png, .svg or .pdf file.",
)
@click.option("--series", multiple=True, metavar="ID", help="Draw this series with --plot; repeat it for several.")
@click.option("--json", "as_json", is_flag=True, help="Print the forecasts as JSON on standard output.")
@column_options
def forecast(model: str | None, data: str, levels: str, *, as_json: bool, **flags: Any) -> None:  # noqa: ANN401 - click's options
    """Forecast each series of a file, without a service and without TensorFlow.

    The model's covariates are columns of the file. Their values over the horizon are in rows after the last value, in the
    same file or in that of --future; holidays are counted from the dates. The starter needs neither training nor MLflow,
    and accepts any frequency.

    \b
    Example:
        almanac forecast --model starter --data history.csv --horizon 12
        almanac forecast --model temperatures@champion --data history.csv --horizon 12 --output next-year.csv
        almanac forecast --model starter --data histories/ --horizon 12 --output forecasts/
        almanac forecast --model starter --data s3://shop/histories --output s3://shop/forecasts --engine ray
        almanac forecast --model starter --data history.csv --plot next.png --levels 50,80,95 --series A --series B
    """  # noqa: D301 - click's \b keeps the example's lines
    numbers = _levels(levels)
    if flags["series"] and flags["plot"] is None:
        raise click.UsageError("--series chooses what --plot draws: use them together.")
    if flags["season_length"] is not None and flags["frequency"] is not None:
        raise click.UsageError("--season-length reads no dates, so it cannot be used with --frequency.")
    model = model or _refuse_no_model()
    if is_bulk(data, flags["output"], flags["engine"]):
        _forecast_folder(model, data, numbers, flags, as_json=as_json)
        return
    _forecast_file(model, Path(data), numbers, flags, as_json=as_json)


def _forecast_file(model: str, data: Path, levels: tuple[float, ...], flags: dict[str, Any], *, as_json: bool) -> None:
    """Forecast one file, and write, draw or print the forecasts."""
    if flags["workers"]:
        raise click.UsageError("--workers needs --engine local or --engine ray.")
    flags["output"] = None if flags["output"] is None else Path(flags["output"])
    for file in (data, *([flags["future"]] if flags["future"] else [])):
        require_file(file)
    from training.cli import forecast_file
    from training.progress import Progress

    _check_files(flags)
    with tempfile.TemporaryDirectory(prefix="almanac-") as scratch:
        found = forecast_file.forecast_file(
            None if forecast_file.means_starter(model) else _open(),
            _request(model, data, levels, flags),
            progress=Progress(),
            scratch=Path(scratch),
        )
    if flags["output"] is not None:
        forecast_file.write(found, flags["output"])
    if flags["plot"] is not None:
        forecast_file.plot(found, flags["plot"], flags["series"])
    if as_json:
        print_json(forecast_file.to_dict(found))
    elif flags["output"] is None:
        _print_tables(found)


def _forecast_folder(model: str, data: str, levels: tuple[float, ...], flags: dict[str, Any], *, as_json: bool) -> None:
    """Forecast a folder part by part; print the manifest if JSON is asked for."""
    without = [f"--{one}" for one in ("future", "plot", "series", "sums") if flags[one]]
    if without:
        raise click.UsageError(f"A folder is forecast into a folder of Parquet files, without {', '.join(without)}.")
    if not flags["output"] or Path(flags["output"]).suffix.lower() in {".csv", ".parquet", ".json"}:
        raise click.UsageError(
            f"A folder, or a file with --engine, is forecast into a folder: give one with --output. Received: {flags['output']!r}."
        )
    from training.bulk.run import forecast_folder
    from training.engines.choice import open_engine
    from training.engines.engine import LOCAL
    from training.progress import Progress

    engine = open_engine(flags["engine"] or LOCAL, flags["workers"])
    manifest = forecast_folder(_bulk_request(model, data, levels, flags), engine, Progress())
    if as_json:
        print_json(manifest)


def _bulk_request(model: str, data: str, levels: tuple[float, ...], flags: dict[str, Any]) -> "BulkRequest":
    from models.forecasting.sampling import read_sampling
    from training.bulk.places import Place
    from training.bulk.run import BulkRequest

    return BulkRequest(
        _bulk_model(model),
        Place.of(data),
        Place.of(flags["output"]),
        columns_of(flags),
        levels,
        flags["horizon"],
        flags["frequency"],
        _reading(flags),
        read_bounds({"minimum": flags["minimum"], "maximum": flags["maximum"]}),
        "mask" if flags["mask_outliers"] else "clip",
        flags["mean"],
        read_sampling(flags["paths"], flags["seed"], (), flags["horizon"] or 1),
    )


def _bulk_model(name: str) -> "Model":
    """Return a model as it is sent to workers."""
    from models import starters
    from training.bulk.part_forecast import Model
    from training.cli.forecast_file import means_starter

    if means_starter(name):
        return Model(starters.NAME, starters.version())
    registry = _open()
    with tempfile.TemporaryDirectory(prefix="almanac-") as scratch:
        version = registry.models.resolve(name)
        return Model.of_folder(version.name, version.version, registry.models.download(version, Path(scratch)))


def _check_files(flags: dict[str, Any]) -> None:
    """Raise ConfigInvalid or UsageError if an output file cannot take what is asked for."""
    from training.cli import forecast_file

    for option, kinds in (("output", forecast_file.OUTPUTS), ("plot", forecast_file.PICTURES)):
        if flags[option] is not None:
            check_output(f"--{option}", flags[option], kinds)
    if flags["sums"] and flags["output"] is not None and flags["output"].suffix.lower() != ".json":
        raise click.UsageError(
            "A table of steps has no row for --sums: use --output with a .json file, --json, or neither."
        )


def _print_tables(found: "FileForecasts") -> None:
    from training.cli.tables import forecast_table, sums_table
    from training.progress import plain_console

    console = plain_console(stderr=False)
    console.print(forecast_table(found.forecasts, found.stamps))
    if any(one.sums for one in found.forecasts):
        console.print(sums_table(found.forecasts))


def _request(model: str, data: Path, levels: tuple[float, ...], flags: dict[str, Any]) -> "FileForecastRequest":
    from training.cli.forecast_file import FileForecastRequest

    return FileForecastRequest(
        model,
        data,
        flags["horizon"],
        flags["frequency"],
        columns_of(flags),
        levels,
        flags["future"],
        _reading(flags),
        read_bounds({"minimum": flags["minimum"], "maximum": flags["maximum"]}),
        "mask" if flags["mask_outliers"] else "clip",
        flags["mean"],
        flags["paths"],
        flags["seed"],
        tuple(flags["sums"].split(",")) if flags["sums"] else (),
    )


def _reading(flags: dict[str, Any]) -> "SeriesOptions":
    """Return how the values of a file become series, with what the model does about implausible ones."""
    from training.data.series_options import SeriesOptions

    outliers = "mask later" if flags["mask_outliers"] else "keep"
    return SeriesOptions(flags["missing"] or "gap", outliers, flags["season_length"])


def _refuse_no_model() -> NoReturn:
    """Raise UsageError with the models that a forecast can be made with."""
    from training.registry.location import RegistryLocation

    location = RegistryLocation.from_environment(os.environ)
    known = location.missing if location.is_missing else "`almanac models` lists the registered ones."
    raise click.UsageError(f"No --model given. {known} `--model {STARTER}` forecasts without training.")


def _open() -> "Registry":
    """Return the registry; if there is none, the error adds that the starter needs none."""
    try:
        return open_registry()
    except RegistryUnreachable as error:
        raise RegistryUnreachable(
            error.detail, hint=f"{error.hint} `--model {STARTER}` forecasts without it."
        ) from error


def _levels(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise click.UsageError(f"--levels is a list of numbers such as 80,95. Received: {text!r}.") from error
