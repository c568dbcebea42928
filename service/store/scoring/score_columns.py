"""Score columns: the scores of a short time, read once and summed by any keys."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray
from sqlalchemy import Text, cast, func, select

from service.store.database import Database
from service.store.scoring.rollups import Period, ScoreSums
from service.store.scoring.score_filter import ScoreFilter, monday_of
from service.store.tables import forecasts, scores

Column = tuple[list[Any], NDArray[np.int64]]
"""The values of a key, each once, in their order, and the place of each score's value among them."""

KEYS = {
    "model": forecasts.c.model,
    "version": forecasts.c.version,
    "step": scores.c.step,
    "series": forecasts.c.series_id,
    "period": scores.c.day,
}
VALUES = (
    scores.c.absolute_scaled_error,
    scores.c.naive_scaled_error,
    scores.c.scaled_pinball,
    scores.c.covered_80,
    scores.c.covered_95,
)


@dataclass(frozen=True, slots=True)
class ScoreColumns:
    """Scores in columns.

    Attributes:
        keys: The column of each key; of `period` it has the days.
        sums: What each score adds to the fields of ScoreSums, shape (9, scores).
    """

    keys: dict[str, Column]
    sums: NDArray[np.float64]

    def sum_by(
        self, by: Sequence[str], period: Period, limit: int | None = None
    ) -> list[tuple[tuple[str | int, ...], ScoreSums]]:
        """Return the first sums for each value of one key or more, in the order of the values."""
        keys = [_periods(*self.keys[key], period) if key == "period" else self.keys[key] for key in by]
        shape = [max(1, len(values)) for values, _ in keys]
        groups, places = np.unique(np.ravel_multi_index([one for _, one in keys], shape), return_inverse=True)
        found = np.unravel_index(groups[:limit], shape)
        names = [[values[place] for place in some.tolist()] for (values, _), some in zip(keys, found, strict=True)]
        sums = [np.bincount(places, one, len(groups))[:limit].tolist() for one in self.sums]
        kinds = map(type, ScoreSums())
        numbers = zip(*(map(kind, one) for kind, one in zip(kinds, sums, strict=True)), strict=True)
        return list(zip(zip(*names, strict=True), map(ScoreSums._make, numbers), strict=True))


def read_columns(database: Database, where: ScoreFilter) -> ScoreColumns:
    """Return the scores of a filter, which the database packs as JSON: fetching a row for each takes longer.

    Raises:
        DatabaseUnreachable: If the database does not answer.
    """
    pack = func.json_agg if database.is_postgresql else func.json_group_array
    conditions = where.conditions() if database.is_postgresql else where.sqlite_conditions()
    query = select(*(cast(pack(column), Text) for column in (*KEYS.values(), *VALUES)))
    with database.reading() as connection:
        row = connection.execute(query.select_from(scores).join(forecasts).where(*conditions)).one()
    columns = [orjson.loads(text or "[]") for text in row]
    keys, values = columns[: len(KEYS)], columns[len(KEYS) :]
    return ScoreColumns(
        dict(zip(KEYS, map(_column, keys), strict=True)), _sums(*(np.array(one, np.float64) for one in values))
    )


def _column(values: Sequence[Any]) -> Column:
    """Return the column of a key from its value for each score."""
    names = sorted({*values})
    places = {name: place for place, name in enumerate(names)}
    return names, np.fromiter(map(places.__getitem__, values), np.int64, len(values))


def _sums(*values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what scores add to the fields of ScoreSums, from `VALUES`; NaN is no value."""
    error, naive, pinball, inside_80, inside_95 = map(np.nan_to_num, values)
    scaled, _, _, has_80, has_95 = (~np.isnan(one) for one in values)
    return np.array([np.ones(len(error)), scaled, error, naive, pinball, inside_80, has_80, inside_95, has_95])


def _periods(days: list[int], places: NDArray[np.int64], period: Period) -> Column:
    """Return the column of periods from that of days."""
    starts = [monday_of(day) for day in days] if period == "week" else days
    length = len({"day": "2026-11-22", "week": "2026-11-16", "month": "2026-11", "year": "2026"}[period])
    names, of_days = _column([str(np.datetime64(day, "D"))[:length] for day in starts])
    return names, of_days[places]
