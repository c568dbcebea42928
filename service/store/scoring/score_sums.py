"""Score sums: the scores that count, summed by version, step, series and period, from rollups where these suffice.

The rollups have days, without series or without steps, and months and weeks with both. Days of series and steps, and what a date
or a moment cuts off a week, are summed from the scores themselves, of the first rows alone if a limit is given.
"""

import itertools
import operator
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Literal

from sqlalchemy import ColumnElement, Select, Subquery, Table, cast, func, select, union_all

from service.store.database import Database
from service.store.scoring.rollups import DAY, SUMS, Period, ScoreSums, period_of, sums_of_scores
from service.store.scoring.score_columns import read_columns
from service.store.scoring.score_filter import LONG, DayRange, ScoreFilter, Unit, are_all_steps, count_series
from service.store.tables import (
    forecasts,
    scores,
    sums_by_series,
    sums_by_series_step,
    sums_by_series_step_week,
    sums_by_step,
)

GroupKey = Literal["model", "version", "step", "series", "period"]
STEPS: tuple[GroupKey, ...] = ("model", "version", "step")
Key = tuple[str | int, ...]
Rows = list[tuple[Key, ScoreSums]]
Selects = list[tuple[Select[*tuple[Any, ...]], int]]
"""Queries, and 1 or -1 by whether their sums are added or subtracted."""

MOST_NAMES = 5_000
"""Series that a query names at the most."""

FEW_SERIES = 4
"""The scores of up to a fourth of the series are read series by series, others by their time if the days are few."""

FEW = 8
"""Groups that are asked for beyond those that are still missing."""

SPARE = 4
"""A fourth more rows than wanted are asked for, since some groups have fewer than they may have."""


def sum_scores(
    database: Database, where: ScoreFilter, by: Sequence[GroupKey], period: Period = "month", limit: int | None = None
) -> Rows:
    """Return the sums of scores for each value of the keys, in the order of the values.

    Args:
        database: Where the scores are.
        where: Which scores.
        by: Keys that group the scores; without a key all are summed.
        period: Of the key `period`: a day such as `2026-11-22`, a week's Monday, a month `2026-11` or a year `2026`; by
            the clock of the forecasts.
        limit: Most rows to return.

    Raises:
        DatabaseUnreachable: If the database does not answer.
    """
    if limit is not None and "series" in by and _reads_parts(where, by):
        steps = _run(database, _plan(database, where, STEPS, period), has_keys=True, limit=None)
        return _sum_first(database, where, by, period, limit, steps)
    return _run(database, _plan(database, where, by, period), has_keys=bool(by), limit=limit)


def sum_scores_and_steps(
    database: Database, where: ScoreFilter, by: Sequence[GroupKey], period: Period = "month", limit: int | None = None
) -> tuple[Rows, Rows]:
    """Return what `sum_scores` returns for one key or more, and the sums by model, version and step.

    A day that begins at another time than midnight is read once for both, and so is what a time of day cuts off if there is
    no key `series`.
    Arguments and errors are those of `sum_scores`.
    """
    if "series" in by and where.days <= 1 and where.in_units("day") is None:
        columns = read_columns(database, where)
        return columns.sum_by(by, period, limit), columns.sum_by(STEPS, period)
    is_short = period != "day" or DayRange.of(where).number <= LONG
    finest: tuple[GroupKey, ...] = (*STEPS, "period") if is_short and "period" in by and "series" not in by else STEPS
    steps = _run(database, _plan(database, where, finest, period), has_keys=True, limit=None)
    if {*by} <= {*finest}:
        return _fold(steps, finest, by)[:limit], _fold(steps, finest, STEPS)
    steps = _fold(steps, finest, STEPS)
    if limit is not None and "series" in by and _reads_parts(where, by):
        return _sum_first(database, where, by, period, limit, steps), steps
    return sum_scores(database, where, by, period, limit), steps


def _fold(rows: Rows, keys: Sequence[GroupKey], by: Sequence[GroupKey]) -> Rows:
    """Return the sums of rows by some of their keys, in the order of the values."""
    if tuple(keys) == tuple(by):
        return rows
    values = operator.itemgetter(*(keys.index(key) for key in by))
    found: dict[Any, ScoreSums] = {}
    for key, sums in rows:
        value = values(key)
        found[value] = found[value] + sums if value in found else sums
    return sorted((value if len(by) > 1 else (value,), sums) for value, sums in found.items())


