"""Retrain configuration: the `[retrain]` table: which reasons count, how candidates are compared, limits of a fit."""

from dataclasses import fields
from typing import Annotated

from pydantic import Field, StrictBool
from pydantic.dataclasses import dataclass

from models.jobs.setting_bounds import check_bounds
from models.retraining.thresholds import DEFAULT, Thresholds
from training.config.config_errors import STRICT, Count, Number, config_errors


@dataclass(frozen=True, slots=True, config=STRICT)
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
        latency_margin: Share of the champion's latency by which a challenger may be slower, or
        latency_margin_ms: milliseconds, whichever is more.
        latency_repeats: Turns in which champion and candidates are timed; the median counts.
        live_scores: Scored forecasts that a challenger needs beside the champion's, on the same series, days and steps, before it is
            promoted; its error must not be significantly larger. 0 promotes by the backtest alone.
        warm_start: Whether the champion, tuned on the new data, is a candidate too.
        timeout_seconds: Wall time of one fitting child at the most.
        memory_mb: Memory of one fitting child at the most, in 10⁶ bytes; None for the worker's limit.

    Raises:
        ConfigInvalid: If a value is of the wrong type or out of range.
    """

    skill_below: Number = DEFAULT.skill_below
    coverage_off: Number = DEFAULT.coverage_off
    drift: Number = DEFAULT.drift
    decay: Number = DEFAULT.decay
    new_observations: Count | None = DEFAULT.new_observations
    window: Count | None = DEFAULT.window
    min_scores: Count = DEFAULT.min_scores
    origins: Count = 3
    latency_margin: Annotated[Number, Field(ge=0)] = 0.25
    latency_margin_ms: Annotated[Number, Field(ge=0)] = 1.0
    latency_repeats: Count = 7
    live_scores: Annotated[int, Field(strict=True, ge=0)] = 0
    warm_start: StrictBool = True
    timeout_seconds: Annotated[Number, Field(gt=0)] = 3600.0
    memory_mb: Count | None = None

    _errors = config_errors("retrain")

    def __post_init__(self) -> None:
        check_bounds({"retrain": {item.name: getattr(self, item.name) for item in fields(self)}})
        self.thresholds()

    def thresholds(self) -> Thresholds:
        """Return the part that says what is a reason, as service and training share it."""
        return Thresholds(**{item.name: getattr(self, item.name) for item in fields(Thresholds)})
