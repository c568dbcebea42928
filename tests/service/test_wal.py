"""WAL mode is entered by several processes at once."""

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from service.wal import enter_wal


def test_wal_mode_is_entered_once_another_connection_has_written(tmp_path: Path) -> None:
    """SQLite's own timeout does not apply to it; a lock that stays is an error."""
    path = tmp_path / "a.db"
    with (
        closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as writer,
        closing(sqlite3.connect(path)) as connection,
    ):
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("CREATE TABLE a (b)")

        with pytest.raises(sqlite3.OperationalError, match="locked"):
            enter_wal(connection, 0.0)
        threading.Timer(0.1, writer.execute, ["COMMIT"]).start()
        enter_wal(connection, 10.0)

        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
