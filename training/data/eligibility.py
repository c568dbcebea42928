"""Eligible: which series can be validated on, and what is said where that is none, few or not all."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.accuracy import scale_or_nan
from models.calendar.grid import locate
from models.calendar.zoned_grid import calendar_clock
from models.errors import DataInvalid, Finding
from models.series import Series

Indices = NDArray[np.int64]
Booleans = NDArray[np.bool_]

SHORTER = "Send longer series or ask for a shorter horizon."
VARYING = "Send series that vary, and more of those that began to vary late."


def fewest_points(horizon: int, season_length: int) -> int:
    """Return how many points must lie before the first validation origin of a series."""
    return max(season_length + 1, min(horizon, 2 * season_length), 2)


def refuse_short(series: Sequence[Series], horizon: int, season_length: int) -> None:
    """Refuse histories that `make_dataset` would refuse for their length alone, before any network is built.

    Raises:
        DataInvalid: If even the longest is too short to be both learned from and validated on.
    """
    needed, longest = fewest_points(horizon, season_length) + horizon, max(len(one) for one in series)
    if longest < needed:
        raise DataInvalid(
            f"The longest of {len(series)} series has {longest} points before the first origin; a horizon of {horizon} "
            f"needs {needed}, to learn from and to validate on.",
            hint=SHORTER,
        )


def describe_validated(series: Sequence[Series], horizon: int, season_length: int) -> tuple[Finding, ...]:
    """Return on which series validation is, where some ended before others: on those that go on, or on all if these are few."""
    long = np.array([len(one) >= fewest_points(horizon, season_length) + horizon for one in series])
    if not long.any():
        return ()
    ends, slack = observed_ends(series, start_steps(series))[long], max(horizon, season_length)
    total, count = len(ends), int(np.sum(ends > ends.max() - slack))
    if not current_series(ends, np.ones(total, bool), slack).all():
        return (
            Finding(
                "VALIDATION_CURRENT",
                f"Validation is on {count} of {total} series, those that reach the newest {slack} steps: the other "
                f"{total - count} ended while these went on, so a network that remembers that time forecasts them better than "
                f"it forecasts the future.",
            ),
        )
    if count >= CURRENT_SHARE * total:
        return ()
    return (
        Finding(
            "SERIES_ENDED",
            f"{count} of {total} series reach the newest {slack} steps, so validation is on all, and what it forecasts "
            f"may have been learned from others of that time: the {count} may err more than validation says.",
            hint="Leave out series that ended; almanac backtest --cutoff DATE compares at one date for all.",
        ),
    )


def none_eligible(series: Sequence[Series], ends: Indices, horizon: int, season_length: int) -> DataInvalid:
    """Return the error of series of which none can be validated on: too short, without a scale or full of gaps.

    Args:
        series: Histories.
        ends: Points of each before its validation origins, shape (series,).
        horizon: Steps ahead.
        season_length: Steps in one season.
    """
    needed = fewest_points(horizon, season_length) + horizon
    long = [(one, end) for one, end in zip(series, ends, strict=True) if len(one) >= needed]
    short, longest = len(series) - len(long), max(len(one) for one in series)
    flat = sum(scale_or_nan(one.values[:end], season_length) == 0 for one, end in long)
    reasons = {
        f"fewer than {needed} points, {horizon} of them to hold out (the longest has {longest})": (short, SHORTER),
        "repeat themselves before what is held out, so errors have no scale": (flat, VARYING),
        "nothing observed where it is needed": (len(long) - flat, "Send series with fewer gaps."),
    }
    found = {why: count for why, (count, _) in reasons.items() if count}
    return DataInvalid(
        f"None of {len(series)} series can be validated on: {'; '.join(f'{why}: {n}' for why, n in found.items())}.",
        hint=" ".join(hint for count, hint in reasons.values() if count),
    )


CURRENT_SHARE = 0.5
"""Share of the series that must reach the newest dates for validation to be on these alone."""


ENDED_SHARE = 0.05
"""Share of the series that must have ended before. From one schedule to the next their errors fell by 7 % more than the
others' (median over stations cut in 1961 and 1965, and Tourism one to three horizons before its held-out block). A twentieth
of them moves the mean by a third of a per cent, less than the half that a choice must show."""


def start_steps(series: Sequence[Series]) -> Indices:
    """Return when each series starts, in steps of the calendar after the earliest; one without dates ends with the newest."""
    ends = np.zeros(len(series), dtype=np.int64)
    lengths = np.array([len(one) for one in series], dtype=np.int64)
    clocks = {at: clock for at, clock in enumerate(map(_clock, series)) if clock is not None}
    if not clocks:
        return ends - lengths
    rows, stamps = list(clocks), np.array(list(clocks.values()))
    frequency = next(one.frequency for one in series if one.start is not None and one.frequency is not None)
    steps, _ = locate(stamps, stamps.min(), frequency)
    ends[:] = (steps + lengths[rows]).max()
    ends[rows] = steps + lengths[rows]
    return ends - lengths


def observed_ends(series: Sequence[Series], starts: Indices) -> Indices:
    """Return when the last observed value of each series was, as steps like its start, shape (series,)."""
    known = [np.flatnonzero(np.isfinite(one.values)) for one in series]
    ends: Indices = starts + np.array([int(one[-1]) + 1 if len(one) else 0 for one in known], dtype=np.int64)
    return ends


def current_series(ends: Indices, eligible: Booleans, slack: int) -> Booleans:
    """Return which series end within so many steps of the newest; all, where those are fewer than half, or nearly all.

    Args:
        ends: When each series ends, in steps, shape (series,).
        eligible: Which can be validated on, some at least, shape (series,).
        slack: Steps, more than a publication may be late.
    """
    current: Booleans = ends > ends[eligible].max() - slack
    share = float(current[eligible].mean())
    return current if CURRENT_SHARE <= share < 1.0 - ENDED_SHARE else np.ones(len(ends), bool)


def _clock(series: Series) -> np.datetime64 | None:
    """Return when a series starts on the clock that its steps are even on, None where it has no dates."""
    if series.start is None or series.frequency is None:
        return None
    return np.datetime64(calendar_clock(np.array([series.start], "M8[us]"), series.frequency, series.timezone)[0], "us")
