"""Database: an engine over SQLite or PostgreSQL, its transactions, and the migrations at the start."""

import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, delete, event, insert, make_url, select, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import QueuePool

from models.jobs.database import SQLITE
from models.machine.sqlite_file import SqliteFile, create_private
from service.errors import DatabaseUnreachable, DatabaseUnusable
from service.store.tables import HEAD, SCHEMA, service_state, write_checks
from service.store.upsert import insert_into
from service.wal import enter_wal

MIGRATIONS = Path(__file__).parents[1] / "migrations"
BUSY_SECONDS = 30
"""How long a writer waits for another one, on SQLite."""
CONNECT_SECONDS = 3
POOL_SIZE, POOL_OVERFLOW, POOL_SECONDS = 4, 8, 10
CLOSE_SECONDS, CLOSE_POLL_SECONDS = 5.0, 0.01
MIGRATION_LOCK = 0x616C6D61
"""PostgreSQL's advisory lock that a replica holds while it migrates: `alma` in ASCII."""
UNREACHABLE = frozenset(
    ["57P01", "57P02", "57P03", "08000", "08001", "08003", "08004", "08006", "53300", "55P03", "25006"]
)
"""PostgreSQL's codes for a server that stops, is down, full, locked or read-only: the same statement may succeed later."""

CHECK_BYTES = 1 << 20
"""What is written to learn whether writing works: more than SQLite's free pages usually hold."""
LOW_BYTES = 16 << 20
"""Free space below which each check writes."""

DAMAGED = ("SQLITE_NOTADB", "SQLITE_CORRUPT")
"""Prefixes of SQLite's error names for a file that is not a database, or a damaged one."""


class DatabaseFile(SqliteFile):
    """The SQLite file of the service."""

    def check(self) -> None:
        """Raise DatabaseUnreachable if the file was removed or replaced since it was opened."""
        if self.is_gone():
            raise DatabaseUnreachable(
                f"{self.path} was removed while the service ran.",
                hint="Put it back, or restart the service to create a new one.",
            )
        if self.is_another():
            raise DatabaseUnreachable(
                f"{self.path} is another file than the one that was opened.",
                hint="Restart the service to use the new file.",
            )


class Database:
    """An engine that raises DatabaseUnreachable for every failure of the database, whatever the driver raises."""

    def __init__(self, url: str) -> None:
        """Connect to nothing yet.

        Args:
            url: SQLite (`sqlite:///file`) or PostgreSQL (`postgresql://…`, with psycopg 3).
        """
        self.url = url
        address = _address(url)
        self.is_postgresql = address.get_backend_name() == "postgresql"
        self.file = None if self.is_postgresql or not address.database else DatabaseFile(Path(address.database))
        self.engine = _postgresql(address) if self.is_postgresql else _sqlite(address, self.file)
        self.schema = SCHEMA if self.is_postgresql else None

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Open a transaction that reads one state of the database."""
        with translate_errors(self.file), self.engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Open a transaction that is committed durably at the end of the block, and rolled back if the block raises."""
        with (
            translate_errors(self.file),
            self.engine.connect().execution_options(writes=True) as connection,
            connection.begin(),
        ):
            yield connection

    def migrate(self) -> None:
        """Create or upgrade the tables; replicas that start at the same time wait for one another.

        Raises:
            DatabaseUnreachable: If the database does not answer.
            DatabaseUnusable: If a newer Almanac made it, or it is damaged.
        """
        self._make_folder()
        with self.writing() as connection:
            if self.is_postgresql:
                connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": MIGRATION_LOCK})
                if connection.scalar(text("SELECT to_regnamespace(:name)"), {"name": SCHEMA}) is None:
                    connection.execute(text(f"CREATE SCHEMA {SCHEMA}"))
            if _revision(connection, self.schema) != HEAD:
                _upgrade(connection, self.schema)
        if self.file is not None:
            self.file.learn()
            self._open_connections()

    def revision(self) -> str | None:
        """Return the last migration of the tables, or None if there are none; creates nothing."""
        with self.reading() as connection:
            return _revision(connection, self.schema)

    def _open_connections(self) -> None:
        """Open the connections that the pool keeps, so that the number of open files does not grow later."""
        with translate_errors(self.file), ExitStack() as stack:
            for _ in range(POOL_SIZE):
                stack.enter_context(self.engine.connect())

    def ping(self, *, writes: bool = False) -> None:
        """Raise DatabaseUnreachable if the database does not answer, or SQLite cannot be written to.

        Args:
            writes: Whether to write CHECK_BYTES and delete them, as after a write that failed: on a full disk a transaction
                can still be opened. On SQLite it is also done if the disk is nearly full.
        """
        if writes or self._is_nearly_full():
            with self.writing() as connection:
                connection.execute(insert(write_checks), {"content": bytes(CHECK_BYTES)})
            with self.writing() as connection:
                connection.execute(delete(write_checks))
            return
        with self.reading() if self.is_postgresql else self.writing() as connection:
            connection.execute(text("SELECT 1"))

    def _is_nearly_full(self) -> bool:
        """Return whether the disk of the SQLite file has less than LOW_BYTES left."""
        if self.file is None:
            return False
        try:
            return shutil.disk_usage(self.file.path.parent).free < LOW_BYTES
        except OSError:
            return False

    def _make_folder(self) -> None:
        if self.file is not None:
            try:
                self.file.path.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise DatabaseUnreachable(
                    f"The folder of {self.file.path} cannot be created: {error}.",
                    hint="Check ALMANAC_DATABASE_URL, or ALMANAC_HOME without it.",
                ) from error
            create_private(self.file.path)

    def close(self) -> None:
        """Close every connection; wait up to CLOSE_SECONDS for those in use."""
        pool, deadline = self.engine.pool, time.monotonic() + CLOSE_SECONDS
        while isinstance(pool, QueuePool) and pool.checkedout() > 0 and time.monotonic() < deadline:
            time.sleep(CLOSE_POLL_SECONDS)
        self.engine.dispose()


