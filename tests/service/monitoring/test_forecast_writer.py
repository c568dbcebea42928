"""Many forecasts at once are written by another process, whose end loses none of them."""

import os
import signal
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select

from service.errors import DatabaseUnreachable
from service.monitoring import forecast_writer
from service.monitoring.forecast_writer import ForecastWriter
from service.store.database import Database
from service.store.log_entry import ServedForecast
from service.store.tables import forecasts
from tests.service.served import write

MOMENT = 1_700_000_000_000_000


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """Return an open database."""
    with closing(Database(database_url)) as opened:
        opened.migrate()
        yield opened


@pytest.fixture
def writer(monkeypatch: pytest.MonkeyPatch) -> Iterator[ForecastWriter]:
    """Return a writer for which three forecasts are many."""
    monkeypatch.setattr(forecast_writer, "MANY", 3)
    with closing(ForecastWriter()) as opened:
        yield opened


def batch(entry: ServedForecast, name: str, *, size: int = 3) -> list[ServedForecast]:
    """Return forecasts with ids such as `a0`."""
    return [replace(entry, forecast_id=f"{name}{place}") for place in range(size)]


def rows(database: Database, name: str) -> list[tuple[object, ...]]:
    """Return the stored forecasts of a batch, but for ids and the history that the id draws."""
    columns = [one for one in forecasts.c if one.name not in {"forecast_id", *HISTORY}]
    with database.reading() as connection:
        found = connection.execute(select(*columns).where(forecasts.c.forecast_id.startswith(name)))
        return [tuple(row) for row in found]


HISTORY = ("history_from", "history_timestamps", "history_values")


def test_many_are_written_by_another_process_as_by_the_server(
    database: Database, entry: ServedForecast, writer: ForecastWriter
) -> None:
    """A batch that is written again is stored once; few are written by the server itself."""
    write(database, batch(entry, "server"), MOMENT)

    assert writer.write(database, batch(entry, "few", size=2), MOMENT) == 0
    assert writer._child is None
    for _ in range(2):
        assert writer.write(database, batch(entry, "child"), MOMENT) == 0

    assert writer._child is not None
    assert rows(database, "child") == rows(database, "server")
    assert len(rows(database, "child")) == 3


def test_the_server_writes_if_the_process_is_killed(
    database: Database, entry: ServedForecast, writer: ForecastWriter, caplog: pytest.LogCaptureFixture
) -> None:
    """It says so once, and tries another process a minute later."""
    writer.write(database, batch(entry, "a"), MOMENT)
    os.kill(writer._child.pid, signal.SIGKILL)  # type: ignore[union-attr]

    writer.write(database, batch(entry, "b"), MOMENT)
    writer.write(database, batch(entry, "c"), MOMENT)

    assert [len(rows(database, name)) for name in "abc"] == [3, 3, 3]
    assert [record.getMessage() for record in caplog.records].count(forecast_writer.UNUSABLE) == 1
    assert writer._child is None


def test_an_error_of_the_other_process_is_the_servers(
    database: Database, entry: ServedForecast, writer: ForecastWriter, tmp_path: Path
) -> None:
    """A batch that no database takes is refused; one for a database that does not answer waits."""
    bad = [replace(one, forecast_id=None) for one in batch(entry, "a")]  # type: ignore[arg-type]
    with pytest.raises(RuntimeError, match=r"NOT NULL|null value"):
        writer.write(database, bad, MOMENT)
    writer.close()

    with (
        closing(Database(f"sqlite:///{tmp_path}/empty.db")) as empty,
        pytest.raises(DatabaseUnreachable, match="no such table"),
    ):
        writer.write(empty, batch(entry, "a"), MOMENT)


def test_it_ends_after_a_while_without_many(
    database: Database, entry: ServedForecast, writer: ForecastWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes memory."""
    writer.write(database, batch(entry, "a"), MOMENT)
    child = writer._child
    assert child is not None
    writer.write(database, batch(entry, "b", size=1), MOMENT)
    assert child.poll() is None
    monkeypatch.setattr(forecast_writer, "IDLE_SECONDS", 0.0)
    monkeypatch.setattr(forecast_writer, "CLOSE_SECONDS", 60.0)

    writer.write(database, batch(entry, "c", size=1), MOMENT)

    assert child.poll() == 0


def test_a_process_that_hangs_is_replaced_by_the_server(
    database: Database, entry: ServedForecast, writer: ForecastWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is lost, also if it hangs before it has read the batch."""
    writer.write(database, batch(entry, "a"), MOMENT)
    monkeypatch.setattr(forecast_writer, "HUNG_SECONDS", 0.2)
    os.kill(writer._child.pid, signal.SIGSTOP)  # type: ignore[union-attr]

    writer.write(database, batch(entry, "b", size=300), MOMENT)

    assert len(rows(database, "b")) == 300
