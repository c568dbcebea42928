"""Misplaced dates: weeks with the year of the calendar, and Octobers that lost their 0, among rows in order of time."""

import itertools
import re
from collections.abc import Sequence
from datetime import datetime, timedelta

from models.errors import Finding
from models.tables.faults import Place
from models.tables.times.date_forms import Form

FEWEST, MOST_DAYS = 4, 7
"""Rows whose steps tell what belongs where; and days of a week, of which all may be misplaced."""

_TENTH = re.compile(r"(\d{4})\.(\d{1,2})")


def refuse_moved_weeks(
    texts: Sequence[str], form: Form, found: Sequence[tuple[datetime, int | None] | None], place: Place
) -> None:
    """Refuse weeks of a year before or after the one that belongs there: 2024-W01 after 2024-W52 is `%Y-W%V` of 2024-12-30.

    Raises:
        TableInvalid: With the first of them.
    """
    walls = [one[0] for one in found if one is not None] if "week" in form.pattern.groupindex else []
    if len(walls) < max(FEWEST, len(found)):
        return
    steps = sorted(after - before for before, after in itertools.pairwise(walls))
    usual = steps[len(steps) // 2]
    if abs(usual.days) not in {1, 7}:
        return
    for at in range(1, len(walls)):
        if walls[at] - walls[at - 1] != usual and _is_moved(walls, at, usual):
            year, week, _ = (walls[at - 1] + usual).isocalendar()
            raise place.refuse(
                at,
                f"{texts[at]!r} stands after {texts[at - 1]!r} (row {place.rows[at - 1]}), where {year}-W{week:02d} belongs.",
                "The year of a week is that of its Thursday: write %G-W%V, not %Y-W%V.",
            )


def _is_moved(walls: Sequence[datetime], at: int, usual: timedelta) -> bool:
    """Return whether dates from a place on have the weeks that belong there in another year, until all is well again."""
    end = at
    while end < min(len(walls), at + MOST_DAYS) and _is_other_year(walls[end], walls[at - 1] + usual * (end - at + 1)):
        end += 1
    if end == len(walls):
        return (walls[at] < walls[at - 1]) == (usual > timedelta())
    return end > at and walls[end] == walls[at - 1] + usual * (end - at + 1)


def _is_other_year(wall: datetime, right: datetime) -> bool:
    return wall.isocalendar()[1:] == right.isocalendar()[1:] and abs(wall.year - right.year) <= 1 and wall != right


def mend_octobers(texts: Sequence[str], place: Place) -> tuple[list[str], tuple[Finding, ...]]:
    """Return months such as 2023.09, with 2023.1 as 2023.10 where that stands between 2023.09 and 2023.11; and that.

    A program that takes months for numbers leaves the 0 of October out.

    Raises:
        TableInvalid: If the rows beside one do not tell whether it is January or October.
    """
    found = [_TENTH.fullmatch(text) for text in texts]
    doubtful = [at for at, match in enumerate(found) if match and match[2] == "1"]
    others = [match[2] for match in found if match and match[2] != "1"]
    if not doubtful or not others or None in found or any(len(month) == 1 for month in others):
        return list(texts), ()
    mended, octobers = list(texts), []
    for at in doubtful:
        if f"{texts[at]}0" not in texts and _is_october(texts, at, place):
            mended[at] = f"{texts[at]}0"
            octobers.append(at)
    if not octobers:
        return mended, ()
    at, more = octobers[0], f" {len(octobers) - 1} more like it." if len(octobers) > 1 else ""
    detail = f"Row {place.rows[at]}: {texts[at]!r} stands beside September or November; it is read as October.{more}"
    return mended, (Finding("DATES_NOT_ISO", detail, hint="Write months as text, such as 2023-10."),)


def _is_october(texts: Sequence[str], at: int, place: Place) -> bool:
    """Return whether a month .1 is October by the rows beside it, rising or falling, and not January."""
    year = int(texts[at][:4])
    before, after = (texts[one] if 0 <= one < len(texts) else "" for one in (at - 1, at + 1))
    is_october = {before, after} & {f"{year}.09", f"{year}.11"}
    is_january = {before, after} & {f"{year - 1}.12", f"{year}.02"}
    if bool(is_october) == bool(is_january):
        raise place.refuse(
            at, f"{texts[at]!r} may be January or October of {year}.", f"Write it as {year}-01 or {year}-10."
        )
    return bool(is_october)
