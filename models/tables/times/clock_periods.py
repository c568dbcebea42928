"""Clock periods: two columns of times of day beside a date, at which the period of each row begins and ends."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.tables.cells import as_time_text
from models.tables.sheet import Sheet
from models.tables.times.hours import plain_name
from models.tables.times.time_parts import SHARE_OF_ENDS

_OF_CLOCK = "(?:(?:uhr)?zeit|time|heure|hora|hour|stunde|period|interval)"
FROM, UNTIL = (
    re.compile(rf"(?:{_OF_CLOCK} ?)?(?:{words})(?: ?{_OF_CLOCK})?")
    for words in ("von|ab|from|start|begin|beginn|début|debut|inicio|desde", "bis|to|until|till|end|ende|fin|hasta")
)
"""Names of the two columns, as `plain_name` returns them."""

DAY, MOST_APART = 86_400, 60
"""Seconds of a day, and most of them between the end of a period, as 00:14:59, and the start of the next."""

_CLOCK = re.compile(r"(\d{1,2})(?::([0-5]\d)(?::([0-5]\d)(?:[.,]\d+)?)?)?(?: ?([ap])\.?m\.?)?(?: uhr)?", re.IGNORECASE)

Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class ClockPeriods:
    """The periods of a file's rows.

    Attributes:
        start: Column with the time of day at which each begins.
        end: Column with the one at which it ends.
        is_late: Rows dated by the midnight at which or after which they end, so that they begin on the day before, (rows,).
    """

    start: str
    end: str
    is_late: NDArray[np.bool_]


def find_periods(sheet: Sheet, time: str, ids: Sequence[str], taken: Collection[str | None]) -> ClockPeriods | None:
    """Return the periods that begin and end at times of day, as `Zeit von` and `Zeit bis` say.

    None if no such columns are free, if the dates of each series differ and are whole without them, or if most periods do
    not begin where another one of the series ends: then they are opening hours or shifts.

    Args:
        sheet: The file.
        time: Its column of dates.
        ids: Columns that together name a series.
        taken: Columns of another use.
    """
    free = [name for name in sheet.names if name != time and name not in taken]
    start, end = (next((one for one in free if form.fullmatch(_bare(one))), None) for form in (FROM, UNTIL))
    if start is None or end is None:
        return None
    starts, ends = _seconds(sheet.columns[start]), _seconds(sheet.columns[end])
    if starts is None or ends is None or (starts == DAY).any() or 2 * np.sum(ends > starts) < len(starts):
        return None
    dates, series = _codes(sheet.columns[time]), np.zeros(len(starts), dtype=np.int64)
    for name in ids:
        series = np.unique(np.stack([series, _codes(sheet.columns[name])]), axis=1, return_inverse=True)[1].ravel()
    if np.unique(np.stack([series, dates]), axis=1).shape[1] == len(dates):
        return None
    order = np.argsort(series, kind="stable")
    shares = [_share_that_follows(series[one], starts[one], ends[one]) for one in (order, order[::-1])]
    if max(shares) < SHARE_OF_ENDS:
        return None
    is_late = np.zeros(len(dates), dtype=np.bool_)
    if min(shares) < SHARE_OF_ENDS:  # else, with two periods a day, nobody can say whether the file rises
        rising = order if shares[0] > shares[1] else order[::-1]
        is_late[rising] = _are_late(series[rising], dates[rising], starts[rising], ends[rising])
    return ClockPeriods(start, end, is_late)


def _bare(name: str) -> str:
    return plain_name(name).rstrip(": ")


def _codes(column: Any) -> Integers:  # noqa: ANN401 - pyarrow's
    """Return a number for each distinct cell, -1 for empty ones."""
    codes = as_time_text(column).dictionary_encode().indices.fill_null(-1)
    return np.asarray(codes.to_numpy(zero_copy_only=False), dtype=np.int64)


def _seconds(column: Any) -> Integers | None:  # noqa: ANN401 - pyarrow's
    """Return times of day in seconds since midnight, -1 for empty cells; None if a cell is none."""
    texts = as_time_text(column).dictionary_encode().dictionary.to_pylist()
    found = [_second(text.strip()) for text in texts]
    return None if None in found else np.array([*found, -1], dtype=np.int64)[_codes(column)]


def _second(text: str) -> int | None:
    match = _CLOCK.fullmatch(text)
    if match is None:
        return None
    hour = int(match[1])
    if match[4]:
        hour = hour % 12 + 12 * (match[4].lower() == "p")
    second = 3_600 * hour + 60 * int(match[2] or 0) + int(match[3] or 0)
    return second if second <= DAY else None


def _follows(series: Integers, starts: Integers, ends: Integers) -> NDArray[np.bool_]:
    """Return which periods begin where the one before them ends, shape (rows - 1,)."""
    is_known = (series[1:] == series[:-1]) & (starts[1:] >= 0) & (ends[:-1] >= 0)
    return np.asarray(is_known & ((starts[1:] - ends[:-1]) % DAY <= MOST_APART))


def _share_that_follows(series: Integers, starts: Integers, ends: Integers) -> float:
    pairs = int(np.sum(series[1:] == series[:-1]))
    return float(_follows(series, starts, ends).sum() / pairs) if pairs else 0.0


def _are_late(series: Integers, dates: Integers, starts: Integers, ends: Integers) -> NDArray[np.bool_]:
    """Return which rows, in rising order, have the date of the day on which they end.

    Those that end at midnight or later, if most of them have the date of the next row and not that of the row before.
    """
    follows, crosses = _follows(series, starts, ends), (ends < starts) & (ends >= 0)
    before, after = np.append(False, follows), np.append(follows, False)
    same = dates[1:] == dates[:-1]
    is_late = ~(before & np.append(False, same)) & (~after | np.append(same, False))
    shown = is_late[crosses & (before | after)]
    return crosses & (bool(shown.size) and bool(shown.mean() >= SHARE_OF_ENDS))
