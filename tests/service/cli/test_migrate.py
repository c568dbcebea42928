import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from service.cli.migrate import migrate
from service.errors import DatabaseUnreachable


def test_both_databases_get_their_tables_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second run changes nothing."""
    monkeypatch.setenv("ALMANAC_HOME", str(tmp_path))
    for name in ("ALMANAC_DATABASE_URL", "ALMANAC_JOBS_URL"):
        monkeypatch.delenv(name, raising=False)

    results = [CliRunner().invoke(migrate, []) for _ in range(2)]

    assert [(one.exit_code, one.exception) for one in results] == [(0, None)] * 2
    assert "observations" in tables(tmp_path / "almanac.db")
    assert "workflow_status" in tables(tmp_path / "jobs.db")


def test_a_database_that_does_not_answer_has_a_remedy_for_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not that of a request to the service."""
    monkeypatch.setenv("ALMANAC_HOME", str(tmp_path))
    monkeypatch.setenv("ALMANAC_DATABASE_URL", "postgresql://x@127.0.0.1:1/none")

    error = CliRunner().invoke(migrate, []).exception

    assert isinstance(error, DatabaseUnreachable)
    assert "ALMANAC_DATABASE_URL" in error.hint


def tables(path: Path) -> set[str]:
    """Return the names of a SQLite file's tables."""
    with closing(sqlite3.connect(path)) as connection:
        return {str(name) for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
