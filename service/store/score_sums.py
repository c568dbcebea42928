"""Score sums: the scores that count, summed by version, step, series and period, from rollups where these suffice.

The rollups have days, without series or without steps. Series with steps, and the days that a moment cuts in two, are summed
from the scores themselves.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, Self

from sqlalchemy import BigInteger, ColumnElement, Select, Subquery, Table, cast, func, select

from service.store.database import Database, storable
from service.store.rollups import DAY, SUMS, sums_of_scores
from service.store.score_filter import DayRange, ScoreFilter
from service.store.tables import IS_DISPUTED, IS_DUE, forecasts, scores, sums_by_series, sums_by_step

GroupKey = Literal["model", "version", "step", "series", "period"]
Period = Literal["day", "week", "month", "year"]
Key = tuple[str | int, ...]
Rows = list[tuple[Key, "ScoreSums"]]

DAY_SECONDS = 86_400
MOST_DISPUTED, MOST_TRUTHS = 1_000, 100
"""What is counted up to this number."""

_SQLITE = {"day": ("%Y-%m-%d",), "week": ("%Y-%m-%d", "weekday 0", "-6 days"), "month": ("%Y-%m",), "year": ("%Y",)}
"""strftime's format and modifiers; a week is its Monday: the Sunday on or after the day, minus six days."""
_POSTGRESQL = {"day": "YYYY-MM-DD", "week": "YYYY-MM-DD", "month": "YYYY-MM", "year": "YYYY"}


@dataclass(frozen=True, slots=True)
class ScoreSums:
    """Counts and sums of scores; they can be added.

    Attributes:
        scores: Scored steps.
        scaled: Scored steps with a scale.
        error: Sum of their absolute scaled errors.
        naive_error: The same of seasonal naive.
        pinball: Sum of their scaled pinball losses.
        covered_80: Actual values in the 80 % interval, out of `intervals_80`.
        intervals_80: Scored steps with an 80 % interval.
        covered_95: Actual values in the 95 % interval, out of `intervals_95`.
        intervals_95: Scored steps with a 95 % interval.
    """

    scores: int = 0
    scaled: int = 0
    error: float = 0.0
    naive_error: float = 0.0
    pinball: float = 0.0
    covered_80: int = 0
    intervals_80: int = 0
    covered_95: int = 0
    intervals_95: int = 0

    def __add__(self, other: Self) -> Self:
        return type(self)(*(getattr(self, item.name) + getattr(other, item.name) for item in fields(self)))


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
    return _run(database, _plan(database, where, by, period), has_keys=bool(by), limit=limit)


def scan_scores(database: Database, where: ScoreFilter, by: Sequence[GroupKey], period: Period = "month") -> Rows:
    """Return what `sum_scores` returns, summed from the scores alone."""
    return _run(database, [_scan(database, where, by, period)], has_keys=bool(by), limit=None)


def newest_day(database: Database, where: ScoreFilter) -> int | None:
    """Return the newest day that may have scores of a filter without a series; None if there is none."""
    days = DayRange.of(where)
    conditions = [*_names_and_steps(sums_by_step, where), sums_by_step.c.scores > 0]
    if days.end is not None:
        conditions.append(sums_by_step.c.day < days.end)
    with database.reading() as connection:
        found: int | None = connection.scalar(select(func.max(sums_by_step.c.day)).where(*conditions))
        return found


def count_due(database: Database) -> int:
    """Return how many forecasts wait to be scored; raise DatabaseUnreachable if the database does not answer."""
    with database.reading() as connection:
        return connection.scalar(select(func.count()).select_from(forecasts).where(IS_DUE)) or 0


def count_disputed(database: Database) -> int:
    """Return how many observed forecasts do not count, up to MOST_DISPUTED; raises as `count_due`."""
    some = select(forecasts.c.forecast_id).where(IS_DISPUTED).limit(MOST_DISPUTED).subquery()
    with database.reading() as connection:
        return connection.scalar(select(func.count()).select_from(some)) or 0


def count_truths(database: Database, where: ScoreFilter) -> int:
    """Return how many observations the scores rest on, up to MOST_TRUTHS; raises as `count_due`."""
    some = (
        select(forecasts.c.series_id, scores.c.timestamp)
        .select_from(scores)
        .join(forecasts)
        .where(*where.conditions())
        .distinct()
        .limit(MOST_TRUTHS)
        .subquery()
    )
    with database.reading() as connection:
        return connection.scalar(select(func.count()).select_from(some)) or 0


def _run(database: Database, parts: Sequence[Select[*tuple[Any, ...]]], *, has_keys: bool, limit: int | None) -> Rows:
    """Return the rows of queries, those of equal keys added, in the order of the keys."""
    found: dict[Key, ScoreSums] = {}
    with database.reading() as connection:
        for part in parts:
            for row in connection.execute(part if len(parts) > 1 else part.limit(limit)):
                *key, sums = *row[: -len(SUMS)], ScoreSums(*(number or 0 for number in row[-len(SUMS) :]))
                found[tuple(key)] = found.get(tuple(key), ScoreSums()) + sums
    if not has_keys:
        return [((), found.get((), ScoreSums()))]
    return sorted(found.items())[:limit]


