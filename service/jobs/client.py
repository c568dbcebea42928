"""Jobs: the service's thin client of the job queue, which knows workflows and queues by name and nothing of training.

DBOS is imported, and its tables made, in a thread and when somebody first asks about jobs: a service that nobody asks
starts and answers without it.
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
from models.sqlite_file import Opened
from service.thread_pool import ThreadPool

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
"""Packages whose errors are the database's."""
CONNECT_SECONDS = 3


class Jobs:
    """The jobs' database, which may be down or not be there yet."""

    def __init__(self, url: str, limit: int) -> None:
        """Open nothing yet; let at most `limit` requests wait for it.

        Args:
            url: Of SQLite (`sqlite:///file`) or PostgreSQL (`postgresql://…`).
            limit: Requests at work or waiting.
        """
        self._url = url
        self._workers = ThreadPool(limit, threads=THREADS, name="jobs")
        self._opening = Lock()
        self._client: Client | None = None
        file = sqlite_file(url)
        self._opened = None if file is None else Opened(file)

    async def run(self, work: Callable[Concatenate[Client, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what `work` returns, given the client, done in a thread; the database is made where there is none.

        Raises:
            JobsUnreachable: If the database does not answer.
            QueueFull: If too many wait already.
        """
        return await self._workers.run(lambda: self._do(lambda client: work(client, *args, **kwargs)))

    async def look(self, absent: T, work: Callable[Concatenate[Client, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what `run` returns, or `absent` where no database was ever made: looking makes none."""
        if self._is_absent():
            return absent
        return await self.run(work, *args, **kwargs)

    async def known(
        self, unknown: AlmanacError, work: Callable[Concatenate[Client, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Return what `run` returns, about something that is there; raises `unknown` where no database was ever made."""
        if self._is_absent():
            raise unknown
        return await self.run(work, *args, **kwargs)

    def close(self) -> None:
        """Let connections and threads go."""
        self._workers.close()
        self._forget()

    def _do(self, work: Callable[[Client], T]) -> T:
        self._look()
        try:
            return work(self._open())
        except Exception as error:
            if not type(error).__module__.startswith(DATABASES):
                raise
            self._forget()
            said = _said(error)
            logger.warning("jobs: %s: %s", type(error).__name__, said)
            hint = "Ask again soon, or check ALMANAC_JOBS_URL."
            raise JobsUnreachable(f"The jobs' database cannot be used: {said}.", hint=hint) from error

    def _open(self) -> Client:
        """Return the client, its tables made and the workers' version told, which DBOS wants before it fires anything."""
        with self._opening:
            if self._client is None:
                self._client = self._connect()
            return self._client

    def _connect(self) -> Client:
        from dbos import DBOS, DBOSClient, DBOSPortableJSONSerializer

        logging.getLogger("dbos").addFilter(_is_news)
        url = _address(self._url)
        self._make_file()
        DBOS.migrate(url, schema=names.SCHEMA)
        client = DBOSClient(
            system_database_url=url,
            dbos_system_schema=names.SCHEMA,
            serializer=DBOSPortableJSONSerializer(),
            application_name=names.APPLICATION,
            retry_connection_errors=False,
        )
        client._sys_db.create_application_version(names.APPLICATION_VERSION)  # noqa: SLF001 (no worker has told it yet, maybe)
        if self._opened is not None:
            self._opened.learn()
        return client

    def _look(self) -> None:
        """Open the file anew if it is another one; raises JobsUnreachable if it is gone or is no database any more."""
        if self._opened is None or self._client is None:
            return
        if self._opened.is_another():
            self._forget()
        elif fault := self._opened.fault():
            raise JobsUnreachable(
                f"The jobs' database {self._opened.path} {fault}.",
                hint="Put it back, or remove it and restart the service and the workers to begin a new one.",
            )

    def _forget(self) -> None:
        """Let the connections go; the next request opens the database anew."""
        with self._opening:
            client, self._client = self._client, None
        if client is not None:
            client.destroy()

    def _is_absent(self) -> bool:
        """Return whether there is no file, and none was open: one that was removed since is no answer."""
        file = sqlite_file(self._url)
        return file is not None and self._client is None and not file.exists()

    def _make_file(self) -> None:
        """Make a SQLite database whose readers and writers do not wait for each other, where there is none."""
        file = sqlite_file(self._url)
        if file is None or file.exists():
            return
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise JobsUnreachable(f"{file} cannot be made: {error}.", hint="Check ALMANAC_JOBS_URL.") from error
        with closing(sqlite3.connect(file)) as made:
            made.execute("PRAGMA journal_mode = WAL")


def make_schedule(client: Client, **fields: Any) -> bool:  # noqa: ANN401 (the arguments of DBOSClient.create_schedule)
    """Make a schedule, and return whether its name was free."""
    from dbos import error

    try:
        client.create_schedule(**fields)
    except error.DBOSException:
        return False
    return True


def _is_news(record: logging.LogRecord) -> bool:
    """Return whether DBOS says what the service does not: an Idempotency-Key that is used again is answered."""
    return "Workflow already exists in queue" not in record.getMessage()


def _said(error: Exception) -> str:
    """Return what a database said, in a line."""
    cause = getattr(error, "orig", None) or error
    lines = str(cause).strip().splitlines()
    return lines[0][:200] if lines else type(cause).__name__


def _address(url: str) -> str:
    """Return a URL as DBOS reads it, one that does not wait for ever for a lost server."""
    if sqlite_file(url) is not None or "connect_timeout=" in url:
        return url
    return f"{url}{'&' if '?' in url else '?'}connect_timeout={CONNECT_SECONDS}"
