"""Grid: timestamps that lie whole steps of a frequency apart, without timezones."""

from collections.abc import Callable
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from models.calendar.frequency import MONTHS_IN, Frequency
from models.calendar.frequency_names import BUSINESS_HOUR, StampPlace
from models.calendar.timestamps import EARLIEST, LATEST, Timestamps
from models.errors import TimestampInvalid, TimestampsOffCalendar

Steps = NDArray[np.int64]
"""Whole steps from the start, shape (length,)."""

_DAY = np.timedelta64(1, "D")
_LONGEST_DAYS = {BUSINESS_HOUR: 4, "B": 3, "D": 1, "W": 7}
"""Upper limit of a step of each unit, in days."""
_DAY_MICROSECONDS = 86_400_000_000
_SAFE_MICROSECONDS = 2**62
"""A span that fits into datetime64[us]."""


def timestamps_at(start: np.datetime64, frequency: Frequency, steps: Steps) -> Timestamps:
    """Return the timestamps that lie `steps`, 0 or more, after `start`, shape of `steps`, datetime64[us].

    Months follow the start: from a first day all are month starts, from a last day all are month ends (31 January, 28
    February, 31 March), from any other day all are that day, clipped in shorter months. With the stamp `exact` a last day
    is kept as a number too; with `business_start` or `business_end` all are the first or last weekday of the month if the
    start is.

    Raises:
        TimestampInvalid: If a timestamp lies outside the years 1 to 9999, or a step is shorter than a microsecond.
        TimestampsOffCalendar: If the frequency is of business days or hours and the start is not one.
    """
    _check_reach(start, frequency, steps)
    timestamps = _walker(frequency)(start, frequency, steps)
    if timestamps.size and not (timestamps.min() >= EARLIEST and timestamps.max() <= LATEST):
        raise _out_of_range(start, frequency)
    return timestamps


def positions(timestamps: Timestamps, frequency: Frequency) -> Steps:
    """Return how many steps each timestamp lies after the first, shape (length,); the inverse of `timestamps_at`.

    Raises:
        TimestampsOffCalendar: If a timestamp does not lie a whole number of steps after the first.
    """
    start = timestamps[0]
    steps, whole = _estimate(timestamps, start, frequency)
    fits = whole & (timestamps_at(start, frequency, steps) == timestamps)
    if not fits.all():
        index = int(np.argmin(fits))
        raise TimestampsOffCalendar(
            f"The timestamp {timestamps[index]} does not lie a whole number of steps of {frequency.name} after {start}.",
            pointer=f"/timestamps/{index}",
            hint=_hint_off(frequency),
        )
    return steps


def _hint_off(frequency: Frequency) -> str:
    """Return what to send where timestamps do not fit: several hours are counted in UTC, so that clocks move them."""
    if frequency.unit == "h" and frequency.multiple > 1:
        return (
            f"Steps of {frequency.name} are counted in UTC, so a change of clocks moves them. Send local times without offset "
            "and timezone, or timestamps that fit the frequency."
        )
    return "Send another frequency, a timezone if clocks changed, or timestamps that fit the frequency."


def fit_frequency(timestamps: Timestamps, frequency: Frequency) -> tuple[Frequency, Steps]:
    """Return the frequency with the stamp that these timestamps have in its periods, and their positions.

    Raises:
        TimestampsOffCalendar: If they do not fit the frequency with any stamp.
    """
    try:
        return frequency, positions(timestamps, frequency)
    except TimestampsOffCalendar:
        for candidate in stamp_variants(frequency)[1:]:
            try:
                return candidate, positions(timestamps, candidate)
            except TimestampsOffCalendar:
                continue
        raise


def locate(timestamps: Timestamps, start: np.datetime64, frequency: Frequency) -> tuple[Steps, NDArray[np.bool_]]:
    """Return the steps from `start` to the grid point at or before each timestamp, and whether the timestamp is that point.

    Timestamps may be in any order, and before the start except for business hours.

    Raises:
        TimestampsOffCalendar: If the frequency is of business days or hours and the start is not one.
        TimestampInvalid: If a step is shorter than a microsecond.
    """
    steps, whole = _estimate(timestamps, start, frequency)
    return steps, whole & (_walker(frequency)(start, frequency, steps) == timestamps)


