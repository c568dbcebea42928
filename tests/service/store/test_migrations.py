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


def test_the_migrations_create_the_tables(database: Database) -> None:
    """No column, type, default or index differs from `tables`."""
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
    """A database at HEAD is started without importing Alembic."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))

    assert ScriptDirectory.from_config(config).get_current_head() == tables.HEAD


def test_replicas_that_start_together_migrate_once(empty_url: str) -> None:
    """Four that migrate an empty database at the same time all succeed."""
    replicas = [Database(empty_url) for _ in range(4)]

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(Database.migrate, replicas))

    with replicas[0].reading() as connection:
        assert connection.scalar(select(func.count()).select_from(tables.series)) == 0
    for replica in replicas:
        replica.close()


def test_tables_of_a_newer_version_are_refused(database: Database) -> None:
    """They are left as they are."""
    name = "almanac.alembic_version" if database.is_postgresql else "alembic_version"
    with database.writing() as connection:
        connection.execute(text(f"UPDATE {name} SET version_num = '9999'"))  # noqa: S608

    with pytest.raises(DatabaseUnusable):
        database.migrate()


def test_a_transaction_that_raises_is_rolled_back(database: Database) -> None:
    """None of its rows stays."""
    row = {"id": "a", "created": 0}
    with pytest.raises(IntegrityError), database.writing() as connection:
        connection.execute(insert(tables.series), [row, row])

    with database.reading() as connection:
        assert connection.scalar(select(func.count()).select_from(tables.series)) == 0


def test_a_server_that_does_not_listen_is_unreachable() -> None:
    """Whatever the driver raises."""
    with closing(Database("postgresql://nobody@127.0.0.1:1/none")) as database, pytest.raises(DatabaseUnreachable):
        database.migrate()
