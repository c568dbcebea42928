"""Jobs client: runs functions on the job queue's database through DBOS.

DBOS is imported, and its tables are created, in a thread at the first request that needs a job: the service starts and
forecasts without it.
"""

import logging
import sqlite3
from collections.abc import Callable
from contextlib import closing
from threading import Lock
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeAlias, TypeVar

from models.errors import AlmanacError
from models.jobs import names
from models.jobs.database import sqlite_file
from models.jobs.errors import JobsUnreachable
from models.machine.sqlite_file import SqliteFile, create_private
from service.thread_pool import ThreadPool
from service.wal import enter_wal

if TYPE_CHECKING:
    from dbos import DBOSClient, WorkflowSchedule, WorkflowStatus

    Client: TypeAlias = DBOSClient
    Status: TypeAlias = WorkflowStatus
    Schedule: TypeAlias = WorkflowSchedule
else:
    Client = Status = Schedule = Any

logger = logging.getLogger("almanac")

P = ParamSpec("P")
T = TypeVar("T")

THREADS = 2
DATABASES = ("sqlalchemy", "sqlite3", "psycopg")
"""Packages whose exceptions mean that the database failed."""
CONNECT_SECONDS = 3


class JobsClient:
    """The database of jobs and schedules, which may be unreachable or not exist yet."""

    def __init__(self, url: str, limit: int) -> None:
        """Open nothing yet; at most `limit` requests may run or wait."""
        self._url = url
        self._threads = ThreadPool(limit, threads=THREADS, name="jobs")
        self._opening = Lock()
        self._client: Client | None = None
        file = sqlite_file(url)
        self._file = None if file is None else SqliteFile(file)
        self._had_folder = False

    async def run(self, work: Callable[Concatenate[Client, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return the result of `work`, called with DBOS's client in a thread; create the database if there is none.

        Raises:
            JobsUnreachable: If the database does not answer.
            QueueFull: If too many requests wait already.
        """
        return await self._threads.run(lambda: self._run(lambda client: work(client, *args, **kwargs)))

    async def run_or(
        self, default: T, work: Callable[Concatenate[Client, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Return what `run` returns, or `default` if there is no database: reading creates none."""
        return default if self._is_absent() else await self.run(work, *args, **kwargs)

    async def run_or_raise(
        self, error: AlmanacError, work: Callable[Concatenate[Client, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Return what `run` returns, or raise `error` if there is no database."""
        if self._is_absent():
            raise error
        return await self.run(work, *args, **kwargs)

    def close(self) -> None:
        """Close the connections, and let the threads end."""
        self._threads.close()
        self._disconnect()

    def _run(self, work: Callable[[Client], T]) -> T:
        self._check_file()
        try:
            return work(self._open())
        except Exception as error:
            if not type(error).__module__.startswith(DATABASES):
                raise
            self._disconnect()
            reason = _first_line(error)
            logger.warning("jobs: %s: %s", type(error).__name__, reason)
            hint = "Try again soon, or check ALMANAC_JOBS_URL."
            raise JobsUnreachable(f"The jobs' database cannot be used: {reason}.", hint=hint) from error

    def _open(self) -> Client:
        with self._opening:
            if self._client is None:
                self._client = self._connect()
            return self._client

    def _connect(self) -> Client:
        """Return a client, after creating the tables and the application version, without which no schedule runs."""
        from dbos import DBOS, DBOSClient, DBOSPortableJSONSerializer

        logging.getLogger("dbos").addFilter(_is_relevant)
        url = _with_timeout(self._url)
        self._create_file()
        DBOS.migrate(url, schema=names.SCHEMA)
        client = DBOSClient(
            system_database_url=url,
            dbos_system_schema=names.SCHEMA,
            serializer=DBOSPortableJSONSerializer(),
            application_name=names.APPLICATION,
            retry_connection_errors=False,
        )
        client._sys_db.create_application_version(names.APPLICATION_VERSION)  # noqa: SLF001 (no worker may have run yet)
        if self._file is not None:
            self._file.learn()
        return client

    def _check_file(self) -> None:
        """Disconnect from a file that was replaced; raises JobsUnreachable if it was deleted or overwritten."""
        if self._file is None or self._client is None:
            return
        if self._file.is_another():
            self._disconnect()
        elif fault := self._file.fault():
            raise JobsUnreachable(
                f"The jobs' database {self._file.path} {fault}.",
                hint="Put it back; or remove it, and restart the service and the workers to start a new one.",
            )

    def _disconnect(self) -> None:
        """Close the connections; the next request opens the database again."""
        with self._opening:
            client, self._client = self._client, None
        if client is not None:
            client.destroy()

    def _is_absent(self) -> bool:
        """Return whether there is no SQLite file and none was open; a file that was deleted since is an error instead."""
        if self._file is None:
            return False
        self._had_folder = self._had_folder or self._file.path.parent.is_dir()
        return self._client is None and not self._file.path.exists()

    def _create_file(self) -> None:
        """Create a missing SQLite file in WAL mode, in which readers and writers do not block each other."""
        if self._file is None or not self._is_absent():
            return
        path = self._file.path
        if self._had_folder and not path.parent.is_dir():
            raise JobsUnreachable(
                f"{path.parent} does not exist any more.", hint="Bring the folder back, or mount its volume."
            )
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise JobsUnreachable(f"{path} cannot be created: {error}.", hint="Check ALMANAC_JOBS_URL.") from error
        create_private(path)
        with closing(sqlite3.connect(path)) as database:
            enter_wal(database, CONNECT_SECONDS)


def create_schedule(client: Client, **fields: Any) -> bool:  # noqa: ANN401 (the arguments of DBOSClient.create_schedule)
    """Create a schedule, and return whether its name was free."""
    from dbos import error

    try:
        client.create_schedule(**fields)
    except error.DBOSException:
        return False
    return True


def _is_relevant(record: logging.LogRecord) -> bool:
    """Return False for DBOS's warning about a repeated Idempotency-Key, which the service answers itself."""
    return "Workflow already exists in queue" not in record.getMessage()


def _first_line(error: Exception) -> str:
    """Return the first line of a database's error."""
    cause = getattr(error, "orig", None) or error
    lines = str(cause).strip().splitlines()
    return lines[0][:200] if lines else type(cause).__name__


def _with_timeout(url: str) -> str:
    """Return a URL with a limit on how long a connection may take."""
    if sqlite_file(url) is not None or "connect_timeout=" in url:
        return url
    return f"{url}{'&' if '?' in url else '?'}connect_timeout={CONNECT_SECONDS}"
