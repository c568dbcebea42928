"""Time parts: columns that hold a part of a time, such as year, month or hour, and dates in several columns."""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from models.columns import NAMES
from models.errors import Finding
from models.tables.cells import as_time_text
from models.tables.faults import TIME, TableInvalid
from models.tables.sheet import Sheet
from models.tables.times.date_forms import SAMPLE, looks_dated
from models.tables.times.months import ALL_MONTHS, doubt_about, find_doubt, in_english

YEARS, MONTHS_OF = ("year", "jahr", "yr", "yyyy"), ("month", "monat", "mm")
DAYS, WEEKS, QUARTERS = ("day", "tag", "dd"), ("week", "woche", "kw", "isoweek"), ("quarter", "quartal")
NAMES_OF_PARTS = frozenset(
    (
        *YEARS,
        *MONTHS_OF,
        *DAYS,
        *WEEKS,
        *QUARTERS,
        "time",
        "clock",
        "hour",
        "hours",
        "hr",
        "he",
        "hour ending",
        "hourending",
        "minute",
        "second",
        "from",
        "to",
        "uhrzeit",
        "zeit",
        "stunde",
        "von",
        "bis",
        "time of day",
        "heure",
        "weekday",
        "day of week",
        "dayofweek",
        "wochentag",
        "start time",
        "end time",
        "starttime",
        "endtime",
        "week of year",
    )
)
"""Names of columns with a part of a time, in lower case, with spaces for underscores."""

_CLOCK = r"^\s*\d{1,2}:\d{2}(:\d{2}([.,]\d+)?)?( ?[AaPp]\.?[Mm]\.?)?\s*$"
_RANGES = {
    MONTHS_OF: r"^0?[1-9]$|^1[0-2]$",
    DAYS: r"^0?[1-9]$|^[12]\d$|^3[01]$",
    WEEKS: r"^0?[1-9]$|^[1-4]\d$|^5[0-3]$",
    QUARTERS: r"^[1-4]$",
}

LEAST_ENDS, SHARE_OF_ENDS = 3, 0.8
"""Rows from which on a second date is recognized as the end of a period, and the share of those whose end is the next row's time."""


MONTHS_ABROAD = ("mois", "mes", "mês", "mese", "maand", "måned", "månad", "miesiąc", "mo")
"""Names of columns with months in other languages, or abbreviated: what to do is said, but they are not joined."""

PARTS_OF_YEARS: Mapping[str, str] = {
    **dict.fromkeys((*MONTHS_OF, *MONTHS_ABROAD, "period", "periode", "periodo"), "2024-01"),
    **dict.fromkeys((*QUARTERS, "qtr", "trimester", "trimestre"), "2024-Q1"),
    **dict.fromkeys((*WEEKS, "wk", "semaine", "semana"), "2024-W01"),
    **dict.fromkeys(("half", "halfyear", "half year", "semester", "semestre", "halbjahr"), "2024-01 or 2024-07"),
}
"""Names of columns with a part of a year, as `plain_part` returns them, and how the whole is written."""

_BESIDE = re.compile(r"\b(?:fiscal|financial|fy|iso|calendar|cal|no|num|number|nr|of year)\b")


def plain_part(name: str) -> str:
    """Return the name of a part of a time in lower case, without words such as fiscal and number: fiscal_month is month."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])|[_\s.-]+", " ", name.strip()).lower()
    return " ".join(_BESIDE.sub(" ", words).split())


def is_fiscal(name: str) -> bool:
    """Return whether a column is named after a fiscal year or a part of it."""
    return bool(re.match(r"fiscal|financial|fy", name.strip().lower()))


def is_time_part(name: str, column: Any) -> bool:  # noqa: ANN401 - pyarrow's
    """Return whether a column holds a part of a time, by its name or its cells."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_time(column.type) or re.sub(r"[_\s]+", " ", name.lower()) in NAMES_OF_PARTS:
        return True
    if plain_part(name) in PARTS_OF_YEARS:
        parts = pc.match_substring_regex(as_time_text(column).drop_null(), r"^\s*[A-Za-z]{0,4}[ .]?\d{1,2}\s*$")
        return bool(len(parts) and pc.all(parts).as_py())
    return has_clocks(column)


