"""Score: the errors of a logged forecast at each step that has been observed; arithmetic without a database."""

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import islice
from typing import Self

import numpy as np
from numpy.typing import NDArray

from models.accuracy import covered, pinball_losses, scale_or_nan, scaled_errors
from models.baselines import seasonal_naive
from models.calendar.timestamps import Timestamps
from models.intervals import SAME, interval_sides
from models.json_values import finite_or_none
from models.series import Series

Floats = NDArray[np.float64]

LEVELS = (80.0, 95.0)
"""Central intervals, in per cent, whose coverage is scored if a forecast has them."""

MOST_ERROR = 10.0
"""Largest scaled error of a step: ten times the history's seasonal change. A larger one counts as this, so that one wrong
value does not decide a mean."""


@dataclass(frozen=True, slots=True, eq=False)
class NaiveBaseline:
    """The seasonal naive forecast from the same history, and the scale of errors.

    Attributes:
        naive: Seasonal naive, shape (horizon,), the series' units.
        scale: In-sample error of the seasonal naive, the series' units; NaN if it is 0 or undefined.
    """

    naive: Floats
    scale: float


@dataclass(frozen=True, slots=True, eq=False)
class LoggedForecast:
    """A served forecast with dates, as the forecast log stores it.

    Attributes:
        timestamps: Of the steps, shape (horizon,), datetime64[us].
        frequency: Canonical name, such as `M`.
        levels: Quantile levels in (0, 1), rising; they include the bounds of the requested intervals.
        quantiles: Shape (horizon, levels), the series' units.
        median: Shape (horizon,).
        baseline: Seasonal naive from the same history.
    """

    timestamps: Timestamps
    frequency: str
    levels: tuple[float, ...]
    quantiles: Floats
    median: Floats
    baseline: NaiveBaseline


@dataclass(frozen=True, slots=True)
class StepScore:
    """The errors of one step.

    Attributes:
        step: 1 is the first after the cutoff.
        timestamp: Of the step, datetime64[us].
        observed: The actual value, the series' units.
        absolute_scaled_error: |observed - median| / scale, at most MOST_ERROR; their mean is MASE. None without a scale.
        naive_scaled_error: The same of seasonal naive.
        pinball: Mean pinball loss over the levels, the series' units.
        scaled_pinball: pinball / scale, at most MOST_ERROR; None without a scale.
        covered: Whether the actual value lies in the interval, by level, for those of `LEVELS` that the forecast has.
    """

    step: int
    timestamp: np.datetime64
    observed: float
    absolute_scaled_error: float | None
    naive_scaled_error: float | None
    pinball: float
    scaled_pinball: float | None
    covered: Mapping[float, bool]


def naive_baseline(series: Series, horizon: int, season_length: int) -> NaiveBaseline:
    """Return the seasonal naive forecast from a history, and its in-sample error.

    Args:
        series: The history up to the cutoff.
        horizon: Steps of the forecast.
        season_length: Steps in one season of the model.
    """
    with np.errstate(over="ignore"):  # differences near the end of float64 are infinite
        scale = scale_or_nan(series.values, season_length)
    return NaiveBaseline(seasonal_naive(series, horizon, season_length), scale if 0 < scale < math.inf else math.nan)


def score(forecasts: Sequence[LoggedForecast], actuals: Sequence[Floats]) -> list[list[StepScore]]:
    """Return the score of each step with an actual value, in order, for each forecast.

    Those of the same levels are computed together: a forecast often has only one new actual value.

    Args:
        forecasts: The forecasts.
        actuals: For each, the actual values of its steps, NaN where there is none, shape (horizon,).
    """
    steps = [np.flatnonzero(np.isfinite(one)) for one in actuals]
    alike = defaultdict[tuple[float, ...], list[int]](list)
    for place, forecast in enumerate(forecasts):
        alike[forecast.levels].append(place)
    found: list[list[StepScore]] = [[] for _ in forecasts]
    for places in alike.values():
        parts = [_Steps.of(forecasts[place], actuals[place], steps[place]) for place in places]
        scored = iter(_score_steps(_Steps.join(parts)))
        for place in places:
            found[place] = list(islice(scored, len(steps[place])))
    return found


@dataclass(frozen=True, slots=True, eq=False)
class _Steps:
    """Steps with an actual value, of forecasts of the same levels; each array has the shape (steps,), or (steps, levels)."""

    levels: tuple[float, ...]
    step: NDArray[np.int64]
    timestamp: Timestamps
    actual: Floats
    quantiles: Floats
    median: Floats
    naive: Floats
    scale: Floats

    @classmethod
    def of(cls, forecast: LoggedForecast, actuals: Floats, steps: NDArray[np.int64]) -> Self:
        """Return some steps of a forecast."""
        baseline = forecast.baseline
        return cls(
            levels=forecast.levels,
            step=steps + 1,
            timestamp=forecast.timestamps[steps],
            actual=actuals[steps],
            quantiles=forecast.quantiles[steps],
            median=forecast.median[steps],
            naive=baseline.naive[steps],
            scale=np.full(len(steps), baseline.scale),
        )

    @classmethod
    def join(cls, parts: Sequence[Self]) -> Self:
        """Return the steps of all."""
        names = [field.name for field in fields(cls)[1:]]
        return cls(parts[0].levels, *(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def _score_steps(steps: _Steps) -> list[StepScore]:
    actual, scale, levels = steps.actual, steps.scale, steps.levels
    losses = pinball_losses(actual, steps.quantiles, levels).mean(axis=-1)
    covered_by = {level: covered(actual, *bounds) == 1 for level, bounds in _intervals(levels, steps.quantiles)}
    errors, naive_errors = (
        scaled_errors(actual[:, np.newaxis], one[:, np.newaxis], scale)[:, 0] for one in (steps.median, steps.naive)
    )
    columns = (steps.step, actual, errors, naive_errors, losses, losses / scale)
    inside = list(zip(*(one.tolist() for one in covered_by.values()), strict=True)) or [()] * len(actual)
    return [
        StepScore(
            step=step,
            timestamp=timestamp,
            observed=observed,
            absolute_scaled_error=_bounded(error),
            naive_scaled_error=_bounded(naive_error),
            pinball=loss,
            scaled_pinball=_bounded(scaled_loss),
            covered=dict(zip(covered_by, is_inside, strict=True)),
        )
        for timestamp, is_inside, step, observed, error, naive_error, loss, scaled_loss in zip(
            steps.timestamp, inside, *(one.tolist() for one in columns), strict=True
        )
    ]


def frequencies_match(frequency: str, known: str | None) -> bool:
    """Return whether observations of frequency `known` can score forecasts of `frequency`: business days match days."""
    return known in {None, frequency} or {frequency, known} == {"B", "D"}


def _bounded(error: float) -> float | None:
    """Return a scaled error, at most MOST_ERROR; None for NaN."""
    return finite_or_none(min(error, MOST_ERROR))


def _intervals(levels: Sequence[float], quantiles: Floats) -> Iterator[tuple[float, tuple[Floats, Floats]]]:
    """Yield each of `LEVELS` that quantiles have, with its lower and upper bounds."""
    for level in LEVELS:
        places = [_place(levels, side) for side in interval_sides(level)]
        if None not in places:
            lower, upper = (quantiles[:, place] for place in places)
            yield level, (lower, upper)


def _place(levels: Sequence[float], wanted: float) -> int | None:
    return next((place for place, level in enumerate(levels) if abs(level - wanted) < SAME), None)
