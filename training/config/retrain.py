"""Retraining as it is configured: which reasons count, how candidates are compared, what a fit may use."""

import math
from dataclasses import dataclass, fields

from models.errors import ConfigInvalid
from models.retraining.thresholds import DEFAULT, Thresholds
from training.config.checks import check_types


@dataclass(frozen=True, slots=True)
class RetrainConfig:
    """When a model is trained again and how its challengers are made (the `[retrain]` table of a configuration).

    Attributes:
        skill_below: See `models.retraining.thresholds.Thresholds`, as the next six.
        coverage_off: Distance of the live coverage from 0.80.
        drift: Population stability index of an input feature.
        decay: Live error / backtest error, over the same of seasonal naive.
        new_observations: Observations since the champion's training; None for no number.
        window: Newest steps of time that are looked at; None takes two seasons, or the horizon where that is longer.
        min_scores: Scored steps below which live figures say nothing.
        origins: Rolling origins of the held-out block on which champion, candidates and baselines are compared.
        warm_start: Whether the champion, tuned on the new data, is a candidate too.
        timeout_seconds: Wall time of one fitting child at the most.
        memory_mb: Memory of one fitting child at the most, in 10⁶ bytes; None sets no limit.

    Raises:
        ConfigInvalid: If a value is of the wrong type or out of range.
    """

    skill_below: float = DEFAULT.skill_below
    coverage_off: float = DEFAULT.coverage_off
    drift: float = DEFAULT.drift
    decay: float = DEFAULT.decay
    new_observations: int | None = DEFAULT.new_observations
    window: int | None = DEFAULT.window
    min_scores: int = DEFAULT.min_scores
    origins: int = 3
    warm_start: bool = True
    timeout_seconds: float = 3600.0
    memory_mb: int | None = None

    def __post_init__(self) -> None:
        """Refuse what no retraining could use."""
        check_types(self, "retrain.")
        self.thresholds()
        if self.origins < 1:
            raise ConfigInvalid(f"retrain.origins must be at least 1. Received: {self.origins}.")
        if not (self.timeout_seconds > 0 and math.isfinite(self.timeout_seconds)):
            raise ConfigInvalid(
                f"retrain.timeout_seconds must be above 0 and finite. Received: {self.timeout_seconds}."
            )
        if self.memory_mb is not None and self.memory_mb < 1:
            raise ConfigInvalid(f"retrain.memory_mb must be at least 1. Received: {self.memory_mb}.")

    def thresholds(self) -> Thresholds:
        """Return the part that says what is a reason, as service and training share it."""
        return Thresholds(**{item.name: getattr(self, item.name) for item in fields(Thresholds)})
