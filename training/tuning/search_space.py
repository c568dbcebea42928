"""Search space: settings that a search varies, how a trial draws them, and a configuration as TOML."""

import difflib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Protocol

from models.errors import ConfigInvalid
from training.config.config_errors import check_choice
from training.config.fit import FitConfig
from training.config.toml import merge, read_config
from training.config.training import ARCHITECTURES, train_config

DEFAULT = Path(__file__).parents[1] / "configs" / "space.toml"
"""The default space."""

RANGE_KEYS = {"low", "high", "log"}


class OptunaTrial(Protocol):
    """The part of `optuna.Trial` that draws values."""

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:  # noqa: ANN401 - any choice
        """Return one of the choices."""

    def suggest_int(self, name: str, low: int, high: int, *, log: bool = False) -> int:
        """Return a whole number between both bounds, which are included."""

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        """Return a number between both bounds."""


@dataclass(frozen=True, slots=True)
class Categorical:
    """A setting that is one of some values, in the order given."""

    values: tuple[Any, ...]

    def draw(self, name: str, trial: OptunaTrial) -> object:
        """Return one of the values; lists become JSON, since a study stores plain values only."""
        drawn = trial.suggest_categorical(name, [_plain(value) for value in self.values])
        return next(value for value in self.values if _plain(value) == drawn)

    def contains(self, value: object) -> bool:
        """Return whether a value is one of them."""
        return value in self.values

    def bounds(self) -> tuple[Any, ...]:
        """Return all values, each of which must be valid."""
        return self.values

    def __str__(self) -> str:
        return f"one of {', '.join(map(str, self.values))}"


@dataclass(frozen=True, slots=True)
class Range:
    """A setting between two bounds, both included: a whole number if both bounds are.

    Attributes:
        low: Lower bound.
        high: Upper bound.
        log: Whether to draw on a logarithmic scale.
    """

    low: float
    high: float
    log: bool = False

    def draw(self, name: str, trial: OptunaTrial) -> object:
        """Return a value between the bounds."""
        if isinstance(self.low, int) and isinstance(self.high, int):
            return trial.suggest_int(name, self.low, self.high, log=self.log)
        return trial.suggest_float(name, self.low, self.high, log=self.log)

    def contains(self, value: object) -> bool:
        """Return whether a value lies between the bounds."""
        return isinstance(value, int | float) and self.low <= value <= self.high

    def bounds(self) -> tuple[Any, ...]:
        """Return both bounds; if they are valid, every value between them is."""
        return (self.low, self.high)

    def __str__(self) -> str:
        return f"{self.low:g} to {self.high:g}{', by orders of magnitude' if self.log else ''}"


Space = Mapping[str, Categorical | Range]
"""What is searched, by key: `architecture`, or `fit.` and a field of `FitConfig`."""


def default_space() -> dict[str, Any]:
    """Return the tables of the default space."""
    return read_config(DEFAULT)


def read_space(tables: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Categorical | Range]:
    """Return the space that the tables of a TOML file describe, each bound checked with the settings.

    Args:
        tables: Such as `{"fit": {"units": [32, 64], "learning_rate": {"low": 1e-4, "high": 1e-2, "log": True}}}`.
        settings: The configuration that every trial starts from.

    Raises:
        ConfigInvalid: If a key cannot be searched, a range is empty, or a training would refuse a value.
    """
    space = {key: _dimension(key, value) for key, value in _leaves(tables)}
    if not space:
        raise ConfigInvalid("The space is empty.", hint="Name at least one setting, such as fit.units = [32, 64].")
    for key, dimension in space.items():
        _check_key(key)
        for value in dimension.bounds():
            if key == "architecture":  # a starter has its own settings, and auto has several members
                check_choice("space.architecture", str(value), ARCHITECTURES)
            train_config(merge(settings, nested({key: value})))
    return space


def draw(space: Space, trial: OptunaTrial) -> dict[str, Any]:
    """Return one value for each setting of the space."""
    return {key: dimension.draw(key, trial) for key, dimension in space.items()}


def as_params(space: Space, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of the values that lie in the space, as a study stores them."""
    return {key: _plain(values[key]) for key, dimension in space.items() if dimension.contains(values[key])}


def nested(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return `{"fit": {"units": 32}}` for `{"fit.units": 32}`; a single architecture becomes a list of one."""
    tables: dict[str, Any] = {}
    for key, value in values.items():
        *parents, last = key.split(".")
        setting: Any = {last: [value] if key == "architecture" else value}
        for parent in reversed(parents):
            setting = {parent: setting}
        tables = merge(tables, setting)
    return tables


def to_toml(settings: Mapping[str, Any], *, comment: str) -> str:
    """Return settings as a TOML document: plain keys first, then its tables."""
    lines = [*(f"# {line}" for line in comment.splitlines())]
    lines += [f"{key} = {_value(value)}" for key, value in settings.items() if not isinstance(value, Mapping)]
    for name, table in settings.items():
        if isinstance(table, Mapping) and table:
            lines += ["", f"[{name}]", *(f"{key} = {_value(value)}" for key, value in table.items())]
    return "\n".join(lines) + "\n"


def _leaves(tables: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tables.items():
        if isinstance(value, Mapping) and not value.keys() & RANGE_KEYS:
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _dimension(key: str, value: object) -> Categorical | Range:
    if isinstance(value, list) and value:
        return Categorical(tuple(tuple(one) if isinstance(one, list) else one for one in value))
    if isinstance(value, Mapping) and {"low", "high"} <= value.keys() <= RANGE_KEYS:
        return _range(key, **value)
    raise ConfigInvalid(
        f"space.{key} must be a list or a range. Received: {value!r}.",
        hint="Write a list such as [32, 64], or { low = 1e-4, high = 1e-2, log = true }.",
    )


def _range(key: str, low: object, high: object, log: object = False) -> Range:  # noqa: FBT002 - a table of TOML
    numbers = all(isinstance(end, int | float) and not isinstance(end, bool) for end in (low, high))
    if not (numbers and isinstance(log, bool)) or low >= high or (log and low <= 0):  # type: ignore[operator]
        raise ConfigInvalid(
            f"space.{key} is not a valid range. Received: low {low!r}, high {high!r}, log {log!r}.",
            hint="low must be below high, and above 0 if log is true.",
        )
    return Range(low, high, log)  # type: ignore[arg-type]


def _check_key(key: str) -> None:
    known = ["architecture", *(f"fit.{item.name}" for item in fields(FitConfig))]
    if key not in known:
        near = difflib.get_close_matches(key, known, n=1)
        raise ConfigInvalid(
            f"{key} cannot be searched.", hint=f"Did you mean {near[0]}?" if near else f"Known: {', '.join(known)}."
        )


def _plain(value: object) -> object:
    return json.dumps(value) if isinstance(value, tuple) else value


def _value(value: object) -> str:
    """Return a value as TOML: its strings, lists and numbers are JSON's; true and false too."""
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(_value, value))}]"
    return json.dumps(value, ensure_ascii=False)
