"""Erasure: removes a series with its observations, forecasts, scores and sums, and records that it was done."""

from dataclasses import dataclass

from sqlalchemy import Connection, delete, func, insert, select

from service.store.database import Database, storable
from service.store.erasure_marks import id_hash, mark_erased
from service.store.forecasts import DELETE_ROWS, remove_forecasts
from service.store.rollups import ROLLUPS, drop_empty_sums, lock_scores
from service.store.tables import erasures, forecasts, observations, scores, series

OBSERVATION_ROWS = 50_000
"""Observations that one transaction deletes."""


@dataclass(frozen=True, slots=True)
class Erasure:
    """What was removed of a series.

    Attributes:
        series_sha256: Hexadecimal SHA-256 of its id; the id itself is kept nowhere.
        observations: Rows, gaps included.
        forecasts: Served forecasts.
        scores: Scored steps.
    """

    series_sha256: str
    observations: int
    forecasts: int
    scores: int


def erase_series(database: Database, series_id: str, now: int) -> Erasure | None:
    """Remove all that is stored of a series, and return what that was; None if nothing is stored of it.

    Forecasts of it that still wait in another process are not written afterwards (`erasure_marks`), also if nothing is
    stored yet. It is done in several transactions; if it breaks off, calling it again removes the rest. On SQLite the freed pages are
    overwritten.

    Args:
        database: Where it is stored.
        series_id: Its id.
        now: Microseconds since 1970, UTC: forecasts made until then are erased.

    Raises:
        DatabaseUnreachable: If the database does not answer; a part may be removed.
    """
    name = storable(series_id)
    mark_erased(database, name, now)
    forecast_count, score_count = 0, 0
    while removed := _remove_some_forecasts(database, name):
        forecast_count, score_count = forecast_count + removed[0], score_count + removed[1]
    observation_count = 0
    while count := _remove_observations(database, name):
        observation_count += count
    found = Erasure(id_hash(name), observation_count, forecast_count, score_count)
    with database.writing() as connection:
        lock_scores(connection)
        known = connection.execute(delete(series).where(series.c.id == name)).rowcount
        if not (known or forecast_count or observation_count):
            return None
        for table in (one for one in ROLLUPS if "series_id" in one.c):
            connection.execute(delete(table).where(table.c.series_id == name))
        drop_empty_sums(connection)
        row = {"series_sha256": found.series_sha256, "observations": found.observations}
        row |= {"forecasts": found.forecasts, "scores": found.scores, "erased_at": now}
        connection.execute(insert(erasures), row)
    return found


def _remove_some_forecasts(database: Database, name: str) -> tuple[int, int] | None:
    """Remove some forecasts of a series, and return how many, and how many scores; None if there are none left."""
    with database.writing() as connection:
        _overwrite_freed_pages(connection)
        lock_scores(connection)
        ids = connection.scalars(
            select(forecasts.c.forecast_id).where(forecasts.c.series_id == name).limit(DELETE_ROWS)
        ).all()
        if not ids:
            return None
        scored = connection.scalar(select(func.count()).where(scores.c.forecast_id.in_(ids))) or 0
        remove_forecasts(connection, ids)
    return len(ids), scored


def _remove_observations(database: Database, name: str) -> int:
    """Remove some observations of a series, and return how many."""
    mine = observations.c.series_id == name
    at = observations.c.timestamp
    part = select(at).where(mine).order_by(at).limit(OBSERVATION_ROWS).subquery()
    with database.writing() as connection:
        _overwrite_freed_pages(connection)
        newest = connection.scalar(select(func.max(part.c.timestamp)))
        return 0 if newest is None else connection.execute(delete(observations).where(mine, at <= newest)).rowcount


def _overwrite_freed_pages(connection: Connection) -> None:
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA secure_delete=ON")
