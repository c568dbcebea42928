"""Ledger: served forecasts as rows, written in batches, shown with their scores, and gone by age."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray
from sqlalchemy import Row, RowMapping, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from models.accuracy import seasonal_scale
from models.calendar.on_calendar import Frequency, timestamps_from
from models.calendar.timestamps import Timestamps
from models.intervals import interval_sides
from models.json_values import finite_or_none
from models.series import Forecast, Series
from service.selector import SelectedModel
from service.store.database import Database, storable
from service.store.score import NaiveBaseline, naive_baseline
from service.store.score_due import compute_scores
from service.store.tables import forecasts, scores

Floats = NDArray[np.float64]

MICROSECONDS = 1_000_000
LATE = 10 * MICROSECONDS
"""A row that is written so long after its forecast was made may have missed its observations: it is due at once."""
FORGET_ROWS = 5_000
"""Rows that one transaction deletes."""


@dataclass(frozen=True, slots=True, eq=False)
class LogEntry:
    """A forecast that was given out.

    Attributes:
        forecast_id: What the answer calls it.
        made_at: Microseconds since 1970, UTC.
        choice: The version that made it.
        series: The history that it was made from.
        forecast: What was said.
    """

    forecast_id: str
    made_at: int
    choice: SelectedModel
    series: Series
    forecast: Forecast

    @property
    def numbers(self) -> int:
        """Return how many numbers it holds in memory."""
        return self.series.values.size + self.forecast.quantiles.size


@dataclass(frozen=True, slots=True, eq=False)
class StoredForecast:
    """A kept forecast.

    Attributes:
        row: Of the table `forecasts`.
        scores: Rows of the table `scores`, by step.
        observed: How many of its steps have a truth, scored yet or not.
    """

    row: Row[Any]
    scores: Sequence[RowMapping]
    observed: int


def write_forecasts(database: Database, entries: Sequence[LogEntry], now: int) -> None:
    """Write forecasts; those that are there already stay, so that the same can be written again.

    Raises:
        DatabaseUnreachable: If it cannot be said that they are written.
    """
    make = postgresql.insert if database.is_postgresql else sqlite.insert
    insert = make(forecasts).on_conflict_do_nothing(index_elements=[forecasts.c.forecast_id])
    rows = [make_row(entry, now) for entry in entries]
    with database.writing() as connection:
        connection.execute(insert, rows)


def make_row(entry: LogEntry, now: int) -> dict[str, Any]:
    """Return a forecast as a row of the ledger, with what it is to be measured by."""
    series, forecast, served = entry.series, entry.forecast, entry.choice.model
    horizon = len(forecast.median)
    levels, quantiles = _columns(forecast)
    measured = measure(series, horizon, entry.choice.forecaster_for(series).spec.season_length)
    stamps = None if forecast.timestamps is None else forecast.timestamps.astype("M8[us]").view(np.int64)
    return {
        "forecast_id": entry.forecast_id,
        "made_at": entry.made_at,
        "model": served.name,
        "version": served.version,
        "alias": entry.choice.alias,
        "run_id": served.run_id,
        "series_id": storable(series.id),
        "frequency": series.frequency.name if series.frequency else None,
        "timezone": series.timezone,
        "style": series.style,
        "cutoff": _cutoff(series),
        "first_timestamp": None if stamps is None else int(stamps[0]),
        "last_timestamp": None if stamps is None else int(stamps[-1]),
        "horizon": horizon,
        "timestamps": None if stamps is None else stamps.astype("<i8").tobytes(),
        "levels": _levels_text(levels),
        "quantiles": _bytes(quantiles),
        "median": _bytes(forecast.median),
        "naive": _bytes(measured.naive),
        "scale": finite_or_none(measured.scale),
        "context_used": forecast.context_used,
        "due": stamps is not None and now - entry.made_at > LATE,
    }


def measure(series: Series, horizon: int, season_length: int) -> NaiveBaseline:
    """Return what `naive_baseline` returns, in a fifth of its time if the history has no gap and no zero or infinite scale."""
    values = series.values
    if len(values) > season_length and not np.isnan(values).any():
        with np.errstate(over="ignore"):
            scale = seasonal_scale(values, season_length)
        if 0 < scale < np.inf:
            return NaiveBaseline(values[-season_length:].take(_places(horizon, season_length)), scale)
    return naive_baseline(series, horizon, season_length)


def find_forecast(database: Database, forecast_id: str) -> StoredForecast | None:
    """Return a forecast with its scores, or None where none of that id is kept."""
    by_step = select(scores).where(scores.c.forecast_id == storable(forecast_id)).order_by(scores.c.step)
    with database.reading() as connection:
        row = connection.execute(
            select(forecasts).where(forecasts.c.forecast_id == storable(forecast_id))
        ).one_or_none()
        if row is None:
            return None
        truths = compute_scores(connection, [row])[row.forecast_id]
        return StoredForecast(row, connection.execute(by_step).mappings().all(), len(truths))


def delete_forecasts(database: Database, before: int) -> int:
    """Delete forecasts made before a moment, and their scores; return how many forecasts.

    Args:
        database: Where.
        before: Microseconds since 1970, UTC.
    """
    total = 0
    old = select(forecasts.c.forecast_id).where(forecasts.c.made_at < before).order_by(forecasts.c.made_at)
    while True:
        with database.writing() as connection:
            batch = connection.scalars(old.limit(FORGET_ROWS)).all()
            if batch:
                connection.execute(delete(forecasts).where(forecasts.c.forecast_id.in_(batch)))
        total += len(batch)
        if len(batch) < FORGET_ROWS:
            return total


def numbers_of(blob: bytes) -> Floats:
    """Return numbers as the database keeps them."""
    return np.frombuffer(blob, "<f8")


def times_of(blob: bytes) -> Timestamps:
    """Return times as the database keeps them, datetime64[us]."""
    return np.frombuffer(blob, "<i8").astype("M8[us]")


def _columns(forecast: Forecast) -> tuple[tuple[float, ...], Floats]:
    """Return the levels of quantiles and sides of intervals, rising, each once, and their columns, (horizon, levels)."""
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
    """Return when a step is: kept, since series that are asked for together end together."""
    return int(timestamps_from(start, frequency, 1, timezone, skip=steps).astype("M8[us]").view(np.int64)[0])


def _bytes(numbers: Floats) -> bytes:
    return np.ascontiguousarray(numbers, dtype="<f8").tobytes()


@lru_cache(maxsize=256)
def _levels_text(levels: tuple[float, ...]) -> str:
    return orjson.dumps(levels).decode()


@lru_cache(maxsize=256)
def _places(horizon: int, season_length: int) -> NDArray[np.int64]:
    return np.arange(horizon) % season_length
