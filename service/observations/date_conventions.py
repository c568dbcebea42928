"""Date conventions: the steps of a stored series whose frequency nobody stated, and rows that write its periods otherwise."""

import numpy as np
from numpy.typing import NDArray

from models.calendar.frequency import MONTHS_IN, WEEKDAY_NAMES, Frequency
from models.calendar.grid import locate, timestamps_at
from models.calendar.timestamps import Timestamps
from models.irregular.repairs import Repair
from service.observations.calendar_fit import GridFit, written
from service.store.scoring.actuals import DAY_UNITS, dates_of, periods_of

FEWEST = 3
"""Stored timestamps that show how the dates of a series are written; weeks need one more, since few sales may lie so."""
MONTH, DAY, WEEK = Frequency("M"), Frequency("D"), np.timedelta64(7, "D")


def find_convention(clock: Timestamps) -> Frequency | None:
    """Return the steps on which stored timestamps lie: months of one date, one weekday, or days of one time; else None.

    Args:
        clock: Timestamps of both ends of a series, rising, on its own clock.
    """
    days = dates_of(clock)
    if len(clock) < FEWEST or (clock - days != clock[0] - days[0]).any() or not (np.diff(days) > 0).all():
        return None
    months = clock.astype("M8[M]")
    if (np.diff(months) > np.timedelta64(0)).all() and (_is_same_day(days, months) or _is_last_day(days).all()):
        return MONTH
    gaps = np.diff(days)
    if len(clock) > FEWEST and gaps.min() == WEEK and (gaps % WEEK == np.timedelta64(0)).all():
        return Frequency(f"W-{WEEKDAY_NAMES[(int(days[0].astype('M8[D]').astype(np.int64)) + 3) % 7]}")
    return DAY


def has_each_month(clock: Timestamps) -> bool:
    """Return whether the months at both ends of a series follow each other: then it has no longer steps."""
    months = np.diff(clock.astype("M8[M]").astype(np.int64))
    return bool(len(months)) and bool(months[0] == months[-1] == 1)


def match_dates(clock: Timestamps, fit: GridFit, stored: Timestamps) -> Timestamps:
    """Return the steps that rows off the grid mean, shape (rows,), NaT where nobody can say.

    A date without a time is the step of a series of days or weeks on this date. The first or last day of a month, quarter or year
    is the step of this period, if it is one between stored ones.

    Args:
        clock: New timestamps, on the clock of the grid, shape (rows,).
        fit: How they lie on the grid of the series.
        stored: Timestamps of both ends of the series, rising, on that clock.
    """
    found = np.full(len(clock), np.datetime64("NaT"), dtype="M8[us]")
    at = np.flatnonzero(~fit.on_grid & (clock == dates_of(clock)))
    if fit.start is None or not len(stored) or not at.size:
        return found
    if fit.frequency.unit in DAY_UNITS:
        points = clock[at] + (fit.start - fit.start.astype("M8[D]"))
        meant = locate(points, fit.start, fit.frequency)[1]
    elif fit.frequency.unit in MONTHS_IN and fit.frequency.multiple == 1:
        points, meant = _periods(clock[at], fit.start, fit.frequency)
        meant &= (points >= stored[0]) & (points <= stored[-1])
    else:
        return found
    found[at[meant]] = points[meant]
    return found


def matched_repair(clock: Timestamps, points: Timestamps) -> Repair:
    """Return what is said of rows that are read as a step of their series."""
    shown = f"{written(clock[:1])[0]} as {written(points[:1])[0]}"
    what = "1 timestamp is" if len(clock) == 1 else f"{len(clock)} timestamps are"
    detail = f"{what} read as the step of the series in the same period: {shown}."
    return Repair("PERIODS_MATCHED", None, len(clock), detail)


def _periods(dates: Timestamps, start: np.datetime64, step: Frequency) -> tuple[Timestamps, NDArray[np.bool_]]:
    """Return the steps of the periods of dates, and which dates are the first or last day of theirs."""
    periods, day = periods_of(dates, step), np.timedelta64(1, "D")
    points = timestamps_at(start, step, periods - periods_of(np.array([start]), step)[0])
    at_end = (periods_of(dates - day, step) != periods) | (periods_of(dates + day, step) != periods)
    return points, at_end & (periods_of(points, step) == periods)


def _is_same_day(days: Timestamps, months: Timestamps) -> bool:
    since = days - months.astype("M8[us]")
    return bool((since == since[0]).all())


def _is_last_day(days: Timestamps) -> NDArray[np.bool_]:
    tomorrow = days + np.timedelta64(1, "D")
    return np.asarray(tomorrow.astype("M8[M]") != days.astype("M8[M]"))
