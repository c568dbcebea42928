"""The connection to the jobs' database, and its errors."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from dbos import DBOS, DBOSClient, DBOSPortableJSONSerializer
from dbos import error as dbos_error

from models.jobs import names
from models.jobs.database import sqlite_file, without_password
from models.jobs.errors import JobsUnreachable
from models.machine.sqlite_file import create_private

LOCK_SECONDS = 30.0
DATABASE_PACKAGES = ("sqlalchemy", "sqlite3", "psycopg")


def connect(url: str, *, create: bool = True) -> DBOSClient:
    """Migrate the database to the installed DBOS and return a client of it.

    Raises:
        JobsUnreachable: If the database does not respond, or is a missing SQLite file and `create` is False.
    """
    file = sqlite_file(url)
    if file is not None and not file.exists() and not create:
        raise JobsUnreachable(
            f"There are no jobs yet: {file} does not exist.", hint="Run almanac schedule add or almanac worker."
        )
    with translated_errors(url):
        if file is not None:
            _create_file(file)
        DBOS.migrate(url, schema=names.SCHEMA)
        client = _client(url)
        # DBOS does this when a worker starts, but a schedule may be triggered before any worker has run.
        client._sys_db.create_application_version(names.APPLICATION_VERSION)  # noqa: SLF001 (there is no public way)
    return client


def look(url: str) -> DBOSClient | None:
    """Return a client of a database, or None if its tables are missing or older; creates and changes nothing.

    Raises:
        JobsUnreachable: If the database does not respond, or there is none of this name.
    """
    with translated_errors(url):
        client = _client(url)
        try:
            client._sys_db.verify_migrations()  # noqa: SLF001 (there is no public way)
        except dbos_error.DBOSInitializationError:
            client.destroy()
            return None
    return client


def _client(url: str) -> DBOSClient:
    return DBOSClient(
        system_database_url=url,
        dbos_system_schema=names.SCHEMA,
        serializer=DBOSPortableJSONSerializer(),
        application_name=names.APPLICATION,
        retry_connection_errors=False,
    )


@contextmanager
def translated_errors(url: str) -> Iterator[None]:
    """Raise JobsUnreachable for the errors of the database libraries."""
    try:
        yield
    except (dbos_error.DBOSException, OSError) as error:
        raise _unreachable(url, error) from error
    except Exception as error:
        if not type(error).__module__.startswith(DATABASE_PACKAGES):
            raise
        raise _unreachable(url, getattr(error, "orig", None) or error) from error


def _create_file(file: Path) -> None:
    """Create a SQLite database in WAL mode, in which readers and writers do not wait for each other."""
    file.parent.mkdir(parents=True, exist_ok=True)
    create_private(file)
    with closing(sqlite3.connect(file, timeout=LOCK_SECONDS)) as database:
        if database.execute("PRAGMA journal_mode").fetchone() != ("wal",):
            # A process that opens the file at the same moment sets the same mode.
            with suppress(sqlite3.OperationalError):
                database.execute("PRAGMA journal_mode = WAL")


def _unreachable(url: str, error: object) -> JobsUnreachable:
    cause = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return JobsUnreachable(
        f"The jobs' database {without_password(url)} cannot be used: {cause}.", hint="Check ALMANAC_JOBS_URL."
    )
