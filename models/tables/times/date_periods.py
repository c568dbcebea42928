"""Date periods: years with a number, such as 2018-1, that may be a week, a quarter, half a year or a month."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from models.tables.faults import Place

_NUMBERED = re.compile(
    r"(?P<year>\d{4})(?P<sign>[-/.]?)(?P<last>\d{1,2})|(?P<first>\d{1,2})(?P<mark>[-/.])(?P<end>\d{4})"
)
_WEEKS = re.compile(
    r"week|woche|semaine|semana|settimana|(?:^|[^a-z]|year|yr|yyyy|iso|jahr)(?:kw|cw|wk|ww)(?:[^a-z]|$)"
)
_QUARTERS = re.compile(r"quart|qtr|trim[ei]st|kwartaal|kvartal|(?:^|[^a-z]|year|yr|yyyy|jahr)q(?:[^a-z]|$)")
_HALVES = re.compile(r"half|halb|semest")
_MONTHS_NAMED = re.compile(r"month|monat|mois|mes|maand|mm")

MONTHS, MOST_WEEKS, QUARTERS, HALVES = 12, 53, 4, 2
"""Periods in a year."""

FEWEST = 5
"""Quarters or half-years in a row from which on they are recognized by their numbers."""


@dataclass(frozen=True, slots=True)
class Periods:
    """Quarters or half-years.

    Attributes:
        walls: Their first days.
        first: The first one, such as 2015-Q1.
        style: How they are written, for `format_timestamps`.
    """

    walls: tuple[datetime, ...]
    first: str
    style: str


def read_periods(texts: Sequence[str], place: Place) -> Periods | None:
    """Return years with numbers as quarters or half-years if the column is named after these; None else.

    Raises:
        TableInvalid: If the column has no such name, but the numbers are those of all quarters or half-years in a row.
    """
    found = _numbered(texts)
    if found is None:
        return None
    name = place.column.lower()
    most = max(number for _, number in found)
    if most <= QUARTERS and _QUARTERS.search(name):
        return _periods(found, QUARTERS)
    if most <= HALVES and _HALVES.search(name):
        return _periods(found, HALVES)
    if not (_WEEKS.search(name) or _MONTHS_NAMED.search(name)):
        _refuse_rows_of_periods(texts, found, place)
    return None


def _periods(found: Sequence[tuple[int, int]], count: int) -> Periods:
    months = MONTHS // count
    walls = tuple(datetime(year, months * (number - 1) + 1, 1) for year, number in found)  # noqa: DTZ001 - a wall clock
    return Periods(walls, _written(found[0], count), "YYYY-Qq" if count == QUARTERS else "YYYY-MM")


def _written(period: tuple[int, int], count: int) -> str:
    year, number = period
    return f"{year}-Q{number}" if count == QUARTERS else f"half-year {number} of {year}"


def _refuse_rows_of_periods(texts: Sequence[str], found: Sequence[tuple[int, int]], place: Place) -> None:
    """Raise TableInvalid if numbers that would be months are all quarters, or half-years, in a row."""
    count = max(number for _, number in found)
    if count not in {QUARTERS, HALVES} or len(set(found)) < FEWEST:
        return
    places = sorted({count * year + number for year, number in found})
    if places[-1] - places[0] != len(places) - 1:
        return
    what, better = (
        ("a quarter", f"quarters as {_written(found[0], count)}") if count == QUARTERS else ("a half-year", "")
    )
    year, number = found[0]
    better = better or f"half-years as their first months, here {year}-{6 * number - 5:02d}"
    hint = f"Write {better}; if they are months, give --date-format {_form_of(texts[0])}."
    raise place.refuse(0, f"{texts[0]!r} may be {what} or a month.", hint)


def refuse_weeks(texts: Sequence[str], place: Place) -> None:
    """Refuse years with numbers up to 53 in a column that is named after weeks: as months they would be wrong, or missing.

    Raises:
        TableInvalid: With the first number that is no month, or the first of all.
    """
    found = _numbered(texts) if _WEEKS.search(place.column.lower()) else None
    if found is None or max(number for _, number in found) > MOST_WEEKS:
        return
    at = next((at for at, (_, number) in enumerate(found) if number > MONTHS), 0)
    year, number = found[at]
    week = f"{year}-W{number:02d}"
    if number > MONTHS:
        raise place.refuse(at, f"{texts[at]!r} is a week and not a date.", f"Write weeks as {week}.")
    hint = f"Write weeks as {week}; if they are months, give --date-format {_form_of(texts[at])}."
    raise place.refuse(at, f"{texts[at]!r} may be a week or a month.", hint)


def _numbered(texts: Sequence[str]) -> list[tuple[int, int]] | None:
    """Return years with their numbers; None if a text is something else, or has the year or the number 0."""
    found = []
    for text in texts:
        match = _NUMBERED.fullmatch(text)
        if match is None:
            return None
        found.append((int(match["year"] or match["end"]), int(match["last"] or match["first"])))
    return found if all(year and number for year, number in found) else None


def _form_of(text: str) -> str:
    """Return the `--date-format` by which a year with a number is read as a month."""
    match = _NUMBERED.fullmatch(text)
    if match is None or match["end"]:
        return f"%m{match['mark'] if match else '/'}%Y"
    return f"%Y{match['sign']}%m"
