"""Centuries: years of two digits, where the order of the rows tells the century better than the year does."""

import re
from collections.abc import Sequence
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from models.tables.faults import Place
from models.tables.times.date_forms import EARLIEST_SHORT, Form, without_label

Readings = Sequence[tuple[datetime, int | None] | None]

FIRST_DOUBTFUL = 2040
"""Dates with years of two digits that all lie from here on may as well be a century older."""

LEAST_SHORT_MONTHS = 3
_SHORT_MONTH = re.compile(r"\d\d(?:0[1-9]|1[0-2])")

HINT = "Write years with four digits."


def settle_century(texts: Sequence[str], form: Form | None, found: Readings) -> Readings:
    """Return the readings of dates, with later years in the twentieth century if only then the rows are in order of time.

    Jan-60 to Dec-75 are otherwise 2060 to 2068 and 1969 to 1975. Without a form, all years have two digits.
    """
    walls = _walls(found)
    if not _is_split(walls) or _is_in_order(walls):
        return found
    is_short = _are_short(texts, form)
    for older in _older(walls, is_short):
        if _is_in_order(older):
            return [None if one is None else (wall, one[1]) for one, wall in zip(found, older.tolist(), strict=True)]
    return found


def refuse_century(texts: Sequence[str], form: Form | None, found: Readings, place: Place) -> None:
    """Refuse years of two digits whose century is in doubt.

    Raises:
        TableInvalid: If the dates lie nearer to each other with some of them a century earlier, or all lie in the far future.
    """
    walls = _walls(found)
    known = walls[~np.isnat(walls)]
    if not known.size or not (_is_split(walls) or known.min() >= np.datetime64(f"{FIRST_DOUBTFUL}")):
        return
    if _is_split(walls) and _is_in_order(walls):
        return
    is_short, span = _are_short(texts, form), _span(walls)
    nearer = not _is_split(walls) or any(_span(older) < span for older in _older(walls, is_short))
    if nearer and is_short.any():
        at = int(max(np.flatnonzero(is_short & ~np.isnat(walls)), key=lambda one: walls[one]))
        year = int(walls[at].astype("M8[Y]").astype(int)) + 1970
        raise place.refuse(at, f"{texts[at]!r} may be of {year - 100} or {year}.", HINT)


def refuse_short_months(texts: Sequence[str], place: Place) -> None:
    """Refuse four digits that are years only with gaps of 88 years, but months without them: 2011, 2012, 2101, 2102.

    Raises:
        TableInvalid: If so: a year of two digits and a month.
    """
    if len(texts) < LEAST_SHORT_MONTHS or not all(_SHORT_MONTH.fullmatch(text) for text in texts):
        return
    years = {text[:2] for text in texts}
    months = [12 * int(text[:2]) + int(text[2:]) for text in texts]
    if len(years) > 1 and max(months) - min(months) < 2 * len(texts):
        detail = f"{texts[0]!r} may be a year, or a month of a year of two digits."
        raise place.refuse(0, detail, "Give --date-format %Y or --date-format %y%m.")


def _walls(found: Readings) -> NDArray[np.datetime64]:
    return np.array(["NaT" if one is None else one[0] for one in found], dtype="M8[us]")


def _are_short(texts: Sequence[str], form: Form | None) -> NDArray[np.bool_]:
    """Return which dates have years of two digits, shape (dates,)."""
    if form is None:
        return np.ones(len(texts), dtype=np.bool_)
    matches = [form.pattern.fullmatch(without_label(text)) for text in texts]
    return np.array([match is not None and len(match["year"]) == 2 for match in matches])  # noqa: PLR2004 - digits


def _is_split(walls: NDArray[np.datetime64]) -> bool:
    """Return whether dates lie in both centuries that years of two digits are read in."""
    years = walls[~np.isnat(walls)].astype("M8[Y]").astype(int) + 1970
    seam, end = 1900 + EARLIEST_SHORT, 2000 + EARLIEST_SHORT
    return bool(((years >= seam) & (years < 2000)).any() and ((years >= 2000) & (years < end)).any())  # noqa: PLR2004


def _older(walls: NDArray[np.datetime64], is_short: NDArray[np.bool_]) -> list[NDArray[np.datetime64]]:
    """Return the dates with those from each year of two digits on a century earlier, but for the year 1900."""
    months = walls.astype("M8[M]")
    earlier = (months - 1200).astype("M8[us]") + (walls - months)
    years = walls.astype("M8[Y]")
    firsts = np.unique(years[is_short & (years > np.datetime64("2000")) & ~np.isnat(years)])
    return [np.where(is_short & (years >= first), earlier, walls) for first in firsts]


def _span(walls: NDArray[np.datetime64]) -> np.timedelta64:
    known = walls[~np.isnat(walls)]
    return np.timedelta64(known.max() - known.min())


def _is_in_order(walls: NDArray[np.datetime64]) -> bool:
    """Return whether dates rise or fall."""
    steps = np.diff(walls[~np.isnat(walls)]).astype(np.int64)
    return bool((steps > 0).all() or (steps < 0).all())
