"""The lock under which a process opens the registry's SQLite database."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from models.errors import RegistryUnreachable

LOCK_SECONDS = 120.0
"""Longest wait for another process that creates the tables."""


@contextmanager
def lock_database(database: Path) -> Iterator[None]:
    """Hold the lock of a database while it is opened: two processes that create its tables at once break each other's.

    service/serving/registry_process.py uses the same file.

    Raises:
        RegistryUnreachable: If another process holds the lock for LOCK_SECONDS.
    """
    path = database.with_name(f"{database.name}.lock")
    try:
        lock = FileLock(path, timeout=LOCK_SECONDS).acquire()
    except Timeout:
        raise RegistryUnreachable(
            f"Another process has been opening {database} for {LOCK_SECONDS:.0f} s.",
            hint=f"Find the process that has {path} open.",
        ) from None
    with lock:
        yield