def _plan(
    database: Database, where: ScoreFilter, by: Sequence[GroupKey], period: Period
) -> list[Select[*tuple[Any, ...]]]:
    """Return queries of which the sums together are the sums that are asked for."""
    has_series = "series" in by or where.series is not None
    has_steps = "step" in by or where.steps is not None
    if where.scored_since is not None:
        return _plan_scored(database, where, by, period, has_series=has_series)
    if has_series and "step" not in by and where.steps is not None and _are_all_steps(database, where):
        where, has_steps = replace(where, steps=None), False
    days = DayRange.of(where)
    if (has_series and has_steps) or days.is_empty:
        return [_scan(database, where, by, period)]
    parts = [_rollup(database, sums_by_series if has_series else sums_by_step, where, by, period, days)]
    if days.first != days.whole:
        parts.append(_scan(database, where.within(days.first, days.whole), by, period))
    if days.end != days.whole_end:
        parts.append(_scan(database, where.within(days.whole_end, days.end), by, period))
    return parts


def _plan_scored(
    database: Database, where: ScoreFilter, by: Sequence[GroupKey], period: Period, *, has_series: bool
) -> list[Select[*tuple[Any, ...]]]:
    """Return the queries of a filter on the time of scoring: its first day from the scores, later ones from the rollup."""
    since = where.scored_since or 0
    is_bounded = any(one is not None for one in (where.since, where.until, where.since_day, where.until_day))
    if has_series or is_bounded:
        return [_scan(database, where, by, period)]
    midnight = -(-since // DAY)
    rollup = _rollup(database, sums_by_step, where, by, period, DayRange(None, None, None, None))
    parts = [rollup.where(sums_by_step.c.scored_day >= midnight)]
    if midnight * DAY > since:
        parts.append(_scan(database, where, by, period).where(scores.c.scored_at < midnight * DAY))
    return parts


def _scan(database: Database, where: ScoreFilter, by: Sequence[GroupKey], period: Period) -> Select[*tuple[Any, ...]]:
    """Return a query over the scores themselves."""
    columns = {
        "model": forecasts.c.model,
        "version": forecasts.c.version,
        "step": scores.c.step,
        "series": forecasts.c.series_id,
        "period": _period(scores.c.day, period, is_postgresql=database.is_postgresql),
    }
    keys: list[ColumnElement[Any]] = [columns[key].label(f"by_{key}") for key in by]
    query = select(*keys, *sums_of_scores()).select_from(scores).join(forecasts).where(*where.conditions())
    return query.group_by(*keys).order_by(*keys) if keys else query


def _rollup(  # noqa: PLR0913, PLR0917 (as `sum_scores`)
    database: Database, table: Table, where: ScoreFilter, by: Sequence[GroupKey], period: Period, days: DayRange
) -> Select[*tuple[Any, ...]]:
    """Return a query over the whole days of a rollup."""
    conditions = [
        *_names_and_steps(table, where),
        *([] if days.whole is None else [table.c.day >= days.whole]),
        *([] if days.whole_end is None else [table.c.day < days.whole_end]),
    ]
    source = _by_series(conditions) if table is sums_by_series and "period" not in by else None
    of = (table if source is None else source).c
    columns: dict[str, Any] = {
        "model": of.model,
        "version": of.version,
        "step": of.get("step"),
        "series": of.get("series_id"),
        "period": _period(table.c.day, period, is_postgresql=database.is_postgresql),
    }
    keys: list[ColumnElement[Any]] = [columns[key].label(f"by_{key}") for key in by]
    query = select(*keys, *(func.sum(of[name]) for name in SUMS)).having(func.sum(of.scores) > 0)
    query = query.where(*conditions) if source is None else query
    return query.group_by(*keys).order_by(*keys) if keys else query


def _by_series(conditions: Sequence[ColumnElement[bool]]) -> Subquery:
    """Return the sums of all days of each series, in the order of the primary key: a third of the time of another.

    Each is of its column's type, since PostgreSQL's sums of sums would be decimals.
    """
    names = [sums_by_series.c.model, sums_by_series.c.version, sums_by_series.c.series_id]
    sums = [cast(func.sum(sums_by_series.c[name]), sums_by_series.c[name].type).label(name) for name in SUMS]
    return select(*names, *sums).where(*conditions).group_by(*names).subquery()


def _names_and_steps(table: Table, where: ScoreFilter) -> list[ColumnElement[bool]]:
    """Return the conditions of a filter on model, version, series and steps, on a rollup."""
    names = (("model", where.model), ("version", where.version), ("series_id", where.series))
    found = [table.c[name] == storable(value) for name, value in names if value is not None]
    return found if where.steps is None else [*found, table.c.step.between(*where.steps)]


def _are_all_steps(database: Database, where: ScoreFilter) -> bool:
    """Return whether the filter on steps lets all pass that its model and version have."""
    first, last = where.steps or (1, 0)
    names = _names_and_steps(sums_by_step, replace(where, series=None, steps=None))
    with database.reading() as connection:
        most = connection.scalar(select(func.max(sums_by_step.c.step)).where(*names)) or 0
    return first == 1 and last >= most


def _period(day: ColumnElement[int], period: Period, *, is_postgresql: bool) -> ColumnElement[Any]:
    """Return the period of a day as text, in SQL."""
    seconds = cast(day, BigInteger) * DAY_SECONDS
    if not is_postgresql:
        pattern, *modifiers = _SQLITE[period]
        return func.strftime(pattern, seconds, "unixepoch", *modifiers)
    moment = func.timezone("UTC", func.to_timestamp(seconds))
    return func.to_char(func.date_trunc(period, moment), _POSTGRESQL[period])
