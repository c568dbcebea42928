"""Dates: a start or timestamps in any form, read into datetime64."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import lru_cache
from typing import cast

import numpy as np
from numpy.typing import NDArray

from models.calendar.eras import refuse_era
from models.calendar.timestamps import (
    EARLIEST,
    LATEST,
    STYLES,
    Stamp,
    Timestamps,
    load_timezone,
    parse_timestamp,
    to_instants,
    to_local_times,
    write_exactly,
)
from models.calendar.zone_inference import recognize_zone
from models.errors import Finding, TimestampInvalid, TimestampsDuplicated, TimestampsMismatched, TimestampsOutOfOrder

_SHAPE = re.compile(r"(YYYY(?:-MM(?:-DD(?:[T ]hh:mm(?::ss(?:\.f+)?)?)?)?)?)(Z|[+-][0-9:]+)?")
_DIGIT = re.compile("[YMDhmsf]")
FEW = 512
"""Texts that are remembered for the next series of the same dates."""

_HINT = "Write ISO 8601 text such as '1939-01-31'."


@dataclass(frozen=True, slots=True)
class Dates:
    """Timestamps as a series keeps them.

    Attributes:
        stamps: Shape (length,), datetime64[us]: UTC instants where there is a timezone, else wall clocks.
        style: How they were written, for `format_timestamps`.
        timezone: IANA name, or None.
        findings: How changing offsets, and years that may be of another era, were read.
    """

    stamps: Timestamps
    style: str
    timezone: str | None
    findings: tuple[Finding, ...] = ()


def read_start(start: object, timezone: str | None, stated: str = "D") -> Dates:
    """Return one date from text, date, datetime, datetime64 or a pandas Timestamp.

    Args:
        start: The date.
        timezone: IANA name, or None.
        stated: Unit of the frequency, which a start needs.

    Raises:
        TimestampInvalid: If it is none of these, lies outside the years 1 to 9999, does not exist in the timezone, or that
            is unknown, or looks like one of the Buddhist era.
    """
    dates = _read([start], timezone, "/start")
    found = refuse_era(dates.stamps, "/start", stated=stated, are_years=dates.style == "YYYY")
    return replace(dates, findings=(*dates.findings, *found)) if found else dates


First = tuple[np.datetime64, str, str | None, tuple[Finding, ...]]
"""A timestamp, its style and timezone, and what was noticed."""


def read_first(start: object, timezone: str | None, stated: str) -> First:
    """Return the timestamp of one date with its style, timezone and findings, as `read_start`; of a text it is remembered."""
    return _remembered(start, timezone, stated) if type(start) is str else _first(start, timezone, stated)


def _first(start: object, timezone: str | None, stated: str) -> First:
    dates = read_start(start, timezone, stated)
    return dates.stamps[0], dates.style, dates.timezone, dates.findings


@lru_cache(maxsize=2048)
def _remembered(start: str, timezone: str | None, stated: str) -> First:
    return _first(start, timezone, stated)


def read_timestamps(timestamps: object, timezone: str | None, *, count: int | None = None, stated: str = "") -> Dates:
    """Return rising dates from a sequence of what `read_start` takes or an array of datetime64.

    Different offsets without a timezone are those of a usual timezone, if one has them all (`TIMEZONE_FOUND`). Else, if all wall
    clocks show the same time of day, the steps are days or longer and the wall clocks are kept; if not, the instants are, written
    with the last offset (`TIMEZONE_DROPPED`).

    Args:
        timestamps: The dates, oldest first.
        timezone: IANA name, or None.
        count: How many are expected, or None.
        stated: Unit of the frequency that is stated, as for `refuse_era`; "" if none is.

    Raises:
        TimestampsMismatched: If there are not `count`.
        TimestampInvalid: As `read_start`, or if only some have an offset.
        TimestampsDuplicated: If one equals its predecessor.
        TimestampsOutOfOrder: If one lies before its predecessor.
    """
    if isinstance(timestamps, (str, bytes)) or not (
        isinstance(timestamps, Sequence) or hasattr(timestamps, "__array__")
    ):
        raise TimestampInvalid("The timestamps are not a list.", pointer="/timestamps", hint=_HINT)
    items = timestamps if isinstance(timestamps, Sequence) else np.asarray(timestamps)
    if isinstance(items, np.ndarray) and items.ndim != 1:
        raise TimestampInvalid("The timestamps are not a flat list.", pointer="/timestamps", hint=_HINT)
    if count is not None and len(items) != count:
        raise TimestampsMismatched(
            f"There are {count} values and {len(items)} timestamps.",
            pointer="/timestamps",
            hint="Send one timestamp for each value.",
        )
    if isinstance(items, list) and len(items) <= FEW and set(map(type, items)) == {str}:
        return _remembered_texts(tuple(items), timezone, stated)
    return _read_rising(items, timezone, stated)


@lru_cache(maxsize=128)
def _remembered_texts(texts: tuple[str, ...], timezone: str | None, stated: str) -> Dates:
    """Return few dates, read-only, for all series of the same dates."""
    dates = _read_rising(texts, timezone, stated)
    dates.stamps.setflags(write=False)
    return dates


def _read_rising(items: Sequence[object] | NDArray[np.generic], timezone: str | None, stated: str) -> Dates:
    dates = _read_plain(items, timezone) or _read(list(items), timezone, "/timestamps")
    _check_order(dates.stamps)
    found = refuse_era(dates.stamps, "/timestamps/0", stated=stated)
    return replace(dates, findings=(*dates.findings, *found)) if found else dates


def _read_plain(items: Sequence[object] | NDArray[np.generic], timezone: str | None) -> Dates | None:
    """Return datetime64, or text in one style, all read by numpy; None if the dates need `_read`."""
    if isinstance(items, np.ndarray) and items.dtype.kind == "M":
        walls = items.astype("M8[us]")
        style, offset = style_of(walls), None
    else:
        first = parse_timestamp(items[0], pointer="/timestamps/0") if len(items) and isinstance(items[0], str) else None
        pattern = _pattern_of(first.style) if first else None
        if first is None or pattern is None:
            return None
        texts = [match[1] for item in items if isinstance(item, str) and (match := pattern.fullmatch(item))]
        if len(texts) < len(items):
            return None
        try:
            walls = np.array(texts, dtype="M8[us]")
        except ValueError:
            return None
        style, offset = first.style, first.offset
    instants = walls - np.timedelta64(offset or 0, "s")
    if not np.all((walls >= EARLIEST) & (walls <= LATEST) & (instants >= EARLIEST) & (instants <= LATEST)):
        return None
    if timezone is not None and offset is not None:
        return Dates(cast("Timestamps", instants), style, timezone)
    return _in_timezone(walls, style, timezone, "/timestamps")


@lru_cache(maxsize=128)
def _pattern_of(style: str) -> re.Pattern[str] | None:
    """Return a pattern for texts of a style, its first group without the offset; None if numpy cannot read the style."""
    shape = _SHAPE.fullmatch(style)
    if shape is None:
        return None
    return re.compile(f"({_DIGIT.sub('[0-9]', shape[1])}){re.escape(shape[2] or '')}")


def _read(items: Sequence[object], timezone: str | None, pointer: str) -> Dates:
    pointers = [pointer] if pointer == "/start" else [f"{pointer}/{index}" for index in range(len(items))]
    stamps = [parse_timestamp(_text(item, where), pointer=where) for item, where in zip(items, pointers, strict=True)]
    if not stamps:
        raise TimestampInvalid("There are no timestamps.", pointer=pointer, hint="Send one timestamp for each value.")
    known = [stamp.offset is not None for stamp in stamps]
    if any(known) and not all(known):
        index = known.index(not known[0])
        raise TimestampInvalid(
            "Some timestamps have an offset and others have none.",
            pointer=pointers[index],
            hint="Write all of them with an offset, or all without.",
        )
    timezone = timezone or _zone_of(items)
    style = max((stamp.style for stamp in stamps[::-1]), key=len)
    if isinstance(items[0], datetime) and not any(known):
        style = style_of(np.array([stamp.value for stamp in stamps], "M8[us]"))
    if timezone is not None and all(known):
        load_timezone(timezone)
        return Dates(np.array([stamp.instant for stamp in stamps], "M8[us]"), style, timezone)
    if len({stamp.offset for stamp in stamps}) > 1:
        return _of_offsets(stamps, style)
    return _in_timezone(np.array([stamp.value for stamp in stamps], "M8[us]"), style, timezone, pointer)


def _in_timezone(walls: Timestamps, style: str, timezone: str | None, pointer: str) -> Dates:
    """Return wall clocks as dates; a midnight that a change of clocks skips is the day's first moment."""
    if timezone is None:
        return Dates(walls, style, timezone)
    instants = to_instants(walls, timezone)
    skipped = (to_local_times(instants, timezone) != walls) & (walls != walls.astype("M8[D]"))
    if skipped.any():
        index = int(np.argmax(skipped))
        raise TimestampInvalid(
            f"{np.datetime_as_string(walls[index], 's')} does not exist in {timezone}: clocks went forward.",
            pointer=pointer if pointer == "/start" else f"{pointer}/{index}",
            hint="Send the time with its offset, or the timezone of the times.",
        )
    return Dates(instants, style, timezone)


