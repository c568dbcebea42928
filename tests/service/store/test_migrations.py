from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import func, insert, inspect, select, text
from sqlalchemy.exc import IntegrityError

from service.errors import DatabaseUnreachable, DatabaseUnusable
from service.store import tables
from service.store.database import MIGRATIONS, Database


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """Return a database with its tables."""
    with closing(Database(database_url)) as database:
        database.migrate()
        yield database


def test_the_migrations_make_the_tables(database: Database) -> None:
    """What the migrations make is what the code reads and writes: no column, type or default differs."""
    options = {
        "version_table_schema": database.schema,
        "include_schemas": True,
        "include_name": lambda name, kind, _: kind != "schema" or name == database.schema,
    }
    with database.reading() as connection:
        if database.is_postgresql:
            assert compare_metadata(MigrationContext.configure(connection, opts=options), tables.metadata) == []
        seen = inspect(connection)
        for table in tables.metadata.tables.values():
            found = seen.get_columns(table.name, schema=database.schema)
            assert [(one["name"], one["nullable"]) for one in found] == [(c.name, c.nullable) for c in table.columns]
            indexes = {one["name"] for one in seen.get_indexes(table.name, schema=database.schema)}
            assert indexes == {index.name for index in table.indexes}


def test_the_head_is_the_newest_migration() -> None:
    """A database at HEAD needs no migration: the constant that spares Alembic's import is the truth."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))

    assert ScriptDirectory.from_config(config).get_current_head() == tables.HEAD


def test_replicas_that_start_together_migrate_once(database_url: str) -> None:
    """Four that begin at the same moment on an empty database all find the tables, and none fails."""
    replicas = [Database(database_url) for _ in range(4)]

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(Database.migrate, replicas))

    with replicas[0].reading() as connection:
        assert connection.scalar(select(func.count()).select_from(tables.series)) == 0
    for replica in replicas:
        replica.close()


def test_a_newer_database_is_refused_in_words(database: Database) -> None:
    """Tables of a newer Almanac are left alone, and the error says what to do."""
    name = "almanac.alembic_version" if database.is_postgresql else "alembic_version"
    with database.writing() as connection:
        connection.execute(text(f"UPDATE {name} SET version_num = '9999'"))  # noqa: S608

    with pytest.raises(DatabaseUnusable, match="newer"):
        database.migrate()


def test_what_fails_within_a_transaction_leaves_nothing(database: Database) -> None:
    """A block that raises is rolled back whole."""
    row = {"id": "a", "created": 0}
    with pytest.raises(IntegrityError), database.writing() as connection:
        connection.execute(insert(tables.series), [row, row])

    with database.reading() as connection:
        assert connection.scalar(select(func.count()).select_from(tables.series)) == 0


def test_a_database_that_is_not_there_is_unreachable() -> None:
    """Nobody listening is one error of ours, whatever the driver calls it."""
    with closing(Database("postgresql://nobody@127.0.0.1:1/none")) as database, pytest.raises(DatabaseUnreachable):
        database.migrate()
