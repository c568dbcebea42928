import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from threading import Event, Timer

import pytest
from sqlalchemy import event
from starlette.testclient import TestClient

from service.store import async_database
from service.store import database as database_module
from service.store.async_database import AsyncDatabase
from tests.service.home import ServiceHome, eventually
from tests.service.live_accuracy import service_of

ROWS = {"observations": [{"id": "a", "timestamp": "2024-01-31", "value": 1}]}
FORECAST = {"series": [{"values": [1, 2, 3]}], "horizon": 2}


@pytest.fixture
def file(home: ServiceHome) -> Path:
    """Return the file of a service's database."""
    return home.path / "almanac.db"


@pytest.fixture
def served(home: ServiceHome, start: Callable[..., TestClient]) -> TestClient:
    """Return a client of a service over SQLite with one observation."""
    home.publish("temperatures", "1")
    client = start()
    client.post("/observations", json=ROWS).raise_for_status()
    return client


def state(client: TestClient) -> str:
    """Return the state of the database by /health/ready."""
    state: str = client.get("/health/ready").json()["database"]
    return state


def test_a_removed_file_takes_no_rows_until_it_is_back(served: TestClient, file: Path) -> None:
    """Rows in a removed file would be lost; forecasts are served all the same."""
    away = file.rename(file.with_suffix(".away"))

    refused = served.post("/observations", json=ROWS)
    state_without, forecast = state(served), served.post("/forecast", json=FORECAST)
    away.rename(file)

    assert (refused.status_code, refused.json()["code"]) == (503, "DATABASE_UNREACHABLE")
    assert str(file) in refused.json()["detail"]
    assert (state_without, forecast.status_code) == ("DATABASE_UNREACHABLE", 200)
    assert served.post("/observations", json=ROWS).status_code == 200
    eventually(lambda: state(served) == "ok", "the file is not found again")


def test_a_replaced_file_is_neither_written_nor_read(served: TestClient, file: Path) -> None:
    """The service has to be restarted to use the new file."""
    copy = file.with_suffix(".copy")
    with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
    copy.replace(file)

    answers = [served.post("/observations", json=ROWS), served.get("/series")]

    assert [answer.status_code for answer in answers] == [503, 503]
    assert state(served) == "DATABASE_UNREACHABLE"


@pytest.mark.parametrize("content", [b"this was a database once" * 400, b"SQLite format 3\0" + b"\xff" * 8_000])
def test_a_broken_file_is_logged_once_and_left_as_it_is(
    home: ServiceHome, start: Callable[..., TestClient], caplog: pytest.LogCaptureFixture, content: bytes, file: Path
) -> None:
    """Forecasts are served, without a traceback in the log."""
    home.publish("temperatures", "1")
    file.write_bytes(content)

    client = start()

    assert (state(client), client.post("/forecast", json=FORECAST).status_code) == ("DATABASE_UNUSABLE", 200)
    assert client.post("/observations", json=ROWS).json()["code"] == "DATABASE_UNUSABLE"
    (record,) = [record for record in caplog.records if record.getMessage().startswith("database: ")]
    assert str(file) in record.getMessage()
    assert record.exc_info is None
    assert file.read_bytes() == content


def test_a_locked_database_is_reported_as_unreachable(
    home: ServiceHome, start: Callable[..., TestClient], file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Although reading would still work."""
    monkeypatch.setattr(database_module, "BUSY_SECONDS", 0.1)
    home.publish("temperatures", "1")
    client = start()
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        refused = client.post("/observations", json=ROWS)
        state_locked = state(client)
        other.execute("ROLLBACK")

    assert (refused.status_code, state_locked) == (503, "DATABASE_UNREACHABLE")
    eventually(lambda: state(client) == "ok", "the database is not found again")


def test_a_full_disk_is_reported_until_writing_works_again(served: TestClient) -> None:
    """As writes say, although a transaction can be opened and reading works; the gauge too."""
    service = service_of(served)
    database = service.database.sync_database
    many = [{"id": str(at), "timestamp": "2024-01-31", "value": at} for at in range(2_000)]

    def limit(connection: sqlite3.Connection, _record: object) -> None:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count={pages}")

    def check() -> tuple[str, bool]:
        assert served.portal is not None
        served.portal.call(service.database.open)
        return state(served), "almanac_database_up 1.0" in served.get("/metrics").text

    event.listen(database.engine, "connect", limit)
    database.engine.dispose()
    refused = served.post("/observations", json={"observations": many})
    full = check(), check()
    event.remove(database.engine, "connect", limit)
    database.engine.dispose()

    assert (refused.status_code, refused.json()["code"]) == (503, "DATABASE_UNREACHABLE")
    assert "full" in refused.json()["detail"]
    assert full == (("DATABASE_UNREACHABLE", False),) * 2
    assert check() == ("ok", True)
    assert served.post("/observations", json={"observations": many}).status_code == 200


def test_a_request_waits_for_a_database_that_is_being_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The start does not; without this a ready service refuses observations for a moment."""
    database, may_end = AsyncDatabase(f"sqlite:///{tmp_path / 'almanac.db'}", 8), Event()
    monkeypatch.setattr(database.sync_database, "migrate", lambda: may_end.wait(10))
    monkeypatch.setattr(async_database, "OPEN_SECONDS", 0.0)

    async def ask() -> str:
        await database.open()
        assert not may_end.is_set()
        asyncio.get_running_loop().call_later(0.01, may_end.set)
        return await database.run(lambda _: "answer")

    assert asyncio.run(ask()) == "answer"
    database.close()


def test_closing_waits_for_a_running_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection of the check is back before the pool closes."""
    database = AsyncDatabase(f"sqlite:///{tmp_path / 'almanac.db'}", 8)
    began, may_end, order = Event(), Event(), list[str]()

    def ping(*, writes: bool) -> None:
        assert not writes
        began.set()
        may_end.wait(10)
        order.append("ping")

    async def close_during_a_check() -> None:
        await database.open()
        monkeypatch.setattr(database.sync_database, "ping", ping)
        check = asyncio.create_task(database.open())
        await asyncio.to_thread(began.wait, 10)
        check.cancel()
        Timer(0.05, may_end.set).start()
        database.close()

    monkeypatch.setattr(database.sync_database, "close", lambda: order.append("close"))

    asyncio.run(close_during_a_check())

    assert order == ["ping", "close"]
