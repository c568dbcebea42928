"""Headers: times that stand in the names of columns, so that a row is not one time."""

import itertools
import re
from collections.abc import Sequence
from typing import Any

from models.columns import NAMES
from models.tables.cells import as_time_text
from models.tables.faults import TIME, TableInvalid
from models.tables.sheet import Sheet
from models.tables.times.date_forms import SAMPLE, is_dated, looks_dated
from models.tables.times.months import MONTHS
from models.tables.times.time_parts import DAYS, PARTS_OF_YEARS, plain_part

_NUMBER = re.compile(r"[-+]?[\d.,]+")

MANY_MONTHS = 6
"""Names of months in a header from which on it is a table with a column for each month."""

MANY_YEARS = 3
"""Years in a row in a header from which on it is a table with a column for each year."""

MANY_STEPS = 12
"""Columns with one word and rising numbers from which on they may be steps."""

MANY_WEEKDAYS = 5
WEEKDAYS = frozenset({
    "mon", "tue", "wed", "thu", "fri", "sat", "sun", "tues", "thur", "thurs",
    "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday", "mo", "di", "mi", "do", "fr", "sa", "so",
    "montag", "dienstag", "mittwoch", "donnerstag", "freitag", "samstag", "sonnabend", "sonntag",
})  # fmt: skip
"""Days of the week in a header, in lower case; with MANY_WEEKDAYS of them it is a table with a column for each day."""

_ROMAN = {"i": 1, "ii": 2, "iii": 3, "iv": 4}
_PERIODS = {
    "quarters": (4, 4, "q|qtr|quarter|quartal|kwartaal|trim|trimestre|trimester", "2024-Q1"),
    "half-years": (2, 2, "h|half|hj|halbjahr|sem|semester|semestre", "2024-01 or 2024-07"),
    "months": (12, 12, "m|month|monat|p|period|periode", "2024-01"),
    "weeks": (13, 53, "w|wk|week|kw|cw|woche|semaine|semana", "2024-W01"),
}
"""Periods that stand in headers beside years: the fewest of them, the most, the words and what to write.

Words that begin names of stores and sensors as well, such as S1 and T1, are left out.
"""
_YEAR = r"^\s*(?:FY ?)?(?:(?:19|20)\d\d(?:[/-]\d{2,4})?|(?:19|20)\d\d\.0+)\s*$"
_SPAN = re.compile(r"\s*(?:FY ?)?(\d{4})[/-](\d\d)\s*")
_NUMBERED = re.compile(r"(.*\D)(\d{1,6})")
_TEN_DIGITS = re.compile(r"\d{10}")


def refuse_times_in_header(sheet: Sheet) -> None:
    """Raise TableInvalid if times stand in the header: months, days of the week, dates or years."""
    _refuse_weekdays(sheet.names)
    _refuse_periods(sheet)
    _refuse_dates(sheet)
    _refuse_years(sheet)


def refuse_steps_in_header(sheet: Sheet) -> None:
    """Raise TableInvalid if most columns are numbered, such as d_1 to d_1941, beside text and no times: each row is a series."""
    stem, columns = _find_numbered(sheet.names)
    others = [name for name in sheet.names if name not in columns]
    if len(columns) < max(MANY_STEPS, len(others)) or _has_times(sheet, others):
        return
    if any(_has_words(sheet.columns[name]) for name in others):
        raise TableInvalid(
            f"has steps as columns, {columns[0]!r} to {columns[-1]!r}, and a row for each series.",
            hint=f"Write one row for each series and step: columns of ids, a date in place of {stem!r} and its number, and one of values "
            "(in pandas: `melt`).",
            about=TIME,
            missing=True,
        )


def _find_numbered(names: Sequence[str]) -> tuple[str, list[str]]:
    """Return the word with the most numbers in names, each one more than that before, and these names."""
    found: dict[str, list[tuple[int, str]]] = {}
    for name in names:
        match = _NUMBERED.fullmatch(name.strip())
        if match:
            found.setdefault(match[1], []).append((int(match[2]), name))
    runs = {stem: some for stem, some in found.items() if all(b[0] - a[0] == 1 for a, b in itertools.pairwise(some))}
    stem = max(runs, key=lambda one: len(runs[one]), default="")
    return stem, [name for _, name in runs.get(stem, ())]


def _has_words(column: Any) -> bool:  # noqa: ANN401 - pyarrow's
    """Return whether one of the first cells of a column begins with a letter."""
    cells = as_time_text(column.slice(0, SAMPLE)).to_pylist()
    return any(cell and cell.strip()[:1].isalpha() for cell in cells)


def _refuse_weekdays(names: Sequence[str]) -> None:
    """Raise TableInvalid if the header has the days of the week: it is a table with a row for each week."""
    found = [name for name in names if name.lower().rstrip(".") in WEEKDAYS]
    if len(found) >= MANY_WEEKDAYS:
        raise TableInvalid(
            f"has days of the week as columns, such as {found[0]!r}.",
            hint="Write one row for each day: a column of dates, such as 2024-01-31, and one of values.",
            about=TIME,
            missing=True,
        )


