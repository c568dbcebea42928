"""Lock: one process at a time opens a registry's database."""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from models.errors import RegistryUnreachable

LOCK_SECONDS, LOCK_POLL_SECONDS = 120.0, 0.05
"""How long a new database may take others to make, and how often it is looked whether they are done."""


@contextmanager
def alone(database: Path) -> Iterator[None]:
    """Hold the lock under which a database is opened: two processes that both make its tables break each other's.

    service/serving/registry_process.py waits at the same file. Raises RegistryUnreachable after LOCK_SECONDS.
    """
    path = database.with_name(f"{database.name}.lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + LOCK_SECONDS
    with path.open("ab") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    detail = f"{database}: another process has been opening it for {LOCK_SECONDS:.0f} s."
                    raise RegistryUnreachable(detail, hint=f"See who holds {path}.") from None
                time.sleep(LOCK_POLL_SECONDS)
        yield
