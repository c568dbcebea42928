"""The lock on a worker's name: one running process has it, and loses it when it ends."""

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, Self

from filelock import FileLock, Timeout

from models.jobs.database import sqlite_file, without_password
from models.jobs.errors import JobsUnreachable, WorkerAlive

if TYPE_CHECKING:
    from psycopg import Connection

KEEPALIVE = {
    "tcp_keepalives_idle": 10,
    "tcp_keepalives_interval": 5,
    "tcp_keepalives_count": 3,
    "tcp_user_timeout": 25_000,
}
"""PostgreSQL releases a lock 25 s after the machine of its holder has disappeared from the network."""

SESSION = "almanac worker "
"""Application name of a lock's session, before the worker's name."""

REGAIN_SECONDS = 60.0
"""After a longer outage of the database another process may have the name."""

PROBE_SECONDS = 0.05
"""Wait for a file lock that another probe has for a moment."""


class WorkerLock(Protocol):
    """A held lock."""

    def is_held(self) -> bool:
        """Return whether this process still has the name, or the database is away and may give it back soon."""
        ...


@contextmanager
def lock_worker(url: str, worker: str) -> Iterator[WorkerLock]:
    """Hold a worker's name until the block or the process ends.

    With SQLite it is a lock on a file beside the database (one machine), with PostgreSQL an advisory lock of a session.

    Raises:
        WorkerAlive: If another running process has the name.
        JobsUnreachable: If the database does not respond.
    """
    folder = _folder(url)
    if folder is None:
        with _SessionLock(url, worker) as lock:
            yield lock
        return
    path = _lock_file(folder, worker)
    try:
        file_lock = FileLock(path, timeout=PROBE_SECONDS).acquire()
    except Timeout:
        raise _alive(worker) from None
    with file_lock:
        path.write_text(worker, encoding="utf-8")
        yield _HeldFile()


def has_run(url: str, worker: str) -> bool:
    """Return whether a worker of this name runs or, with SQLite, ever ran; raises JobsUnreachable."""
    folder = _folder(url)
    return worker in running_workers(url) if folder is None else _lock_file(folder, worker).exists()


def running_workers(url: str) -> list[str]:
    """Return the sorted names of the workers that run; raises JobsUnreachable if the database does not respond."""
    folder = _folder(url)
    if folder is not None:
        return sorted(path.read_text(encoding="utf-8") for path in folder.glob("*.lock") if _is_held(path))
    query = "SELECT substr(application_name, %s) FROM pg_stat_activity WHERE datname = current_database()"
    with _open(url, "almanac") as session:
        rows = session.execute(f"{query} AND application_name LIKE %s", (len(SESSION) + 1, f"{SESSION}%")).fetchall()
    return sorted(str(row[0]) for row in rows)


def _alive(worker: str) -> WorkerAlive:
    return WorkerAlive(
        f"A worker named {worker!r} is running.", hint="Give each worker its own name with ALMANAC_WORKER_ID."
    )


def _folder(url: str) -> Path | None:
    file = sqlite_file(url)
    return None if file is None else file.parent / "workers"


def _lock_file(folder: Path, worker: str) -> Path:
    return folder / f"{hashlib.sha256(worker.encode()).hexdigest()[:16]}.lock"


def _is_held(path: Path) -> bool:
    try:
        with FileLock(path, timeout=PROBE_SECONDS, poll_interval=PROBE_SECONDS / 5):
            return False
    except Timeout:
        return True


class _HeldFile:
    """A file lock, which only the end of the process takes away."""

    def is_held(self) -> bool:
        return True


class _SessionLock:
    """An advisory lock of a PostgreSQL session, which ends with the session and is taken again after an outage."""

    def __init__(self, url: str, worker: str) -> None:
        self._url, self._worker = url, worker
        self._session: Connection | None = None
        self._seen = 0.0

    def __enter__(self) -> Self:
        session = _open(self._url, SESSION + self._worker)
        if not self._take(session):
            session.close()
            raise _alive(self._worker)
        self._session, self._seen = session, time.monotonic()
        return self

    def __exit__(self, *_: object) -> None:
        if self._session is not None:
            self._session.close()

    def is_held(self) -> bool:
        from psycopg import Error

        try:
            if self._session is not None:
                self._session.execute("SELECT 1")
                self._seen = time.monotonic()
                return True
        except Error:
            self._session = None
        with suppress(JobsUnreachable, WorkerAlive):
            self.__enter__()
        return time.monotonic() - self._seen < REGAIN_SECONDS

    def _take(self, session: "Connection") -> bool:
        digest = hashlib.sha256(f"{SESSION}{self._worker}".encode()).digest()
        key = int.from_bytes(digest[:8], signed=True)
        row = session.execute("SELECT pg_try_advisory_lock(%s)", (key,)).fetchone()
        return row is not None and bool(row[0])


def _open(url: str, name: str) -> "Connection":
    import psycopg

    settings = " ".join(f"-c {key}={value}" for key, value in KEEPALIVE.items())
    try:
        return psycopg.connect(url, autocommit=True, connect_timeout=10, options=settings, application_name=name)
    except psycopg.Error as error:
        where = without_password(url)
        raise JobsUnreachable(
            f"The jobs' database {where} does not respond: {str(error).strip().splitlines()[-1]}.",
            hint="Check ALMANAC_JOBS_URL.",
        ) from error
