"""Score scans: sums made from the scores alone, in SQL or one by one, to compare with the rollups that are kept beside them."""

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Connection, delete, select

from service.store.database import Database
from service.store.scoring.rollups import ROLLUPS, Period, ScoreSums, add_sums
from service.store.scoring.score_filter import ScoreFilter
from service.store.scoring.score_sums import GroupKey, Rows, _run, _scan
from service.store.tables import forecasts, scores

Sums = dict[tuple[str | int, ...], ScoreSums]


def scan_scores(database: Database, where: ScoreFilter, by: Sequence[GroupKey], period: Period = "month") -> Rows:
    """Return what `sum_scores` returns, summed from the scores alone."""
    return _run(database, [(_scan(database, where, by, period), 1)], has_keys=bool(by), limit=None)


def rebuild_sums(connection: Connection) -> None:
    """Sum all scores anew."""
    for table in ROLLUPS:
        connection.execute(delete(table))
    every = connection.execute(select(scores.c.forecast_id, scores.c.step))
    add_sums(connection, [(forecast_id, step) for forecast_id, step in every])


def recount(database: Database, key: Callable[[Any], tuple[str | int, ...]]) -> Sums:
    """Return the sums of all scores by a key, added one by one."""
    found: Sums = {}
    with database.reading() as connection:
        for row in connection.execute(select(scores, forecasts).join(forecasts)):
            one = ScoreSums(
                1,
                int(row.absolute_scaled_error is not None),
                row.absolute_scaled_error or 0.0,
                row.naive_scaled_error or 0.0,
                row.scaled_pinball or 0.0,
                int(bool(row.covered_80)),
                int(row.covered_80 is not None),
                int(bool(row.covered_95)),
                int(row.covered_95 is not None),
            )
            found[key(row)] = found.get(key(row), ScoreSums()) + one
    return found
