"""Scoring: how far each step of a kept forecast was from what was observed since."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.accuracy import covered, pinball_losses, scale_or_nan, scaled_errors
from models.baselines import seasonal_naive
from models.calendar.frequency import MONTH_NAMES, MONTHS_IN, Frequency
from models.calendar.on_calendar import parse_frequency, timestamps_from
from models.calendar.timestamps import Timestamps
from models.intervals import SAME, interval_sides
from models.json_values import finite_or_none
from models.series import Series

Floats = NDArray[np.float64]

LEVELS = (80.0, 95.0)
"""Central intervals, in per cent, that hits are counted of where a forecast has them."""

LONGEST_PERIOD = np.timedelta64(366, "D")
"""Nowhere do two stamps of one period, its first and its last day say, lie further apart."""


@dataclass(frozen=True, slots=True, eq=False)
class NaiveBaseline:
    """What a forecast is measured by, from the history that it was made from.

    Attributes:
        naive: Seasonal naive, shape (horizon,), the series' units.
        scale: In-sample error of the seasonal naive, the series' units; NaN where the history has none above 0.
    """

    naive: Floats
    scale: float


@dataclass(frozen=True, slots=True, eq=False)
class LoggedForecast:
    """A served forecast as the ledger keeps it.

    Attributes:
        timestamps: Of the steps, shape (horizon,), datetime64[us].
        frequency: Canonical name, such as `M`.
        levels: Quantile levels, rising, in (0, 1); the sides of the intervals that were asked for among them.
        quantiles: Shape (horizon, levels), the series' units.
        median: Shape (horizon,).
        measure: What it is measured by.
    """

    timestamps: Timestamps
    frequency: str
    levels: tuple[float, ...]
    quantiles: Floats
    median: Floats
    measure: NaiveBaseline


@dataclass(frozen=True, slots=True)
class StepScore:
    """How one step came out.

    Attributes:
        step: 1 is the first after the cutoff.
        timestamp: Of the step, datetime64[us].
        observed: The truth, the series' units.
        absolute_scaled_error: |observed - median| / scale; their mean is MASE. None where there is no scale.
        naive_scaled_error: The same of the seasonal naive.
        pinball: Mean pinball loss over the levels, the series' units.
        scaled_pinball: The same / scale, None where there is no scale.
        covered: By interval level in per cent, whether the truth lay within, of the `LEVELS` that the forecast has.
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
    """Return what a forecast from this history is measured by.

    Args:
        series: The history up to the cutoff.
        horizon: Steps that were forecast.
        season_length: Steps in one season, as the model has it.
    """
    with np.errstate(over="ignore"):  # differences near the end of float64 have no mean in it
        scale = scale_or_nan(series.values, season_length)
    return NaiveBaseline(seasonal_naive(series, horizon, season_length), scale if 0 < scale < math.inf else math.nan)


def score(
    kept: LoggedForecast, observed: Mapping[np.datetime64, float], steps_at: Timestamps | None = None
) -> list[StepScore]:
    """Return the score of each step that has been observed, in order; scoring again replaces what was scored before.

    Args:
        kept: The forecast.
        observed: Values of its series by timestamp, those outside the horizon are left out; NaN is no observation.
        steps_at: The steps by the clock of the observations, where that is not the forecast's own.
    """
    target = _targets(kept, kept.timestamps if steps_at is None else steps_at, observed)
    steps = np.flatnonzero(np.isfinite(target))
    truth, scale = target[steps], kept.measure.scale
    losses = pinball_losses(truth, kept.quantiles[steps], kept.levels).mean(axis=-1)
    hits = {level: covered(truth, *sides) for level, sides in _intervals(kept, steps)}
    errors = scaled_errors(truth, kept.median[steps], scale)
    naive_errors = scaled_errors(truth, kept.measure.naive[steps], scale)
    return [
        StepScore(
            step=int(step) + 1,
            timestamp=kept.timestamps[step],
            observed=float(truth[row]),
            absolute_scaled_error=finite_or_none(errors[row]),
            naive_scaled_error=finite_or_none(naive_errors[row]),
            pinball=float(losses[row]),
            scaled_pinball=finite_or_none(losses[row] / scale),
            covered={level: bool(hit[row]) for level, hit in hits.items()},
        )
        for row, step in enumerate(steps)
    ]


