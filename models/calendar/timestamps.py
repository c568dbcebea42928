"""Timestamps: text to datetime64, and back in the same style."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
from numpy.typing import NDArray

from models.errors import TimestampInvalid
from models.values import describe

Timestamps = NDArray[np.datetime64]
"""Shape (length,), datetime64[us]: wall clocks, or UTC instants if there is an IANA timezone."""

EARLIEST = np.datetime64("0001-01-01", "us")
LATEST = np.datetime64("9999-12-31T23:59:59.999999", "us")
"""The range of four-digit years and of Python's datetime."""

NO_OFFSET = int(np.iinfo(np.int64).min)
"""In an array of offsets: the timestamp is a wall clock."""

STYLES = (
    "YYYY",
    "YYYY-Qq",
    "YYYY-MM",
    "YYYY-MM-DD",
    "YYYY-MM-DDThh:mm",
    "YYYY-MM-DDThh:mm:ss",
    "YYYY-MM-DDThh:mm:ss.fff",
    "YYYY-MM-DDThh:mm:ss.ffffff",
)
"""How a timestamp may be written, coarse to fine. From the fifth on, `T` may be a space and an offset may follow."""

FEW = 128
"""Timestamps whose texts are remembered."""

_MICROSECONDS = np.dtype("M8[us]")
_NUMPY_UNITS = ("Y", "M", "M", "D", "m", "s", "ms", "us")
_FIRST_WITH_TIME = 4
_DIGITS_TO_STYLE = {0: 5, 3: 6, 6: 7}
_OFFSET = re.compile(r"Z|[+-][0-9]{2}(?::[0-9]{2}){1,2}")
_TEXT = re.compile(
    r"(?P<year>[0-9]{4})(?:(?P<dash>-?)Q(?P<quarter>[1-4])|-(?P<month>[0-9]{2})(?:-(?P<day>[0-9]{2})"
    r"(?:(?P<separator>[Tt ])(?P<minute>[0-9]{2}:[0-9]{2})(?::(?P<second>[0-9]{2})(?:[.,](?P<fraction>[0-9]{1,9}))?)?"
    r" ?(?P<offset>[Zz]|[+-][0-9]{2}(?::?[0-9]{2}(?::[0-9]{2})?)?)?)?)?)?"
)
_HOUR = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2})(Z|z|[+-][0-9]{2}:[0-9]{2})?")
"""An hour without minutes, as numpy writes it."""
_END_OF_DAY = re.compile(r"^[^Tt ]+[Tt ](24):00(?::00(?:[.,]0+)?)?(?![:.,0-9])")
"""The end of a day, which is the next midnight."""
_HINT = "Write ISO 8601 such as '1939-01', '1939-01-31' or '1939-01-31T12:00:00+01:00'."


@dataclass(frozen=True, slots=True)
class Stamp:
    """One timestamp and how it was written.

    Attributes:
        value: Wall clock at the offset of the text, datetime64[us].
        style: One of `STYLES`, followed by `Z` or the offset if the text has one.
        offset: Seconds east of UTC, or None without an offset.
    """

    value: np.datetime64
    style: str
    offset: int | None = None

    @property
    def instant(self) -> np.datetime64:
        """The instant in UTC, or the wall clock without an offset, datetime64[us]."""
        return self.value - np.timedelta64(self.offset or 0, "s")


def parse_timestamp(text: str, *, pointer: str = "") -> Stamp:
    """Return a timestamp from text: a year, quarter, month, day or ISO 8601 time (24:00 too) with or without offset.

    Raises:
        TimestampInvalid: If `text` is not a date, or lies outside the years 1 to 9999.
    """
    match = _TEXT.fullmatch(text) if isinstance(text, str) else None
    if match is None and isinstance(text, str) and (hour := _HOUR.fullmatch(text)):
        match = _TEXT.fullmatch(f"{hour[1]}:00{hour[2] or ''}")
    if match is None:
        raise TimestampInvalid(f"{describe(text)} is not a timestamp.", pointer=pointer, hint=_HINT)
    end = _END_OF_DAY.search(text)
    if end is not None:
        match = _TEXT.fullmatch(f"{text[: end.start(1)]}00{text[end.end(1) :]}") or match
    try:
        value = np.datetime64(_numpy_text(match), "us") + np.timedelta64(int(end is not None), "D")
        offset = _offset_seconds(match["offset"])
    except ValueError as error:
        raise TimestampInvalid(f"{text!r} is not a timestamp: {error}.", pointer=pointer, hint=_HINT) from error
    stamp = Stamp(value, _style(match), offset)
    if value < EARLIEST or not EARLIEST <= stamp.instant <= LATEST:
        raise TimestampInvalid(
            f"{text!r} is out of range.", pointer=pointer, hint="Send a timestamp in the years 1 to 9999."
        )
    return stamp