def has_clocks(column: Any) -> bool:  # noqa: ANN401 - pyarrow's
    """Return whether the cells of a column are times of day such as 08:00."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_time(column.type):
        return True
    for cells in (column.slice(0, SAMPLE), column):  # mostly the first cells are none
        clocks = pc.match_substring_regex(as_time_text(cells).drop_null(), _CLOCK)
        if len(clocks) and not pc.all(clocks).as_py():
            return False
    return bool(len(clocks))


def join_date(sheet: Sheet, used: Collection[str | None]) -> Sheet:
    """Return the sheet with the columns year, month and day, year and week, or year and quarter as one date.

    Args:
        sheet: The file; it stays as it is if it has a column for the whole date, or cells that are not parts of one.
        used: Columns that were named for another use.
    """
    lower = {name.lower(): name for name in sheet.names if name not in used}
    whole = {name for name in NAMES["timestamp"] if name not in {"time", "month", "day", "year"}}
    years = _part(sheet, lower, YEARS, r"^\d{4}$")
    _refuse_sparse_years(sheet, lower)
    if years is None or whole & {name.lower() for name in sheet.names} or any(map(looks_dated, sheet.columns.values())):
        return sheet
    numbered, lower = _number_months(sheet, lower)
    for parts, sign in (((MONTHS_OF, DAYS), "-"), ((MONTHS_OF,), "-"), ((WEEKS,), "-W"), ((QUARTERS,), "-Q")):
        found = [_part(numbered, lower, names, _RANGES[names]) for names in parts]
        names = [years, *(name for name in found if name is not None)]
        if len(names) == len(found) + 1:
            return _joined(numbered, names, sign)
    return sheet


def _refuse_sparse_years(sheet: Sheet, lower: dict[str, str]) -> None:
    """Raise TableInvalid if the year stands only in the first row of each year, beside months, weeks or quarters."""
    import pyarrow.compute as pc

    name = next((lower[one] for one in YEARS if one in lower), None)
    if name is None or not any(one in lower for one in (*MONTHS_OF, *WEEKS, *QUARTERS)):
        return
    texts = pc.utf8_trim_whitespace(as_time_text(sheet.columns[name]))
    years = texts.drop_null()
    is_year = pc.all(pc.match_substring_regex(years, r"^\d{4}$")).as_py()
    if len(years) and is_year and texts[0].is_valid and 2 * texts.null_count >= len(texts):
        raise TableInvalid(
            f"has the year only in some rows of column {name!r}; it is empty in row {sheet.rows[texts.is_null().index(True).as_py()]}.",
            hint="Fill it down, so that each row has its year.",
            about=TIME,
        )


def _number_months(sheet: Sheet, lower: dict[str, str]) -> tuple[Sheet, dict[str, str]]:
    """Return the sheet with names of months and quarters, as `January` and `Qtr 1`, as numbers; without quarters beside months."""
    months, quarters = (next((lower[one] for one in names if one in lower), None) for names in (MONTHS_OF, QUARTERS))
    columns = dict(sheet.columns)
    if months is not None:
        columns[months] = _named_in_english(columns[months], months)
    for name, number in ((months, _number_of_month), (quarters, _number_of_quarter)):
        if name is not None:
            columns[name] = _each(as_time_text(columns[name]), number)
    numbered = replace(sheet, columns=columns)
    if months and quarters and _part(numbered, lower, MONTHS_OF, _RANGES[MONTHS_OF]):
        fits = _part(numbered, lower, QUARTERS, _RANGES[QUARTERS])
        pairs = (
            set(zip(columns[months].to_pylist(), columns[quarters].to_pylist(), strict=True)) if fits else {("1", "2")}
        )
        if all((int(month) + 2) // 3 == int(quarter) for month, quarter in pairs):
            return numbered.without([quarters]), {one: name for one, name in lower.items() if name != quarters}
    return numbered, lower


def _named_in_english(column: Any, name: str) -> Any:  # noqa: ANN401 - pyarrow's
    """Return a column of months with those in English that are others in two languages.

    Raises:
        TableInvalid: If no other name in the column tells the language.
    """
    texts = as_time_text(column).drop_null().unique().to_pylist()
    doubt = find_doubt(texts)
    if doubt is not None:
        detail, hint = doubt_about(doubt.strip())
        raise TableInvalid(detail, hint=hint, place=f", column {name!r}", about=TIME)
    named = in_english(texts)
    return (
        column
        if named is texts
        else _each(as_time_text(column), dict(zip(map(str.strip, texts), named, strict=True)).__getitem__)
    )


def _each(column: Any, change: Callable[[str], str]) -> Any:  # noqa: ANN401 - pyarrow's
    """Return a column of text with each distinct cell changed."""
    import pyarrow as pa

    encoded = column.dictionary_encode()
    texts = pa.array([change(one.strip()) for one in encoded.dictionary.to_pylist()], pa.string())
    return texts.take(encoded.indices)


def _number_of_month(text: str) -> str:
    return str(ALL_MONTHS.get(text.lower().rstrip("."), text))


def _number_of_quarter(text: str) -> str:
    match = re.fullmatch(r"(?:q|qtr|quarter|quartal)\.? ?([1-4])", text, re.IGNORECASE)
    return match[1] if match else text


def _part(sheet: Sheet, lower: dict[str, str], names: Sequence[str], cells: str) -> str | None:
    """Return the column of a part, if all its cells are of its range."""
    import pyarrow.compute as pc

    name = next((lower[one] for one in names if one in lower), None)
    if name is None:
        return None
    fits = pc.match_substring_regex(pc.utf8_trim_whitespace(as_time_text(sheet.columns[name])), cells)
    return name if not fits.null_count and pc.all(fits).as_py() else None


def _joined(sheet: Sheet, names: Sequence[str], sign: str) -> Sheet:
    import pyarrow.compute as pc

    texts = [pc.utf8_trim_whitespace(as_time_text(sheet.columns[name])) for name in names]
    width = 1 if sign == "-Q" else 2
    padded = [texts[0], *(pc.utf8_lpad(text, width, "0") for text in texts[1:])]
    dates = pc.binary_join_element_wise(*padded, sign)
    left = sheet.without(names, Finding("DATE_JOINED", f"Columns {', '.join(names)} are read as one date."))
    return left.with_first("date", dates)


def ends_rows(sheet: Sheet, time: str, name: str) -> bool:
    """Return whether a column has the end of each row's period: the time of most next rows."""
    import pyarrow.compute as pc

    if len(sheet.rows) < LEAST_ENDS or not looks_dated(sheet.columns[name]):
        return False
    follows = pc.equal(
        as_time_text(sheet.columns[name]).slice(0, len(sheet.rows) - 1), as_time_text(sheet.columns[time]).slice(1)
    )
    return bool((pc.sum(follows).as_py() or 0) >= SHARE_OF_ENDS * len(follows))
