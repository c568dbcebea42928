"""Home check: whether a home is there, and its database its own, read without mlflow."""

import sqlite3
from contextlib import closing
from pathlib import Path

from models.errors import RegistryUnreachable
from models.registry.home import EXPERIMENTS, own_database, require_own

TIMEOUT_SECONDS = 1.0


def check_own(home: Path, uri: str) -> None:
    """Raise HomeMoved if the registry is the database of a home that was moved or copied.

    A database that cannot be read is no error here: the registry process reports it.
    """
    database = own_database(home, uri)
    if database is None or not database.is_file():
        return
    table, column = EXPERIMENTS
    try:
        with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True, timeout=TIMEOUT_SECONDS)) as store:
            rows = store.execute(f"SELECT DISTINCT {column} FROM {table} ORDER BY 1").fetchall()  # noqa: S608 (our own names)
    except sqlite3.Error:
        return
    require_own(home, [address for (address,) in rows])


def check_usable(home: Path, uri: str) -> None:
    """Raise RegistryUnreachable if a home has vanished while the service runs; and as `check_own`."""
    if own_database(home, uri) is not None and not home.is_dir():
        raise RegistryUnreachable(
            f"{home} does not exist any more.", hint="Bring the folder back, or mount its volume."
        )
    check_own(home, uri)