def storable(text: str) -> str:
    """Return an id with the characters replaced that a database cannot store; no stored series has such an id."""
    return text.replace("\0", "\ufffd").encode(errors="replace").decode()


def _address(url: str) -> URL:
    """Return a URL with its driver; all that follows `sqlite:///` is the file's name."""
    if url.startswith(SQLITE):
        return URL.create("sqlite", database=url.removeprefix(SQLITE))
    return make_url(url).set(drivername="postgresql+psycopg")


def _sqlite(address: URL, file: DatabaseFile | None) -> Engine:
    """Return an engine in WAL mode, whose readers do not wait for writers.

    Connections and transactions fail once the file is not the one that was opened.
    """
    engine = create_engine(
        address,
        connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False},
        execution_options={"schema_translate_map": {SCHEMA: None}},
        pool_size=POOL_SIZE,
        max_overflow=POOL_OVERFLOW,
        pool_timeout=POOL_SECONDS,
    )

    @event.listens_for(engine, "do_connect")
    def check_file(*_: object) -> None:
        if file is not None:
            file.check()

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: object) -> None:  # noqa: ANN401 (sqlite3's own)
        connection.isolation_level = None  # so that the driver does not begin or commit by itself
        enter_wal(connection, BUSY_SECONDS)
        for pragma in ("synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        if file is not None:
            file.check()
        writes = connection.get_execution_options().get("writes")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _postgresql(address: URL) -> Engine:
    """Return an engine that tests a connection before use, and does not wait for ever for a lost server."""
    return create_engine(
        address,
        connect_args={
            "connect_timeout": CONNECT_SECONDS,
            "application_name": "almanac",
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "tcp_user_timeout": 15_000,
        },
        pool_pre_ping=True,
        pool_size=POOL_SIZE,
        max_overflow=POOL_OVERFLOW,
        pool_timeout=POOL_SECONDS,
    )


@contextmanager
def translate_errors(file: DatabaseFile | None = None) -> Iterator[None]:
    """Raise DatabaseUnreachable or DatabaseUnusable in place of the driver's errors."""
    try:
        yield
    except (OperationalError, InterfaceError, PoolTimeout) as error:
        raise _unreachable(error) from error
    except DBAPIError as error:
        if error.connection_invalidated or getattr(error.orig, "sqlstate", None) in UNREACHABLE:
            raise _unreachable(error) from error
        if _is_damaged(error.orig):
            raise _damaged(error.orig, file) from error
        raise


def _is_damaged(cause: BaseException | None) -> bool:
    return getattr(cause, "sqlite_errorname", "").startswith(DAMAGED)


def _damaged(cause: BaseException | None, file: DatabaseFile | None) -> DatabaseUnusable:
    return DatabaseUnusable(
        f"{file.path if file else 'The database'} is not a database, or a damaged one: {cause}.",
        hint="Stop the service, replace the file by a backup (or move it away to start empty), and start it again.",
    )


def _unreachable(error: SQLAlchemyError) -> DatabaseUnreachable:
    cause = getattr(error, "orig", None) or error
    reason = str(cause).strip().splitlines()[0][:200] if str(cause).strip() else type(cause).__name__
    return DatabaseUnreachable(f"The database does not answer: {reason}.", hint="Ask again soon; the log has details.")


def _revision(connection: Connection, schema: str | None) -> str | None:
    """Return the last migration of the tables, or None if there are none."""
    if not connection.dialect.has_table(connection, "alembic_version", schema=schema):
        return None
    name = f"{schema}.alembic_version" if schema else "alembic_version"
    found: str | None = connection.scalar(text(f"SELECT version_num FROM {name}"))  # noqa: S608 (our own name)
    return found


def _upgrade(connection: Connection, schema: str | None) -> None:
    """Run the missing migrations."""
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes.update(connection=connection, schema=schema)
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise DatabaseUnusable(
            f"The database's tables are of another version of Almanac: {error}",
            hint="Run the version that made them, or a newer one.",
        ) from error


def read_state(database: Database, name: str) -> str | None:
    """Return what the service remembers under a name, or None."""
    with database.reading() as connection:
        return connection.scalar(select(service_state.c.value).where(service_state.c.name == name))


def write_state(connection: Connection, name: str, value: str, now: int) -> None:
    """Remember a value under a name, in a transaction that writes; `now` is microseconds since 1970."""
    row = insert_into(service_state, is_postgresql=connection.dialect.name == "postgresql").values(
        name=name, value=value, updated=now
    )
    newest = {"value": row.excluded.value, "updated": row.excluded.updated}
    connection.execute(row.on_conflict_do_update(index_elements=["name"], set_=newest))
