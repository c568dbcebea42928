"""Date order: whether day, month or year comes first in dates that may be read in several ways."""

import re
from collections.abc import Sequence
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from models.errors import Finding
from models.tables.faults import DATE_HINT, CellFault, Place
from models.tables.times.date_forms import DAY_FIRST, MONTH_FIRST, WEEKDAY, YEAR_FIRST, Form, without_label

YEAR_ALONE, _LONGER = re.compile(r"\d{4}"), re.compile(r"\d{4}-\d\d")
_MONTH_ALONE, _DAY = re.compile(r"\d{4}-\d\d"), re.compile(r"\d{4}-\d\d-\d\d")
YEAR_HINT = f"It has a year only: if the row is a total, remove it. {DATE_HINT}"
_PARTED = re.compile(r"(\d{1,2})[/.-](\d{1,2})[/.-]\d{2}")
_PARTS = {DAY_FIRST: ("%d", "%m", "year"), MONTH_FIRST: ("%m", "%d", "year"), YEAR_FIRST: ("year", "%m", "%d")}
Readings = Sequence[tuple[datetime, int | None] | None]

FEWEST = 3
"""Below this many dates their steps say nothing."""

FEWEST_SWAPPED, MONTHS = 10, 12
"""Dates from which on their order tells that days and months were swapped; and days that may be months."""

MOST_DAYS = 28
"""Longest step in days that makes equal steps a rhythm; longer ones are months, on their first or last day."""


def settle_order(forms: Sequence[Form], readings: Sequence[Readings]) -> int | None:
    """Return which form of those that fit is meant; None if the dates do not tell.

    Where years have two digits, year first is recognized by the dates: in one order alone they have equal steps,
    or rise. Steps do not distinguish day first from month first, since both are usual.

    Args:
        forms: That fit, shape (forms,).
        readings: The dates by form, shape (forms, dates).
    """
    ordered = [at for at, form in enumerate(forms) if form.order]
    if not forms[0].order or all(readings[at] == readings[0] for at in ordered):
        return 0
    if not any(forms[at].order == YEAR_FIRST for at in ordered):
        return None
    walls = [np.array([one[0] for one in readings[at] if one is not None], dtype="M8[us]") for at in ordered]
    for fits in (_is_regular, _is_rising):
        found = [at for at, dates in zip(ordered, walls, strict=True) if len(dates) >= FEWEST and fits(dates)]
        if len(found) == 1:
            decided = forms[found[0]].order == YEAR_FIRST or len(ordered) == 2  # noqa: PLR2004 - year first and another
            return found[0] if decided else None
    return None


def first_doubt(readings: Sequence[Readings]) -> int:
    """Return the index of the first date that is not the same in every reading."""
    return next(at for at, dates in enumerate(zip(*readings, strict=True)) if any(one != dates[0] for one in dates))


def refuse_swapped(texts: Sequence[str], order: str | None, walls: NDArray[np.datetime64], place: Place) -> None:
    """Refuse dates that are in order of time only with day and month swapped where both are possible.

    A spreadsheet swaps the days 1 to 12 of a file whose order is not its own, and leaves the others. Of months it makes the
    first twelve days of each January.

    Args:
        texts: The distinct dates as they were written.
        order: `DAY_FIRST` or `MONTH_FIRST`; None for dates in ISO 8601 and those of a workbook or Parquet.
        walls: The dates as they are read, shape (dates,), NaT for a wrong one.
        place: Where they stand.

    Raises:
        TableInvalid: With the first two rows out of order.
    """
    if len(walls) < FEWEST_SWAPPED or np.isnat(walls).any():
        return
    other = _swap(walls)
    is_rising = _is_rising(walls)
    is_of_januaries = is_rising and len(walls) > MONTHS and _is_months(other) and _is_daily(walls[:MONTHS])
    if (is_rising and not is_of_januaries) or not _is_rising(other):
        return
    steps = walls[1:] > walls[:-1]
    at = 1 if is_of_januaries else 1 + int(np.flatnonzero(steps != (other[-1] > other[0]))[0])
    before, after = (f"{texts[one]!r} (row {place.rows[one]})" for one in (at - 1, at))
    if order is None:
        what = "are one month apart" if is_of_januaries else "are in order of time"
        detail = f"{before} and {after} {what} only with day and month swapped: a spreadsheet or program may have swapped them."
        hint = "Export the dates again from where they are right, as 1939-01-31. If these are right, sort the rows by time."
        raise place.refuse(at, detail, hint)
    raise place.refuse(
        at,
        f"{before} and {after} are in order of time only if one has the day first and the other the month first: a "
        "spreadsheet may have swapped days and months.",
        f"{order_hint(texts[at], [order])[:-1]} if all are in one order. Else export the dates again, as 1939-01-31.",
    )