def format_timestamps(timestamps: Timestamps, style: str, timezone: str | None = None) -> list[str]:
    """Return the timestamps as text in a style, such as "1939-05" in the style of "1939-01".

    With a timezone, `timestamps` are UTC instants: dates are written as local dates, times as local times with their
    offset (in UTC if the style ends in `Z`), so that an hour repeated by a clock change is unambiguous.

    Raises:
        TimestampInvalid: If the timezone is unknown, or a local time lies outside the years 1 to 9999.
    """
    if len(timestamps) <= FEW and timestamps.dtype == _MICROSECONDS:
        return list(_remembered(timestamps.tobytes(), style, timezone))
    return _format(timestamps, style, timezone)


@lru_cache(maxsize=1024)
def _remembered(stamps: bytes, style: str, timezone: str | None) -> tuple[str, ...]:
    """Return few timestamps as text, for all forecasts of the same dates."""
    return tuple(_format(np.frombuffer(stamps, _MICROSECONDS), style, timezone))


def _format(timestamps: Timestamps, style: str, timezone: str | None) -> list[str]:
    rank, separator, tail = _split_style(style)
    walls, tails = timestamps, [tail] * len(timestamps)
    if timezone is not None and tail != "Z":
        walls = to_local_times(timestamps, timezone)
        if rank >= _FIRST_WITH_TIME:
            tails = [
                _offset_text(seconds) for seconds in (walls - timestamps).astype("m8[s]").astype(np.int64).tolist()
            ]
    texts = np.datetime_as_string(walls.astype(f"M8[{_NUMPY_UNITS[rank]}]")).tolist()
    if rank == STYLES.index("YYYY-Qq"):
        return [f"{text[:4]}{separator}Q{(int(text[5:7]) + 2) // 3}" for text in texts]
    if separator == " ":
        texts = [text.replace("T", " ") for text in texts]
    return [text + end for text, end in zip(texts, tails, strict=True)] if tails and tails[0] else texts


def write_exactly(stamp: np.datetime64) -> str:
    """Return a timestamp as a person writes it: a day without its midnight, fractions of a second where it has them."""
    for unit in ("D", "m", "s", "ms"):
        if stamp == stamp.astype(f"M8[{unit}]"):
            return str(stamp.astype(f"M8[{unit}]"))
    return str(stamp)


def refine_style(style: str, coarsest: str) -> str:
    """Return `style`, or `coarsest` if `style` is coarser and could write two steps alike."""
    rank, separator, tail = _split_style(style)
    if rank >= STYLES.index(coarsest):
        return style
    refined = "YYYY-MM" if coarsest == "YYYY-Qq" else coarsest
    return (refined.replace("T", " ") if separator == " " else refined) + tail


def offset_of(style: str) -> int | None:
    """Return the offset of a style in seconds east of UTC, or None without one."""
    return _offset_seconds(_split_style(style)[2] or None)


def to_local_times(instants: Timestamps, timezone: str) -> Timestamps:
    """Return the wall clocks in `timezone` at UTC instants, same shape.

    Raises:
        TimestampInvalid: If the timezone is unknown, or a wall clock lies outside the years 1 to 9999.
    """
    zone = load_timezone(timezone)
    _check_range(instants)
    try:
        locals_ = [zone.fromutc(instant.replace(tzinfo=zone)).replace(tzinfo=None) for instant in instants.tolist()]
    except OverflowError as error:
        raise _out_of_range() from error
    return np.array(locals_, dtype="M8[us]")


def to_instants(walls: Timestamps, timezone: str) -> Timestamps:
    """Return the UTC instants of wall clocks in `timezone`, same shape.

    A wall clock that a clock change skips is moved on by the change: 02:30 becomes 03:30. One that a change repeats is the
    first of the two, or the second if its predecessor is the first.

    Raises:
        TimestampInvalid: If the timezone is unknown, or an instant lies outside the years 1 to 9999.
    """
    zone = load_timezone(timezone)
    _check_range(walls)
    instants: list[datetime] = []
    for wall in walls.tolist():
        instant = _naive_instant(wall.replace(tzinfo=zone))
        if instants and instant <= instants[-1]:
            instant = _naive_instant(wall.replace(tzinfo=zone, fold=1))
        instants.append(instant)
    return np.array(instants, dtype="M8[us]")


