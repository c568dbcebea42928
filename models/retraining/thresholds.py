"""Thresholds: at which figures a served model is trained again."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

from models.errors import ConfigInvalid

FARTHEST_OFF = 0.80
"""Largest possible difference of a coverage from 0.80."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Figures at which a served model is trained again.

    Attributes:
        skill_below: Live skill against the seasonal naive, 1 - MASE / MASE of the naive: below this is a reason.
        coverage_off: Difference of the 80 % interval's coverage from 0.80: this or more is a reason.
        drift: Population stability index of an input feature: above this is a reason.
        decay: Live error / backtest error, divided by the same of the seasonal naive: above this is a reason.
        new_observations: Observations since the champion's training: this many are a reason; None for no limit.
        window: Newest time steps whose scores count; None for two seasons, or the horizon if that is longer.
        min_scores: Fewest scored steps in the window; with fewer, live figures count as unknown.

    Raises:
        ConfigInvalid: If a value is not a number or out of range.
    """

    skill_below: float = 0.0
    coverage_off: float = 0.10
    drift: float = 0.25
    decay: float = 1.3
    new_observations: int | None = None
    window: int | None = None
    min_scores: int = 100

    def __post_init__(self) -> None:
        for name in ("skill_below", "coverage_off", "drift", "decay"):
            _check_number(name, getattr(self, name), above_zero=name != "skill_below")
        if self.coverage_off > FARTHEST_OFF:
            raise ConfigInvalid(
                f"retrain.coverage_off must be at most {FARTHEST_OFF}, the largest possible difference from 0.80. "
                f"Received: {self.coverage_off}."
            )
        if not self.skill_below < 1:
            raise ConfigInvalid(f"retrain.skill_below must be below 1. Received: {self.skill_below}.")
        for name in ("new_observations", "window", "min_scores"):
            if getattr(self, name) is not None or name == "min_scores":
                _check_count(name, getattr(self, name))

    @classmethod
    def of(cls, table: Mapping[str, Any]) -> Self:
        """Return the thresholds of a `[retrain]` table without its other settings; raise ConfigInvalid if one is wrong."""
        known = {item.name for item in fields(cls)}
        return cls(**{key: value for key, value in table.items() if key in known})

    def steps(self, season_length: int, horizon: int) -> int:
        """Return the length of the window in time steps."""
        return self.window or max(2 * season_length, horizon)


def _check_number(name: str, value: object, *, above_zero: bool) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ConfigInvalid(f"retrain.{name} must be a number. Received: {value!r}.")
    if not math.isfinite(value):
        raise ConfigInvalid(f"retrain.{name} must be finite. Received: {value}.")
    if above_zero and not value > 0:
        raise ConfigInvalid(f"retrain.{name} must be above 0. Received: {value}.")


def _check_count(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ConfigInvalid(f"retrain.{name} must be a whole number. Received: {value!r}.")
    if value < 1:
        raise ConfigInvalid(f"retrain.{name} must be at least 1. Received: {value}.")


DEFAULT = Thresholds()