def _sum_first(  # noqa: PLR0913, PLR0917 (as `sum_scores`)
    database: Database, where: ScoreFilter, by: Sequence[GroupKey], period: Period, limit: int, steps: Rows
) -> Rows:
    """Return the first rows of `sum_scores`: the sums of the first series, and of more until there are enough.

    `steps` are the sums by model, version and step.
    """
    keys: list[GroupKey] = [key for key in by if key != "period"]
    if len({key[:2] for key, _ in steps}) == 1:  # the primary keys of rollups begin with them
        where = replace(where, model=str(steps[0][0][0]), version=str(steps[0][0][1]))
    number = count_series(database, where)
    if "step" not in by and limit > number // 2:  # one scan finds them all
        return _run(database, _plan(database, where, by, period), has_keys=True, limit=limit)
    known = _list_there(database, where, keys, period if "period" in by else None, SPARE * limit, steps)
    found: Rows = []
    most, group_of = limit, operator.itemgetter(*(by.index(key) for key in keys))
    while len(found) < limit:
        part, known = _take_part(known, keys, most)
        if not part:
            break
        plan, wanted = _plan(database, _only(where, keys, part, number), by, period), set(part)
        rows = _run(database, plan, has_keys=True, limit=None)
        more = [row for row in rows if group_of(row[0]) in wanted]
        found += more
        left = limit - len(found)
        most = left + left // SPARE + FEW if 2 * len(more) >= most else 2 * most
    return found[:limit]


def _take_part(
    known: Iterator[tuple[Key, int]], keys: Sequence[GroupKey], most: int
) -> tuple[list[Key], Iterator[tuple[Key, int]]]:
    """Return the next groups, of about `most` rows, and the others; a part ends with a version or step if one ends soon.

    The scores of a part are found in one scan, which takes as long for a few groups of a step as for all of them.
    """
    places = [place for place, key in enumerate(keys) if key != "series"]
    part: list[tuple[Key, int]] = []
    rows, enough = 0, 0
    for key, count in known:
        if rows >= most and (rows >= 2 * most or any(key[place] != part[-1][0][place] for place in places)):
            end = enough if rows >= 2 * most else len(part)
            return [one for one, _ in part[:end]], itertools.chain([*part[end:], (key, count)], known)
        part.append((key, count))
        enough += rows < most
        rows += count
    return [one for one, _ in part], iter(())


def _list_groups(
    database: Database, where: ScoreFilter, keys: Sequence[GroupKey], period: Period | None, page: int
) -> Iterator[tuple[Key, int]]:
    """Yield the values of keys that may have scores, in their order, and about how many periods each has; reads pages."""
    of = sums_by_series_step.c
    named = {"model": of.model, "version": of.version, "step": of.step, "series": of.series_id}
    columns: list[ColumnElement[Any]] = [named[key] for key in keys]
    query = select(*columns, func.sum(of.scores), func.count(of.month.distinct())).where(
        *where.of_months(sums_by_series_step)
    )
    query = query.group_by(*columns).order_by(*columns)
    each = {"day": 28, "week": 4, "month": 1}.get(period or "")
    start, is_full = 0, True
    while is_full:
        with database.reading() as connection:
            found = connection.execute(query.limit(page).offset(start)).all()
        start, is_full = start + page, len(found) == page
        yield from ((tuple(row[:-2]), min(row[-2], each * row[-1]) if each else 1) for row in found)


def _list_there(  # noqa: PLR0913, PLR0917 (as `sum_scores`)
    database: Database, where: ScoreFilter, keys: Sequence[GroupKey], period: Period | None, page: int, steps: Rows
) -> Iterator[tuple[Key, int]]:
    """Yield what `_list_groups` yields, the groups whose model, version and step have sums."""
    named = [key for key in keys if key != "series"]
    places = [keys.index(key) for key in named]
    there = {tuple(key[STEPS.index(one)] for one in named) for key, _ in steps}
    for only in _filters_there(where, keys, steps):
        listed = _list_groups(database, only, keys, period, page)
        yield from (group for group in listed if tuple(group[0][place] for place in places) in there)


def _filters_there(where: ScoreFilter, keys: Sequence[GroupKey], steps: Rows) -> Iterator[ScoreFilter]:
    """Yield filters of the steps that have sums, for each version if these are the first keys."""
    first = 2 if tuple(keys[:2]) == STEPS[:2] else 0
    for names, some in itertools.groupby((key for key, _ in steps), lambda key: key[:first]):
        ahead = [int(key[2]) for key in some]
        one = replace(where, steps=(min(ahead), max(ahead)))
        yield replace(one, model=str(names[0]), version=str(names[1])) if names else one


