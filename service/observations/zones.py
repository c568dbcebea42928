"""Zones: the timezone of each series in a body, as stated, stored, or as the offsets of its timestamps show."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models.calendar.timestamps import NO_OFFSET, Timestamps, to_instants
from models.calendar.zone_inference import FIXED, name_fixed_zone, recognize_zone
from models.errors import TimestampInvalid
from models.irregular.repairs import Repair
from service.store.known_series import NEW_SERIES, KnownSeries

MICROSECONDS = 1_000_000


@dataclass(frozen=True, slots=True)
class FoundZone:
    """A timezone that the offsets of a series show, and what is said of it."""

    name: str
    repair: Repair


def give_timezone(known: KnownSeries, timezone: str | None) -> KnownSeries:
    """Return a series as it is stored once a request has stated its timezone: its local times are those of the timezone."""
    if timezone is None or known.calendar.timezone is not None or not len(known.stamps):
        return known
    stamps, months = (to_instants(one, timezone) for one in (known.stamps, known.months))
    return replace(known, stamps=stamps, months=months)


def find_mixed(
    offsets: NDArray[np.int64], groups: Mapping[str, NDArray[np.int64]], known: Mapping[str, KnownSeries]
) -> dict[int, TimestampInvalid]:
    """Return an error for each row whose offset, or lack of one, does not fit its series.

    A series that is stored without a timezone has local times of nobody knows where: instants have no place among them.

    Args:
        offsets: Microseconds east of UTC, or NO_OFFSET, (rows,).
        groups: Rows of each series, of those without a stated timezone.
        known: What is stored of them.
    """
    has_offset, found = offsets != NO_OFFSET, dict[int, TimestampInvalid]()
    for name, members in groups.items() if has_offset.any() else ():
        stored = known.get(name, NEW_SERIES)
        instants = members[has_offset[members]]
        if stored.calendar.timezone is not None or not instants.size:
            continue
        if len(stored.stamps):
            found |= dict.fromkeys(instants.tolist(), _stored_local())
        elif len(instants) < len(members):
            found |= dict.fromkeys(members.tolist(), _mixed())
    return found


def _stored_local() -> TimestampInvalid:
    return TimestampInvalid(
        "The timestamp has an offset, and those that are stored of the series have no timezone.",
        pointer="timestamp",
        hint="State `timezone`, which the stored local times get too, or send local times without an offset.",
    )


def _mixed() -> TimestampInvalid:
    return TimestampInvalid(
        "The series has timestamps with an offset and without one.",
        pointer="timestamp",
        hint="State the `timezone` of those without an offset, or send all in one way.",
    )


def find_zone(walls: Timestamps, offsets: NDArray[np.int64], known: KnownSeries) -> FoundZone | None:
    """Return the timezone that the offsets of a series show, as files are read; None if nothing is found or to be said.

    Changing offsets are those of a usual timezone, one offset is a zone without changes of clocks. A series that has such
    a zone takes the usual one as soon as its offsets change.

    Args:
        walls: Wall clocks of the new timestamps of the series, (rows,).
        offsets: Microseconds east of UTC, or NO_OFFSET, (rows,).
        known: What is stored of the series.
    """
    has_offset, zone = offsets != NO_OFFSET, known.calendar.timezone
    if not has_offset.any() or not (zone is None or zone.startswith(FIXED)):
        return None
    walls, offsets = walls[has_offset], offsets[has_offset]
    instants, seconds = walls - offsets.astype("m8[us]"), offsets // MICROSECONDS
    if zone is not None:
        before = np.full(len(known.stamps), _fixed_seconds(zone))
        if (seconds == _fixed_seconds(zone)).all():
            return None
        instants, seconds = np.concatenate([known.stamps, instants]), np.concatenate([before, seconds])
    if len(np.unique(seconds)) > 1:
        return _found_of(recognize_zone(instants, seconds), len(walls), zone)
    return _fixed(int(seconds[0]), len(walls))


def _found_of(recognized: str | None, count: int, zone: str | None) -> FoundZone | None:
    """Return the timezone of changing offsets; if no usual one has them, the times are said to be read as UTC."""
    if recognized is not None:
        detail = (
            f"Offsets change as in {recognized}; the timestamps are read as local times there. `timezone` settles it."
        )
        return FoundZone(recognized, Repair("TIMEZONE_FOUND", None, count, detail))
    if zone is not None:
        return None
    detail = "Offsets change as in no usual timezone; the timestamps are read as UTC. `timezone` settles it."
    return FoundZone("UTC", Repair("TIMEZONE_FOUND", None, count, detail))


def _fixed(seconds: int, count: int) -> FoundZone | None:
    """Return the timezone of one offset, UTC if none always has it; nothing is to be said of UTC itself."""
    if seconds == 0:
        return None
    minutes = abs(seconds) // 60
    shown = f"{'-' if seconds < 0 else '+'}{minutes // 60:02d}:{minutes % 60:02d}"
    name = name_fixed_zone(seconds)
    read = "UTC" if name is None else f"local times of {name}"
    detail = f"All timestamps have the offset {shown} and are read as {read}; `timezone` names their timezone."
    return FoundZone(name or "UTC", Repair("TIMEZONE_FOUND", None, count, detail))


def _fixed_seconds(zone: str) -> int:
    """Return the seconds east of UTC of a zone such as Etc/GMT-2, whose sign is the other way round."""
    return -3600 * int(zone.removeprefix(FIXED) or 0)
