"""Frequency inference: the frequency of timestamps of which nearly all lie on one grid."""

from collections.abc import Iterator

import numpy as np

from models.calendar.alignment import FEWEST_WITH_OUTLIER, SHOWN, Grid, best_grid
from models.calendar.exact_frequency import FEWEST, FiscalPeriods, common_frequency
from models.calendar.frequency import NANOSECONDS_IN, WEEKDAY_NAMES, Frequency, fixed_frequency
from models.calendar.timestamps import Timestamps, write_exactly
from models.errors import AlmanacError, FrequencyNotInferred

USUAL = 0.8
"""Share of the differences that are multiples of the usual one, from which on it is the step that is meant; or of the
timestamps on its grid."""

USUAL_WEEKDAY = 0.5
"""Share of timestamps a week or more apart that lie on one weekday, from which on weeks are meant, not business days."""

LEAST_WEEKEND = 0.05
"""Share of days on a weekend below which a series is one of business days."""

_SATURDAY = 5
_DAY = NANOSECONDS_IN["D"] // 1000
_SHORTEST_DAY = 20 * _DAY // 24
_MONTHS = {1: (28, 31), 3: (89, 92), 6: (181, 184), 12: (365, 366)}
"""By number of months: their days."""
_ROUND = tuple(
    count * NANOSECONDS_IN[unit] // 1000
    for unit, counts in (
        ("ms", (1, 2, 5, 10, 20, 25, 40, 50, 100, 125, 200, 250, 500)),
        ("s", (1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30)),
        ("min", (1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30, 45)),
        ("h", (1, 2, 3, 4, 6, 8, 12)),
    )
    for count in counts
)
"""Steps below a day that sensors are set to, in microseconds."""


def infer_frequency(timestamps: Timestamps) -> Frequency:
    """Return the frequency of rising timestamps, shape (length,), any of which may be missing.

    It is the one on which all lie, unless a longer step is usual: then a few timestamps are outliers or are a little early
    or late, which `models.calendar.alignment.align` mends.

    Raises:
        FrequencyNotInferred: If there are fewer than three, they do not rise, too many would be missing or lie off the
            usual step, or the frequency is not supported.
        FiscalPeriods: If they are periods of 4 and 5, 13 and 14, or 52 and 53 weeks.
    """
    try:
        common, steps = common_frequency(timestamps)
    except FiscalPeriods:
        raise
    except FrequencyNotInferred:
        if len(timestamps) < FEWEST or (np.diff(timestamps).astype(np.int64) <= 0).any():
            raise
        usual = _usual(timestamps)
        if usual is None:
            _refuse_unusual(timestamps)
            raise
        return usual
    if 2 * np.count_nonzero(steps == 1) >= len(steps) and not _has_rare_weekends(timestamps, common):
        return common
    usual = _usual(timestamps)
    if usual is None:
        _refuse_unusual(timestamps)
    return usual or common


def _usual(timestamps: Timestamps) -> Frequency | None:
    """Return the frequency of the timestamps without outliers and jitter, or None if they are neither few nor small."""
    for frequency in _candidates(timestamps):
        grid = best_grid(timestamps, frequency)
        if grid is not None and grid.has_few_outliers:
            try:
                return common_frequency(np.unique(grid.points[grid.near]))[0]
            except AlmanacError:
                continue
    return None


def _candidates(timestamps: Timestamps) -> Iterator[Frequency]:
    """Yield the frequencies whose step is near to the usual difference."""
    gaps = np.sort(np.diff(timestamps).astype(np.int64))
    middle = int(gaps[len(gaps) // 2])
    if middle < _SHORTEST_DAY:
        near = sorted((step for step in _ROUND if abs(middle - step) * 20 <= step), key=lambda step: abs(middle - step))
        own = [middle] if np.count_nonzero(gaps == middle) * 2 >= len(gaps) else []
        yield from (fixed_frequency(step * 1000) for step in dict.fromkeys([*near, *own]))
        return
    days = round(middle / _DAY)
    if days == 1 and _weekend_share(timestamps) <= LEAST_WEEKEND:
        yield Frequency("B")
    if days % 7 == 0:
        yield Frequency(f"{days // 7 if days > 7 else ''}W-{WEEKDAY_NAMES[0]}")  # noqa: PLR2004 - days of a week
    else:
        yield Frequency(f"{days if days > 1 else ''}D")
    for months, (shortest, longest) in _MONTHS.items():
        if shortest <= days <= longest:
            yield Frequency(f"{months if months > 1 else ''}M", "end")


MOVED_BY_CLOCKS = " Where clocks change, send several hours as local times without offset and timezone."


def _refuse_unusual(timestamps: Timestamps) -> None:
    """Raise FrequencyNotInferred if one step is usual, but too many timestamps lie off its grid."""
    gaps = np.diff(timestamps).astype(np.int64)
    middle = int(np.sort(gaps)[len(gaps) // 2])
    if len(gaps) < FEWEST:
        return
    frequency = next(iter(_candidates(timestamps)), None)
    grid: Grid | None = None if frequency is None else best_grid(timestamps, frequency)
    if frequency is None or grid is None or grid.near.all():
        return
    least = USUAL_WEEKDAY if frequency.unit == "W" else USUAL
    mostly = len(timestamps) >= FEWEST_WITH_OUTLIER and grid.near.mean() >= least
    if np.mean(gaps % middle == 0) < USUAL and not mostly and not _has_one_for_each_step(grid):
        return
    off = np.flatnonzero(~grid.near)
    texts = ", ".join(write_exactly(timestamps[at]) for at in off[:SHOWN])
    raise FrequencyNotInferred(
        f"The usual step is {frequency.name}, but {len(off)} of {len(timestamps)} timestamps lie off it, such as {texts}.",
        pointer=f"/timestamps/{off[0]}",
        hint=f"Correct these timestamps, or round them to their step; with the frequency {frequency.name!r} they are refused too."
        f"{MOVED_BY_CLOCKS if frequency.unit == 'h' and frequency.multiple > 1 else ''}",
    )


def _has_one_for_each_step(grid: Grid) -> bool:
    """Return whether nearly every step has one timestamp, as of a sensor that is early or late by more than the tolerance."""
    if grid.frequency.nanoseconds is None or len(grid.steps) < FEWEST_WITH_OUTLIER:
        return False
    steps = np.unique(grid.steps)
    return len(steps) >= USUAL * max(len(grid.steps), int(steps[-1] - steps[0]) + 1)


def _has_rare_weekends(timestamps: Timestamps, common: Frequency) -> bool:
    return common.name == "D" and 0 < _weekend_share(timestamps) <= LEAST_WEEKEND


def _weekend_share(timestamps: Timestamps) -> float:
    weekdays = (timestamps.astype("M8[D]").astype(np.int64) + 3) % 7  # day 0 of the epoch was a Thursday
    return float(np.mean(weekdays >= _SATURDAY))
