"""Grid: the timestamps that lie whole steps of a frequency apart, on wall clocks without timezones."""

from collections.abc import Callable
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from models.calendar.frequency import EXOTIC, MONTHS_IN, Frequency, StampPlace
from models.calendar.timestamps import EARLIEST, LATEST, Timestamps
from models.errors import TimestampInvalid, TimestampsOffCalendar

Steps = NDArray[np.int64]
"""Whole steps from the start, shape (length,)."""

_DAY = np.timedelta64(1, "D")
_LONGEST_DAYS = {"SM": 17, "WOM": 36, "LWOM": 36, "bh": 4, "RE": 372, "REQ": 99, "B": 3, "D": 1, "W": 7}
"""No step of the unit is longer than so many days."""
_DAY_MICROSECONDS = 86_400_000_000
_SAFE_MICROSECONDS = 2**62
"""A span that datetime64[us] can hold for certain."""


def walk(start: np.datetime64, frequency: Frequency, steps: Steps) -> Timestamps:
    """Return the timestamps that lie `steps`, 0 or more, after `start`, shape of `steps`, datetime64[us].

    Months follow the start: from the first day they stay at month starts, from the last at month ends (31 January, 28
    February, 31 March), from another on that day, clipped where a month is shorter. A frequency stamped `exact` keeps
    the day from the last day too; one stamped `business_start` or `business_end` keeps to the first or last weekday of
    the month if the start lies there.

    Raises:
        TimestampInvalid: If a timestamp lies outside the years 1 to 9999, or a step is no whole microsecond.
        TimestampsOffCalendar: If the start lies on no business day though the frequency does.
    """
    _check_reach(start, frequency, steps)
    timestamps = _walker(frequency)(start, frequency, steps)
    if timestamps.size and not (timestamps.min() >= EARLIEST and timestamps.max() <= LATEST):
        raise _out_of_range(start, frequency)
    return timestamps


def positions(timestamps: Timestamps, frequency: Frequency) -> Steps:
    """Return how many steps each timestamp lies after the first, shape (length,); the inverse of `walk`.

    Raises:
        TimestampsOffCalendar: If a timestamp is no whole number of steps away from the first.
    """
    start = timestamps[0]
    steps, whole = _estimate(timestamps, start, frequency)
    fits = whole & (walk(start, frequency, steps) == timestamps)
    if not fits.all():
        index = int(np.argmin(fits))
        raise TimestampsOffCalendar(
            f"The timestamp {timestamps[index]} is no whole number of steps of {frequency.name} after {start}.",
            pointer=f"/timestamps/{index}",
            hint="Send another frequency, a timezone if clocks changed, or timestamps that lie on the frequency.",
        )
    return steps


def fit(timestamps: Timestamps, frequency: Frequency) -> tuple[Frequency, Steps]:
    """Return the frequency, stamped as these timestamps lie in its periods, and their positions.

    Raises:
        TimestampsOffCalendar: If they lie on the frequency in no way.
    """
    try:
        return frequency, positions(timestamps, frequency)
    except TimestampsOffCalendar:
        for candidate in places_of(frequency)[1:]:
            try:
                return candidate, positions(timestamps, candidate)
            except TimestampsOffCalendar:
                continue
        raise


def lying(timestamps: Timestamps, start: np.datetime64, frequency: Frequency) -> tuple[Steps, NDArray[np.bool_]]:
    """Return the steps from `start` to the grid's timestamp at or before each, and whether it is that timestamp itself.

    Timestamps may be in any order, and lie before the start unless only pandas knows the frequency.

    Raises:
        TimestampsOffCalendar: If the start is no business day though the frequency has such.
        TimestampInvalid: If a step is no whole microsecond.
    """
    steps, whole = _estimate(timestamps, start, frequency)
    return steps, whole & (_walker(frequency)(start, frequency, steps) == timestamps)


