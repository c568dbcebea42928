"""A database is created for its owner alone."""

from contextlib import closing
from pathlib import Path

from models.machine.sqlite_file import create_private
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
