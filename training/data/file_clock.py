"""FileClock: on which clock the times of a file are read, where they have offsets or a timezone is given."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.calendar.timestamps import NO_OFFSET, Timestamps, load_timezone, to_instants, to_local_times
from models.calendar.zone_inference import recognize_zone, zone_of_midnights
from models.errors import Finding
from models.tables.faults import TIME, TableInvalid
from models.tables.sheet import Rows
from models.tables.times.dates import Times

UTC = ("UTC", "Etc/UTC", "GMT")


@dataclass(frozen=True, slots=True, eq=False)
class FileClock:
    """The times of a file on one clock.

    Attributes:
        stamps: UTC instants if there is a timezone, else wall clocks; datetime64[us], (rows,).
        timezone: IANA name, or None.
        style: How the times were written, for `format_timestamps`.
        findings: How offsets were read.
    """

    stamps: Timestamps
    timezone: str | None
    style: str
    findings: tuple[Finding, ...] = ()


def settle_clock(
    times: Times, series: NDArray[np.int64], rows: Rows, timezone: str | None, *, are_instants: bool = False
) -> FileClock:
    """Return the times of a file on one clock.

    With a timezone, times with an offset are instants and all others are local. Without one, times of one offset stay on
    that clock, and changing offsets are those of a usual timezone or else read as UTC; days stay local days.

    Args:
        times: As they were written, none of them wrong.
        series: Series of each row, as numbers, shape (rows,).
        rows: Row of the file of each.
        timezone: IANA name, or None.
        are_instants: Whether each series has a timezone of its own, and the times are UTC.

    Raises:
        TableInvalid: If a local time does not exist, or only some of the times have an offset.
        TimestampInvalid: If the timezone is unknown.
    """
    bare = times.offsets == NO_OFFSET
    instants = times.instants()
    if timezone is not None:
        load_timezone(timezone)
        instants[bare] = _local_instants(times.walls[bare], series[bare], rows[bare], timezone)
        return FileClock(instants, timezone, times.style)
    if bare.all():
        if are_instants:
            return FileClock(times.walls, None, times.style)
        return FileClock(times.walls, None, times.style, _midnights(times.walls, "End the times in Z, and give"))
    if bare.any():
        with_offset, without = rows[~bare][0], rows[bare][0]
        raise TableInvalid(
            f"has times with an offset (row {with_offset}) and times without (row {without}).",
            hint="Write all of them alike, or give --timezone for those without.",
            about=TIME,
        )
    return _of_offsets(times, instants)


def _of_offsets(times: Times, instants: Timestamps) -> FileClock:
    if times.zone is not None:
        return _of_zone(times, times.zone)
    offsets = np.unique(times.offsets)
    if len(offsets) == 1:
        found = Finding("TIMEZONE_DROPPED", f"Times are read as local times at offset {_shown(offsets[0])}.")
        midnights = _midnights(times.walls, "Give") if not offsets[0] else ()
        return FileClock(times.walls, None, times.style, (found, *midnights))
    zone = recognize_zone(instants, times.offsets)
    shown = " and ".join(map(_shown, offsets)) if len(offsets) < 4 else f"{len(offsets)} different ones"  # noqa: PLR2004
    if zone is not None:
        detail = f"Offsets change between {shown}, as in {zone}; times are read as local times there."
        hint = f"--timezone {zone}, or another zone, settles it."
        return FileClock(instants, zone, times.style, (Finding("TIMEZONE_FOUND", detail, hint=hint),))
    days = _one_time_of_day(times.walls)
    read = "local days" if days else "UTC"
    detail = f"Offsets change between {shown}; times are read as {read}."
    found = Finding("TIMEZONE_DROPPED", detail, hint="Give --timezone, such as --timezone Europe/Berlin.")
    return FileClock(
        times.walls if days else instants, None, "YYYY-MM-DD" if days else "YYYY-MM-DDThh:mm:ssZ", (found,)
    )


def _midnights(walls: Timestamps, advice: str) -> tuple[Finding, ...]:
    """Return a finding if times are midnights of a timezone in UTC, so that the dates of many are a day early."""
    zone = zone_of_midnights(walls)
    if zone is None:
        return ()
    times = np.unique((walls - walls.astype("M8[D]")) + np.datetime64("1970-01-01"))
    shown = " or ".join(str(one)[11:16] for one in times.tolist())
    detail = (
        f"The times, all {shown}, are midnights of {zone}, or of a timezone with the same clock, if they are UTC: days may be wrong by one then. "
        f"{advice} --timezone {zone} if so."
    )
    return (Finding("TIMEZONE_UNCLEAR", detail),)


def _of_zone(times: Times, zone: str) -> FileClock:
    """Days stay days of their own clock; hours are instants, of which none is doubled when clocks change."""
    distinct, codes = np.unique(times.walls, return_inverse=True)
    local = to_local_times(distinct, zone)
    if _one_time_of_day(local):
        found = Finding("TIMEZONE_DROPPED", f"Times are of {zone}; they are read as local days.")
        return FileClock(local[codes], None, "YYYY-MM-DD", (found,))
    return FileClock(times.walls, None if zone in UTC else zone, times.style)


def _one_time_of_day(walls: Timestamps) -> bool:
    return len(np.unique(walls - walls.astype("M8[D]"))) == 1


def _shown(seconds: int) -> str:
    minutes = abs(int(seconds)) // 60
    return f"{'-' if seconds < 0 else '+'}{minutes // 60:02d}:{minutes % 60:02d}"


def _local_instants(walls: Timestamps, series: NDArray[np.int64], rows: Rows, zone: str) -> Timestamps:
    """Return the instants of local times; of an hour that a change of clocks repeats, a series' first row is the first.

    Raises:
        TableInvalid: If a time of day does not exist, except for midnights.
    """
    if not len(walls):
        return walls
    distinct, codes = np.unique(walls, return_inverse=True)
    instants = to_instants(distinct, zone)
    skipped = (to_local_times(instants, zone) != distinct) & (distinct != distinct.astype("M8[D]"))
    if skipped.any():
        at = int(np.flatnonzero(skipped[codes])[0])
        raise TableInvalid(
            f"{str(walls[at])[:19]} does not exist in {zone}: clocks went forward.",
            hint="Write the time with its offset, or give the timezone of the times.",
            place=f", row {rows[at]}",
            about=TIME,
        )
    found: Timestamps = instants[codes]
    order = np.lexsort((np.arange(len(walls)), found, series))
    same = (series[order][1:] == series[order][:-1]) & (found[order][1:] == found[order][:-1])
    again = order[1:][same]
    if again.size:
        found[again] = _second(walls[again], found[again], zone)
    return found


def _second(walls: Timestamps, first: Timestamps, zone: str) -> Timestamps:
    """Return the second instant of local times that a change of clocks repeats, the first one of all others."""
    twice = np.stack([walls, walls], axis=1)
    return np.array([to_instants(pair, zone)[1] for pair in twice], dtype="M8[us]") if len(first) else first
