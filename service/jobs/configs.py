"""Job configurations: the configuration of a training, as far as the service validates it.

The service checks the shape, and the bounds of every number; the worker that runs the job validates the rest.
"""

import math
from pathlib import PurePosixPath
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, StrictInt
from pydantic_core import PydanticCustomError

from models.jobs.bounds import check_bounds
from models.names import RULE, is_name
from models.retraining.thresholds import Thresholds
from service.errors import FieldInvalid, FieldMissing
from service.json_input import StrictModel, describe_value, reject_unknown_fields

SERVICE = "service"
"""As `data`: the observations in this service's database."""
MAX_KEY = 100
MAX_TEXT = 4_096
MAX_DEPTH = 5
MAX_ENTRIES = 2_000
MAX_NUMBER = 2**53
"""Up to here JSON's whole numbers are exact in every language."""


def _check_name(name: str) -> str:
    if not is_name(name):
        raise PydanticCustomError("name", "not a name", {"hint": f"Send {RULE}."})
    return name


def _check_data(data: str) -> str:
    path = PurePosixPath(data)
    if data != SERVICE and not (path.is_absolute() and ".." not in path.parts):
        hint = f"Send {SERVICE!r} for the observations of this service, or the absolute path of a file on the worker's disk."
        raise PydanticCustomError("data", "neither the service nor a path", {"hint": hint})
    return data


def _check_horizon(horizon: object) -> object:
    if horizon is None:
        raise FieldMissing("`horizon` is missing.", pointer="/config/horizon", hint="Send the steps to forecast.")
    return horizon


Name = Annotated[str, AfterValidator(_check_name)]


class JobConfig(StrictModel):
    """A training configuration: the tables of a training's TOML file as JSON."""

    data: Annotated[str, AfterValidator(_check_data)] = Field(
        SERVICE,
        description="`service` for the observations of this service, or the absolute path of a file on the worker's disk.",
    )
    horizon: Annotated[StrictInt, Field(ge=1), BeforeValidator(_check_horizon)]
    name: Name = ""
    frequency: Any = None
    architecture: Any = None
    seed: Any = None
    seeds: Any = None
    pick: Any = None
    baselines: Any = None
    baseline_series: Any = None
    refit: Any = None
    promote: Any = None
    unit: Any = None
    past_covariates: Any = None
    future_covariates: Any = None
    holidays: Any = None
    columns: dict[str, Any] = Field(default_factory=dict)
    missing: Any = None
    fit: dict[str, Any] = Field(default_factory=dict)
    retrain: dict[str, Any] = Field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields that were sent, and `data`."""
        return {**self.model_dump(exclude_unset=True), "data": self.data}


def _check_plain(config: object) -> object:
    """Return a configuration unchanged; raises FieldUnknown, or FieldInvalid if it is too large or deeply nested."""
    if isinstance(config, dict):
        _count_entries(config, 0)
        reject_unknown_fields(config, tuple(JobConfig.model_fields), "/config")
    return config


def _check_numbers(config: JobConfig) -> JobConfig:
    """Return a configuration unchanged; raises ConfigInvalid if a number is out of range."""
    check_bounds(config.to_dict())
    Thresholds.of(config.retrain)
    return config


Config = Annotated[JobConfig, BeforeValidator(_check_plain), AfterValidator(_check_numbers)]


def _count_entries(value: object, depth: int) -> int:
    """Return the number of entries in a value; raises FieldInvalid if it is not plain JSON within the limits."""
    if isinstance(value, dict | list) and depth < MAX_DEPTH:
        entries: list[tuple[object, object]] = list(value.items() if isinstance(value, dict) else enumerate(value))
        count = len(entries) + sum(_count_entries(entry, depth + 1) for _, entry in entries)
        is_valid = count <= MAX_ENTRIES and all(len(str(key)) <= MAX_KEY for key, _ in entries)
    else:
        count, is_valid = 0, _is_scalar(value)
    if not is_valid:
        raise FieldInvalid(
            f"The configuration contains {describe_value(value)}.",
            pointer="/config",
            hint="Send plain JSON: text, finite numbers, and lists and objects of them, a few levels deep.",
        )
    return count


def _is_scalar(value: object) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, int):
        return abs(value) <= MAX_NUMBER
    return value is None or (isinstance(value, str) and len(value) <= MAX_TEXT and "\0" not in value)
