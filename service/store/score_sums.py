"""Score sums: scores counted and summed in SQL by version, step, series and period, and some of the scored forecasts."""

import operator
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, Self

import numpy as np
from sqlalchemy import ColumnElement, Connection, Integer, Row, cast, desc, func, select

from models.calendar.timestamps import Timestamps
from models.values import Values
from service.store.database import Database, storable
from service.store.score import LoggedForecast
from service.store.score_due import read_forecast
from service.store.tables import forecasts, observations, scores
from service.store.time_tolerance import tolerance_of

GroupKey = Literal["model", "version", "step", "series", "period"]
Period = Literal["day", "week", "month", "year"]

SECOND = 1e6
"""Microseconds."""
HORIZONS_SHOWN, MIN_SHOWN = 3, 12
"""Observations beside a forecast: those of its steps, two horizons before them, and MIN_SHOWN more."""
CANDIDATES = 8
"""Forecasts that are ranked for each one that is listed, since only one of each series is."""

_SQLITE = {"day": ("%Y-%m-%d",), "week": ("%Y-%m-%d", "weekday 0", "-6 days"), "month": ("%Y-%m",), "year": ("%Y",)}
"""strftime's format and modifiers; a week is its Monday: the Sunday on or after the day, minus six days."""
_POSTGRESQL = {"day": "YYYY-MM-DD", "week": "YYYY-MM-DD", "month": "YYYY-MM", "year": "YYYY"}


@dataclass(frozen=True, slots=True)
class ScoreFilter:
    """Conditions on scores; None is no condition.

    Attributes:
        model: Name.
        version: Of the model.
        series: Id.
        steps: First and last step ahead, both included.
        since: First timestamp of a scored step, microseconds since 1970, included.
        until: First timestamp that is left out.
        scored_since: First time of scoring, microseconds since 1970, included.
    """

    model: str | None = None
    version: str | None = None
    series: str | None = None
    steps: tuple[int, int] | None = None
    since: int | None = None
    until: int | None = None
    scored_since: int | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """Return the conditions in SQL, on `scores` joined with `forecasts`."""
        first, last = self.steps or (None, None)
        limits = [
            (operator.eq, forecasts.c.model, self.model and storable(self.model)),
            (operator.eq, forecasts.c.version, self.version and storable(self.version)),
            (operator.eq, forecasts.c.series_id, self.series and storable(self.series)),
            (operator.ge, scores.c.step, first),
            (operator.le, scores.c.step, last),
            (operator.ge, scores.c.timestamp, self.since),
            (operator.lt, scores.c.timestamp, self.until),
            (operator.ge, scores.c.scored_at, self.scored_since),
        ]
        return [compare(column, value) for compare, column, value in limits if value is not None]


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


@dataclass(frozen=True, slots=True, eq=False)
class ScoredForecast:
    """A forecast with scores, and the observations before and at its steps.

    Attributes:
        forecast_id: Its id.
        series_id: Its series.
        model: Name.
        version: Of the model.
        style: How its request wrote timestamps.
        timezone: IANA name if its timestamps are UTC instants.
        forecast: The forecast.
        timestamps: Of the series' observations, up to the actual value of the last step; shape (length,), datetime64[us].
        values: Of the observations, shape (length,).
    """

    forecast_id: str
    series_id: str
    model: str
    version: str
    style: str
    timezone: str | None
    forecast: LoggedForecast
    timestamps: Timestamps
    values: Values