def _of_offsets(stamps: Sequence[Stamp], style: str) -> Dates:
    """Return dates of changing offsets; see `read_timestamps`."""
    instants = np.array([stamp.instant for stamp in stamps], "M8[us]")
    offsets = np.array([stamp.offset for stamp in stamps], np.int64)
    zone = recognize_zone(instants, offsets)
    if zone is not None:
        detail = f"Offsets change as in {zone}; times are read as local times there."
        hint = f"The timezone {zone}, or another one, settles it."
        return Dates(instants, style, zone, (Finding("TIMEZONE_FOUND", detail, "/timestamps", hint),))
    walls = np.array([stamp.value for stamp in stamps], "M8[us]")
    is_local = bool(np.all(walls[1:] > walls[:-1])) and len(np.unique(walls - walls.astype("M8[D]"))) == 1
    read = "local days" if is_local else "times at the last offset"
    detail = f"Offsets change as in no usual timezone; timestamps are read as {read}."
    found = Finding("TIMEZONE_DROPPED", detail, "/timestamps", "Give the timezone, such as Europe/Berlin.")
    return Dates(walls if is_local else instants + offsets[-1].astype("m8[s]"), style, None, (found,))


def _text(item: object, pointer: str) -> str:
    if isinstance(item, str):
        return item
    if isinstance(item, date):
        return item.isoformat()
    if isinstance(item, np.datetime64):
        return str(item)
    raise TimestampInvalid(f"A timestamp has the type {type(item).__name__}.", pointer=pointer, hint=_HINT)


