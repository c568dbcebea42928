"""Clock periods: two columns of times of day beside a date, at which the period of each row begins and ends."""

import re
from collections import Counter
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

DAY, HOUR, MOST_APART = 86_400, 3_600, 60
"""Seconds of a day and an hour, and most of them between the end of a period, as 00:14:59, and the start of the next."""

_CLOCK = re.compile(r"(\d{1,2})(?::([0-5]\d)(?::([0-5]\d)(?:[.,]\d+)?)?)?(?: ?([ap])\.?m\.?)?(?: uhr)?", re.IGNORECASE)

FEW_ROWS, FIRST_ROWS = 2, 50
"""Most rows of a series that a meter sends at a time, and those by which most files are seen to have more."""

Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class ClockPeriods:
    """The periods of a file's rows.

    Attributes:
        start: Column with the time of day at which each begins.
        end: Column with the one at which it ends.
        is_late: Rows dated by the midnight at which or after which they end, so that they begin on the day before, (rows,).
        is_unclear: Rows over midnight of which nobody can tell whether they are dated so; they are read as if not, (rows,).
    """

    start: str
    end: str
    is_late: NDArray[np.bool_]
    is_unclear: NDArray[np.bool_]


def find_periods(sheet: Sheet, time: str, ids: Sequence[str], taken: Collection[str | None]) -> ClockPeriods | None:
    """Return the periods that begin and end at times of day, as `Zeit von` and `Zeit bis` say.

    None if no such columns are free, or if most periods do not begin where another one of the series ends: then they are
    opening hours or shifts. If the dates of each series differ, they are whole without them, but for a meter that sends
    its newest row: one period of up to an hour, or two around midnight.

    Args:
        sheet: The file.
        time: Its column of dates.
        ids: Columns that together name a series.
        taken: Columns of another use.
    """
    free = [name for name in sheet.names if name != time and name not in taken]
    start, end = find_names(free)
    if start is None or end is None:
        return None
    starts, ends = seconds_of(sheet.columns[start]), seconds_of(sheet.columns[end])
    if starts is None or ends is None or (starts == DAY).any():
        return None
    dates, series = _codes(sheet.columns[time]), _series_of(sheet, ids)
    if not _are_repeated(series, dates):
        return _newest((start, end), series, starts, ends)
    if 2 * np.sum(ends > starts) < len(starts):
        return None
    order = np.argsort(series, kind="stable")
    shares = [_share_that_follows(series[one], starts[one], ends[one]) for one in (order, order[::-1])]
    if max(shares) < SHARE_OF_ENDS:
        return None
    is_late = np.zeros(len(dates), dtype=np.bool_)
    if min(shares) < SHARE_OF_ENDS:  # else, with two periods a day, nobody can say whether the file rises
        rising = order if shares[0] > shares[1] else order[::-1]
        is_late[rising] = _are_late(series[rising], dates[rising], starts[rising], ends[rising])
    return ClockPeriods(start, end, is_late, np.zeros(len(dates), dtype=np.bool_))


def dates_repeat(sheet: Sheet, time: str, ids: Sequence[str]) -> bool:
    """Return whether a series has a date twice."""
    return _are_repeated(_series_of(sheet, ids), _codes(sheet.columns[time]))


def are_few(sheet: Sheet, ids: Sequence[str]) -> bool:
    """Return whether each series has one row or two, which do not show what stands beside their dates."""
    rows = len(sheet.rows)
    if not ids:
        return rows <= FEW_ROWS
    cells = [as_time_text(sheet.columns[name].slice(0, FIRST_ROWS)).to_pylist() for name in ids]
    if max(Counter(zip(*cells, strict=True)).values(), default=0) > FEW_ROWS:  # mostly the first rows tell
        return False
    return int(np.unique(_series_of(sheet, ids), return_counts=True)[1].max()) <= FEW_ROWS


def find_names(names: Sequence[str]) -> tuple[str | None, str | None]:
    """Return which columns are named as the start and the end of a period."""
    start, end = (next((one for one in names if form.fullmatch(_bare(one))), None) for form in (FROM, UNTIL))
    return start, end


def _series_of(sheet: Sheet, ids: Sequence[str]) -> Integers:
    """Return a number for the series of each row."""
    series = np.zeros(len(sheet.rows), dtype=np.int64)
    for name in ids:
        series = np.unique(np.stack([series, _codes(sheet.columns[name])]), axis=1, return_inverse=True)[1].ravel()
    return series


def _are_repeated(series: Integers, dates: Integers) -> bool:
    return bool(np.unique(np.stack([series, dates]), axis=1).shape[1] < len(dates))


def _newest(names: tuple[str, str], series: Integers, starts: Integers, ends: Integers) -> ClockPeriods | None:
    """Return the periods of series with one of up to an hour each, or two of which one ends and the other begins at midnight."""
    lengths = (ends - starts) % DAY
    if min(starts.min(), ends.min()) < 0 or lengths.min() == 0 or lengths.max() > HOUR:
        return None
    order = np.argsort(series, kind="stable")
    pairs = np.flatnonzero(series[order][1:] == series[order][:-1])
    if len(pairs) and np.diff(pairs).min(initial=2) < 2:  # noqa: PLR2004 - three rows
        return None
    before, after = order[pairs], order[pairs + 1]
    forth, back = ((starts[b] == 0) & (-ends[a] % DAY <= MOST_APART) for a, b in ((before, after), (after, before)))
    is_alone = np.ones(len(series), dtype=np.bool_)
    is_alone[np.concatenate([before, after])] = False
    never = np.zeros(len(series), dtype=np.bool_)
    return ClockPeriods(*names, never, is_alone & (ends % DAY < starts)) if (forth | back).all() else None


def _bare(name: str) -> str:
    return plain_name(name).rstrip(": ")


def _codes(column: Any) -> Integers:  # noqa: ANN401 - pyarrow's
    """Return a number for each distinct cell, -1 for empty ones."""
    codes = as_time_text(column).dictionary_encode().indices.fill_null(-1)
    return np.asarray(codes.to_numpy(zero_copy_only=False), dtype=np.int64)


def seconds_of(column: Any) -> Integers | None:  # noqa: ANN401 - pyarrow's
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
