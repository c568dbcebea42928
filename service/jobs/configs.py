"""Job configurations: what a training over REST is configured with, as far as the service can tell.

What a configuration means is training's to say: the service holds it to its shape, and the job says the rest.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from models.names import RULE, is_name
from models.retraining.thresholds import Thresholds
from service.errors import FieldInvalid, FieldMissing
from service.json_input import refuse_unknown, shown

CONFIG_FIELDS = (
    "data",
    "horizon",
    "name",
    "frequency",
    "architecture",
    "seed",
    "seeds",
    "pick",
    "baselines",
    "baseline_series",
    "refit",
    "promote",
    "unit",
    "past_covariates",
    "future_covariates",
    "holidays",
    "columns",
    "fit",
    "retrain",
)
"""Of a configuration; a test holds them to training's."""

SERVICE = "service"
"""As `data`: the observations that this service has."""
LONGEST_KEY = 100
LONGEST_TEXT = 4_096
DEEPEST = 5
MOST_ENTRIES = 2_000
LARGEST_NUMBER = 2**53
"""Up to here JSON's numbers are whole everywhere."""


def check_name(name: object, pointer: str) -> str:
    """Return the name of a model or a schedule; raises FieldInvalid if it could not stand in an address or name a file."""
    if not isinstance(name, str) or not is_name(name):
        raise FieldInvalid(f"A name is {shown(name)}.", pointer=pointer, hint=f"Send {RULE}.")
    return name


def check_config(config: object) -> dict[str, Any]:
    """Return a configuration, its `data` `service` where it names none.

    Raises:
        FieldMissing, FieldUnknown, FieldInvalid, ConfigInvalid: If it cannot be one.
    """
    if not isinstance(config, dict):
        raise FieldInvalid(
            f"`config` is {shown(config)}.", pointer="/config", hint="Send an object, as the TOML's tables."
        )
    _check_plain(config, "/config", 0)
    refuse_unknown(config, CONFIG_FIELDS, "/config")
    _check_horizon(config)
    if "name" in config:
        check_name(config["name"], "/config/name")
    for table in ("columns", "fit", "retrain"):
        if not isinstance(config.get(table, {}), dict):
            raise FieldInvalid(
                f"`{table}` is {shown(config[table])}.", pointer=f"/config/{table}", hint="Send an object."
            )
    Thresholds.of(config.get("retrain", {}))
    return {**config, "data": _data(config.get("data", SERVICE))}


def _data(data: object) -> str:
    """Return where the data is: a file of the worker, by its whole path, or the service."""
    path = PurePosixPath(data) if isinstance(data, str) else PurePosixPath()
    if data == SERVICE or (path.is_absolute() and ".." not in path.parts):
        return str(data)
    raise FieldInvalid(
        f"`data` is {shown(data)}.",
        pointer="/config/data",
        hint=f"Send {SERVICE!r} for what this service has observed, or the absolute path of a file on the worker's disk.",
    )


def _check_horizon(config: Mapping[str, Any]) -> None:
    horizon = config.get("horizon")
    if horizon is None:
        raise FieldMissing("`horizon` is missing.", pointer="/config/horizon", hint="Send the steps to forecast.")
    if isinstance(horizon, bool) or not isinstance(horizon, int) or horizon < 1:
        raise FieldInvalid(
            f"`horizon` is {shown(horizon)}.", pointer="/config/horizon", hint="Send a whole number above 0."
        )


def _check_plain(value: object, pointer: str, depth: int) -> int:
    """Return how many entries a value has; raises FieldInvalid unless it is plain JSON of bearable size."""
    if isinstance(value, dict | list) and depth < DEEPEST:
        entries: Sequence[tuple[object, object]] = list(value.items() if isinstance(value, dict) else enumerate(value))
        count = len(entries) + sum(_check_plain(one, pointer, depth + 1) for _, one in entries)
        sound = count <= MOST_ENTRIES and all(len(str(key)) <= LONGEST_KEY for key, _ in entries)
    else:
        count, sound = 0, _is_scalar(value)
    if not sound:
        raise FieldInvalid(
            f"The configuration holds {shown(value)}.",
            pointer=pointer,
            hint="Send plain JSON: text, finite numbers, and lists and objects of them, a few deep.",
        )
    return count


def _is_scalar(value: object) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, int):
        return abs(value) <= LARGEST_NUMBER
    return value is None or (isinstance(value, str) and len(value) <= LONGEST_TEXT and "\0" not in value)
