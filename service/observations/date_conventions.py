"""Date conventions: rows that write the periods of a stored series by another date, or its days without a time."""

import numpy as np

from models.calendar.frequency import MONTHS_IN, Frequency
from models.calendar.grid import Steps, locate, timestamps_at
from models.calendar.timestamps import Timestamps
from models.irregular.repairs import Repair
from service.observations.calendar_fit import GridFit, Mask, written
from service.store.scoring.actuals import DAY_UNITS, dates_of, periods_of

FEWEST = 4
"""Stored timestamps that show how the dates of a series without a frequency are written; of months so many at each end."""
NO_STEP = np.datetime64("NaT", "us")


def find_stored(stamps: Timestamps, months: Timestamps) -> tuple[Timestamps, str]:
    """Return the stored timestamps of a series without a frequency that other dates may mean, and their unit: "M" or "D".

    Args:
        stamps: `KnownSeries.stamps`, on the clock of the series.
        months: `KnownSeries.months`, on that clock.
    """
    if _are_months(months):
        return months, "M"
    return stamps if _are_days(stamps) else stamps[:0], "D"


def match_stored(clock: Timestamps, is_date: Mask, stored: Timestamps, unit: str) -> Timestamps:
    """Return the stored timestamps that rows of a series without a frequency seem to revise, shape (rows,), NaT for others.

    The other end of a stored month may be this month, the last day of the month after those of a series of first days the next
    one, and a date without a time is the stored timestamp on this date. All other rows have to be written as the stored ones are, and none may be a stored timestamp that another row means: else the
    rows show that the series has other steps, and none is matched.

    Args:
        clock: New timestamps, on the clock of the series, shape (rows,).
        is_date: Which of them were written without a time, shape (rows,).
        stored: From `find_stored`, at least one.
        unit: From `find_stored`.
    """
    found, midnights = np.full(len(clock), NO_STEP), clock == dates_of(clock)
    are_firsts = unit == "M" and bool(_is_first_day(stored).all())
    if unit == "M":
        is_like = midnights & (_is_first_day(clock) if are_firsts else _is_last_day(clock))
        meant = midnights & (_is_first_day(clock) | _is_last_day(clock))
    else:
        is_like = clock - dates_of(clock) == stored[0] - dates_of(stored[:1])
        meant = midnights & is_date
    periods, wanted = stored.astype(f"M8[{unit}]"), clock.astype(f"M8[{unit}]")
    at = np.isin(wanted, periods)
    if are_firsts:
        at |= _are_next(wanted.astype(np.int64), is_like | meant, periods.astype(np.int64))
    meant &= ~is_like & at
    points = wanted[meant].astype("M8[us]") if are_firsts else stored[np.searchsorted(periods, wanted[meant])]
    if (is_like | meant).all() and not np.isin(points, clock).any():
        found[meant] = points
    return found


def match_dates(clock: Timestamps, fit: GridFit, stored: Timestamps) -> Timestamps:
    """Return the steps that rows off the grid mean, shape (rows,), NaT where nobody can say.

    A date without a time is the step of a series of days or weeks on this date. The first or last day of a month, quarter or year
    is the step of this period, if it is one between stored ones; so is the last day of a period beside them, if the series has the
    first days.

    Args:
        clock: New timestamps, on the clock of the grid, shape (rows,).
        fit: How they lie on the grid of the series.
        stored: Timestamps of both ends of the series, rising, on that clock.
    """
    found = np.full(len(clock), NO_STEP)
    at = np.flatnonzero(~fit.on_grid & (clock == dates_of(clock)))
    if fit.start is None or not len(stored) or not at.size:
        return found
    if fit.frequency.unit in DAY_UNITS:
        points = clock[at] + (fit.start - fit.start.astype("M8[D]"))
        meant = locate(points, fit.start, fit.frequency)[1]
    elif fit.frequency.unit in MONTHS_IN and fit.frequency.multiple == 1:
        points, meant = _periods(clock[at], fit.start, fit.frequency)
        periods, known = (periods_of(one, fit.frequency) for one in (clock, stored))
        is_step = fit.on_grid.copy()
        is_step[at[meant]] = True
        is_first = periods_of(points - np.timedelta64(1, "D"), fit.frequency) != periods[at]
        is_next = _are_next(periods, is_step, known)[at] & is_first & (points < clock[at])
        meant &= is_next | ((points >= stored[0]) & (points <= stored[-1]))
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


def _periods(dates: Timestamps, start: np.datetime64, step: Frequency) -> tuple[Timestamps, Mask]:
    """Return the steps of the periods of dates, and which dates are the first or last day of theirs."""
    periods, day = periods_of(dates, step), np.timedelta64(1, "D")
    points = timestamps_at(start, step, periods - periods_of(np.array([start]), step)[0])
    at_end = (periods_of(dates - day, step) != periods) | (periods_of(dates + day, step) != periods)
    return points, at_end & (periods_of(points, step) == periods)


def _are_next(periods: Steps, is_step: Mask, stored: Steps) -> Mask:
    """Return which periods follow the last stored one, or lead to the first, without one that is neither stored nor a row's.

    Args:
        periods: Of new timestamps, shape (rows,).
        is_step: Which of them are steps of the series, shape (rows,).
        stored: Periods of stored timestamps.
    """
    distinct, found = np.unique(periods[is_step]), np.zeros(len(periods), dtype=np.bool_)
    for away, new in (
        (distinct - stored.max(), periods - stored.max()),
        (stored.min() - distinct, stored.min() - periods),
    ):
        after = np.sort(away[away > 0])
        reached = np.logical_and.accumulate(after == 1 + np.arange(len(after))).sum()
        found |= (new > 0) & (new <= reached)
    return found


def _are_months(stored: Timestamps) -> bool:
    """Return whether stored timestamps are the first or the last days of months that follow each other at both ends."""
    if len(stored) < FEWEST:
        return False
    gaps = np.diff(stored.astype("M8[M]").astype(np.int64))
    if (np.r_[gaps[: FEWEST - 1], gaps[1 - FEWEST :]] != 1).any():
        return False
    is_one_end = bool(_is_first_day(stored).all()) or bool(_is_last_day(stored).all())
    return is_one_end and bool((stored == dates_of(stored)).all())


def _are_days(stored: Timestamps) -> bool:
    """Return whether stored timestamps are different dates at one time of day other than midnight."""
    days = dates_of(stored)
    if len(stored) < FEWEST or stored[0] == days[0]:
        return False
    return bool((stored - days == stored[0] - days[0]).all() and (np.diff(days) > np.timedelta64(0)).all())


def _is_first_day(stamps: Timestamps) -> Mask:
    return np.asarray(stamps.astype("M8[D]") == stamps.astype("M8[M]"))


def _is_last_day(stamps: Timestamps) -> Mask:
    return _is_first_day(stamps + np.timedelta64(1, "D"))
