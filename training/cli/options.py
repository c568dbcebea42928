"""Options: what several commands ask for alike."""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from models.errors import ConfigInvalid
from models.irregular.grid_placement import MISSING
from models.starters import NAME as STARTER
from training.config.training import BASELINES, Columns
from training.engines.engine import ENGINES

if TYPE_CHECKING:
    from training.engines.engine import Engine
    from training.pipeline.task import Runtime
    from training.registry.client import Registry

COVARIATES = {
    "past_covariates": ("NAMES", "Columns of a long file known up to the last value, comma-separated."),
    "future_covariates": ("NAMES", "Columns known over the horizon too, comma-separated."),
    "holidays": ("COUNTRIES", "Public holidays to count from the dates, such as DE or DE,FR."),
}
"""By setting: the placeholder of its value, and what it is."""


def covariate_options(command: Any) -> Any:  # noqa: ANN401 - click's decorators are untyped
    """Add the options that name covariates, each read as a list."""
    for key, (metavar, what) in reversed(COVARIATES.items()):
        option = click.option(f"--{key.replace('_', '-')}", metavar=metavar, callback=_split, help=what)
        command = option(command)
    return command


def _split(_context: click.Context, _option: click.Parameter, text: str | None) -> list[str] | None:
    return None if text is None else [part.strip() for part in text.split(",")]


def check_reserved(name: str) -> None:
    """Refuse to register a model under the name of the starter that comes with the package; raises ConfigInvalid."""
    if name == STARTER:
        raise ConfigInvalid(
            f"The name {name!r} is reserved for the starter that comes with Almanac.",
            hint="Give another one with --name; where it is left out, the data file's name counts.",
        )


FILE = click.Path(dir_okay=False, path_type=Path)


FILE_HELP = "CSV, Parquet, Excel or JSON lines, long or wide, also as .gz."

COLUMNS: Mapping[str, tuple[str, str, str]] = {
    "id": ("--id-column", "NAME", "Column with the series ids; several as A,B or by repeating the option."),
    "time": ("--time-column", "NAME", "Column with the timestamps."),
    "value": ("--value-column", "NAME", "Column of a long file with the values."),
    "timezone": ("--timezone", "ZONE", "Timezone of the times, such as Europe/Berlin."),
    "date_format": ("--date-format", "FORMAT", "How dates are written, such as %d/%m/%Y."),
    "decimal": ("--decimal", "SIGN", "What separates decimals: . or a comma."),
    "thousands": ("--thousands", "SIGN", "What separates thousands."),
    "sheet": ("--sheet", "NAME", "Sheet of an Excel file."),
}
"""Options that say how a file is read: by setting of `Columns`, the option, what stands for its value, and what it is."""


def column_options(command: Any) -> Any:  # noqa: ANN401 - click's decorators are untyped
    """Add the options that say how the columns of a file are named and written."""
    for key, (option, metavar, what) in reversed(list(COLUMNS.items())):
        add = click.option(option, f"columns_{key}", metavar=metavar, help=what, multiple=key == "id")
        command = add(command)
    return command


def pop_columns(flags: dict[str, Any]) -> dict[str, Any]:
    """Take the settings of `Columns` out of a command's flags; None where an option is not given."""
    found = {key: flags.pop(f"columns_{key}") for key in COLUMNS}
    return {**found, "id": found["id"] or None}


def missing_option(command: Any) -> Any:  # noqa: ANN401 - click's decorators are untyped
    """Add the option that says what a missing timestamp means."""
    return click.option(
        "--missing",
        type=click.Choice(MISSING),
        help="What a date without a row means: gap, nothing is known (default), or zero, such as a day without sales.",
    )(command)


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


def engine_options(command: Any) -> Any:  # noqa: ANN401 - click's decorators are untyped
    """Add the options that choose where networks are fitted."""
    engine = click.option(
        "--engine",
        type=click.Choice(ENGINES),
        help="Fit each network as a task of its own: in processes of this machine, or on Ray. Default: here, one after the other.",
    )
    workers = click.option(
        "--workers", type=click.IntRange(1), help="Worker processes of --engine. Default: one a core."
    )
    return engine(workers(command))


def engine_of(flags: Mapping[str, Any]) -> "Engine | None":
    """Return the engine that a command's flags choose, or None; raises UsageError for workers without one."""
    if flags["engine"] is None:
        if flags["workers"]:
            raise click.UsageError("--workers needs --engine local or --engine ray.")
        return None
    from training.engines.choice import open_engine

    return open_engine(flags["engine"], flags["workers"])


def make_runtime(scratch: Path) -> "Runtime":
    """Return what a comparison works with: Keras, the terminal and a scratch folder."""
    from training.fit import ensemble
    from training.pipeline import candidates
    from training.pipeline.task import Runtime
    from training.progress import Progress
    from training.registry.provenance import RunEnvironment

    environment = RunEnvironment.gather(sys.argv[1:])
    return Runtime(Progress(), candidates.fit_with_keras, scratch, environment, ensemble.combine_with_keras)


def open_registry(*, make: bool = False) -> "Registry":
    """Return the registry; `make` creates one if there is none."""
    from training.registry.location import RegistryLocation

    location = RegistryLocation.from_environment(os.environ)
    if not make:
        location.require_registry()
    from training.registry.client import Registry

    return Registry(location)


def columns_of(flags: dict[str, Any]) -> Columns:
    """Return how the columns of a file are named and written, by a command's flags."""
    return Columns(**pop_columns(flags))


def print_json(data: Mapping[str, Any]) -> None:
    """Print one JSON object alone on standard output."""
    click.echo(json.dumps(data, indent=2, allow_nan=False))


def check_output(option: str, path: Path, kinds: Sequence[str]) -> None:
    """Check an output file before anything is computed.

    Raises:
        ConfigInvalid: If the suffix is unknown or the folder does not exist.
    """
    if path.suffix.lower() not in kinds:
        raise ConfigInvalid(f"{option} {path}: unknown file type.", hint=f"Use {', '.join(kinds)}.")
    if not path.parent.is_dir():
        raise ConfigInvalid(
            f"{option} {path}: there is no folder {path.parent}.", hint="Create it, or choose another folder."
        )