def _zone_of(items: Sequence[object]) -> str | None:
    """Return the IANA name that all aware datetimes share, or None."""
    names = {getattr(getattr(item, "tzinfo", None), "key", None) for item in items}
    return names.pop() if len(names) == 1 else None


def style_of(walls: Timestamps) -> str:
    """Return the style of wall clocks that were not text: dates, seconds or microseconds, as they need."""
    if np.all(walls == walls.astype("M8[D]")):
        return "YYYY-MM-DD"
    return STYLES[5] if np.all(walls == walls.astype("M8[s]")) else STYLES[7]


def _check_order(values: Timestamps) -> None:
    gaps = np.diff(values).astype(np.int64)
    if np.all(gaps > 0):
        return
    index = int(np.argmax(gaps <= 0)) + 1
    if gaps[index - 1] == 0:
        has_hours = bool((values != values.astype("M8[D]")).any())
        clocks = " If a clock change repeats an hour, send offsets or a timezone." if has_hours else ""
        raise TimestampsDuplicated(
            f"The timestamp {write_exactly(values[index])} occurs twice.",
            pointer=f"/timestamps/{index}",
            hint=f"Send one value for each timestamp.{clocks}",
        )
    raise TimestampsOutOfOrder(
        f"The timestamp {write_exactly(values[index])} comes after {write_exactly(values[index - 1])}.",
        pointer=f"/timestamps/{index}",
        hint="Send the oldest first.",
    )