def frequencies_match(frequency: str, known: str | None) -> bool:
    """Return whether observations of one frequency can be the truth of forecasts of another: a business day is a day."""
    return known in {None, frequency} or {frequency, known} == {"B", "D"}


def _targets(kept: LoggedForecast, steps_at: Timestamps, observed: Mapping[np.datetime64, float]) -> Floats:
    """Return the truth of each step, shape (horizon,), NaN where none is known.

    A truth stands at the step's own timestamp; of months, quarters and years anywhere in it, since some write their first
    day and others their last. Where a step holds several observations none is its truth: one day is not its month.
    """
    found = {stamp: value for stamp, value in observed.items() if not math.isnan(value)}
    step = parse_frequency(kept.frequency)
    if step.unit in MONTHS_IN:
        alone = _alone(found, step)
        return np.array([alone.get(period, math.nan) for period in _periods(steps_at, step)])
    exact = np.array([found.get(stamp, math.nan) for stamp in steps_at])
    return np.where(_crowded(steps_at, np.array(sorted(found), dtype="M8[us]"), step), math.nan, exact)


def _crowded(steps_at: Timestamps, stamps: Timestamps, step: Frequency) -> NDArray[np.bool_]:
    """Return which steps, shape (horizon,), have an observation beside them that lies nearer than the next step."""
    if step.unit == "B":  # Friday and Monday are neighbours, and Sunday is neither's
        width = np.full(len(steps_at), np.timedelta64(1, "D"), dtype="m8[us]")
        before, after = steps_at - width, steps_at + width
    else:
        two = steps_at if len(steps_at) > 1 else timestamps_from(steps_at[0], step, 2)
        before = np.concatenate([steps_at[:1] - (two[1:2] - two[:1]), steps_at[:-1]])
        after = np.concatenate([steps_at[1:], steps_at[-1:] + (two[-1:] - two[-2:-1])])
    near = np.searchsorted(stamps, after, "left") - np.searchsorted(stamps, before, "right")
    return np.asarray(near > np.isin(steps_at, stamps))


def _alone(observed: Mapping[np.datetime64, float], step: Frequency) -> dict[int, float]:
    """Return the value of each period that holds no other, where that is a plain date's."""
    stamps = np.array(list(observed), dtype="M8[us]")
    dates = (stamps == stamps.astype("M8[D]")).tolist()
    periods = _periods(stamps, step)
    count = Counter(periods)
    return {
        period: value
        for period, value, dated in zip(periods, observed.values(), dates, strict=True)
        if dated and count[period] == 1
    }


def _periods(stamps: Timestamps, step: Frequency) -> list[int]:
    """Return the number of the month, quarter or year that each stamp lies in."""
    months = stamps.astype("M8[M]").astype(np.int64)
    if step.anchor:
        months = (months - 1 - MONTH_NAMES.index(step.anchor)) // MONTHS_IN[step.unit]
    return list(months.tolist())


def _intervals(kept: LoggedForecast, steps: NDArray[np.int64]) -> Iterator[tuple[float, tuple[Floats, Floats]]]:
    """Yield each level of `LEVELS` that the forecast has both sides of, and those sides at some steps."""
    for level in LEVELS:
        places = [_place(kept.levels, side) for side in interval_sides(level)]
        if None not in places:
            lower, upper = (kept.quantiles[steps, place] for place in places)
            yield level, (lower, upper)


def _place(levels: Sequence[float], wanted: float) -> int | None:
    return next((place for place, level in enumerate(levels) if abs(level - wanted) < SAME), None)
