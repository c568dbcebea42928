"""The queue of served forecasts: all are written once, or counted as lost."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import func, select
from starlette.testclient import TestClient

from service.errors import DatabaseUnreachable
from service.monitoring import forecast_log as module
from service.monitoring import forecast_writer
from service.monitoring.forecast_log import ForecastLog
from service.monitoring.metrics import Metrics
from service.monitoring.retention import Retention
from service.store.async_database import AsyncDatabase
from service.store.database import Database
from service.store.erasure import erase_series
from service.store.forecasts import write_forecasts
from service.store.log_entry import LogEntry, ServedForecast
from service.store.tables import forecasts
from tests.service.home import ServiceHome, eventually
from tests.service.served import write

MONTHS = {"id": "a", "start": "2020-01", "frequency": "M", "values": [place % 12 + place // 12 for place in range(30)]}
BARE = {"id": "b", "values": [3.0, 1.0, 2.0]}

Write = Callable[[Database, list[LogEntry], int], int]


def ask(client: TestClient, *series: dict[str, Any], **changes: Any) -> list[dict[str, Any]]:  # noqa: ANN401 (any JSON)
    """Return the forecasts of series."""
    response = client.post("/forecast", json={"series": series or [MONTHS], "horizon": 6, **changes})
    assert response.status_code == 200, response.text
    found: list[dict[str, Any]] = response.json()["forecasts"]
    return found


def count(url: str) -> int:
    """Return how many forecasts a database has."""
    with closing(Database(url)) as database, database.reading() as connection:
        return connection.scalar(select(func.count()).select_from(forecasts)) or 0


def sample(metrics: Metrics, name: str, **labels: str) -> float | None:
    """Return the value of a metric of the forecast log."""
    return metrics.registry.get_sample_value(f"almanac_ledger_{name}", labels)


def run(
    url: str, entry: ServedForecast, ids: Sequence[str], scenario: Callable[[ForecastLog, Metrics], Awaitable[None]]
) -> Metrics:
    """Append a forecast under several ids to a log, await a scenario, and return the metrics after the shutdown."""
    metrics = Metrics()

    async def whole() -> None:
        database = AsyncDatabase(url, 4)
        await database.open()
        log = ForecastLog(database, metrics, limit=10, retention=Retention(1))
        log.append(entry.selected, [(name, entry.series, entry.forecast) for name in ids])
        await scenario(log, metrics)
        await log.close()
        database.close()

    asyncio.run(whole())
    return metrics


def test_a_shutdown_writes_what_waits(home: ServiceHome, start: Callable[..., TestClient], database_url: str) -> None:
    """Every forecast that was served."""
    home.publish("temperatures", "1")
    client = start(database_url=database_url)
    for place in range(20):
        ask(client, {**MONTHS, "id": str(place)}, {**BARE, "id": f"{place}b"})

    client.__exit__(None, None, None)

    assert count(database_url) == 40


def test_a_background_task_writes_what_waits(stored_client: TestClient, database_url: str) -> None:
    """And counts it, whatever characters an id has."""
    ask(stored_client, {**MONTHS, "id": "a'b 🙂"}, BARE)

    eventually(lambda: count(database_url) == 2, "the forecasts are not written")
    text = "almanac_ledger_written_total 2.0"
    eventually(lambda: text in stored_client.get("/metrics").text, "what is written is not counted")


def test_without_a_database_losses_are_counted(
    home: ServiceHome, start: Callable[..., TestClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that do not fit into the queue, and at the end those in it; forecasts are served all the same."""
    monkeypatch.setattr("service.monitoring.forecast_log.WRITE_SECONDS", 600.0)  # nothing leaves the queue meanwhile
    home.publish("temperatures", "1")
    client = start(database_url="postgresql://nobody@127.0.0.1:1/none", max_ledger=3)
    metrics: Metrics = client.app.state.service.metrics  # type: ignore[attr-defined] # Starlette's application

    for _ in range(5):
        ask(client)

    assert (sample(metrics, "lost_total", reason="full"), sample(metrics, "waiting")) == (2, 3)
    client.__exit__(None, None, None)
    assert sample(metrics, "lost_total", reason="closed") == 3


