"""A database is created for its owner alone, and several processes may create it at once."""

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from models.machine.sqlite_file import create_private, enter_wal
from service.store.database import Database


def test_a_new_database_is_its_owners_and_an_old_one_keeps_its_mode(tmp_path: Path) -> None:
    """So are the files that SQLite puts beside it; a folder that cannot be written to is left to SQLite's error."""
    old = tmp_path / "old.db"
    old.touch(0o644)

    with closing(Database(f"sqlite:///{tmp_path / 'new.db'}")) as database:
        database.migrate()
        modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.glob("new.db*")}
    for path in (old, tmp_path / "absent" / "a.db"):
        create_private(path)

    assert set(modes.values()) == {0o600}
    assert "new.db" in modes
    assert old.stat().st_mode & 0o777 == 0o644


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
