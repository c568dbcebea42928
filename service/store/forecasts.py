"""Forecast table: writes served forecasts in batches, returns one with its scores, and deletes old ones."""

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar

import numpy as np
import orjson
from sqlalchemy import Connection, Row, RowMapping, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite

from models.calendar.on_calendar import Frequency, timestamps_from
from models.forecast import Forecast
from models.intervals import interval_sides
from models.json_values import finite_or_none
from models.series import Series
from service.selector import SelectedModel
from service.store.blobs import Floats, encode_floats, encode_times, microseconds
from service.store.database import Database, read_state, storable, write_state
from service.store.erasure_marks import find_erased, id_hash
from service.store.evidence import sample_history
from service.store.rollups import drop_empty_sums, lock_scores, remove_sums
from service.store.score import naive_baseline
from service.store.score_due import compute_scores
from service.store.tables import forecasts, scores

T = TypeVar("T")

MICROSECONDS = 1_000_000
LATE = 10 * MICROSECONDS
"""A forecast that is written this long after it was made is due at once: its observations may have come before it."""
DAY_MICROSECONDS = 86_400 * MICROSECONDS
_DELETED = "deleted forecasts"
"""Name of the state with the day of the newest deletion, and how many forecasts were deleted in it."""
AT_ONCE, PAUSE_SECONDS = 8, 50e-6
"""Rows that are made in a millisecond. A thread that computes on and on delays a request by that long at each of its steps."""
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
        from_store: Whether the history is that of the stored observations; otherwise it is compared with them.
    """

    forecast_id: str
    made_at: int
    selected: SelectedModel
    series: Series
    forecast: Forecast
    from_store: bool = False

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


@dataclass(frozen=True, slots=True)
class Deletion:
    """What a deletion of old forecasts found and did.

    Attributes:
        total: Forecasts before it.
        old: How many of them were old enough.
        deleted: How many of these were deleted.
    """

    total: int
    old: int
    deleted: int


def write_forecasts(database: Database, entries: Sequence[LogEntry], now: int) -> int:
    """Write forecasts, and return how many were not written because their series was erased after they were made.

    Those that are stored already stay, so that a batch can be written again.

    Raises:
        DatabaseUnreachable: If the database does not answer; the forecasts may be written or not.
    """
    make = postgresql.insert if database.is_postgresql else sqlite.insert
    insert = make(forecasts).on_conflict_do_nothing(index_elements=[forecasts.c.forecast_id])
    rows = [row for some in _unhurried(entries) for row in [make_row(entry, now) for entry in some]]
    with database.writing() as connection:
        erased = find_erased(connection, min((row["made_at"] for row in rows), default=now))
        written = [row for row in rows if not erased or row["made_at"] > erased.get(id_hash(row["series_id"]), -1)]
        for some in _unhurried(written):
            connection.execute(insert, some)
    return len(rows) - len(written)


def _unhurried(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """Yield a few items at a time, with a pause after each: between them the event loop has the interpreter for itself."""
    for at in range(0, len(items), AT_ONCE):
        yield items[at : at + AT_ONCE]
        time.sleep(PAUSE_SECONDS)


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
        **_history(entry),
    }


def _history(entry: LogEntry) -> dict[str, Any]:
    """Return the columns that tell whether a forecast is evidence."""
    sample = None if entry.from_store or not entry.series.id else sample_history(entry.series, entry.forecast_id)
    return {
        "is_evidence": True if entry.from_store else None,
        "history_from": None if sample is None else int(microseconds(sample.timestamps[:1])[0]),
        "history_timestamps": None if sample is None else encode_times(sample.timestamps),
        "history_values": None if sample is None else encode_floats(sample.values),
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


def delete_forecasts(database: Database, before: int, share: float = 1.0, now: int | None = None) -> Deletion:
    """Delete forecasts made before a moment, the oldest first, with their scores, in transactions of DELETE_ROWS.

    Args:
        database: Where they are.
        before: Microseconds since 1970.
        share: Largest share of all forecasts that may be deleted.
        now: Microseconds since 1970; then the share is that of a day, whatever other processes or starts have deleted in it.

    Raises:
        DatabaseUnreachable: If the database does not answer; some of them may be deleted.
    """
    is_old = forecasts.c.made_at < before
    with database.reading() as connection:
        total = connection.scalar(select(func.count()).select_from(forecasts)) or 0
        old = connection.scalar(select(func.count()).select_from(forecasts).where(is_old)) or 0
    counted = _read_deleted(database, now) if now is not None else 0
    allowed = min(old, max(0, math.ceil(share * (total + counted)) - counted))
    oldest = select(forecasts.c.forecast_id).where(is_old).order_by(forecasts.c.made_at)
    deleted = 0
    while deleted < allowed:
        with database.writing() as connection:
            lock_scores(connection)
            batch = connection.scalars(oldest.limit(min(DELETE_ROWS, allowed - deleted))).all()
            remove_forecasts(connection, batch)
            if now is not None:
                write_state(
                    connection, _DELETED, f"{now - now % DAY_MICROSECONDS} {counted + deleted + len(batch)}", now
                )
        if not batch:
            break
        deleted += len(batch)
    if deleted:
        with database.writing() as connection:
            lock_scores(connection)
            drop_empty_sums(connection)
    return Deletion(total, old, deleted)


def _read_deleted(database: Database, now: int) -> int:
    """Return how many forecasts were deleted on this day; a day ahead of the clock is this one, since a clock was wrong."""
    day, _, count = (read_state(database, _DELETED) or "0 0").partition(" ")
    return int(count) if int(day) >= now - now % DAY_MICROSECONDS else 0


def remove_forecasts(connection: Connection, forecast_ids: Sequence[str]) -> None:
    """Delete forecasts and their scores, in a transaction that holds `lock_scores`."""
    if forecast_ids:
        remove_sums(connection, forecast_ids)
        connection.execute(delete(forecasts).where(forecasts.c.forecast_id.in_(forecast_ids)))


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
