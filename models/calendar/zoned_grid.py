"""Zoned grid: the timestamps of a frequency with timezones, their distances and their positions in a season."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from models.calendar.frequency import MONTH_NAMES, Frequency, parse_frequency
from models.calendar.frequency_inference import infer_frequency
from models.calendar.frequency_names import BUSINESS_HOUR, StampPlace
from models.calendar.grid import positions, timestamps_at
from models.calendar.timestamps import (
    Stamp,
    Timestamps,
    format_timestamps,
    parse_timestamp,
    to_instants,
    to_local_times,
)

__all__ = [
    "Frequency",
    "Stamp",
    "StampPlace",
    "Timestamps",
    "format_timestamps",
    "infer_frequency",
    "parse_frequency",
    "parse_timestamp",
    "season_position",
    "steps_between",
    "timestamps_from",
]

_HOUR = 3_600_000_000
FEW = 128
"""Timestamps that are remembered for the next series of the same dates."""
_CYCLES = (60_000_000, _HOUR, 24 * _HOUR, 7 * 24 * _HOUR)
"""Microseconds in a minute, an hour, a day and a week, the cycles of frequencies below a day."""
_MONDAY = np.datetime64("0001-01-01", "us")
_OPENING_HOUR = 9
"""pandas' business hours are 9 to 17."""


def timestamps_from(
    start: np.datetime64, frequency: Frequency, count: int, timezone: str | None = None, *, skip: int = 0
) -> Timestamps:
    """Return `count` timestamps after the first `skip` from `start`, shape (count,), datetime64[us].

    Without a timezone all are wall clocks. With an IANA timezone all are UTC instants: steps of a day and longer are local,
    so a day may last 23 or 25 hours, and steps of hours and below are absolute. Months follow the start, as in
    `models.calendar.grid.timestamps_at`.

    Raises:
        TimestampInvalid: If a timestamp lies outside the years 1 to 9999, or the timezone is unknown.
        TimestampsOffCalendar: If the frequency is of business days or hours and the start is not one.
    """
    if count <= FEW:
        return _remembered(start, frequency, frequency.stamp, count, timezone, skip)
    return _timestamps_at(start, frequency, np.arange(skip, skip + count), timezone)


def phase_after(
    start: np.datetime64, frequency: Frequency, count: int, timezone: str | None = None, *, season_length: int
) -> int:
    """Return the season position of the step after the first `count` from `start`, as `season_position`."""
    return _remembered_phase(start, frequency, frequency.stamp, count, timezone, season_length)


def steps_between(start: np.datetime64, end: np.datetime64, frequency: Frequency, timezone: str | None = None) -> int:
    """Return the steps from `start` to `end`, negative if `end` comes first; timezone as in `timestamps_from`.

    Raises:
        TimestampsOffCalendar: If they are not a whole number.
        TimestampInvalid: If a timestamp lies outside the years 1 to 9999, or the timezone is unknown.
    """
    if end < start:
        return -steps_between(end, start, frequency, timezone)
    return int(positions(calendar_clock(np.array([start, end], "M8[us]"), frequency, timezone), frequency)[1])


