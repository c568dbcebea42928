"""Reasons: whether a model should be trained again, and why, from how its forecasts came out."""

import math
from dataclasses import dataclass

from models.errors import ConfigInvalid


@dataclass(frozen=True, slots=True)
class Thresholds:
    """When what is seen of a served model is a reason to train it again.

    Attributes:
        skill_below: Live skill against seasonal naive, 1 - MASE / MASE of the naive, below which it is one.
        coverage_off: How far the share of truths within the 80 % interval may lie from 0.80.
        drift: Population stability index of an input feature above which it is one.
        decay: How much worse than its backtest a model may be: live error / backtest error, over the same of seasonal naive.
        new_observations: Observations since the champion's training that are enough of a reason; None for no number.
        window: Newest steps of time whose truths are looked at; None takes two seasons, or the horizon where that is longer.
        min_scores: Scored steps in the window below which live figures are chance and say nothing.

    Raises:
        ConfigInvalid: If a value is out of range.
    """

    skill_below: float = 0.0
    coverage_off: float = 0.10
    drift: float = 0.25
    decay: float = 1.25
    new_observations: int | None = None
    window: int | None = None
    min_scores: int = 100

    def __post_init__(self) -> None:
        """Refuse a threshold that could never be met, or always would."""
        for name in ("skill_below", "coverage_off", "drift", "decay"):
            if not math.isfinite(getattr(self, name)):
                raise ConfigInvalid(f"retrain.{name} must be finite. Received: {getattr(self, name)}.")
        for name in ("coverage_off", "drift", "decay"):
            if not getattr(self, name) > 0:
                raise ConfigInvalid(f"retrain.{name} must be above 0. Received: {getattr(self, name)}.")
        if not self.skill_below < 1:
            raise ConfigInvalid(f"retrain.skill_below must be below 1. Received: {self.skill_below}.")
        for name in ("new_observations", "window", "min_scores"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigInvalid(f"retrain.{name} must be at least 1. Received: {value}.")


DEFAULT = Thresholds()
