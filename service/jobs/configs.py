"""Job configurations: the configuration of a training, as far as the service validates it.

The service checks the shape, and the bounds of every number; the worker that runs the job validates the rest.
"""

import math
from pathlib import PurePosixPath
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, StrictInt
from pydantic_core import PydanticCustomError

from models.calendar.zoned_grid import parse_frequency
from models.errors import AlmanacError, ConfigInvalid
from models.jobs.config_tables import TABLES
from models.jobs.setting_bounds import check_bounds
from models.names import RULE, is_name
from models.retraining.thresholds import Thresholds
from service.errors import FieldInvalid, FieldMissing
from service.json_input import StrictModel, describe_value, reject_unknown_fields

SERVICE = "service"
"""As `data`: the observations in this service's database."""
MOST_CANDIDATES, DEFAULT_ARCHITECTURES = 50, 4
"""Networks that one job trains at most, architectures times seeds; architectures of a job that names none."""
SYSTEM_FOLDERS = ("dev", "proc", "sys")
"""Folders of devices and of the kernel, whose files are not data."""
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
    if data != SERVICE and not (
        path.is_absolute() and ".." not in path.parts and not {*path.parts[1:2]} & {*SYSTEM_FOLDERS}
    ):
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
        for table, known in TABLES.items():
            if isinstance(config.get(table), dict):
                reject_unknown_fields(config[table], known, f"/config/{table}")
    return config


def _check_numbers(config: JobConfig) -> JobConfig:
    """Return a configuration unchanged; raises ConfigInvalid or FrequencyUnknown if a setting is out of range."""
    try:
        check_bounds(config.to_dict())
        Thresholds.of(config.retrain)
        _check_candidates(config)
    except ConfigInvalid as error:
        raise ConfigInvalid(error.detail, pointer=error.pointer, hint=error.hint or "Correct the setting.") from error
    if config.frequency is not None:
        _check_frequency(config.frequency)
    return config


def _check_frequency(frequency: object) -> None:
    hint = "Send a pandas alias such as `MS` or `W`, or a word such as `monthly`."
    if not isinstance(frequency, str):
        raise FieldInvalid(f"`frequency` is {describe_value(frequency)}.", pointer="/config/frequency", hint=hint)
    try:
        parse_frequency(frequency)
    except AlmanacError as error:
        raise FieldInvalid(error.detail, pointer="/config/frequency", hint=error.hint or hint) from error


def _check_candidates(config: JobConfig) -> None:
    """Raise ConfigInvalid if an architecture is repeated, or a job would train too many networks."""
    names = config.architecture
    if isinstance(names, list) and len({*map(str, names)}) < len(names):
        raise ConfigInvalid(
            f"`architecture` has {describe_value(max(names, key=names.count))} more than once.",
            pointer="/config/architecture",
            hint="Send each architecture once; `seeds` trains several networks of each.",
        )
    count = (len(names) if isinstance(names, list) else DEFAULT_ARCHITECTURES) * (config.seeds or 1)
    if count > MOST_CANDIDATES:
        raise ConfigInvalid(
            f"The job would train {count} networks; at most {MOST_CANDIDATES} are accepted.",
            pointer="/config/seeds",
            hint="Lower `seeds`, or send fewer architectures.",
        )


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