def season_position(
    timestamp: np.datetime64, frequency: Frequency, timezone: str | None = None, *, season_length: int | None = None
) -> int:
    """Return the position of a timestamp in its season: January 0, Monday 0, midnight 0.

    Positions are those of periods, so month starts and month ends agree; the first quarter begins after the anchor's
    month, the first week on 1 January. With a timezone the position is local.

    Args:
        timestamp: A wall clock, or a UTC instant if there is a timezone.
        frequency: The series' frequency.
        timezone: IANA name.
        season_length: One of `frequency.seasons`; the first of them by default.

    Returns:
        A number in [0, season_length), or -1 if `season_length` is not a season of the frequency.
    """
    length = frequency.season_length if season_length is None else season_length
    if length not in frequency.seasons:
        return -1
    if length == 1:
        return 0
    stamps = np.array([timestamp], "M8[us]")
    stamp = stamps[0] if timezone is None else to_local_times(stamps, timezone)[0]
    if frequency.nanoseconds is not None:
        return _position_in_cycle(stamp, length, frequency.nanoseconds // 1000)
    return min(_position_in_calendar(stamp, frequency, length), length - 1)


def calendar_clock(timestamps: Timestamps, frequency: Frequency, timezone: str | None) -> Timestamps:
    """Return the clock that the frequency counts on: local times for days and longer, else the timestamps as they are.

    A day without a midnight begins with its first instant: 01:00 of such a day is its 00:00.
    """
    if timezone is None or frequency.nanoseconds is not None:
        return timestamps
    return _with_midnights(timestamps, to_local_times(timestamps, timezone), timezone)


@lru_cache(maxsize=2048)
def _remembered(
    start: np.datetime64, frequency: Frequency, _stamp: StampPlace, count: int, timezone: str | None, skip: int
) -> Timestamps:
    """Return few timestamps, read-only, for all series of the same dates; equal frequencies may differ in their stamp."""
    found = _timestamps_at(start, frequency, np.arange(skip, skip + count), timezone)
    found.setflags(write=False)
    return found


@lru_cache(maxsize=2048)
def _remembered_phase(
    start: np.datetime64, frequency: Frequency, _stamp: StampPlace, skip: int, timezone: str | None, season_length: int
) -> int:
    after = timestamps_from(start, frequency, 1, timezone, skip=skip)[0]
    return season_position(after, frequency, timezone, season_length=season_length)


def _timestamps_at(
    start: np.datetime64, frequency: Frequency, steps: NDArray[np.int64], timezone: str | None
) -> Timestamps:
    if timezone is None or frequency.nanoseconds is not None:
        return timestamps_at(start, frequency, steps)
    local = calendar_clock(np.array([start], "M8[us]"), frequency, timezone)[0]
    return to_instants(timestamps_at(local, frequency, steps), timezone)


def _with_midnights(instants: Timestamps, walls: Timestamps, timezone: str) -> Timestamps:
    """Return local times with 00:00 where a clock change skips the midnight at which most days of the series begin."""
    days = walls.astype("M8[D]").astype("M8[us]")
    late = walls != days
    if not late.any() or 2 * np.count_nonzero(late) > max(len(walls), 2):
        return walls
    first = late.copy()
    first[late] = to_instants(days[late], timezone) == instants[late]
    return np.where(first, days, walls)


def _position_in_cycle(stamp: np.datetime64, length: int, step: int) -> int:
    cycle = next(cycle for cycle in _CYCLES if cycle == length * step)
    return int((stamp - _MONDAY).astype(np.int64)) % cycle // step


def _position_in_calendar(stamp: np.datetime64, frequency: Frequency, length: int) -> int:
    """Return the position for a frequency of days and longer; see `season_position`."""
    day = stamp.astype("M8[D]")
    weekday = _number(day.astype(np.int64) + 3) % 7  # day 0 of the epoch was a Thursday
    month = _number(day.astype("M8[M]")) % 12
    day_of_year = _number(day - day.astype("M8[Y]"))
    if frequency.unit == "Q":
        return (month - 1 - MONTH_NAMES.index(frequency.anchor)) % 12 // 3 // frequency.multiple
    if frequency.unit == BUSINESS_HOUR:
        hour = min(max(_number((stamp - day).astype("m8[h]")) - _OPENING_HOUR, 0), 7)
        return (hour + weekday * 8 * (length > 8 // frequency.multiple)) // frequency.multiple
    position = {
        ("B", 5): weekday,
        ("B", 260): _number(np.busday_count(day.astype("M8[Y]").astype("M8[D]"), day)),
        ("D", 7): weekday,
        ("D", 365): day_of_year,
    }.get((frequency.unit, length))
    if position is not None:
        return position
    return month * length // 12 if frequency.unit == "M" else day_of_year // 7 * length // 52


def _number(value: np.datetime64 | np.timedelta64 | np.int64) -> int:
    return int(value.astype(np.int64))
