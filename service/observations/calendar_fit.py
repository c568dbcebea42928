"""Calendar fit: which timestamps of a series lie on its grid of steps, and which lie too far from the others."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.calendar.alignment import best_grid, tolerance_of
from models.calendar.frequency import Frequency
from models.calendar.frequency_names import BUSINESS_HOUR
from models.calendar.grid import Steps, locate, nearest, stamp_variants, timestamps_at
from models.calendar.timestamps import STYLES, Timestamps
from models.calendar.zoned_grid import calendar_clock, format_timestamps
from models.errors import TimestampInvalid, TimestampsOffCalendar
from models.irregular.grid_placement import MOST_STEPS, MOST_STEPS_A_VALUE
from models.series import DEFAULT_STYLE

MAX_DISTANCE = np.timedelta64(36_525, "D")
"""A hundred years: longer than a pause of a series, shorter than most typing errors in a year."""

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class GridFit:
    """The grid of a series, and how timestamps lie on it.

    Attributes:
        on_grid: Which timestamps lie on the grid, or so near that they are meant to, shape (rows,).
        points: Their steps on the clock of the grid, shape (rows,); other timestamps as they are.
        too_far: Which of those lie so far from the others that a typing error is likelier than a pause, shape (rows,).
        start: A timestamp of the grid, on the clock on which its steps are even; None if the grid is not checked.
        frequency: Its steps.
    """

    on_grid: Mask
    points: Timestamps
    too_far: Mask
    start: np.datetime64 | None
    frequency: Frequency


@dataclass(frozen=True, slots=True, eq=False)
class _Grid:
    """A candidate grid, the steps of all timestamps on it, and which of them lie on it."""

    start: np.datetime64
    frequency: Frequency
    steps: Steps
    on_grid: Mask


def fit_to(frequency: Frequency, timezone: str | None, stored: Timestamps, stamps: Timestamps) -> GridFit:
    """Return how new timestamps lie on the grid of the stored ones, or without stored ones on the grid of the most.

    Some units that only pandas has, and steps below a microsecond, are not checked.

    Args:
        frequency: Steps of the series.
        timezone: IANA name if the timestamps are instants.
        stored: Timestamps of stored values, rising; a few of each end are enough.
        stamps: New timestamps in any order, shape (rows,), at least one.
    """
    clock = calendar_clock(np.concatenate([stored, stamps]), frequency, timezone)
    best: _Grid | None = None
    for grid in _grids(frequency, clock, len(stored)):
        if best is None or _votes(grid, len(stored)) > _votes(best, len(stored)):
            best = grid
        if best.on_grid.all():
            break
    if best is None:
        unchecked = np.ones(len(stamps), dtype=np.bool_)
        return GridFit(unchecked, clock[len(stored) :], ~unchecked, None, frequency)
    best, points = (best, clock) if best.on_grid.all() else _snap(best, clock, len(stored))
    on_grid = best.on_grid[len(stored) :]
    too_far = on_grid & _too_far(best, clock, len(stored))
    return GridFit(on_grid, points[len(stored) :], too_far, best.start, best.frequency)


def _snap(exact: _Grid, clock: Timestamps, stored: int) -> tuple[_Grid, Timestamps]:
    """Return the grid with the timestamps near to it, and all timestamps with these on their steps."""
    known = np.unique(clock[:stored] if stored else clock)
    around = best_grid(known, exact.frequency)
    start, frequency = exact.start, exact.frequency
    if around is not None and around.has_few_outliers:
        start, frequency = around.start, around.frequency
    steps, points = nearest(clock, start, frequency)
    near = np.abs(clock - points) <= tolerance_of(frequency)
    if near.sum() <= exact.on_grid.sum():
        return exact, clock
    return _Grid(start, frequency, steps, near), np.where(near, points, clock)


def neighbours(fit: GridFit, stamp: np.datetime64) -> list[str]:
    """Return the steps before and after a timestamp as text, on the clock of the grid."""
    if fit.start is None:
        return []
    steps, _ = locate(np.array([stamp]), fit.start, fit.frequency)
    try:
        return written(timestamps_at(fit.start, fit.frequency, steps + np.arange(2)))
    except (TimestampInvalid, TimestampsOffCalendar):
        return []


def written(clock: Timestamps) -> list[str]:
    """Return timestamps as text: dates if all are midnights, else times."""
    days = bool((clock == clock.astype("M8[D]")).all())
    return format_timestamps(clock, DEFAULT_STYLE if days else STYLES[5])


def _grids(frequency: Frequency, clock: Timestamps, stored: int) -> Iterator[_Grid]:
    """Yield candidate grids through the first, middle and last timestamp, with each place they can have in a period."""
    if frequency.unit == BUSINESS_HOUR or not _is_checkable(frequency):
        return
    ordered = np.sort(clock[:stored] if stored else clock)
    for start in dict.fromkeys([ordered[0], ordered[len(ordered) // 2], ordered[-1]]):
        for place in stamp_variants(frequency):
            try:
                yield _Grid(start, place, *locate(clock, start, place))
            except TimestampsOffCalendar:  # no grid of business days starts on a weekend
                break


def _is_checkable(frequency: Frequency) -> bool:
    return frequency.nanoseconds is None or frequency.nanoseconds % 1_000 == 0


def _votes(grid: _Grid, stored: int) -> tuple[int, int]:
    """Return how many of the stored timestamps lie on a grid, and how many of all."""
    return int(grid.on_grid[:stored].sum()), int(grid.on_grid.sum())


def _too_far(grid: _Grid, clock: Timestamps, stored: int) -> Mask:
    """Return which new timestamps lie too far from the stored ones, or without stored ones from their own middle."""
    steps, times = grid.steps[stored:], clock[stored:]
    known = np.flatnonzero(grid.on_grid[:stored])
    if known.size:
        first, last = known[0], known[-1]
    else:
        among = np.flatnonzero(grid.on_grid)
        first = last = among[np.argsort(grid.steps[among], kind="stable")[len(among) // 2]]
    span = int(grid.steps[last] - grid.steps[first])
    away = np.maximum(grid.steps[first] - steps, steps - grid.steps[last])
    ago = np.maximum(clock[first] - times, times - clock[last])
    return np.asarray((away > MOST_STEPS + MOST_STEPS_A_VALUE * (span + len(times))) & (ago > MAX_DISTANCE))
