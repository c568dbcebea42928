"""Calendar: where the steps of a frequency fall; the public door to frequencies and timestamps."""

import numpy as np
from numpy.typing import NDArray

from models.calendar.frequency import MONTH_NAMES, Frequency, StampPlace, parse_frequency
from models.calendar.grid import positions, walk
from models.calendar.inference import infer_frequency
from models.calendar.timestamps import Stamp, Timestamps, format_timestamps, instants_of, local_times, parse_timestamp

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
_CYCLES = (60_000_000, _HOUR, 24 * _HOUR, 7 * 24 * _HOUR)
"""Microseconds in a minute, an hour, a day and a week: what seasons below a day are parts of."""
_MONDAY = np.datetime64("0001-01-01", "us")
_HALF_QUARTER = np.timedelta64(45, "D")
_OPENING_HOUR = 9
"""pandas' business hours are 9 to 17."""


def timestamps_from(
    start: np.datetime64, frequency: Frequency, count: int, timezone: str | None = None, *, skip: int = 0
) -> Timestamps:
    """Return `count` timestamps from `start`, leaving out the first `skip`, shape (count,), datetime64[us].

    Without a timezone all are wall clocks. With an IANA timezone all are UTC instants, and steps of a day and longer
    are taken on the local calendar while steps of hours and below are absolute; so a day may last 23 or 25 hours.
    Months follow the start: day 1 stays at month starts, the last day at month ends, another on that day, clipped.

    Raises:
        TimestampInvalid: If a timestamp lies outside the years 1 to 9999, or the timezone is unknown.
        TimestampsOffCalendar: If the frequency has business days or such and the start lies on none.
    """
    return _timestamps_at(start, frequency, np.arange(skip, skip + count), timezone)


def steps_between(start: np.datetime64, end: np.datetime64, frequency: Frequency, timezone: str | None = None) -> int:
    """Return the steps from `start` to `end`, negative where `end` comes first; timezone as in `timestamps_from`.

    Raises:
        TimestampsOffCalendar: If they are no whole number.
        TimestampInvalid: If a timestamp lies outside the years 1 to 9999, or the timezone is unknown.
    """
    if end < start:
        return -steps_between(end, start, frequency, timezone)
    return int(positions(on_calendar(np.array([start, end], "M8[us]"), frequency, timezone), frequency)[1])


def season_position(
    timestamp: np.datetime64,
    frequency: Frequency,
    timezone: str | None = None,
    *,
    season_length: int | None = None,
) -> int:
    """Return where in its season a timestamp lies: January 0, Monday 0, midnight 0.

    It goes by the period, so month starts and month ends agree; the first quarter is that after the anchor's month,
    the first week that of 1 January. With a timezone, `timestamp` is a UTC instant and the
    position is local.

    Args:
        timestamp: A wall clock, or a UTC instant where there is a timezone.
        frequency: The series' frequency.
        timezone: IANA name.
        season_length: One of `frequency.seasons`; the first of them by default.

    Returns:
        A number in [0, season_length), or -1 where `season_length` is no season of the frequency.
    """
    length = frequency.season_length if season_length is None else season_length
    if length not in frequency.seasons:
        return -1
    if length == 1:
        return 0
    stamps = np.array([timestamp], "M8[us]")
    stamp = stamps[0] if timezone is None else local_times(stamps, timezone)[0]
    if frequency.nanoseconds is not None:
        return _position_in_cycle(stamp, length, frequency.nanoseconds // 1000)
    return min(_position_in_calendar(stamp, frequency, length), length - 1)


def on_calendar(timestamps: Timestamps, frequency: Frequency, timezone: str | None) -> Timestamps:
    """Return the clock on which steps of the frequency are even: local for days and longer, else as they are."""
    if timezone is None or frequency.nanoseconds is not None:
        return timestamps
    return local_times(timestamps, timezone)


def _timestamps_at(
    start: np.datetime64, frequency: Frequency, steps: NDArray[np.int64], timezone: str | None
) -> Timestamps:
    if timezone is None or frequency.nanoseconds is not None:
        return walk(start, frequency, steps)
    local = local_times(np.array([start], "M8[us]"), timezone)[0]
    return instants_of(walk(local, frequency, steps), timezone)


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
    if frequency.unit == "SM":
        return (2 * month + _is_second_half(day, frequency)) // frequency.multiple
    if frequency.unit == "bh":
        hour = min(max(_number((stamp - day).astype("m8[h]")) - _OPENING_HOUR, 0), 7)
        return (hour + weekday * 8 * (length > 8 // frequency.multiple)) // frequency.multiple
    position = {
        ("B", 5): weekday,
        ("B", 260): _number(np.busday_count(day.astype("M8[Y]").astype("M8[D]"), day)),
        ("D", 7): weekday,
        ("D", 365): day_of_year,
        ("REQ", 4): _number((day - _HALF_QUARTER).astype("M8[M]")) % 12 // 3,
    }.get((frequency.unit, length))
    if position is not None:
        return position
    whole = month if frequency.unit in ("M", "WOM", "LWOM") else day_of_year // 7
    return whole * length // (12 if frequency.unit in ("M", "WOM", "LWOM") else 52)


def _is_second_half(day: np.datetime64, frequency: Frequency) -> bool:
    """Return whether a half-monthly stamp is the later of its month."""
    middle = int(frequency.anchor or 15)
    day_of_month = _number(day - day.astype("M8[M]")) + 1
    return day_of_month >= middle if frequency.stamp == "start" else day_of_month > middle


def _number(value: np.datetime64 | np.timedelta64 | np.int64) -> int:
    return int(value.astype(np.int64))