def test_forecasts_wait_while_the_database_is_down(
    database_url: str, entry: ServedForecast, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A write that failed after its commit is repeated, and stores nothing twice."""
    failures = iter([DatabaseUnreachable("down"), DatabaseUnreachable("down")])

    def failing(database: Database, entries: list[LogEntry], now: int) -> int:
        erased = write_forecasts(database, entries, now)
        for failure in failures:
            raise failure
        return erased

    async def scenario(log: ForecastLog, _: Metrics) -> None:
        for _attempt in range(2):
            with pytest.raises(DatabaseUnreachable):
                await log.flush()
        assert log.is_waiting("f3")
        await log.flush()
        assert not log.is_waiting("f3")

    monkeypatch.setattr(forecast_writer, "write_forecasts", failing)

    metrics = run(database_url, entry, ["f0", "f1", "f2", "f3"], scenario)

    assert (sample(metrics, "written_total"), count(database_url)) == (4, 4)


def test_a_forecast_that_waits_elsewhere_is_not_written_after_an_erasure(
    database_url: str, entry: ServedForecast
) -> None:
    """Another process erases the series, of which nothing is stored yet; a later forecast of it is written."""

    async def scenario(log: ForecastLog, _: Metrics) -> None:
        with closing(Database(database_url)) as other:
            assert erase_series(other, entry.series.id, lambda: time.time_ns() // 1_000) is None
        log.append(entry.selected, [("later", entry.series, entry.forecast)])

    metrics = run(database_url, entry, ["f0", "f1"], scenario)

    assert count(database_url) == sample(metrics, "written_total") == 1
    assert (sample(metrics, "lost_total", reason="erased"), sample(metrics, "waiting")) == (2, 0)


def refuse(name: str, down: list[str]) -> Write:
    """Return a `write_forecasts` that refuses every batch with a forecast, and fails once for the batch `down`."""

    def write(database: Database, entries: list[LogEntry], now: int) -> int:
        ids = [one.forecast_id for one in entries]
        if name in ids:
            raise ValueError("a defect")
        if ids == down:
            down.clear()
            raise DatabaseUnreachable("down")
        return write_forecasts(database, entries, now)

    return write


@pytest.mark.parametrize("down", [[], ["two"]], ids=["", "the database goes down meanwhile"])
def test_a_refused_forecast_is_counted_and_the_others_are_written(
    database_url: str, entry: ServedForecast, monkeypatch: pytest.MonkeyPatch, down: list[str]
) -> None:
    """Each is written and counted once."""

    async def scenario(log: ForecastLog, metrics: Metrics) -> None:
        if down:
            with pytest.raises(DatabaseUnreachable):
                await log.flush()
            assert sample(metrics, "waiting") == 1
        await log.flush()

    monkeypatch.setattr(forecast_writer, "write_forecasts", refuse("bad", [*down]))

    metrics = run(database_url, entry, ["one", "bad", "two"], scenario)

    assert (sample(metrics, "written_total"), count(database_url)) == (2, 2)
    assert sample(metrics, "lost_total", reason="refused") == 1


def test_the_memory_of_the_queue_is_limited(entry: ServedForecast, monkeypatch: pytest.MonkeyPatch) -> None:
    """Long histories fill it before the limit of forecasts."""
    monkeypatch.setattr(module, "MAX_NUMBERS", 2 * entry.size)
    database, metrics = AsyncDatabase("sqlite:///nowhere.db", 4), Metrics()
    log = ForecastLog(database, metrics, limit=10, retention=Retention(1))

    log.append(entry.selected, [(str(place), entry.series, entry.forecast) for place in range(5)])

    assert sample(metrics, "lost_total", reason="full") == 3
    database.close()


def test_a_clock_that_is_ahead_deletes_little_and_says_so(
    database_url: str, entry: ServedForecast, caplog: pytest.LogCaptureFixture
) -> None:
    """A tenth at a start, and none for a day; the log has the setting that deletes all."""
    caplog.set_level("INFO", "almanac")
    old = [replace(entry, forecast_id=f"old{place}", made_at=place) for place in range(20)]

    async def scenario(log: ForecastLog, _: Metrics) -> None:
        database = log._database.sync_database
        write(database, old, 0)
        await log._retention.delete_old(log._run)
        await log._retention.delete_old(log._run)

    run(database_url, entry, [], scenario)

    assert count(database_url) == 18
    texts = [record.getMessage() for record in caplog.records if "forecast log" in record.getMessage()]
    assert "deleted 2 forecasts older than 1 days" in texts[0]
    assert "20 of 20 forecasts" in texts[1]
    assert "ALMANAC_RETENTION_ALL=on deletes the other 18" in texts[1]


def test_only_the_process_that_leads_deletes_old_forecasts(database_url: str, entry: ServedForecast) -> None:
    """Another one does so as soon as it leads."""
    leads = [False]

    async def scenario(log: ForecastLog, _: Metrics) -> None:
        log._retention._leads = lambda: leads[0]
        write(log._database.sync_database, [replace(entry, made_at=1)], 0)
        await log._retention.delete_old(log._run)
        assert count(database_url) == 1
        leads[0] = True
        await log._retention.delete_old(log._run)

    run(database_url, entry, [], scenario)

    assert count(database_url) == 0


def test_a_thread_waits_for_room_and_the_event_loop_does_not(database_url: str, entry: ServedForecast) -> None:
    """Large requests are as fast as the database, for some time; without one they do not wait."""

    async def scenario(log: ForecastLog, _: Metrics) -> None:
        started = time.monotonic()
        log.wait_for_room()
        on_loop = time.monotonic() - started
        await asyncio.to_thread(log.wait_for_room)
        in_thread = time.monotonic() - started - on_loop
        await log.flush()
        started = time.monotonic()
        await asyncio.to_thread(log.wait_for_room)
        assert on_loop < module.ROOM_SECONDS <= in_thread
        assert time.monotonic() - started < module.ROOM_SECONDS

    run(database_url, entry, [f"f{place}" for place in range(6)], scenario)
