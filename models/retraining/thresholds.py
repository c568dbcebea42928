"""Thresholds: when what is seen of a served model is a reason to train it again."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

from models.errors import ConfigInvalid

FARTHEST_OFF = 0.80
"""A coverage lies between 0 and 1, so no further than this from 0.80."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """When what is seen of a served model is a reason to train it again.

    Attributes:
        skill_below: Live skill against seasonal naive, 1 - MASE / MASE of the naive, below which it is one.
        coverage_off: How far from 0.80 the share of truths within the 80 % interval is one.
        drift: Population stability index of an input feature above which it is one.
        decay: Live error / backtest error, over the same of seasonal naive, above which it is one.
        new_observations: Observations since the champion's training that are one; None for no number.
        window: Newest steps of time whose truths are looked at; None takes two seasons, or the horizon where that is longer.
        min_scores: Scored steps in the window below which live figures are chance and say nothing.

    Raises:
        ConfigInvalid: If a value is no number or out of range.
    """

    skill_below: float = 0.0
    coverage_off: float = 0.10
    drift: float = 0.25
    decay: float = 1.3
    new_observations: int | None = None
    window: int | None = None
    min_scores: int = 100

    def __post_init__(self) -> None:
        """Refuse a threshold that could never be met, or always would."""
        for name in ("skill_below", "coverage_off", "drift", "decay"):
            _check_number(name, getattr(self, name), above_zero=name != "skill_below")
        if self.coverage_off > FARTHEST_OFF:
            raise ConfigInvalid(
                f"retrain.coverage_off must be at most {FARTHEST_OFF}: no coverage lies further from 0.80. "
                f"Received: {self.coverage_off}."
            )
        if not self.skill_below < 1:
            raise ConfigInvalid(f"retrain.skill_below must be below 1. Received: {self.skill_below}.")
        for name in ("new_observations", "window", "min_scores"):
            if getattr(self, name) is not None or name == "min_scores":
                _check_count(name, getattr(self, name))

    @classmethod
    def of(cls, table: Mapping[str, Any]) -> Self:
        """Return the thresholds of a `[retrain]` table; what else stands in it is for the training; raises ConfigInvalid."""
        known = {item.name for item in fields(cls)}
        return cls(**{key: value for key, value in table.items() if key in known})

    def steps(self, season_length: int, horizon: int) -> int:
        """Return how many of the newest steps of time are looked at."""
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
