"""WAL: the mode in which readers and writers of SQLite do not wait for one another."""

import sqlite3
import time

POLL_SECONDS = 0.01
"""Between two attempts."""


def enter_wal(connection: sqlite3.Connection, seconds: float) -> None:
    """Put a database into WAL mode.

    While another connection writes or enters it, SQLite fails at once, whatever its timeout; so this waits.

    Raises:
        sqlite3.OperationalError: If the database is still locked after `seconds`, or cannot be opened.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(POLL_SECONDS)
        else:
            return