def _refuse_periods(sheet: Sheet) -> None:
    """Raise TableInvalid if the header has quarters, half-years, months or weeks in figures, and years are the only times."""
    for what, (fewest, most, words, example) in _PERIODS.items():
        found = {number: name for name in sheet.names if (number := _number_in(name, words))}
        if sorted(found)[:fewest] != list(range(1, fewest + 1)) or max(found) > most:
            continue
        others = [name for name in sheet.names if name not in found.values()]
        years = [name for name in others if _are_years(sheet.columns[name])]
        if years and not _has_times(sheet, [name for name in others if name not in years]):
            raise TableInvalid(
                f"has {what} as columns, such as {found[1]!r}.",
                hint=f"Write one row for each: a column of {what}, such as {example}, and one of values.",
                about=TIME,
                missing=True,
            )


def _number_in(name: str, words: str) -> int:
    """Return the number of a period such as Q1, KW01, 1. Halbjahr or IV. Quartal; 0 for other names."""
    match = re.fullmatch(
        rf"(?:({words})[ ._-]*)?(\d{{1,2}}|i{{1,3}}|iv)(?:\.|st|nd|rd|th|er|e|º)?(?:[ ._-]*({words}))?",
        name.strip().lower(),
    )
    if match is None or (match[2].isdigit() and not (match[1] or match[3])):
        return 0
    return _ROMAN.get(match[2]) or int(match[2])


def _are_years(column: Any) -> bool:  # noqa: ANN401 - pyarrow's
    """Return whether all cells of a column are years, such as 2024, FY2024 or 2023/24; months such as 2020-01 are none."""
    if not are_years_or_months(column):
        return False
    spans = (_SPAN.fullmatch(text) for text in as_time_text(column).drop_null().unique().to_pylist())
    return all((int(span[1]) + 1) % 100 == int(span[2]) for span in spans if span)


def _has_times(sheet: Sheet, names: Sequence[str]) -> bool:
    """Return whether one of some columns has dates, or is named as times or a part of them and has figures."""
    for name in names:
        is_named = name.lower() in {*NAMES["timestamp"], *DAYS} or plain_part(name) in PARTS_OF_YEARS
        cells = as_time_text(sheet.columns[name].slice(0, SAMPLE)).to_pylist() if is_named else ()
        if any(cell and cell.strip()[:1].isdigit() for cell in cells) or looks_dated(sheet.columns[name]):
            return True
    return False


def are_years_or_months(column: Any) -> bool:  # noqa: ANN401 - pyarrow's
    """Return whether all cells of a column are years or months, such as 2024, FY2024, 2023/24 or 2020-01."""
    import pyarrow.compute as pc

    for cells in (column.slice(0, SAMPLE), column):  # mostly the first cells are none
        years = pc.match_substring_regex(as_time_text(cells).drop_null(), _YEAR)
        if len(years) and not pc.all(years).as_py():
            return False
    return bool(len(years))


def _refuse_dates(sheet: Sheet) -> None:
    """Raise TableInvalid if dates stand in the header: it is the first row of a file without one, or a pivot table."""
    names = sheet.names
    months = {MONTHS[name.lower().rstrip(".")]: name for name in names if name.lower().rstrip(".") in MONTHS}
    if len(months) >= MANY_MONTHS or {str(month) for month in range(1, 13)} <= set(names):
        raise TableInvalid(
            f"has months as columns, such as {next(iter(months.values()), '1')!r}.",
            hint="Write one row for each month: a column of months, such as 2024-01, and one of values.",
            about=TIME,
            missing=True,
        )
    dates = [name for name in names if is_dated(name)]
    digits = [name for name in dates if _TEN_DIGITS.fullmatch(name)]
    if digits and _has_times(sheet, [name for name in names if name not in dates]):  # then ten digits are ids
        dates = [name for name in dates if name not in digits]
    if len(dates) > 1 and 2 * len(dates) > len(names):
        raise TableInvalid(
            f"has dates as columns, such as {dates[0]!r}.",
            hint="Write a row for each date and a column for each series.",
            about=TIME,
            missing=True,
        )
    numbers = [name for name in names if _NUMBER.fullmatch(name)]
    years = any(re.fullmatch(r"(?:19|20)\d\d", name) for name in numbers)
    is_row = (dates and (numbers or len(dates) == len(names))) or (1 < len(names) == len(numbers) and not years)
    if is_row or any(looks_dated(sheet.columns[name]) for name in dates):
        raise TableInvalid(
            f"has no header: its first row is {', '.join(map(repr, names[:4]))}.",
            hint="Add one, such as date,sales.",
            about=TIME,
            missing=True,
        )


def _refuse_years(sheet: Sheet) -> None:
    """Raise TableInvalid if years stand in the header and no column has dates: it is a pivot table."""
    years = [name for name in sheet.names if re.fullmatch(r"(?:19|20)\d\d", name)]
    rises = len(years) >= MANY_YEARS and all(int(b) - int(a) == 1 for a, b in itertools.pairwise(years))
    if rises and not any(looks_dated(sheet.columns[name]) for name in sheet.names if name not in years):
        raise TableInvalid(
            f"has years as columns, such as {years[0]!r}.",
            hint="Write a row for each date, such as 2024 or 2024-01, and a column of values.",
            about=TIME,
            missing=True,
        )
