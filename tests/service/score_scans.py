"""Score scans: sums made from the scores alone, to compare with the rollups that are kept beside them."""

from collections.abc import Sequence

from sqlalchemy import Connection, delete, select

from service.store.database import Database
from service.store.rollups import ROLLUPS, add_sums
from service.store.score_filter import ScoreFilter
from service.store.score_sums import GroupKey, Period, Rows, _run, _scan
from service.store.tables import forecasts


def scan_scores(database: Database, where: ScoreFilter, by: Sequence[GroupKey], period: Period = "month") -> Rows:
    """Return what `sum_scores` returns, summed from the scores alone."""
    return _run(database, [(_scan(database, where, by, period), 1)], has_keys=bool(by), limit=None)


def rebuild_sums(connection: Connection) -> None:
    """Sum all scores anew."""
    for table in ROLLUPS:
        connection.execute(delete(table))
    add_sums(connection, connection.scalars(select(forecasts.c.forecast_id)).all())
