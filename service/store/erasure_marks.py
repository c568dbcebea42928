"""Erasure marks: when a series was erased; a forecast of before that still waits in another process is not written."""

import hashlib
from collections.abc import Mapping

from sqlalchemy import Connection, delete, select, text

from service.store.database import Database
from service.store.tables import erasure_marks
from service.store.upsert import insert_into

MARKS_LOCK = 0x616C6D63
"""PostgreSQL's advisory lock: a new mark waits for the forecasts that are being written, and later ones see it."""


def id_hash(series_id: str) -> str:
    """Return the hexadecimal SHA-256 of a storable id."""
    return hashlib.sha256(series_id.encode()).hexdigest()


def mark_erased(connection: Connection, series_id: str, now: int) -> None:
    """Store that a series is erased at `now`; until the transaction ends no forecast is written.

    `now` is read after `lock_marks`: then every forecast that is written already was made before it.
    """
    row = insert_into(erasure_marks, is_postgresql=connection.dialect.name == "postgresql").values(
        series_sha256=id_hash(series_id), erased_at=now
    )
    connection.execute(
        row.on_conflict_do_update(index_elements=["series_sha256"], set_={"erased_at": row.excluded.erased_at})
    )


def lock_marks(connection: Connection) -> None:
    """Wait until no forecasts are being written; SQLite has one writer anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": MARKS_LOCK})


def find_erased(connection: Connection, since: int) -> Mapping[str, int]:
    """Return when each series was erased that was erased since a moment, by the hash of its id.

    Until the transaction ends no series is marked. SQLite has one writer anyway.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock_shared(:lock)"), {"lock": MARKS_LOCK})
    query = select(erasure_marks).where(erasure_marks.c.erased_at >= since)
    return {row.series_sha256: row.erased_at for row in connection.execute(query)}


def delete_marks(database: Database, before: int) -> None:
    """Delete the marks of before a moment: a forecast of before it would be deleted anyway."""
    with database.writing() as connection:
        connection.execute(delete(erasure_marks).where(erasure_marks.c.erased_at < before))
