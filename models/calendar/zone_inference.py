"""Zone inference: the timezone that changing offsets are of."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from models.calendar.timestamps import Timestamps

USUAL_ZONES = (
    "Europe/Berlin", "Europe/London", "Europe/Athens", "Europe/Lisbon", "America/New_York", "America/Chicago",
    "America/Denver", "America/Los_Angeles", "America/Halifax", "America/St_Johns", "America/Anchorage",
    "Australia/Sydney", "Australia/Adelaide", "Pacific/Auckland", "America/Sao_Paulo", "America/Santiago",
    "Asia/Jerusalem", "Africa/Cairo", "Europe/Istanbul", "Europe/Moscow",
)  # fmt: skip
"""Timezones that changing offsets may be of, the likeliest first; each stands for its neighbours with the same clock."""

FIXED = "Etc/GMT"
"""The first letters of the timezones of one offset, which follows with the other sign: Etc/GMT-2 is two hours east."""

_HALF_HOURS = {
    16_200: "Asia/Kabul", 19_800: "Asia/Kolkata", 20_700: "Asia/Kathmandu", 23_400: "Asia/Yangon", 31_500: "Australia/Eucla",
    34_200: "Australia/Darwin", -34_200: "Pacific/Marquesas",
}  # fmt: skip
"""Timezones without changes of clocks whose offset is not a whole hour, by seconds east of UTC."""

_WEST, _EAST = -12, 14
"""Hours that a timezone of one offset can have."""

NOON = 43_200
FEWEST_MIDNIGHTS, SHORT_DAY_HOURS, MANY = 8, 23, 1_000
"""Times that show that they are midnights, hours of the shortest day between two of them, and times that mostly show that they are none."""

MOST_REPEATED = 200
"""Distinct hours that are repeated, up to which they are looked up."""

MOST_CHECKED = 2_000
"""Stamps by which a timezone is recognized."""


def recognize_zone(instants: Timestamps, offsets: NDArray[np.int64]) -> str | None:
    """Return the first usual timezone that had these offsets at these instants, or None; offsets are seconds, (rows,)."""
    at = np.unique(np.linspace(0, len(instants) - 1, MOST_CHECKED).astype(np.int64))
    pairs = set(zip(instants[at].tolist(), offsets[at].tolist(), strict=True))
    for zone in USUAL_ZONES:
        clock = ZoneInfo(zone)
        locals_ = (clock.fromutc(instant.replace(tzinfo=clock)) for instant, _ in pairs)
        if all(
            local.utcoffset() == timedelta(seconds=offset) for local, (_, offset) in zip(locals_, pairs, strict=True)
        ):
            return zone
    return None


def zone_of_midnights(instants: Timestamps) -> str | None:
    """Return the first usual timezone in which all these UTC times, at two times of the day, are midnights; None if there is none."""
    if len(np.unique(_seconds(instants[:MANY]))) > 2:  # noqa: PLR2004 - else millions of hours are sorted
        return None
    distinct = np.unique(instants[~np.isnat(instants)])
    if (
        len(distinct) < FEWEST_MIDNIGHTS
        or np.median(np.diff(distinct).astype("m8[h]").astype(np.int64)) < SHORT_DAY_HOURS
    ):
        return None
    seconds = _seconds(distinct)
    if len(np.unique(seconds)) != 2:  # noqa: PLR2004 - in summer and in winter
        return None
    return recognize_zone(distinct, np.where(seconds < NOON, -seconds, 2 * NOON - seconds))


def _seconds(instants: Timestamps) -> NDArray[np.int64]:
    """Return the seconds since midnight of times that are known."""
    known = instants[~np.isnat(instants)]
    seconds: NDArray[np.int64] = (known - known.astype("M8[D]")).astype("m8[s]").astype(np.int64)
    return seconds


def zone_of_repeats(walls: Timestamps) -> str | None:
    """Return the first usual timezone whose clocks repeat each of these wall clocks when they go back, or None."""
    repeated = np.unique(walls).astype("M8[us]").tolist()
    if not 0 < len(repeated) <= MOST_REPEATED:
        return None
    return next((zone for zone in USUAL_ZONES if all(_is_repeated(one, ZoneInfo(zone)) for one in repeated)), None)


def _is_repeated(wall: datetime, zone: ZoneInfo) -> bool:
    first, second = (wall.replace(tzinfo=zone, fold=fold).utcoffset() for fold in (0, 1))
    return first is not None and second is not None and first > second


def name_fixed_zone(seconds: int) -> str | None:
    """Return a timezone that always has an offset, in seconds east of UTC; None if there is none."""
    hours, rest = divmod(seconds, 3600)
    if rest or not _WEST <= hours <= _EAST:
        return _HALF_HOURS.get(seconds)
    return f"{FIXED}{-hours:+d}" if hours else "UTC"
