"""Hours: times of day in a column beside the dates, or as columns of a file, as 1 to 24, 0000 to 2300 or 00:00 to 24:00."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.columns import find_column
from models.errors import Finding
from models.tables.cells import as_time_text
from models.tables.faults import TIME, TableInvalid
from models.tables.sheet import Sheet
from models.tables.times.date_forms import looks_dated

CLOCKS = frozenset(
    {"time", "clock", "hour", "uhrzeit", "zeit", "stunde", "time of day", "heure", "hora", "hours", "hr"}
)
"""Names of a column with the time of day beside one with the date, in lower case, with spaces for underscores."""

ENDINGS = frozenset({"he", "hour ending", "hourending", "hour end", "hourend", "end hour"})
"""Names of a column of hours that are named by their end."""

BEGINNINGS = frozenset({"hb", "hour beginning", "hour begin", "hour start", "hour starting", "start hour"})
"""Names of a column of hours that are named by their start."""

HOUR_WORDS = frozenset({"hour", "stunde", "heure", "hora", "hours", "hr"})
"""Names of a column of hours; if these are numbers without 0 and 24, nobody knows whether they are named by their end."""

PERIODS = frozenset({"period", "settlement period", "settlementperiod", "sp", "trading period", "interval", "block"})
"""Names of a column that counts the periods of a day from 1."""

HOUR, DAY = 60, 1_440
"""Minutes."""

OF_CLOCKS_BACK = 25
"""Hours of a day on which clocks go back."""

_COUNTS = {48: 30, 96: 15, 144: 10, 288: 5}
"""Periods of a day that are not hours, by their number, and the minutes of one."""

_CLOCK = re.compile(r"(\d{1,2}):([0-5]\d)(?::00)?")
_HEADER = re.compile(r"(?:h|he|hr|hour|stunde)?[ _-]?(\d{1,2})|(\d{4})|(\d{1,2}:\d{2})", re.IGNORECASE)

Minutes = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class ClockTimes:
    """Times of day.

    Attributes:
        minutes: Since midnight, of the start of each period where they are named by their end.
        remark: How they are read, where that is not plain; "" otherwise.
        doubt: What may be meant instead, beginning with a verb about the file; "" where nothing else can be.
    """

    minutes: Minutes
    remark: str = ""
    doubt: str = ""


def plain_name(name: str) -> str:
    """Return a name of a column in lower case, with spaces for underscores."""
    return re.sub(r"[_\s]+", " ", name.strip().lower())


def read_clock(column: Any, name: str) -> ClockTimes | None:  # noqa: ANN401 - pyarrow's
    """Return the cells of a column as times of day; None if one is none, or is empty.

    Raises:
        TableInvalid: If it has an hour 25, which does not say which hour of the day is doubled.
    """
    kind = plain_name(name)
    if kind not in CLOCKS | BEGINNINGS | ENDINGS | PERIODS:
        return None
    encoded = as_time_text(column).dictionary_encode()
    if encoded.null_count or not len(encoded):
        return None
    read = _read_texts([one.strip() for one in encoded.dictionary.to_pylist()], kind, name)
    return None if read is None else replace(read, minutes=read.minutes[encoded.indices.to_numpy(zero_copy_only=False)])


def _read_texts(texts: Sequence[str], kind: str, name: str) -> ClockTimes | None:
    """Return distinct cells as times of day."""
    if all(match := [_CLOCK.fullmatch(text) for text in texts]):
        minutes = np.array([60 * int(one[1]) + int(one[2]) for one in match if one], dtype=np.int64)
        return _settle(minutes, name, kind)
    if not all(re.fullmatch(r"\d{1,4}", text) for text in texts):
        return None
    return _read_numbers(np.array(texts, dtype=np.int64), kind, name)


def _read_numbers(numbers: Minutes, kind: str, name: str) -> ClockTimes | None:
    most, least = int(numbers.max()), int(numbers.min())
    if kind in PERIODS:
        step = _COUNTS.get(most)
        if least < 1 or step is None:
            return None
        remark = f"Column {name} counts the {most} periods of a day: 1 is 00:00 to {_shown(step)}, read as 00:00."
        return ClockTimes((numbers - 1) * step, remark)
    if most > OF_CLOCKS_BACK:
        hours, minutes = np.divmod(numbers, 100)
        return _settle(60 * hours + minutes, name, kind) if minutes.max() < HOUR else None
    if most == OF_CLOCKS_BACK and least >= 1:
        raise TableInvalid(
            f"has the hour 25 in column {name!r}: it does not say which hour clocks repeat.",
            hint="Write dates and hours as one column of times with their offsets, such as 2024-10-27T02:00+01:00.",
            about=TIME,
        )
    return _settle(numbers * 60, name, kind, is_sure=kind not in HOUR_WORDS)


def _settle(minutes: Minutes, name: str, kind: str, *, is_sure: bool = True) -> ClockTimes | None:
    """Return times of day; if 24:00 is one of them and 00:00 is not, each names the end of its period.

    With neither of them the starts are read, in doubt unless `is_sure`.
    """
    most, least = int(minutes.max()), int(minutes.min())
    if most < DAY and kind not in ENDINGS:
        return ClockTimes(minutes, doubt=_doubt(name, least) if least > 0 and not is_sure else "")
    if least == 0 or most > DAY:
        return None
    step = int(np.diff(np.unique(minutes)).min()) if len(np.unique(minutes)) > 1 else 60
    remark = f"Column {name} names each period by its end: {_shown(step)} is 00:00 to {_shown(step)}, read as 00:00."
    return ClockTimes(minutes - step, remark)


def _doubt(name: str, minutes: int) -> str:
    return (
        f"has neither hour 0 nor hour 24 in column {name!r}: nobody can tell whether {_shown(minutes)} is {_shown(minutes)} to "
        f"{_shown(minutes + HOUR)} or {_shown(minutes - HOUR)} to {_shown(minutes)}."
    )


def _shown(minutes: int) -> str:
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def join_clock(dates: Any, clock: ClockTimes) -> Any:  # noqa: ANN401 - pyarrow's
    """Return dates and times of day as one column of text."""
    import pyarrow as pa

    distinct, codes = np.unique(clock.minutes, return_inverse=True)
    texts = pa.array([_shown(one) for one in distinct.tolist()], pa.string()).take(pa.array(codes))
    return join_texts(dates, texts)


def join_texts(dates: Any, texts: Any) -> Any:  # noqa: ANN401 - pyarrow's
    """Return dates, without the midnights that they may have, and texts of times of day as one column."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_timestamp(dates.type):
        dates = dates.cast(pa.date32())
    days = pc.replace_substring_regex(pc.utf8_trim_whitespace(as_time_text(dates)), r"[ T]0?0:00(:00(\.0+)?)?$", "")
    return pc.binary_join_element_wise(days, texts, " ")


