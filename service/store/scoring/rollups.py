"""Rollups: the sums of the scores that count, by step and day, by series and day, and by series and step with month or week.

They are kept beside the scores. A week that two months share has two parts, so that both weeks and months consist of parts.

Scores that are deleted have `remove_sums` before it, and scores that begin to count have `add_sums` after it, or
`add_new_sums` if they count from their first moment, in one transaction that holds `lock_scores`.
"""

import operator
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Literal, NamedTuple

import numpy as np
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Executable,
    Integer,
    Table,
    bindparam,
    case,
    cast,
    delete,
    func,
    select,
    text,
    tuple_,
)

from service.store.many_rows import insert_many
from service.store.tables import (
    forecasts,
    scores,
    sums_by_series,
    sums_by_series_step,
    sums_by_series_step_week,
    sums_by_step,
)
from service.store.upsert import insert_into

DAY = 86_400_000_000
"""Microseconds."""
DAY_SECONDS = 86_400
ROLLUPS = (sums_by_step, sums_by_series, sums_by_series_step, sums_by_series_step_week)
SCORES_LOCK = 0x616C6D62
"""PostgreSQL's advisory lock of a transaction that changes scores: so no two wait for each other's sums."""
MOST_KEYS = 5_000
"""Scores or forecasts that one statement names."""
SUMS = (
    "scores",
    "scaled",
    "error",
    "naive_error",
    "pinball",
    "covered_80",
    "intervals_80",
    "covered_95",
    "intervals_95",
)

Period = Literal["day", "week", "month", "year"]
Step = tuple[str, int]
"""A score: id and step of its forecast."""
_OF_FORECASTS = scores.c.forecast_id.in_(bindparam("ids", expanding=True))
_OF_STEPS = _OF_FORECASTS & tuple_(scores.c.forecast_id, scores.c.step).in_(bindparam("steps", expanding=True))
"""Without the ids SQLite would read all scores."""

_SQLITE = {"day": ("%Y-%m-%d",), "week": ("%Y-%m-%d", "weekday 0", "-6 days"), "month": ("%Y-%m",), "year": ("%Y",)}
"""strftime's format and modifiers; a week is its Monday: the Sunday on or after the day, minus six days."""
_POSTGRESQL = {"day": "YYYY-MM-DD", "week": "YYYY-MM-DD", "month": "YYYY-MM", "year": "YYYY"}


class ScoreSums(NamedTuple):
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

    def __add__(self, other: "ScoreSums") -> "ScoreSums":  # type: ignore[override]
        """Return the sums of both, not a longer tuple."""
        return ScoreSums._make(map(operator.add, self, other))