def nearest(timestamps: Timestamps, start: np.datetime64, frequency: Frequency) -> tuple[Steps, Timestamps]:
    """Return the steps from `start` to the grid point nearest to each timestamp, and these points; raises as `locate`."""
    steps, _ = locate(timestamps, start, frequency)
    points = _walker(frequency)(start, frequency, steps)
    for shift in (1, -1):
        others = _walker(frequency)(start, frequency, steps + shift)
        closer = np.abs(timestamps - others) < np.abs(timestamps - points)
        steps, points = np.where(closer, steps + shift, steps), np.where(closer, others, points)
    return steps, points


def stamp_variants(frequency: Frequency) -> tuple[Frequency, ...]:
    """Return the frequency with each stamp that it may have, its own first."""
    if frequency.unit not in MONTHS_IN:
        return (frequency,)
    others: tuple[StampPlace, ...] = ("end", "exact", "business_end", "business_start")
    return (frequency, *(Frequency(frequency.name, place) for place in others))


def fewest_steps(start: np.datetime64, end: np.datetime64, frequency: Frequency) -> int:
    """Return a lower limit of the steps between two timestamps, without computing them."""
    return int((end - start).astype("m8[us]").astype(np.int64)) // _longest_step(frequency)


def _walk_months(start: np.datetime64, frequency: Frequency, steps: Steps) -> Timestamps:
    first = start.astype("M8[M]")
    months = first + steps * (frequency.multiple * MONTHS_IN[frequency.unit])
    day = start.astype("M8[D]")
    place = month_place(day, frequency.stamp)
    if place == "start":
        days = months.astype("M8[D]")
    elif place == "end":
        days = (months + 1).astype("M8[D]") - _DAY
    elif place == "exact":
        days = np.minimum(months.astype("M8[D]") + (day - first), (months + 1).astype("M8[D]") - _DAY)
    else:
        days = business_month_days(months, place)
    return cast("Timestamps", days.astype("M8[us]") + (start - day))


def month_place(day: np.datetime64, stamp: StampPlace) -> StampPlace:
    """Return the stamp of a series that starts on a day: `stamp` if the day has it, else the day's own place."""
    month = day.astype("M8[M]")
    if stamp in ("business_start", "business_end") and business_month_days(np.array([month]), stamp)[0] == day:
        return stamp
    if day == month.astype("M8[D]"):
        return "start"
    return "end" if stamp != "exact" and (day + _DAY).astype("M8[M]") != month else "exact"


def business_month_days(months: Timestamps, place: StampPlace) -> Timestamps:
    """Return the first or last weekday of each month, datetime64[D]."""
    if place == "business_start":
        return np.busday_offset(months.astype("M8[D]"), 0, roll="forward")
    return np.busday_offset((months + 1).astype("M8[D]") - _DAY, 0, roll="backward")


def _walk_exact(start: np.datetime64, frequency: Frequency, steps: Steps) -> Timestamps:
    return start + steps * np.timedelta64(_microseconds(frequency), "us")


def _walk_business(start: np.datetime64, frequency: Frequency, steps: Steps) -> Timestamps:
    day = start.astype("M8[D]")
    if not np.is_busday(day):
        raise TimestampsOffCalendar(
            f"{start} is not a business day.", pointer="/start", hint="Start on a weekday, or use the frequency 'D'."
        )
    days = np.busday_offset(day, steps * frequency.multiple)
    return cast("Timestamps", days.astype("M8[us]") + (start - day))


def _walk_business_hours(start: np.datetime64, frequency: Frequency, steps: Steps) -> Timestamps:
    if not steps.size:
        return np.array([], dtype="M8[us]")
    skip = int(steps.min())
    return _business_hours(start, frequency, skip, periods=int(steps.max()) - skip + 1)[steps - skip]


