"""Closed hours: times of the week at which a series never has a value, such as nights and weekends of an office, or Sundays."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.calendar.timestamps import Timestamps, to_local_times
from models.errors import Finding
from models.series import Series

LEAST_CLOSED, LEAST_FILLED = 0.2, 0.6
"""Share of the week that is closed, and share of the open steps that have a value, from which on there are opening hours."""

FEWEST_DAYS, FEWEST_WEEKS = 7, 3
"""Days and weeks in which nothing was observed at a time of the day, or on a weekday, before it counts as closed."""

LEAST_CLOSED_DAYS, LEAST_FILLED_DAYS, FEWEST_WEEKS_OF_DAYS = 1 / 7, 0.8, 5
"""The same of days: a weekday has few of them, and one of a series with random gaps must not count as closed."""

_OF_HOURS = LEAST_CLOSED, LEAST_FILLED, FEWEST_WEEKS
_OF_DAYS = LEAST_CLOSED_DAYS, LEAST_FILLED_DAYS, FEWEST_WEEKS_OF_DAYS

ROUNDING = 0.02
"""Share of the missing days that the ends of a history may lack."""

_MINUTE, _DAY = 60_000_000, 86_400_000_000
_NAMES = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@dataclass(frozen=True, slots=True, eq=False)
class ClosedHours:
    """Which of the forecast's steps lie in closed hours.

    Attributes:
        steps: True for a closed step, shape (horizon,); perhaps all.
        warning: Names the opening hours.
    """

    steps: NDArray[np.bool_]
    warning: Finding


def find_closed(series: Series, future: Timestamps | None) -> ClosedHours | None:
    """Return which future steps lie in hours at which the series has never had a value; None without opening hours.

    Args:
        series: The history; only days and shorter steps can be closed.
        future: Timestamps of the forecast, on the clock of the series.
    """
    step = _step_of(series)
    past = None if future is None or step is None else series.timestamps
    if future is None or step is None or past is None:
        return None
    days, slots = _places(past, series.timezone, step)
    open_ = _open_cells(days, slots, ~np.isnan(series.values), _DAY // step)
    if open_ is None:
        return None
    later_days, later_slots = _places(future, series.timezone, step)
    closed = ~open_[(later_days + 3) % 7, later_slots]
    if not closed.any():
        return None
    return ClosedHours(closed, _warning(open_, closed, step))


def steps_to_reach(series: Series, horizon: int) -> int:
    """Return how many steps ahead the last of `horizon` steps within opening hours lies; `horizon` without such hours.

    A series with covariates that are known ahead reaches as far as these. At most eight times the horizon and two weeks are
    returned: a series with few opening hours has fewer open steps then.
    """
    step = _step_of(series)
    past = None if step is None or series.future_covariates else series.timestamps
    if step is None or past is None:
        return horizon
    per_day = _DAY // step
    open_ = _open_cells(*_places(past, series.timezone, step), ~np.isnan(series.values), per_day)
    if open_ is None:
        return horizon
    future = series.future(8 * horizon + 14 * per_day)
    if future is None:
        return horizon
    days, slots = _places(future, series.timezone, step)
    reached = np.flatnonzero(open_[(days + 3) % 7, slots])[:horizon]
    return max(int(reached[-1]) + 1, horizon) if len(reached) else horizon


def has_hours(series: Series) -> bool:
    """Return whether a series has opening hours, so that a missing step is not one without events."""
    step = _step_of(series)
    past = None if step is None else series.timestamps
    if step is None or past is None:
        return False
    return _open_cells(*_places(past, series.timezone, step), ~np.isnan(series.values), _DAY // step) is not None


def _step_of(series: Series) -> int | None:
    """Return the step in microseconds, or None if it does not divide a day or too few values are missing."""
    frequency = series.frequency
    if frequency is None or (frequency.name != "D" and frequency.nanoseconds is None):
        return None
    missing = np.count_nonzero(np.isnan(series.values)) / len(series)
    if frequency.nanoseconds is None:
        return _DAY if missing >= LEAST_CLOSED_DAYS - ROUNDING else None
    step = frequency.nanoseconds // 1000
    return step if missing >= LEAST_CLOSED and step >= _MINUTE and _DAY % step == 0 else None


def _places(stamps: Timestamps, timezone: str | None, step: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the local day, counted from 1970, and the slot in the day of each timestamp."""
    walls = (stamps if timezone is None else to_local_times(stamps, timezone)).astype(np.int64)
    days, rest = np.divmod(walls, _DAY)
    return days, rest // step


def _open_cells(
    days: NDArray[np.int64], slots: NDArray[np.int64], known: NDArray[np.bool_], per_day: int
) -> NDArray[np.bool_] | None:
    """Return which weekdays and slots are open, shape (7, slots of a day); None if values do not keep to such hours."""
    if days[-1] - days[0] < FEWEST_DAYS:
        return None
    weekdays = (days + 3) % 7  # day 0 of the epoch was a Thursday
    cell = weekdays * per_day + slots
    seen = np.bincount(cell, minlength=7 * per_day).reshape(7, per_day)
    filled = np.bincount(cell[known], minlength=7 * per_day).reshape(7, per_day)
    never = filled == 0
    least_closed, least_filled, weeks = _OF_HOURS if per_day > 1 else _OF_DAYS
    closed = never & (never.all(axis=0)[None, :] | (seen >= weeks))
    if closed.mean() < least_closed or filled.sum() < least_filled * seen[~closed].sum():
        return None
    return np.asarray(~closed)


def _warning(open_: NDArray[np.bool_], closed: NDArray[np.bool_], step: int) -> Finding:
    weekdays = np.flatnonzero(open_.any(axis=1))
    if step == _DAY:
        return Finding(
            "DAYS_CLOSED", f"The series has values only on {_days(weekdays)}: {_left_out(closed)}", "/horizon"
        )
    first, last = _hours(np.asarray(open_.any(axis=0)))
    hours = f"from {_clock(first * step)} to {_clock((last + 1) * step)}"
    return Finding(
        "HOURS_CLOSED", f"The series has values only {hours}, {_days(weekdays)}: {_left_out(closed)}", "/horizon"
    )


def _left_out(closed: NDArray[np.bool_]) -> str:
    count = int(closed.sum())
    if closed.all():
        return f"all {count} steps lie outside and are left out; ask for a longer horizon."
    return f"{count} of {len(closed)} steps lie outside and are left out; {len(closed) - count} are forecast."


def _hours(slots: NDArray[np.bool_]) -> tuple[int, int]:
    """Return the first and the last open slot of the day: the longest closed time lies after the last, perhaps at midnight."""
    found = np.flatnonzero(slots)
    closed = np.diff(found, append=found[0] + len(slots))
    at = len(found) - 1 - int(np.argmax(closed[::-1]))
    return int(found[(at + 1) % len(found)]), int(found[at])


def _days(weekdays: NDArray[np.int64]) -> str:
    names = [_NAMES[day] for day in weekdays.tolist()]
    if len(names) == len(_NAMES):
        return "every day"
    run = weekdays[-1] - weekdays[0] == len(weekdays) - 1 and len(weekdays) > 2  # noqa: PLR2004 - two are listed
    return f"{names[0]} to {names[-1]}" if run else ", ".join(names)


def _clock(microseconds: int) -> str:
    minutes = microseconds // 60_000_000
    return f"{minutes // 60:02d}:{minutes % 60:02d}"
