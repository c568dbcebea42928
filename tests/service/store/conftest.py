"""Fixture of the store's tests: a database with its tables, on SQLite and PostgreSQL."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from service.store.database import Database


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """Return an empty database with its tables."""
    with closing(Database(database_url)) as database:
        database.migrate()
        yield database