@lru_cache(maxsize=128)
def load_timezone(timezone: str) -> ZoneInfo:
    """Return the IANA timezone of a name.

    Raises:
        TimestampInvalid: If it is unknown.
    """
    try:
        return ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise TimestampInvalid(
            f"Unknown timezone {timezone[:40]!r}.",
            pointer="/timezone",
            hint="Use an IANA name such as 'Europe/Berlin'.",
        ) from error


def _numpy_text(match: re.Match[str]) -> str:
    """Return the text in the form that numpy reads, without its offset."""
    if match["quarter"]:
        return f"{match['year']}-{int(match['quarter']) * 3 - 2:02d}"
    parts = [match["year"], match["month"], match["day"]]
    date = "-".join(part for part in parts if part)
    if not match["minute"]:
        return date
    fraction = match["fraction"] or ""
    if fraction[6:].strip("0"):
        message = "finer than a microsecond"
        raise ValueError(message)
    return f"{date}T{match['minute']}:{match['second'] or '00'}.{fraction[:6] or '0'}"


def _style(match: re.Match[str]) -> str:
    if match["quarter"]:
        return f"YYYY{match['dash']}Qq"
    if not match["minute"]:
        return STYLES[3 if match["day"] else 2 if match["month"] else 0]
    digits = min((len(match["fraction"] or "") + 2) // 3 * 3, 6)
    style = STYLES[_DIGITS_TO_STYLE[digits] if match["second"] else _FIRST_WITH_TIME]
    offset = match["offset"]
    tail = "" if offset is None else "Z" if offset in "Zz" else _offset_text(_offset_seconds(offset) or 0)
    return (style.replace("T", " ") if match["separator"] == " " else style) + tail


def _split_style(style: str) -> tuple[int, str, str]:
    """Return (index into STYLES, separator, offset tail)."""
    tail = _OFFSET.search(style, len("YYYY-MM-DDThh:mm"))
    plain = style[: tail.start()] if tail else style
    if plain in ("YYYYQq", "YYYY-Qq"):
        return STYLES.index("YYYY-Qq"), plain[4:-2], ""
    separator = " " if " " in plain else "T"
    return STYLES.index(plain.replace(" ", "T")), separator, tail[0] if tail else ""


def _offset_seconds(offset: str | None) -> int | None:
    if offset is None:
        return None
    if offset in "Zz":
        return 0
    digits = offset[1:].replace(":", "").ljust(6, "0")
    hours, minutes, seconds = int(digits[:2]), int(digits[2:4]), int(digits[4:])
    if hours > 23 or minutes > 59 or seconds > 59:  # noqa: PLR2004 - the limits of a clock
        message = f"{offset} is not an offset"
        raise ValueError(message)
    return (hours * 3600 + minutes * 60 + seconds) * (-1 if offset[0] == "-" else 1)


def common_offset(offsets: Sequence[int]) -> str:
    """Return the offset that all timestamps have, as a style ends with it; nothing if they differ or have none."""
    found = set(offsets)
    if len(found) != 1 or NO_OFFSET in found:
        return ""
    return _offset_text(found.pop()) if any(found) else "Z"


def _offset_text(seconds: int) -> str:
    hours, rest = divmod(abs(seconds), 3600)
    text = f"{'-' if seconds < 0 else '+'}{hours:02d}:{rest // 60:02d}"
    return f"{text}:{rest % 60:02d}" if rest % 60 else text


def _naive_instant(local: datetime) -> datetime:
    try:
        return local.astimezone(UTC).replace(tzinfo=None)
    except OverflowError as error:
        raise _out_of_range() from error


def _check_range(timestamps: Timestamps) -> None:
    if not np.all((timestamps >= EARLIEST) & (timestamps <= LATEST)):  # NaT compares false
        raise _out_of_range()


def _out_of_range() -> TimestampInvalid:
    return TimestampInvalid(
        "A timestamp lies outside the years 1 to 9999.", hint="Send a start or a horizon that stays within them."
    )
