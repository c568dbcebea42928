"""Holder: a worker's name belongs to one living process, which loses it the moment it dies."""

import fcntl
import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, Self

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
"""PostgreSQL lets a lock go this soon (25 s) after its holder's machine has vanished without a word."""

SESSION = "almanac worker "
"""What a holder's session calls itself, before the worker's name."""

REGAIN_SECONDS = 60.0
"""A database that was away for longer may have given the name to somebody else."""


class Holder(Protocol):
    """The name, as it is held."""

    def still_held(self) -> bool:
        """Return whether the name is ours, or may be taken again soon where the database is away."""
        ...


@contextmanager
def holding(url: str, worker: str) -> Iterator[Holder]:
    """Hold a worker's name until the block ends, or the process does, however it dies.

    On SQLite it is a lock on a file beside the database (one machine), on PostgreSQL an advisory lock of a session.

    Raises:
        WorkerAlive: If a living process holds it.
        JobsUnreachable: If the database does not answer.
    """
    folder = _folder(url)
    if folder is None:
        with _SessionLock(url, worker) as lock:
            yield lock
        return
    folder.mkdir(parents=True, exist_ok=True)
    path = _lock_file(folder, worker)
    with path.open("ab") as held:
        if not _lock(held.fileno(), fcntl.LOCK_EX):
            raise _alive(worker)
        held.truncate(0)
        held.write(worker.encode())
        held.flush()
        yield _FileLock()


def has_run(url: str, worker: str) -> bool:
    """Return whether a worker of this name runs or, on SQLite, ever ran.

    Raises:
        JobsUnreachable: If the database does not answer.
    """
    folder = _folder(url)
    return worker in living(url) if folder is None else _lock_file(folder, worker).exists()


def living(url: str) -> list[str]:
    """Return the names of the workers that run, in order.

    Raises:
        JobsUnreachable: If the database does not answer.
    """
    folder = _folder(url)
    if folder is not None:
        return sorted(path.read_text(encoding="utf-8") for path in folder.glob("*.lock") if _is_held(path))
    asked = "SELECT substr(application_name, %s) FROM pg_stat_activity WHERE datname = current_database()"
    with _open(url, "almanac") as session:
        rows = session.execute(
            f"{asked} AND application_name LIKE %s",
            (len(SESSION) + 1, f"{SESSION}%"),
        ).fetchall()
    return sorted(str(row[0]) for row in rows)


def _alive(worker: str) -> WorkerAlive:
    return WorkerAlive(
        f"A worker named {worker!r} is running.", hint="Each worker needs a name of its own: set ALMANAC_WORKER_ID."
    )


def _folder(url: str) -> Path | None:
    file = sqlite_file(url)
    return None if file is None else file.parent / "workers"


def _lock_file(folder: Path, worker: str) -> Path:
    return folder / f"{hashlib.sha256(worker.encode()).hexdigest()[:16]}.lock"


def _lock(descriptor: int, kind: int) -> bool:
    """Take a lock that the end of the process takes away, if nobody has it."""
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_held(path: Path) -> bool:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return not _lock(descriptor, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)


class _FileLock:
    """A lock that only the end of the process takes away."""

    def still_held(self) -> bool:
        return True


class _SessionLock:
    """An advisory lock of a PostgreSQL session: gone with the session, taken anew when the server was away."""

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

    def still_held(self) -> bool:
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
            f"The jobs' database {where} does not answer: {str(error).strip().splitlines()[-1]}.",
            hint="Check ALMANAC_JOBS_URL.",
        ) from error