def _only(where: ScoreFilter, keys: Sequence[GroupKey], groups: Sequence[Key], number: int) -> ScoreFilter:
    """Return a filter for groups out of `number` series; others of their versions, steps and series may pass too."""
    of = {key: sorted({group[place] for group in groups}) for place, key in enumerate(keys)}
    found, names = where, [str(name) for name in of["series"]]
    if len(names) <= min(MOST_NAMES, number // 2):
        found = replace(found, some_series=tuple(names), are_few=FEW_SERIES * len(names) <= number)
    if len(of.get("model", ())) == 1:
        found = replace(found, model=str(of["model"][0]))
    if len(of.get("version", ())) == 1:
        found = replace(found, version=str(of["version"][0]))
    return replace(found, steps=(int(of["step"][0]), int(of["step"][-1]))) if "step" in of else found


def _reads_parts(where: ScoreFilter, by: Sequence[GroupKey]) -> bool:
    """Return whether sums by series are summed of the first groups alone: from days or scores, or by period, which no index orders."""
    return "period" in by or where.scored_since is not None or not _is_of_months(where)


def _run(database: Database, parts: Selects, *, has_keys: bool, limit: int | None) -> Rows:
    """Return the rows of queries, those of equal keys added or subtracted, in the order of the keys."""
    query = parts[0][0].limit(limit) if len(parts) == 1 else _joined(parts)
    places = len(SUMS)
    with database.reading() as connection:
        found = connection.execute(query).all()
    rows = [(tuple(row[:-places]), ScoreSums._make(number or 0 for number in row[-places:])) for row in found]
    if not has_keys:
        return rows or [((), ScoreSums())]
    return sorted((row for row in rows if row[1].scores), key=operator.itemgetter(0))[:limit]


def _joined(parts: Selects) -> Select[*tuple[Any, ...]]:
    """Return one query over several, the sums of equal keys added or subtracted; each sum is of its column's type."""
    selects = []
    for part, sign in parts:
        of = part.order_by(None).subquery().c
        keys = [column for column in of if column.name not in SUMS]
        selects.append(select(*keys, *((of[name] if sign > 0 else -of[name]).label(name) for name in SUMS)))
    every = union_all(*selects).subquery().c
    keys = [column for column in every if column.name not in SUMS]
    sums = [cast(func.sum(every[name]), sums_by_step.c[name].type) for name in SUMS]
    query = select(*keys, *sums)
    return query.group_by(*keys) if keys else query


def _plan(database: Database, where: ScoreFilter, by: Sequence[GroupKey], period: Period) -> Selects:
    """Return queries of which the sums, added or subtracted by their sign, are the sums that are asked for."""
    has_series = "series" in by or where.series is not None
    has_steps = "step" in by or where.steps is not None
    if where.scored_since is not None:
        return _plan_scored(database, where, by, period, has_series=has_series)
    if has_series and "step" not in by and where.steps is not None and are_all_steps(database, where):
        where, has_steps = replace(where, steps=None), False
    longest = _longest(by, period)
    if has_series and (has_steps or ("period" in by and longest == "month" and _is_of_months(where))):
        return _plan_units(database, where, by, period, longest)
    table = sums_by_series if has_series else sums_by_step
    return _plan_whole(
        database, where, by, period, "day", lambda days: [(_rollup(database, table, where, by, period, days), 1)]
    )


def _longest(by: Sequence[GroupKey], period: Period) -> Unit:
    """Return the longest unit that rows may be summed from."""
    if "period" not in by:
        return "month"
    return "day" if period == "day" else "week" if period == "week" else "month"


def _is_of_months(where: ScoreFilter) -> bool:
    """Return whether a filter allows whole months."""
    days = DayRange.of(where)
    return days == days.in_units("month") and where.since is None and where.until is None


def _plan_units(
    database: Database, where: ScoreFilter, by: Sequence[GroupKey], period: Period, longest: Unit
) -> Selects:
    """Return queries over the rollups of months and weeks, the longest units that rows may be summed from."""
    if longest == "day":
        return [(_scan(database, where, by, period), 1)]

    def over(weeks: DayRange) -> Selects:
        months, added, taken = weeks.nearest("month")
        if longest == "week" or not months.number:
            return [(_rollup(database, sums_by_series_step_week, where, by, period, weeks), 1)]
        rests = [(DayRange(*days), 1) for days in added] + [(DayRange(*days), -1) for days in taken]
        parts = [(_rollup(database, sums_by_series_step_week, where, by, period, days), sign) for days, sign in rests]
        return [(_rollup(database, sums_by_series_step, where, by, period, months), 1), *parts]

    return _plan_whole(database, where, by, period, "week", over)


def _plan_whole(  # noqa: PLR0913, PLR0917 (as `sum_scores`)
    database: Database,
    where: ScoreFilter,
    by: Sequence[GroupKey],
    period: Period,
    unit: Unit,
    over: Callable[[DayRange], Selects],
) -> Selects:
    """Return the queries `over` whole units, and those of the scores that a date or moment cuts off one, or adds to it."""
    found = where.in_units(unit)
    if found is None:
        return [(_scan(database, where, by, period), 1)]
    whole, lacking, extra = found
    scans = [(_scan(database, one, by, period), sign) for some, sign in ((lacking, 1), (extra, -1)) for one in some]
    return over(DayRange.of(whole)) + scans


def _plan_scored(
    database: Database, where: ScoreFilter, by: Sequence[GroupKey], period: Period, *, has_series: bool
) -> Selects:
    """Return the queries of a filter on the time of scoring: its first day from the scores, later ones from the rollup."""
    since = where.scored_since or 0
    is_bounded = any(one is not None for one in (where.since, where.until, where.since_day, where.until_day))
    if has_series or is_bounded:
        return [(_scan(database, where, by, period), 1)]
    midnight = -(-since // DAY)
    rollup = _rollup(database, sums_by_step, where, by, period, DayRange(None, None))
    parts = [(rollup.where(sums_by_step.c.scored_day >= midnight), 1)]
    if midnight * DAY > since:
        parts.append((_scan(database, where, by, period).where(scores.c.scored_at < midnight * DAY), 1))
    return parts


def _scan(database: Database, where: ScoreFilter, by: Sequence[GroupKey], period: Period) -> Select[*tuple[Any, ...]]:
    """Return a query over the scores themselves."""
    columns = {
        "model": forecasts.c.model,
        "version": forecasts.c.version,
        "step": scores.c.step,
        "series": forecasts.c.series_id,
        "period": period_of(scores.c.day, period, is_postgresql=database.is_postgresql),
    }
    keys: list[ColumnElement[Any]] = [columns[key].label(f"by_{key}") for key in by]
    sums = [one.label(name) for name, one in zip(SUMS, sums_of_scores(), strict=True)]
    conditions = where.conditions() if database.is_postgresql else where.sqlite_conditions()
    query = select(*keys, *sums).select_from(scores).join(forecasts).where(*conditions)
    return query.group_by(*keys).order_by(*keys) if keys else query


def _rollup(  # noqa: PLR0913, PLR0917 (as `sum_scores`)
    database: Database, table: Table, where: ScoreFilter, by: Sequence[GroupKey], period: Period, days: DayRange
) -> Select[*tuple[Any, ...]]:
    """Return a query over the whole days of a rollup."""
    day = next(table.c[name] for name in ("day", "month", "week") if name in table.c)
    conditions = [
        *where.of_rollup(table),
        *([] if days.first is None else [day >= days.first]),
        *([] if days.end is None else [day < days.end]),
    ]
    source = _by_series(conditions) if table is sums_by_series and "period" not in by else None
    of = (table if source is None else source).c
    columns: dict[str, Any] = {
        "model": of.model,
        "version": of.version,
        "step": of.get("step"),
        "series": of.get("series_id"),
        "period": period_of(day, period, is_postgresql=database.is_postgresql),
    }
    keys: list[ColumnElement[Any]] = [columns[key].label(f"by_{key}") for key in by]
    query = select(*keys, *(func.sum(of[name]).label(name) for name in SUMS)).having(func.sum(of.scores) > 0)
    query = query.where(*conditions) if source is None else query
    return query.group_by(*keys).order_by(*keys) if keys else query


def _by_series(conditions: Sequence[ColumnElement[bool]]) -> Subquery:
    """Return the sums of all days of each series, in the order of the primary key: a third of the time of another.

    Each is of its column's type, since PostgreSQL's sums of sums would be decimals.
    """
    names = [sums_by_series.c.model, sums_by_series.c.version, sums_by_series.c.series_id]
    sums = [cast(func.sum(sums_by_series.c[name]), sums_by_series.c[name].type).label(name) for name in SUMS]
    return select(*names, *sums).where(*conditions).group_by(*names).subquery()
