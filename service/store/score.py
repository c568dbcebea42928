"""Score: the errors of a logged forecast at each step that has been observed; arithmetic without a database."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from models.accuracy import covered, pinball_losses, scale_or_nan, scaled_errors
from models.baselines import seasonal_naive
from models.calendar.frequency import MONTH_NAMES, MONTHS_IN, Frequency
from models.calendar.timestamps import Timestamps
from models.calendar.zoned_grid import parse_frequency, timestamps_from
from models.intervals import SAME, interval_sides
from models.json_values import finite_or_none
from models.series import Series

Floats = NDArray[np.float64]

LEVELS = (80.0, 95.0)
"""Central intervals, in per cent, whose coverage is scored if a forecast has them."""

MOST_ERROR = 10.0
"""Largest scaled error of a step: ten times the history's seasonal change. A larger one counts as this, so that one wrong
value does not decide a mean."""

LONGEST_PERIOD = np.timedelta64(366, "D")
"""Largest distance of two timestamps in one month, quarter or year."""


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
    return NaiveBaseline(_naive(series, horizon, season_length), scale if 0 < scale < math.inf else math.nan)


def _naive(series: Series, horizon: int, season_length: int) -> Floats:
    """Return `seasonal_naive`; without a gap in the last season in a fraction of its time."""
    season = series.values[-season_length:]
    if len(season) < season_length or np.isnan(season).any():
        return seasonal_naive(series, horizon, season_length)
    return season.take(_season_places(horizon, season_length))


@lru_cache(maxsize=256)
def _season_places(horizon: int, season_length: int) -> NDArray[np.int64]:
    return np.arange(horizon) % season_length


def score(
    forecast: LoggedForecast, observed: Mapping[np.datetime64, float], steps_at: Timestamps | None = None
) -> list[StepScore]:
    """Return the score of each observed step, in order.

    Args:
        forecast: The forecast.
        observed: Values of its series by timestamp; NaN is a gap, values outside the horizon do not matter.
        steps_at: The steps on the clock of the observations, if that is not the forecast's own.
    """
    target = _targets(forecast, forecast.timestamps if steps_at is None else steps_at, observed)
    steps = np.flatnonzero(np.isfinite(target))
    actual, scale = target[steps], forecast.baseline.scale
    losses = pinball_losses(actual, forecast.quantiles[steps], forecast.levels).mean(axis=-1)
    covered_by = {level: covered(actual, *bounds) for level, bounds in _intervals(forecast, steps)}
    errors = scaled_errors(actual, forecast.median[steps], scale)
    naive_errors = scaled_errors(actual, forecast.baseline.naive[steps], scale)
    return [
        StepScore(
            step=int(step) + 1,
            timestamp=forecast.timestamps[step],
            observed=float(actual[row]),
            absolute_scaled_error=_bounded(errors[row]),
            naive_scaled_error=_bounded(naive_errors[row]),
            pinball=float(losses[row]),
            scaled_pinball=_bounded(losses[row] / scale),
            covered={level: bool(inside[row]) for level, inside in covered_by.items()},
        )
        for row, step in enumerate(steps)
    ]


def frequencies_match(frequency: str, known: str | None) -> bool:
    """Return whether observations of frequency `known` can score forecasts of `frequency`: business days match days."""
    return known in {None, frequency} or {frequency, known} == {"B", "D"}


def _bounded(error: float) -> float | None:
    """Return a scaled error, at most MOST_ERROR; None for NaN."""
    return finite_or_none(min(error, MOST_ERROR))


def _targets(forecast: LoggedForecast, steps_at: Timestamps, observed: Mapping[np.datetime64, float]) -> Floats:
    """Return the actual value of each step, shape (horizon,), NaN where there is none.

    It has the timestamp of the step. For months, quarters and years it may have any date of the period, since some people
    write the first day and others the last. Of several observations in one step none counts: a day is not its month.
    """
    found = {stamp: value for stamp, value in observed.items() if not math.isnan(value)}
    step = parse_frequency(forecast.frequency)
    if step.unit in MONTHS_IN:
        values = only_values(found, step)
        return np.array([values.get(period, math.nan) for period in periods_of(steps_at, step)])
    exact = np.array([found.get(stamp, math.nan) for stamp in steps_at])
    return np.where(_has_neighbours(steps_at, np.array(sorted(found), dtype="M8[us]"), step), math.nan, exact)


def _has_neighbours(steps_at: Timestamps, stamps: Timestamps, step: Frequency) -> NDArray[np.bool_]:
    """Return which steps, shape (horizon,), have another observation nearer than the next step."""
    if step.unit == "B":  # Friday and Monday are neighbours, and Sunday belongs to neither
        width = np.full(len(steps_at), np.timedelta64(1, "D"), dtype="m8[us]")
        before, after = steps_at - width, steps_at + width
    else:
        two = steps_at if len(steps_at) > 1 else timestamps_from(steps_at[0], step, 2)
        before = np.concatenate([steps_at[:1] - (two[1:2] - two[:1]), steps_at[:-1]])
        after = np.concatenate([steps_at[1:], steps_at[-1:] + (two[-1:] - two[-2:-1])])
    others = np.searchsorted(stamps, after, "left") - np.searchsorted(stamps, before, "right")
    return np.asarray(others > np.isin(steps_at, stamps))


def only_values(observed: Mapping[np.datetime64, float], step: Frequency) -> dict[int, float]:
    """Return the value of each period with exactly one observation, if that has a plain date."""
    stamps = np.array(list(observed), dtype="M8[us]")
    dates = (stamps == stamps.astype("M8[D]")).tolist()
    periods = periods_of(stamps, step)
    count = Counter(periods)
    return {
        period: value
        for period, value, dated in zip(periods, observed.values(), dates, strict=True)
        if dated and count[period] == 1
    }


def periods_of(stamps: Timestamps, step: Frequency) -> list[int]:
    """Return the number of the month, quarter or year of each timestamp."""
    months = stamps.astype("M8[M]").astype(np.int64)
    if step.anchor:
        months = (months - 1 - MONTH_NAMES.index(step.anchor)) // MONTHS_IN[step.unit]
    return list(months.tolist())


def _intervals(forecast: LoggedForecast, steps: NDArray[np.int64]) -> Iterator[tuple[float, tuple[Floats, Floats]]]:
    """Yield each of `LEVELS` that the forecast has, with its lower and upper bounds at some steps."""
    for level in LEVELS:
        places = [_place(forecast.levels, side) for side in interval_sides(level)]
        if None not in places:
            lower, upper = (forecast.quantiles[steps, place] for place in places)
            yield level, (lower, upper)


def _place(levels: Sequence[float], wanted: float) -> int | None:
    return next((place for place, level in enumerate(levels) if abs(level - wanted) < SAME), None)
