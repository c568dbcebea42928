"""Fixtures of the store's tests: an empty database with its tables, on both engines."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from service.store.database import Database


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """Return a database with its tables."""
    with closing(Database(database_url)) as database:
        database.migrate()
        yield database