def unpivot_hours(sheet: Sheet, used: Collection[str | None]) -> Sheet:
    """Return a sheet with a column for each hour of the day as one with a row for each, beside a column of dates.

    Args:
        sheet: The file; it stays as it is if its columns are not the hours, half or quarter hours of a day.
        used: Columns that were named for another use.

    Raises:
        TableInvalid: If there is a column for an hour 25.
    """
    found = {name: one for name in sheet.names if name not in used and (one := _minutes_of(name)) is not None}
    if len(found) < 24 or len({type(one) for one in found.values()}) > 1:  # noqa: PLR2004 - hours of a day
        return sheet
    others = [name for name in sheet.names if name not in found]
    if find_column(others, "timestamp") is None and not any(looks_dated(sheet.columns[name]) for name in others):
        return sheet
    names = list(found)
    minutes = np.array([found[name] for name in names], dtype=np.int64)
    if set(minutes.tolist()) == {60 * hour for hour in range(1, OF_CLOCKS_BACK + 1)}:
        raise TableInvalid(
            f"has a column for an hour 25, {names[int(np.argmax(minutes))]!r}: it does not say which hour clocks repeat.",
            hint="Write one row for each hour, with times and their offsets such as 2024-10-27T02:00+01:00.",
            about=TIME,
        )
    step = DAY // len(names)
    starts, ends = np.arange(0, DAY, step), np.arange(step, DAY + 1, step)
    if DAY % len(names) or not any(np.array_equal(np.sort(minutes), grid) for grid in (starts, ends)):
        return sheet
    return _unpivot(sheet, names, ClockTimes(minutes - step * (minutes.min() > 0)), others, step)


def _minutes_of(name: str) -> int | None:
    """Return the time of day that a column is named by, in minutes, or None."""
    match = _HEADER.fullmatch(name.strip())
    if match is None:
        return None
    if match[1]:
        return 60 * int(match[1])
    digits = (match[2] or match[3]).replace(":", "").zfill(4)
    return 60 * int(digits[:2]) + int(digits[2:])


def _unpivot(sheet: Sheet, names: Sequence[str], clock: ClockTimes, others: Sequence[str], step: int) -> Sheet:
    import pyarrow as pa

    rows, width = len(sheet.rows), len(names)
    each = pa.array(np.repeat(np.arange(rows), width))
    columns = {name: sheet.columns[name].take(each) for name in others}
    time = find_column([name for name in others if looks_dated(sheet.columns[name])] or others, "timestamp")
    time = time or next(name for name in others if looks_dated(sheet.columns[name]))
    columns[time] = join_clock(columns[time], ClockTimes(np.tile(clock.minutes, rows)))
    cells = [sheet.columns[name] for name in names]
    if len({cell.type for cell in cells}) > 1:
        cells = [as_time_text(cell) for cell in cells]
    order = (np.arange(rows)[:, None] + rows * np.arange(width)).ravel()
    value = "value" if "value" not in columns else "value of the hour"
    columns[value] = pa.concat_arrays(cells).take(pa.array(order))
    first = names[int(np.argmin(clock.minutes))]
    detail = f"The {width} columns from {names[0]} to {names[-1]} are times of day: {first} is 00:00 to {_shown(step)}, read as 00:00."
    faults = {at * width + place: fault for at, fault in sheet.faults.items() for place in range(width)}
    findings = (*sheet.findings, Finding("HOURS_JOINED", detail))
    return replace(sheet, columns=columns, rows=np.repeat(sheet.rows, width), faults=faults, findings=findings)