def _business_hours(start: np.datetime64, frequency: Frequency, skip: int = 0, **until: Any) -> Timestamps:  # noqa: ANN401
    """Return all business hours after the first `skip`, up to pandas' `end` or as many as its `periods`."""
    import pandas as pd  # takes 0.5 s, so only when needed

    offset = pd.tseries.frequencies.to_offset(frequency.name)
    first = pd.Timestamp(start)
    try:
        if offset.is_on_offset(first):
            first = first + skip * offset if skip else first
            return cast("Timestamps", pd.date_range(first, freq=offset, unit="us", **until).to_numpy())
    except (ValueError, OverflowError) as error:  # pandas computes with Python's datetime, which ends in 9999
        raise _out_of_range(start, frequency) from error
    raise TimestampsOffCalendar(
        f"{start} is not a business hour.",
        pointer="/start",
        hint="Start on a weekday from 9 to 17, or use the frequency 'h'.",
    )


def _walker(frequency: Frequency) -> Callable[[np.datetime64, Frequency, Steps], Timestamps]:
    if frequency.unit in MONTHS_IN:
        return _walk_months
    if frequency.unit == BUSINESS_HOUR:
        return _walk_business_hours
    return _walk_business if frequency.unit == "B" else _walk_exact


def _estimate(timestamps: Timestamps, start: np.datetime64, frequency: Frequency) -> tuple[Steps, NDArray[np.bool_]]:
    """Return the steps at or before each timestamp, and whether they are whole as far as the unit shows."""
    if frequency.unit == BUSINESS_HOUR:
        grid = _business_hours(start, frequency, end=timestamps.max())
        found = np.searchsorted(grid, timestamps)
        return found, found < len(grid)
    if frequency.unit in MONTHS_IN:
        months = (timestamps.astype("M8[M]") - start.astype("M8[M]")).astype(np.int64)
        steps, rest = np.divmod(months, frequency.multiple * MONTHS_IN[frequency.unit])
    elif frequency.unit == "B":
        days = np.busday_count(start.astype("M8[D]"), timestamps.astype("M8[D]"))
        steps, rest = np.divmod(days, frequency.multiple)
    else:
        steps, rest = np.divmod((timestamps - start).astype(np.int64), _microseconds(frequency))
    return steps, rest == 0


def _microseconds(frequency: Frequency) -> int:
    if frequency.nanoseconds is None:
        return frequency.multiple * _LONGEST_DAYS[frequency.unit] * _DAY_MICROSECONDS
    step, rest = divmod(frequency.nanoseconds, 1000)
    if rest:
        raise TimestampInvalid(
            f"Timestamps have no steps of {frequency.name}.",
            pointer="/frequency",
            hint="The shortest step with dates is a microsecond. Leave out the dates.",
        )
    return step


def _check_reach(start: np.datetime64, frequency: Frequency, steps: Steps) -> None:
    """Raise TimestampInvalid if the last step could overflow datetime64; Python's integers cannot overflow."""
    reach = int(steps.max()) if steps.size else 0
    if reach * _longest_step(frequency) > _SAFE_MICROSECONDS or not EARLIEST <= start <= LATEST:
        raise _out_of_range(start, frequency)


def _longest_step(frequency: Frequency) -> int:
    """Return an upper limit of a step in microseconds, at least 1."""
    if frequency.nanoseconds is not None:
        return -(-frequency.nanoseconds // 1000)
    months = MONTHS_IN.get(frequency.unit)
    days = 31 * months if months else _LONGEST_DAYS[frequency.unit]
    return frequency.multiple * days * _DAY_MICROSECONDS


def _out_of_range(start: np.datetime64, frequency: Frequency) -> TimestampInvalid:
    return TimestampInvalid(
        f"Steps of {frequency.name} from {start} leave the years 1 to 9999.",
        pointer="/start",
        hint="Send a start or a horizon that stays within them.",
    )
