"""Erasure: removes a series with its observations, forecasts, scores and sums, and records that it was done."""

from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection, delete, func, insert, select

from service.store.database import Database, storable
from service.store.erasure_marks import id_hash, lock_marks, mark_erased
from service.store.forecasts import DELETE_ROWS, remove_forecasts
from service.store.scoring.rollups import ROLLUPS, drop_empty_sums, lock_scores
from service.store.tables import erasures, forecasts, observations, scores, series

P = ParamSpec("P")
T = TypeVar("T")

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


def erase_series(database: Database, series_id: str, clock: Callable[[], int]) -> Erasure | None:
    """Remove all that is stored of a series, and return what that was; None if nothing is stored of it.

    It is done in several transactions. The last one removes what was stored meanwhile, and marks the series, so that forecasts
    of it that still wait in another process are not written afterwards (`erasure_marks`), also if nothing is stored. If it
    breaks off, calling it again removes the rest. On SQLite the freed pages are overwritten.

    Args:
        database: Where it is stored.
        series_id: Its id.
        clock: Returns microseconds since 1970, UTC; forecasts made until the last transaction are erased.

    Raises:
        DatabaseUnreachable: If the database does not answer; a part may be removed.
    """
    name = storable(series_id)
    counts = Counter[str]()
    for remove, rows in ((_remove_forecasts, DELETE_ROWS), (_remove_observations, OBSERVATION_ROWS)):
        while removed := _run(database, remove, name, rows):
            counts += removed
    if counts:
        _run(database, _remove_sums, name)
    with database.writing() as connection:
        _lock(connection)
        lock_marks(connection)
        now = clock()
        mark_erased(connection, name, now)
        meanwhile = _remove_forecasts(connection, name, None) + _remove_observations(connection, name, None)
        known = connection.execute(delete(series).where(series.c.id == name)).rowcount
        if meanwhile["scores"] or (known and not counts):
            _remove_sums(connection, name)
        counts += meanwhile
        if not (known or counts):
            return None
        found = Erasure(id_hash(name), counts["observations"], counts["forecasts"], counts["scores"])
        connection.execute(insert(erasures), {**asdict(found), "erased_at": now})
    return found


def _run(database: Database, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call `work` in a transaction of its own."""
    with database.writing() as connection:
        _lock(connection)
        return work(connection, *args, **kwargs)


def _lock(connection: Connection) -> None:
    """Wait until no other transaction changes scores; let SQLite overwrite what is deleted."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA secure_delete=ON")
    lock_scores(connection)


def _remove_forecasts(connection: Connection, name: str, most: int | None) -> Counter[str]:
    """Remove forecasts of a series, and return how many, and how many scores."""
    ids = connection.scalars(select(forecasts.c.forecast_id).where(forecasts.c.series_id == name).limit(most)).all()
    scored = connection.scalar(select(func.count()).where(scores.c.forecast_id.in_(ids))) or 0
    remove_forecasts(connection, ids)
    return +Counter(forecasts=len(ids), scores=scored)


def _remove_observations(connection: Connection, name: str, most: int | None) -> Counter[str]:
    """Remove the oldest observations of a series, and return how many."""
    mine, at = observations.c.series_id == name, observations.c.timestamp
    part = select(at).where(mine).order_by(at).limit(most).subquery()
    newest = connection.scalar(select(func.max(part.c.timestamp)))
    removed = 0 if newest is None else connection.execute(delete(observations).where(mine, at <= newest)).rowcount
    return +Counter(observations=removed)


def _remove_sums(connection: Connection, name: str) -> None:
    """Remove the rows of rollups that are those of a series, or of nothing."""
    for table in (one for one in ROLLUPS if "series_id" in one.c):
        connection.execute(delete(table).where(table.c.series_id == name))
    drop_empty_sums(connection)