def sum_scores(
    database: Database, where: ScoreFilter, by: Sequence[GroupKey], period: Period = "month", limit: int | None = None
) -> list[tuple[tuple[str | int, ...], ScoreSums]]:
    """Return the sums of scores for each value of the keys, in the order of the values.

    Args:
        database: Where the scores are.
        where: Which scores.
        by: Keys that group the scores; without a key all are summed.
        period: Of the key `period`: a day such as `2026-11-22`, a week's Monday, a month `2026-11` or a year `2026`.
        limit: Most rows to return.

    Raises:
        DatabaseUnreachable: If the database does not answer.
    """
    columns = {
        "model": forecasts.c.model,
        "version": forecasts.c.version,
        "step": scores.c.step,
        "series": forecasts.c.series_id,
        "period": _period(period, is_postgresql=database.is_postgresql),
    }
    keys: list[ColumnElement[Any]] = [columns[key].label(f"by_{key}") for key in by]
    query = select(*keys, *_sums()).join(forecasts).where(*where.conditions()).limit(limit)
    if keys:
        query = query.group_by(*keys).order_by(*keys)
    with database.reading() as connection:
        rows = connection.execute(query).all()
    return [(tuple(row[: len(keys)]), ScoreSums(*(number or 0 for number in row[len(keys) :]))) for row in rows]


def list_scored_forecasts(database: Database, where: ScoreFilter, limit: int) -> list[ScoredForecast]:
    """Return forecasts with scores, one of each series: those with the most scored steps first, then the newest.

    Raises:
        DatabaseUnreachable: If the database does not answer.
    """
    steps = func.count(scores.c.step)
    ranked = (
        select(forecasts.c.forecast_id, forecasts.c.series_id)
        .select_from(scores)
        .join(forecasts)
        .where(*where.conditions())
        .group_by(forecasts.c.forecast_id, forecasts.c.series_id)
        .order_by(desc(steps), desc(forecasts.c.made_at), forecasts.c.forecast_id)
        .limit(limit * CANDIDATES)
    )
    with database.reading() as connection:
        best: dict[str, str] = {}
        for forecast_id, series_id in connection.execute(ranked):
            best.setdefault(series_id, forecast_id)
        chosen = list(best.values())[:limit]
        rows = connection.execute(select(forecasts).where(forecasts.c.forecast_id.in_(chosen))).all()
        found = {row.forecast_id: _scored(connection, row) for row in rows}
    return [found[forecast_id] for forecast_id in chosen]


def count_due(database: Database) -> int:
    """Return how many forecasts wait to be scored; raise DatabaseUnreachable if the database does not answer."""
    with database.reading() as connection:
        return connection.scalar(select(func.count()).where(forecasts.c.due)) or 0


def _sums() -> list[ColumnElement[Any]]:
    """Return the fields of ScoreSums in SQL, in their order."""
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


def _period(period: Period, *, is_postgresql: bool) -> ColumnElement[Any]:
    """Return the period of a score's timestamp as text, in SQL."""
    seconds = scores.c.timestamp / SECOND
    if not is_postgresql:
        pattern, *modifiers = _SQLITE[period]
        return func.strftime(pattern, seconds, "unixepoch", *modifiers)
    moment = func.timezone("UTC", func.to_timestamp(seconds))
    return func.to_char(func.date_trunc(period, moment), _POSTGRESQL[period])


def _scored(connection: Connection, row: Row[Any]) -> ScoredForecast:
    """Return a forecast with its newest observations up to the last step."""
    newest = (
        select(observations.c.timestamp, observations.c.value)
        .where(
            observations.c.series_id == row.series_id,
            observations.c.timestamp <= row.last_timestamp + tolerance_of(row.frequency),
            observations.c.value.is_not(None),
        )
        .order_by(desc(observations.c.timestamp))
        .limit(HORIZONS_SHOWN * row.horizon + MIN_SHOWN)
    )
    observed = sorted((timestamp, value) for timestamp, value in connection.execute(newest))
    stamps = np.array([timestamp for timestamp, _ in observed], dtype=np.int64).astype("M8[us]")
    values = np.array([value for _, value in observed], dtype=np.float64)
    return ScoredForecast(
        forecast_id=row.forecast_id,
        series_id=row.series_id,
        model=row.model,
        version=row.version,
        style=row.style,
        timezone=row.timezone,
        forecast=read_forecast(row),
        timestamps=stamps,
        values=values,
    )