def places_of(frequency: Frequency) -> tuple[Frequency, ...]:
    """Return the frequency with each place in its periods that timestamps may have, its own first."""
    return (frequency, *(Frequency(frequency.name, place) for place in _other_places(frequency)))


def _other_places(frequency: Frequency) -> tuple[StampPlace, ...]:
    if frequency.unit == "SM":
        return ("start", "end")
    return ("end", "exact", "business_end", "business_start") if frequency.unit in MONTHS_IN else ()


def fewest_steps(start: np.datetime64, end: np.datetime64, frequency: Frequency) -> int:
    """Return a number of steps that surely lie between two timestamps, without making them."""
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
    """Return where in its month a day lies, as far as `stamp` leaves that open."""
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
            f"{start} is no business day.", pointer="/start", hint="Start on a weekday, or send the frequency 'D'."
        )
    days = np.busday_offset(day, steps * frequency.multiple)
    return cast("Timestamps", days.astype("M8[us]") + (start - day))


def _walk_exotic(start: np.datetime64, frequency: Frequency, steps: Steps) -> Timestamps:
    if not steps.size:
        return np.array([], dtype="M8[us]")
    skip = int(steps.min())
    return _exotic_grid(start, frequency, skip, periods=int(steps.max()) - skip + 1)[steps - skip]


def _exotic_grid(start: np.datetime64, frequency: Frequency, skip: int = 0, **until: Any) -> Timestamps:  # noqa: ANN401
    """Return all timestamps after the first `skip`, up to pandas' `end` or as many as its `periods`."""
    pandas, offset = _pandas(), _offset(frequency)
    first = pandas.Timestamp(start)
    try:
        if offset.is_on_offset(first):
            first = first + skip * offset if skip else first
            return cast("Timestamps", pandas.date_range(first, freq=offset, unit="us", **until).to_numpy())
    except (ValueError, OverflowError) as error:  # its offsets reckon with Python's datetime, which ends in 9999
        raise _out_of_range(start, frequency) from error
    raise TimestampsOffCalendar(
        f"{start} does not lie on {frequency.name}.", pointer="/start", hint="Start on the frequency."
    )


def _walker(frequency: Frequency) -> Callable[[np.datetime64, Frequency, Steps], Timestamps]:
    if frequency.unit in MONTHS_IN:
        return _walk_months
    if frequency.unit in EXOTIC:
        return _walk_exotic
    return _walk_business if frequency.unit == "B" else _walk_exact


def _estimate(timestamps: Timestamps, start: np.datetime64, frequency: Frequency) -> tuple[Steps, NDArray[np.bool_]]:
    """Return the steps nearest below each timestamp, and whether they are whole as far as the unit tells."""
    if frequency.unit in EXOTIC:
        grid = _exotic_grid(start, frequency, end=timestamps.max())
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
            f"Timestamps cannot be told apart at {frequency.name}.",
            pointer="/frequency",
            hint="The finest step with dates is a microsecond; leave out the dates.",
        )
    return step


def _check_reach(start: np.datetime64, frequency: Frequency, steps: Steps) -> None:
    """Refuse what would overflow datetime64, in integers that cannot."""
    reach = int(steps.max()) if steps.size else 0
    if reach * _longest_step(frequency) > _SAFE_MICROSECONDS or not EARLIEST <= start <= LATEST:
        raise _out_of_range(start, frequency)


def _longest_step(frequency: Frequency) -> int:
    """Return microseconds that no step of the frequency exceeds, at least 1."""
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


def _offset(frequency: Frequency) -> Any:  # noqa: ANN401 - pandas is imported when met
    name = frequency.name
    if frequency.unit == "SM":
        day = frequency.anchor or "15"
        name = f"{frequency.multiple}{'SMS' if frequency.stamp == 'start' else 'SME'}-{day}"
    return _pandas().tseries.frequencies.to_offset(name)


def _pandas() -> Any:  # noqa: ANN401 - pandas is imported when met: it costs half a second
    import pandas as pd

    return pd