def refuse_half_read(texts: Sequence[str], place: Place) -> None:
    """Refuse dates of days up to 12 beside texts such as 13/03/2024 that cannot be read in another order.

    A spreadsheet whose order is not that of a file makes dates of the former, with day and month swapped, and leaves the latter.

    Raises:
        TableInvalid: With the first of each.
    """
    dates = [at for at, text in enumerate(texts) if _DAY.match(text)]
    others = [
        at for at, text in enumerate(texts) if (found := _PARTED.match(text)) and max(map(int, found.groups())) > MONTHS
    ]
    is_half = len(dates) + len(others) == len(texts) and min(len(dates), len(others)) > 0
    if not is_half or any(int(texts[at][8:10]) > MONTHS for at in dates):
        return
    date, other = (f"{texts[one[0]]!r} (row {place.rows[one[0]]})" for one in (dates, others))
    raise place.refuse(
        dates[0],
        f"{date} is a date and {other} is text: a spreadsheet has made dates of the days up to 12 only, and may have swapped "
        "days and months in them.",
        "Export the dates again from where they are right, as 1939-01-31, or import the column as text.",
    )


def _swap(walls: NDArray[np.datetime64]) -> NDArray[np.datetime64]:
    """Return dates with day and month swapped where the day may be a month."""
    days, months, years = (walls.astype(f"M8[{unit}]") for unit in "DMY")
    day, month = (days - months.astype("M8[D]")).astype(int), (months - years.astype("M8[M]")).astype(int)
    other = (years.astype("M8[M]") + day).astype("M8[D]") + month
    return np.where(day < MONTHS, other.astype("M8[us]") + (walls - days), walls)


def _is_months(walls: NDArray[np.datetime64]) -> bool:
    """Return whether dates are the first days of months that follow one another."""
    months = walls.astype("M8[M]")
    return bool((walls == months).all() and (np.diff(months).astype(int) == 1).all())


def _is_daily(walls: NDArray[np.datetime64]) -> bool:
    return len(set(walls.astype("M8[M]").tolist())) <= 2  # noqa: PLR2004 - a January, and the next one


def lone_years(texts: Sequence[str], place: Place) -> dict[int, CellFault]:
    """Return a fault for each year alone among months and days; where these are fewer, one for each of them."""
    years = [at for at, text in enumerate(texts) if YEAR_ALONE.fullmatch(text)]
    others = [at for at, text in enumerate(texts) if _LONGER.match(text)]
    if not years or not others:
        return {}
    wrong, right = (years, others) if len(years) <= len(others) else (others, years)
    like = f"is not a date like {texts[right[0]]!r} (row {place.rows[right[0]]})"
    return {at: place.fault(at, texts[at], like, YEAR_HINT if wrong is years else DATE_HINT) for at in wrong}


def lone_months(texts: Sequence[str], place: Place) -> tuple[Finding, ...]:
    """Return a finding for months alone among days, which are read as the first day."""
    months = [at for at, text in enumerate(texts) if _MONTH_ALONE.fullmatch(text)]
    if not months or not any(_DAY.match(text) for text in texts):
        return ()
    at, more = months[0], f" {len(months) - 1} more like it." if len(months) > 1 else ""
    detail = f"Row {place.rows[at]}: {texts[at]!r} has no day, others have one; it is read as {texts[at]}-01.{more}"
    return (Finding("DATES_NOT_ISO", detail, hint="If the row is a total, remove it."),)


def _is_regular(walls: NDArray[np.datetime64]) -> bool:
    """Return whether dates, in order of time, have equal steps of days, or of months on the first or last day of each."""
    walls = np.unique(walls)
    steps = np.diff(walls)
    if len(steps) and steps[0] <= np.timedelta64(MOST_DAYS, "D"):
        return bool((steps == steps[0]).all())
    days, months = walls.astype("M8[D]"), walls.astype("M8[M]")
    first, last = days == months.astype("M8[D]"), (days + 1) == (months + 1).astype("M8[D]")
    return bool((first.all() or last.all()) and len(set(np.diff(months).tolist())) == 1)


def _is_rising(walls: NDArray[np.datetime64]) -> bool:
    steps = np.diff(walls).astype(np.int64)
    return bool((steps > 0).all() or (steps < 0).all())


def order_hint(text: str, orders: Sequence[str]) -> str:
    """Return the `--date-format` for each order that a date with slashes or dashes may have."""
    bare = without_label(text)
    label, text = text.removesuffix(bare), bare
    named = WEEKDAY.search(label + bare)
    label, give = (label[: named.start()], "Take the weekdays out, and give") if named else (label, "Give")
    sign = "-" if "-" in text[:4] else "/"
    year = "%Y" if re.search(rf"{sign}\d{{4}}", text) else "%y"
    rest = re.sub(r"^\S+", "", text)
    clock = "" if not rest else " %I:%M %p" if rest.rstrip(".").lower().endswith("m") else " %H:%M"
    clock = clock.replace("%M", "%M:%S") if rest.count(":") > 1 else clock
    dates = (sign.join(_PARTS[order]).replace("year", year) for order in orders)
    return f"{give} {' or '.join(f'--date-format {chr(39)}{label}{one}{clock}{chr(39)}' for one in dates)}."