def lock_scores(connection: Connection) -> None:
    """Wait until no other transaction changes scores; SQLite has one writer anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": SCORES_LOCK})


def remove_forecast_sums(connection: Connection, forecast_ids: Sequence[str]) -> None:
    """Subtract all scores of some forecasts from the sums, those that count."""
    for at in range(0, len(forecast_ids), MOST_KEYS):
        _add(connection, _OF_FORECASTS, -1, ids=forecast_ids[at : at + MOST_KEYS])


def remove_sums(connection: Connection, steps: Sequence[Step]) -> None:
    """Subtract some scores from the sums, those that count."""
    _add_steps(connection, steps, -1)


def add_sums(connection: Connection, steps: Sequence[Step]) -> None:
    """Add some scores to the sums, those that count."""
    _add_steps(connection, steps, 1)


def add_new_sums(connection: Connection, new: Sequence[Mapping[str, Any]]) -> None:
    """Add scores that are written in this transaction and count to the sums, without reading them.

    Args:
        connection: The database.
        new: Columns of `scores`, and model, version and series_id of the forecast.
    """
    if not new:
        return
    days = np.array([one["day"] for one in new], dtype=np.int64)
    months = days.astype("M8[D]").astype("M8[M]").astype("M8[D]").astype(np.int64)
    weeks = np.maximum(days - (days + 3) % 7, months)
    keyed = [
        {**one, "month": month, "week": week, "scored_day": one["scored_at"] // DAY}
        for one, month, week in zip(new, months.tolist(), weeks.tolist(), strict=True)
    ]
    sums = [_sums_of(one) for one in new]
    for table in ROLLUPS:
        names = [column.name for column in table.primary_key.columns]
        key_of, found = operator.itemgetter(*names), dict[Any, ScoreSums]()
        for one, values in zip(keyed, sums, strict=True):
            key = key_of(one)
            found[key] = found[key] + values if key in found else values
        rows = [(*key, *values) for key, values in found.items()]
        insert_many(connection, table, (*names, *SUMS), rows, added=SUMS)


def _sums_of(one: Mapping[str, Any]) -> ScoreSums:
    """Return the sums of one score, as `sums_of_scores`."""
    error, inside_80, inside_95 = one["absolute_scaled_error"], one["covered_80"], one["covered_95"]
    return ScoreSums(
        1,
        int(error is not None),
        error or 0.0,
        one["naive_scaled_error"] or 0.0,
        one["scaled_pinball"] or 0.0,
        int(inside_80 or 0),
        int(inside_80 is not None),
        int(inside_95 or 0),
        int(inside_95 is not None),
    )


def drop_empty_sums(connection: Connection) -> None:
    """Delete the sums of nothing; until then readers ignore them."""
    for table in ROLLUPS:
        connection.execute(delete(table).where(table.c.scores == 0))


def sums_of_scores() -> list[ColumnElement[Any]]:
    """Return the fields of `SUMS` over scores, in SQL; a sum of nothing is null."""
    return [
        func.count(),
        func.count(scores.c.absolute_scaled_error),
        func.sum(scores.c.absolute_scaled_error),
        func.sum(scores.c.naive_scaled_error),
        func.sum(scores.c.scaled_pinball),
        func.sum(cast(scores.c.covered_80, Integer)),
        func.count(scores.c.covered_80),
        func.sum(cast(scores.c.covered_95, Integer)),
        func.count(scores.c.covered_95),
    ]


def _add_steps(connection: Connection, steps: Sequence[Step], sign: int) -> None:
    for at in range(0, len(steps), MOST_KEYS):
        some = steps[at : at + MOST_KEYS]
        _add(connection, _OF_STEPS, sign, ids=sorted({forecast_id for forecast_id, _ in some}), steps=some)


def _add(connection: Connection, which: ColumnElement[bool], sign: int, **keys: Sequence[str] | Sequence[Step]) -> None:
    """Add to the sums the scores of a condition with these parameters, or subtract them."""
    for table in ROLLUPS:
        addition = _addition(table, which, sign, is_postgresql=connection.dialect.name == "postgresql")
        connection.execute(addition, keys)


@cache
def _addition(table: Table, which: ColumnElement[bool], sign: int, *, is_postgresql: bool) -> Executable:
    """Return the statement that adds scores to a rollup; making it takes longer than running it."""
    month = _month(scores.c.day, is_postgresql=is_postgresql)
    keys = {
        "model": forecasts.c.model,
        "version": forecasts.c.version,
        "day": scores.c.day,
        "step": scores.c.step,
        "scored_day": scores.c.scored_at // DAY,
        "series_id": forecasts.c.series_id,
        "month": month,
        "week": _later(_monday(scores.c.day), month),
    }
    columns = [keys[column.name].label(f"of_{column.name}") for column in table.primary_key.columns]
    sums = [sign * func.coalesce(one, 0) for one in sums_of_scores()]
    query = select(*columns, *sums).select_from(scores).join(forecasts).where(scores.c.counts, which).group_by(*columns)
    insert = insert_into(table, is_postgresql=is_postgresql).from_select(
        [column.name for column in table.columns], query
    )
    added = {name: table.c[name] + insert.excluded[name] for name in SUMS}
    return insert.on_conflict_do_update(index_elements=[*table.primary_key.columns], set_=added)


def _month(day: ColumnElement[int], *, is_postgresql: bool) -> ColumnElement[Any]:
    """Return the first day of a day's month, both in days since 1970, in SQL."""
    seconds = cast(day, BigInteger) * DAY_SECONDS
    if not is_postgresql:
        return cast(func.strftime("%s", seconds, "unixepoch", "start of month"), Integer) // DAY_SECONDS
    moment = func.timezone("UTC", func.to_timestamp(seconds))
    return cast(func.extract("epoch", func.date_trunc("month", moment)) / DAY_SECONDS, Integer)


def _monday(day: ColumnElement[int]) -> ColumnElement[Any]:
    """Return the Monday of a day's week, both in days since 1970 (a Thursday), in SQL; % of a negative number is negative there."""
    return day - ((day + 3) % 7 + 7) % 7


def _later(day: ColumnElement[Any], other: ColumnElement[Any]) -> ColumnElement[Any]:
    return case((day > other, day), else_=other)


def period_of(day: ColumnElement[int], period: Period, *, is_postgresql: bool) -> ColumnElement[Any]:
    """Return the period of a day as text, in SQL."""
    seconds = cast(day, BigInteger) * DAY_SECONDS
    if not is_postgresql:
        pattern, *modifiers = _SQLITE[period]
        return func.strftime(pattern, seconds, "unixepoch", *modifiers)
    moment = func.timezone("UTC", func.to_timestamp(seconds))
    return func.to_char(func.date_trunc(period, moment), _POSTGRESQL[period])
