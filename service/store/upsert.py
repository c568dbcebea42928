"""Upsert: INSERT of the connection's dialect, which can say ON CONFLICT."""

from typing import TYPE_CHECKING

from sqlalchemy import Table
from sqlalchemy.dialects import sqlite

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql


def insert_into(table: Table, *, is_postgresql: bool) -> "sqlite.Insert | postgresql.Insert":
    """Return an INSERT; PostgreSQL's dialect, with all its drivers a twentieth of a start, is imported only where it is used."""
    if is_postgresql:
        from sqlalchemy.dialects import postgresql

        return postgresql.insert(table)
    return sqlite.insert(table)
