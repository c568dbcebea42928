"""Fixture of the store's tests: a database with its tables, on SQLite and PostgreSQL."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from sqlalchemy import event

from service.store.database import Database


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """Return an empty database with its tables."""
    with closing(Database(database_url)) as database:
        if not database.is_postgresql:
            event.listen(database.engine, "connect", wait_for_no_disk)
        database.migrate()
        yield database


def wait_for_no_disk(connection: Any, _record: object) -> None:  # noqa: ANN401 (sqlite3's own)
    """Turn off SQLite's waits for the disk: the database lives as long as its test."""
    connection.execute("PRAGMA synchronous=OFF")
