"""Fitting: which timestamps of a series lie on its calendar, and which lie nowhere near the others."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.calendar.frequency import EXOTIC, Frequency
from models.calendar.grid import Steps, lying, places_of, walk
from models.calendar.on_calendar import format_timestamps, on_calendar
from models.calendar.timestamps import STYLES, Timestamps
from models.errors import TimestampInvalid, TimestampsOffCalendar
from models.series import DEFAULT_STYLE, MOST_STEPS, MOST_STEPS_A_VALUE

FAR = np.timedelta64(36_525, "D")
"""A hundred years: no pause of a series is so long, and most slips of a year's digits are longer."""

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class GridFit:
    """How timestamps lie on the grid that most of a series has.

    Attributes:
        lies: Which of them lie on it, shape (rows,).
        far: Which of those lie so far from the rest that a slip is likelier than a pause, shape (rows,).
        start: A timestamp of the grid, on the clock that its steps are even on; None where nothing was asked.
        frequency: Its steps.
        stored: Whether what is stored lies on one grid itself.
    """

    lies: Mask
    far: Mask
    start: np.datetime64 | None
    frequency: Frequency
    stored: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class _Grid:
    """A grid that may be the series'."""

    start: np.datetime64
    frequency: Frequency
    steps: Steps
    lies: Mask


def fit_to(frequency: Frequency, timezone: str | None, stored: Timestamps, stamps: Timestamps) -> GridFit:
    """Return how timestamps lie on the grid of what is stored, or where nothing is, on the one that most of them share.

    Steps that only pandas knows, and those below a microsecond, are not judged.

    Args:
        frequency: Steps of the series.
        timezone: IANA name, where the timestamps are instants.
        stored: Of values that are there, rising; a few of each end will do.
        stamps: Of those that come, in any order, shape (rows,), at least one.
    """
    clock = on_calendar(np.concatenate([stored, stamps]), frequency, timezone)
    best: _Grid | None = None
    for grid in _grids(frequency, clock, len(stored)):
        if best is None or _votes(grid, len(stored)) > _votes(best, len(stored)):
            best = grid
        if best.lies.all():
            break
    if best is None:
        everything = np.ones(len(stamps), dtype=np.bool_)
        return GridFit(everything, ~everything, None, frequency)
    new = slice(len(stored), None)
    lies = best.lies[new]
    return GridFit(
        lies, lies & _far(best, clock, len(stored)), best.start, best.frequency, bool(best.lies[: len(stored)].all())
    )


def neighbours(fit: GridFit, stamp: np.datetime64) -> list[str]:
    """Return the steps of the grid before and after a timestamp on its clock, as text."""
    if fit.start is None:
        return []
    steps, _ = lying(np.array([stamp]), fit.start, fit.frequency)
    try:
        return written(walk(fit.start, fit.frequency, steps + np.arange(2)))
    except (TimestampInvalid, TimestampsOffCalendar):
        return []


def written(clock: Timestamps) -> list[str]:
    """Return timestamps of one clock as text, without midnights where all have them."""
    days = bool((clock == clock.astype("M8[D]")).all())
    return format_timestamps(clock, DEFAULT_STYLE if days else STYLES[5])


def _grids(frequency: Frequency, clock: Timestamps, stored: int) -> Iterator[_Grid]:
    """Yield the grids of a few timestamps, in each place that they may have in their periods."""
    if frequency.unit in EXOTIC or not _is_told_apart(frequency):
        return
    ordered = np.sort(clock[:stored] if stored else clock)
    for start in dict.fromkeys([ordered[0], ordered[len(ordered) // 2], ordered[-1]]):
        for place in places_of(frequency):
            try:
                yield _Grid(start, place, *lying(clock, start, place))
            except TimestampsOffCalendar:  # a weekend begins no grid of business days
                break


def _is_told_apart(frequency: Frequency) -> bool:
    return frequency.nanoseconds is None or frequency.nanoseconds % 1_000 == 0


def _votes(grid: _Grid, stored: int) -> tuple[int, int]:
    """Return how many of the stored timestamps lie on a grid, and how many of all."""
    return int(grid.lies[:stored].sum()), int(grid.lies.sum())


def _far(grid: _Grid, clock: Timestamps, stored: int) -> Mask:
    """Return which of the new timestamps lie far from what is stored, or from the middle of themselves."""
    steps, times = grid.steps[stored:], clock[stored:]
    known = np.flatnonzero(grid.lies[:stored])
    if known.size:
        first, last = known[0], known[-1]
    else:
        among = np.flatnonzero(grid.lies)
        first = last = among[np.argsort(grid.steps[among], kind="stable")[len(among) // 2]]
    span = int(grid.steps[last] - grid.steps[first])
    away = np.maximum(grid.steps[first] - steps, steps - grid.steps[last])
    ago = np.maximum(clock[first] - times, times - clock[last])
    return np.asarray((away > MOST_STEPS + MOST_STEPS_A_VALUE * (span + len(times))) & (ago > FAR))
