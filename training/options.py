"""Options: what several commands ask for alike."""

from typing import Any

import click

from models.errors import ConfigInvalid
from models.starters import NAME as STARTER

COVARIATES = {
    "past_covariates": ("NAMES", "Columns of a long file known up to the last value, comma-separated."),
    "future_covariates": ("NAMES", "Columns known over the horizon too, comma-separated."),
    "holidays": ("COUNTRIES", "Public holidays to count from the dates, such as DE or DE,FR."),
}
"""By setting: what stands for its value, and what it is."""


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
