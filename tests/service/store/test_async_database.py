import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from threading import Event, Timer

import pytest
from starlette.testclient import TestClient

from service.store import database as database_module
from service.store.async_database import AsyncDatabase
from tests.service.house import House, eventually

ROWS = {"observations": [{"id": "a", "timestamp": "2024-01-31", "value": 1}]}
FORECAST = {"series": [{"values": [1, 2, 3]}], "horizon": 2}


@pytest.fixture
def file(house: House) -> Path:
    """Return the file of a service's database."""
    return house.home / "almanac.db"


@pytest.fixture
def served(house: House, start: Callable[..., TestClient]) -> TestClient:
    """Return a client of a service over SQLite that has one observation."""
    house.publish("temperatures", "1")
    client = start()
    client.post("/observations", json=ROWS).raise_for_status()
    return client


def state(client: TestClient) -> str:
    """Return what the service says of its database."""
    said: str = client.get("/health/ready").json()["database"]
    return said


def test_a_file_that_is_removed_takes_no_more_rows(served: TestClient, file: Path) -> None:
    """Rows that nobody would find again are not answered with 200; the file put back, all goes on."""
    away = file.rename(file.with_suffix(".away"))

    refused = served.post("/observations", json=ROWS)
    said, forecast = state(served), served.post("/forecast", json=FORECAST)
    away.rename(file)

    assert (refused.status_code, refused.json()["code"], said) == (503, *["DATABASE_UNREACHABLE"] * 2)
    assert f"{file} is gone" in refused.json()["detail"]
    assert forecast.status_code == 200
    assert served.post("/observations", json=ROWS).status_code == 200
    eventually(lambda: state(served) == "ok", "the file is not found again")


def test_a_file_that_is_replaced_takes_no_more_rows(served: TestClient, file: Path) -> None:
    """Nor are its own rows read: the remedy is to start again."""
    copy = file.with_suffix(".copy")
    with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
    copy.replace(file)

    answers = [served.post("/observations", json=ROWS), served.get("/series")]

    assert [answer.status_code for answer in answers] == [503, 503]
    assert "Restart" in answers[0].json()["hint"]
    assert state(served) == "DATABASE_UNREACHABLE"


@pytest.mark.parametrize("content", [b"this was a database once" * 400, b"SQLite format 3\0" + b"\xff" * 8_000])
def test_a_broken_file_leaves_forecasts_answered(
    house: House, start: Callable[..., TestClient], caplog: pytest.LogCaptureFixture, content: bytes, file: Path
) -> None:
    """One sentence in the log names the file and the remedy; the rest is as with any database that is down."""
    house.publish("temperatures", "1")
    file.write_bytes(content)

    client = start()

    assert (state(client), client.post("/forecast", json=FORECAST).status_code) == ("DATABASE_UNUSABLE", 200)
    assert client.post("/observations", json=ROWS).json()["code"] == "DATABASE_UNUSABLE"
    (told,) = [record for record in caplog.records if record.getMessage().startswith("database: ")]
    assert f"{file} is no database, or a damaged one" in told.getMessage()
    assert "put a backup in its place" in told.getMessage()
    assert told.exc_info is None
    assert file.read_bytes() == content


def test_a_locked_database_is_told_of(
    house: House, start: Callable[..., TestClient], file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What has just made a 503 is not called ok, since reading would still work."""
    monkeypatch.setattr(database_module, "BUSY_SECONDS", 0.1)
    house.publish("temperatures", "1")
    client = start()
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        refused = client.post("/observations", json=ROWS)
        said = state(client)
        other.execute("ROLLBACK")

    assert (refused.status_code, said) == (503, "DATABASE_UNREACHABLE")
    eventually(lambda: state(client) == "ok", "the database is not found again")


def test_the_end_waits_for_a_look_at_the_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its connection is let go once it has come back, not from under it."""
    records = AsyncDatabase(f"sqlite:///{tmp_path / 'almanac.db'}", 8)
    began, may_end, order = Event(), Event(), list[str]()

    def look() -> None:
        began.set()
        may_end.wait(10)
        order.append("look")

    async def leave_amid_a_look() -> None:
        await records.open()
        monkeypatch.setattr(records.database, "ask", look)
        asking = asyncio.create_task(records.open())
        await asyncio.to_thread(began.wait, 10)
        asking.cancel()
        Timer(0.05, may_end.set).start()
        records.close()

    monkeypatch.setattr(records.database, "close", lambda: order.append("close"))

    asyncio.run(leave_amid_a_look())

    assert order == ["look", "close"]
