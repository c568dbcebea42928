"""Forecast table: writes served forecasts in batches, returns one with its scores, and deletes old ones."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import orjson
from sqlalchemy import Row, RowMapping, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from models.calendar.on_calendar import Frequency, timestamps_from
from models.forecast import Forecast
from models.intervals import interval_sides
from models.json_values import finite_or_none
from models.series import Series
from service.selector import SelectedModel
from service.store.blobs import Floats, encode_floats, encode_times, microseconds
from service.store.database import Database, storable
from service.store.score import naive_baseline
from service.store.score_due import compute_scores
from service.store.tables import forecasts, scores

MICROSECONDS = 1_000_000
LATE = 10 * MICROSECONDS
"""A forecast that is written this long after it was made is due at once: its observations may have come before it."""
DELETE_ROWS = 5_000
"""Rows that one transaction deletes."""


@dataclass(frozen=True, slots=True, eq=False)
class LogEntry:
    """A served forecast that is to be written.

    Attributes:
        forecast_id: Its id in the response.
        made_at: Microseconds since 1970, UTC.
        selected: The version that made it.
        series: The history that it was made from.
        forecast: The forecast.
    """

    forecast_id: str
    made_at: int
    selected: SelectedModel
    series: Series
    forecast: Forecast

    @property
    def size(self) -> int:
        """Return how many numbers it holds in memory."""
        return self.series.values.size + self.forecast.quantiles.size


@dataclass(frozen=True, slots=True, eq=False)
class StoredForecast:
    """A forecast in the table.

    Attributes:
        row: Of the table `forecasts`.
        scores: Rows of the table `scores`, by step.
        observed: How many of its steps have an actual value, scored yet or not.
    """

    row: Row[Any]
    scores: Sequence[RowMapping]
    observed: int


def write_forecasts(database: Database, entries: Sequence[LogEntry], now: int) -> None:
    """Write forecasts; those that are stored already stay, so that a batch can be written again.

    Raises:
        DatabaseUnreachable: If the database does not answer; the forecasts may be written or not.
    """
    make = postgresql.insert if database.is_postgresql else sqlite.insert
    insert = make(forecasts).on_conflict_do_nothing(index_elements=[forecasts.c.forecast_id])
    rows = [make_row(entry, now) for entry in entries]
    with database.writing() as connection:
        connection.execute(insert, rows)


def make_row(entry: LogEntry, now: int) -> dict[str, Any]:
    """Return a forecast as a row of the table, with its seasonal naive baseline."""
    series, forecast, served = entry.series, entry.forecast, entry.selected.model
    horizon = len(forecast.median)
    levels, quantiles = _columns(forecast)
    baseline = naive_baseline(series, horizon, entry.selected.forecaster_for(series).spec.season_length)
    times = forecast.timestamps
    ends = (None, None) if times is None else microseconds(times[[0, -1]]).tolist()
    return {
        "forecast_id": entry.forecast_id,
        "made_at": entry.made_at,
        "model": served.name,
        "version": served.version,
        "alias": entry.selected.alias,
        "run_id": served.run_id,
        "series_id": storable(series.id),
        "frequency": series.frequency.name if series.frequency else None,
        "timezone": series.timezone,
        "style": series.style,
        "cutoff": _cutoff(series),
        "first_timestamp": ends[0],
        "last_timestamp": ends[1],
        "horizon": horizon,
        "timestamps": None if times is None else encode_times(times),
        "levels": _levels_text(levels),
        "quantiles": encode_floats(quantiles),
        "median": encode_floats(forecast.median),
        "naive": encode_floats(baseline.naive),
        "scale": finite_or_none(baseline.scale),
        "context_used": forecast.context_used,
        "due": times is not None and now - entry.made_at > LATE,
    }


def find_forecast(database: Database, forecast_id: str) -> StoredForecast | None:
    """Return a forecast with its scores, or None if there is none of that id."""
    name = storable(forecast_id)
    by_step = select(scores).where(scores.c.forecast_id == name).order_by(scores.c.step)
    with database.reading() as connection:
        row = connection.execute(select(forecasts).where(forecasts.c.forecast_id == name)).one_or_none()
        if row is None:
            return None
        actuals = compute_scores(connection, [row])[row.forecast_id]
        return StoredForecast(row, connection.execute(by_step).mappings().all(), len(actuals))


def delete_forecasts(database: Database, before: int) -> int:
    """Delete forecasts made before a moment (microseconds since 1970), and their scores; return how many forecasts."""
    total = 0
    old = select(forecasts.c.forecast_id).where(forecasts.c.made_at < before).order_by(forecasts.c.made_at)
    while True:
        with database.writing() as connection:
            batch = connection.scalars(old.limit(DELETE_ROWS)).all()
            if batch:
                connection.execute(delete(forecasts).where(forecasts.c.forecast_id.in_(batch)))
        total += len(batch)
        if len(batch) < DELETE_ROWS:
            return total


def _columns(forecast: Forecast) -> tuple[tuple[float, ...], Floats]:
    """Return the levels of quantiles and interval bounds, rising, each once, and their columns, (horizon, levels)."""
    columns = dict(zip(forecast.quantile_levels, forecast.quantiles.T, strict=True))
    for interval in forecast.intervals:
        lower, upper = interval_sides(interval.level)
        columns.setdefault(lower, interval.lower)
        columns.setdefault(upper, interval.upper)
    levels = tuple(sorted(columns))
    if levels == forecast.quantile_levels:
        return levels, forecast.quantiles
    return levels, np.stack([columns[level] for level in levels], axis=1)


def _cutoff(series: Series) -> int | None:
    if series.start is None or series.frequency is None:
        return None
    return _timestamp(series.start, series.frequency, series.timezone, len(series) - 1)


@lru_cache(maxsize=4096)
def _timestamp(start: np.datetime64, frequency: Frequency, timezone: str | None, steps: int) -> int:
    """Return the time of a step; cached, since the series of one request often end at the same time."""
    return int(microseconds(timestamps_from(start, frequency, 1, timezone, skip=steps))[0])


@lru_cache(maxsize=256)
def _levels_text(levels: tuple[float, ...]) -> str:
    return orjson.dumps(levels).decode()
