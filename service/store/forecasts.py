"""Forecast table: writes served forecasts in batches, returns one with its scores, and deletes old ones."""

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

from sqlalchemy import Connection, Executable, Row, RowMapping, delete, func, select

from service.store.database import Database, read_state, storable, write_state
from service.store.erasure_marks import find_erased, id_hash
from service.store.log_entry import MICROSECONDS, LogEntry
from service.store.log_rows import is_late, make_rows
from service.store.scoring.rollups import drop_empty_sums, lock_scores, remove_forecast_sums
from service.store.scoring.score_due import count_observed
from service.store.tables import forecasts, scores
from service.store.upsert import insert_into

T = TypeVar("T")

DAY_MICROSECONDS = 86_400 * MICROSECONDS
_DELETED = "deleted forecasts"
"""Name of the state with the day of the newest deletion, and how many forecasts were deleted in it."""
AT_ONCE, PAUSE_SECONDS = 16, 50e-6
"""Rows that are made in a millisecond. A thread that computes on and on delays a request by that long at each of its steps."""
DELETE_ROWS = 5_000
"""Rows that one transaction deletes."""


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


def newest_time(database: Database) -> float | None:
    """Return when the newest forecast was made, in seconds since 1970, or None if there is none; raises as `reading`."""
    with database.reading() as connection:
        found = connection.scalar(select(func.max(forecasts.c.made_at)))
    return None if found is None else found / MICROSECONDS


def write_forecasts(database: Database, entries: Sequence[LogEntry], now: int, pause: float = PAUSE_SECONDS) -> int:
    """Write forecasts, and return how many were not written because their series was erased after they were made.

    Those that are stored already stay, so that a batch can be written again.

    Args:
        database: Where to.
        entries: The forecasts.
        now: Microseconds since 1970, at the call; other writers are waited for, and a forecast that is late then is due.
        pause: Seconds between AT_ONCE rows.

    Raises:
        DatabaseUnreachable: If the database does not answer; the forecasts may be written or not.
    """
    started = time.monotonic()
    rows = [row for some in _unhurried(entries, pause) for row in make_rows(some, now)]
    with database.writing() as connection:
        erased = find_erased(connection, min((row["made_at"] for row in rows), default=now))
        locked = now + int((time.monotonic() - started) * MICROSECONDS)
        rows = [row | {"due": is_late(row["made_at"], row["first_timestamp"], locked)} for row in rows]
        written = [row for row in rows if not erased or row["made_at"] > erased.get(id_hash(row["series_id"]), -1)]
        for some in _unhurried(written, pause):
            if database.is_postgresql:
                connection.execute(_postgresql_insert(), some)
            else:  # SQLAlchemy takes longer to convert a row than SQLite to store it
                connection.exec_driver_sql(_sqlite_insert(tuple(some[0])), some)
    return len(rows) - len(written)


@cache
def _postgresql_insert() -> Executable:
    insert = insert_into(forecasts, is_postgresql=True)
    return insert.on_conflict_do_nothing(index_elements=[forecasts.c.forecast_id])


@cache
def _sqlite_insert(columns: Sequence[str]) -> str:
    """Return the same for SQLite, with the columns as named parameters."""
    values = ", ".join(f":{name}" for name in columns)
    return f"INSERT INTO {forecasts.name} ({', '.join(columns)}) VALUES ({values}) ON CONFLICT (forecast_id) DO NOTHING"  # noqa: S608 (ours)


def _unhurried(items: Sequence[T], pause: float) -> Iterator[Sequence[T]]:
    """Yield a few items at a time, with a pause after each: between them the event loop has the interpreter for itself."""
    if not pause:
        yield items
        return
    for at in range(0, len(items), AT_ONCE):
        yield items[at : at + AT_ONCE]
        time.sleep(pause)


def find_forecast(database: Database, forecast_id: str) -> StoredForecast | None:
    """Return a forecast with its scores, or None if there is none of that id."""
    name = storable(forecast_id)
    by_step = select(scores).where(scores.c.forecast_id == name).order_by(scores.c.step)
    with database.reading() as connection:
        row = connection.execute(select(forecasts).where(forecasts.c.forecast_id == name)).one_or_none()
        if row is None:
            return None
        return StoredForecast(row, connection.execute(by_step).mappings().all(), count_observed(connection, row))


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
        remove_forecast_sums(connection, forecast_ids)
        connection.execute(delete(forecasts).where(forecasts.c.forecast_id.in_(forecast_ids)))
