import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import func, insert, select
from starlette.testclient import TestClient

from models import artifact
from models.series import Series
from service.errors import DatabaseUnreachable
from service.monitoring import forecast_log as ledger_module
from service.monitoring.forecast_log import ForecastLog
from service.monitoring.metrics import Metrics
from service.selector import LoadedModel, SelectedModel
from service.store.async_database import AsyncDatabase
from service.store.database import Database
from service.store.forecasts import LATE, LogEntry, delete_forecasts, find_forecast, make_row, write_forecasts
from service.store.observations import Calendar, Observations, upsert
from service.store.tables import forecasts, observations, scores
from tests.service.home import Artifacts, ServiceHome, eventually

MONTHS = {"id": "a", "start": "2020-01", "frequency": "M", "values": [place % 12 + place // 12 for place in range(30)]}
BARE = {"id": "b", "values": [3.0, 1.0, 2.0]}


def ask(client: TestClient, *series: dict[str, Any], **changes: Any) -> list[dict[str, Any]]:  # noqa: ANN401 (any JSON)
    """Return the forecasts of series."""
    answer = client.post("/forecast", json={"series": series or [MONTHS], "horizon": 6, **changes})
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["forecasts"]
    return found


def lost(client: TestClient, reason: str) -> float:
    """Return how many forecasts were lost for a reason."""
    text = client.get("/metrics").text
    line = next(
        line for line in text.splitlines() if line.startswith(f'almanac_ledger_lost_total{{reason="{reason}"}}')
    )
    return float(line.split()[-1])


def count(url: str, table: Any = forecasts) -> int:  # noqa: ANN401 (a table)
    """Return how many rows a table has."""
    with closing(Database(url)) as database, database.reading() as connection:
        return connection.scalar(select(func.count()).select_from(table)) or 0


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """Return a database with its tables."""
    with closing(Database(database_url)) as database:
        database.migrate()
        yield database


@pytest.fixture
def entry(artifacts: Artifacts) -> LogEntry:
    """Return a forecast as it waits to be written."""
    forecaster = artifact.load(artifacts.get())
    choice = SelectedModel(LoadedModel("temperatures", "7", "run", forecaster, datetime.now(UTC)), "champion")
    series = Series.make(MONTHS["values"], id="a", start="2020-01", frequency="M")
    return LogEntry(str(uuid4()), time.time_ns() // 1_000, choice, series, forecaster.forecast([series], 6)[0])


def test_a_forecast_is_kept_as_it_was_given_out(keeping: TestClient) -> None:
    """Version, cutoff, every quantile, and what it will be measured by: seasonal naive and scale of its history."""
    (given,) = ask(keeping, levels=[80, 95], quantiles=[0.25])

    kept = keeping.get(f"/forecasts/{given['forecast_id']}").json()

    identity = {"name": "temperatures", "version": "1", "alias": "champion", "run_id": "run-1"}
    assert (kept["id"], kept["model"], kept["cutoff"]) == ("a", identity, "2022-06")
    assert (kept["timestamps"], kept["median"]) == (given["timestamps"], given["median"])
    sides = {"0.025": given["intervals"]["95"]["lower"], "0.975": given["intervals"]["95"]["upper"]}
    assert kept["quantiles"] == {**given["quantiles"], **sides}
    assert list(kept["quantiles"]) == sorted(kept["quantiles"], key=float)
    assert kept["naive"] == [7.0, 8.0, 9.0, 10.0, 11.0, 12.0]
    assert (kept["scale"], kept["status"], kept["scores"]) == (1.0, "waiting", [])
    assert abs(datetime.now(UTC) - datetime.fromisoformat(kept["made_at"])).total_seconds() < 60


def test_a_forecast_without_dates_is_kept_and_cannot_be_scored(keeping: TestClient) -> None:
    """Its status says so; a sound neighbour's says something else."""
    dated, bare = ask(keeping, MONTHS, BARE)

    statuses = [keeping.get(f"/forecasts/{one['forecast_id']}").json()["status"] for one in (dated, bare)]

    assert statuses == ["waiting", "unscorable"]


def test_a_forecast_without_an_id_meets_no_observation(keeping: TestClient) -> None:
    """Two strangers who both sent none are not one series called `0`."""
    nameless = {name: value for name, value in MONTHS.items() if name != "id"}
    (given,) = ask(keeping, nameless)
    keeping.post("/observations", json={"observations": [{"id": "0", "timestamp": "2022-07", "value": 1}]})

    kept = keeping.get(f"/forecasts/{given['forecast_id']}").json()

    assert (given["id"], kept["id"], kept["status"], kept["observed"]) == ("0", None, "unnamed", 0)


def test_steps_with_a_truth_are_counted(keeping: TestClient) -> None:
    """The last day of its month is one, and neither day of a month that has two."""
    (given,) = ask(keeping)
    days = ["2022-07-31", "2022-08-01", "2022-08-02", "2022-12-31"]
    rows = [{"id": "a", "timestamp": day, "value": 1} for day in days]
    keeping.post("/observations", json={"observations": rows})

    assert keeping.get(f"/forecasts/{given['forecast_id']}").json()["observed"] == 2


def test_scores_and_observations_are_shown_with_the_forecast(keeping: TestClient, database_url: str) -> None:
    """By step, with the status that follows from them."""
    (given,) = ask(keeping)
    name = given["forecast_id"]
    keeping.get(f"/forecasts/{name}").raise_for_status()
    row = {"forecast_id": name, "observed": 2.5, "pinball": 0.5, "covered_80": True, "scored_at": 1}
    stamps = np.array(["2022-07", "2022-08"], dtype="M8[us]").view(np.int64).tolist()
    with closing(Database(database_url)) as database:
        upsert(database, Observations.from_rows(["a"], np.array(["2022-07"], "M8[us]"), np.array([2.5])), Calendar(), 0)
        with database.writing() as connection:
            rows = [{**row, "step": step, "timestamp": stamp} for step, stamp in enumerate(stamps, 1)]
            connection.execute(insert(scores), rows)

    kept = keeping.get(f"/forecasts/{name}").json()

    assert (kept["status"], kept["observed"]) == ("partly_scored", 1)
    assert [(one["step"], one["timestamp"], one["covered_80"]) for one in kept["scores"]] == [
        (1, "2022-07", True),
        (2, "2022-08", True),
    ]


def test_a_forecast_that_was_never_made_is_not_found(keeping: TestClient) -> None:
    """404, whatever is asked for."""
    for name in (str(uuid4()), "x", "%00"):
        answer = keeping.get(f"/forecasts/{name}")
        assert (answer.status_code, answer.json()["code"]) == (404, "FORECAST_UNKNOWN")


def test_every_forecast_is_written_by_the_end(
    home: ServiceHome, start: Callable[..., TestClient], database_url: str
) -> None:
    """A shutdown writes what waits: nobody asked for any of them before."""
    home.publish("temperatures", "1")
    client = start(database_url=database_url)
    for place in range(20):
        ask(client, {**MONTHS, "id": str(place)}, {**BARE, "id": f"{place}b"})

    client.__exit__(None, None, None)

    assert count(database_url) == 40


def test_what_waits_is_written_without_a_shutdown(keeping: TestClient, database_url: str) -> None:
    """The background task does it, and counts it."""
    ask(keeping, MONTHS, BARE)

    eventually(lambda: count(database_url) == 2, "the ledger is not written")
    eventually(
        lambda: "almanac_ledger_written_total 2.0" in keeping.get("/metrics").text, "what is written is not counted"
    )


def test_without_its_database_the_loss_is_counted(home: ServiceHome, start: Callable[..., TestClient]) -> None:
    """Forecasts go on; as many as may wait do, those beyond are lost, and each loss is counted, the last at the end."""
    home.publish("temperatures", "1")
    client = start(database_url="postgresql://nobody@127.0.0.1:1/none", max_ledger=3)

    for _ in range(5):
        ask(client)

    assert lost(client, "full") == 2
    assert "almanac_ledger_waiting 3.0" in client.get("/metrics").text
    metrics = client.app.state.service.metrics  # type: ignore[attr-defined] # Starlette's application
    client.__exit__(None, None, None)
    assert metrics.registry.get_sample_value("almanac_ledger_lost_total", {"reason": "closed"}) == 3


def test_a_ledger_can_be_switched_off(home: ServiceHome, start: Callable[..., TestClient]) -> None:
    """Nothing is kept then, and asking for a forecast says why."""
    home.publish("temperatures", "1")
    client = start(ledger=False)
    (given,) = ask(client)

    answer = client.get(f"/forecasts/{given['forecast_id']}")

    assert answer.status_code == 404
    assert "ALMANAC_LEDGER" in answer.json()["hint"]


def test_ids_that_no_database_can_hold_cost_nobody_else(keeping: TestClient, database_url: str) -> None:
    """A NUL in an id is JSON; the batch it is in is written all the same."""
    ask(keeping, {**MONTHS, "id": "a\0b"}, BARE)

    eventually(lambda: count(database_url) == 2, "the ledger is not written")


def test_entries_wait_for_a_database_that_comes_back(
    database_url: str, entry: LogEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failure in between loses nothing, and writes nothing twice."""
    failures = iter([DatabaseUnreachable("gone"), DatabaseUnreachable("gone")])

    def failing(database: Database, entries: list[LogEntry], now: int) -> None:
        write_forecasts(database, entries, now)  # committed, and then the answer is lost
        for failure in failures:
            raise failure

    monkeypatch.setattr(ledger_module, "write_forecasts", failing)

    async def scenario() -> None:
        records, metrics = AsyncDatabase(database_url, 4), Metrics()
        await records.open()
        ledger = ForecastLog(records, metrics, limit=10, days=1)
        ledger.append(entry.selected, [(f"f{place}", entry.series, entry.forecast) for place in range(4)])
        for _ in range(2):
            with pytest.raises(DatabaseUnreachable):
                await ledger.flush()
        assert ledger.is_waiting("f3")
        await ledger.flush()
        assert not ledger.is_waiting("f3")
        await ledger.close()
        records.close()
        assert _sample(metrics.registry, "almanac_ledger_written_total") == 4

    asyncio.run(scenario())
    assert count(database_url) == 4


def test_one_that_is_refused_is_counted_and_the_others_are_written(
    database_url: str, entry: LogEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Something unforeseen in one forecast does not take its batch along."""

    def choosy(database: Database, entries: list[LogEntry], now: int) -> None:
        if any(one.forecast_id == "bad" for one in entries):
            raise ValueError("unforeseen")
        write_forecasts(database, entries, now)

    monkeypatch.setattr(ledger_module, "write_forecasts", choosy)

    async def scenario() -> None:
        records, metrics = AsyncDatabase(database_url, 4), Metrics()
        await records.open()
        ledger = ForecastLog(records, metrics, limit=10, days=1)
        ledger.append(entry.selected, [(name, entry.series, entry.forecast) for name in ("one", "bad", "two")])
        await ledger.flush()
        await ledger.close()
        records.close()
        assert _sample(metrics.registry, "almanac_ledger_lost_total", reason="refused") == 1

    asyncio.run(scenario())
    assert count(database_url) == 2


def test_each_is_counted_once_though_the_database_leaves_amid_a_refused_batch(
    database_url: str, entry: LogEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was written before the database left is not written, nor counted, again."""
    gone = ["two"]

    def choosy(database: Database, entries: list[LogEntry], now: int) -> None:
        names = [one.forecast_id for one in entries]
        if "bad" in names:
            raise ValueError("unforeseen")
        if names == gone:
            gone.clear()
            raise DatabaseUnreachable("The database is gone.")
        write_forecasts(database, entries, now)

    monkeypatch.setattr(ledger_module, "write_forecasts", choosy)

    async def scenario() -> None:
        records, metrics = AsyncDatabase(database_url, 4), Metrics()
        await records.open()
        ledger = ForecastLog(records, metrics, limit=10, days=1)
        ledger.append(entry.selected, [(name, entry.series, entry.forecast) for name in ("one", "bad", "two")])
        with pytest.raises(DatabaseUnreachable):
            await ledger.flush()
        assert _sample(metrics.registry, "almanac_ledger_waiting") == 1
        await ledger.flush()
        await ledger.close()
        records.close()
        assert _sample(metrics.registry, "almanac_ledger_written_total") == 2
        assert _sample(metrics.registry, "almanac_ledger_lost_total", reason="refused") == 1

    asyncio.run(scenario())
    assert count(database_url) == 2


def test_the_memory_of_what_waits_is_bounded(entry: LogEntry, monkeypatch: pytest.MonkeyPatch) -> None:
    """Long histories fill it sooner than many forecasts."""
    monkeypatch.setattr(ledger_module, "MAX_NUMBERS", 2 * entry.size)
    records, metrics = AsyncDatabase("sqlite:///nowhere.db", 4), Metrics()
    ledger = ForecastLog(records, metrics, limit=10, days=1)

    ledger.append(entry.selected, [(str(place), entry.series, entry.forecast) for place in range(5)])

    assert _sample(metrics.registry, "almanac_ledger_lost_total", reason="full") == 3
    records.close()


def test_what_is_old_goes_with_its_scores(database: Database, entry: LogEntry) -> None:
    """By the age of the forecast; observations and younger forecasts stay."""
    old = [replace(entry, forecast_id=f"old{place}", made_at=10) for place in range(3)]
    write_forecasts(database, [*old, replace(entry, forecast_id="young", made_at=20)], 20)
    upsert(database, Observations.from_rows(["a"], np.array(["2022-07"], "M8[us]"), np.array([2.5])), Calendar(), 0)
    row = {"step": 1, "timestamp": 0, "observed": 1.0, "pinball": 1.0, "scored_at": 1}
    with database.writing() as connection:
        connection.execute(insert(scores), [{"forecast_id": name, **row} for name in ("old1", "young")])

    gone = delete_forecasts(database, 20)

    with database.reading() as connection:
        left = connection.scalars(select(forecasts.c.forecast_id)).all()
        scored = connection.scalars(select(scores.c.forecast_id)).all()
        observed = connection.scalar(select(func.count()).select_from(observations))
    assert (gone, left, scored, observed) == (3, ["young"], ["young"], 1)


def test_observations_make_the_forecasts_due_that_they_may_score(database: Database, entry: LogEntry) -> None:
    """Those of the series whose steps lie near; one that was written late is due at once."""
    others = [replace(entry, forecast_id="b", series=replace(entry.series, id="b")), replace(entry, forecast_id="late")]
    write_forecasts(database, [replace(entry, forecast_id="a"), others[0]], entry.made_at)
    write_forecasts(database, [others[1]], entry.made_at + 2 * LATE)

    def due() -> set[str]:
        with database.reading() as connection:
            return set(connection.scalars(select(forecasts.c.forecast_id).where(forecasts.c.due)))

    at_first = due()
    upsert(database, Observations.from_rows(["a"], np.array(["2000-01"], "M8[us]"), np.array([1.0])), Calendar(), 0)
    long_ago = due()
    upsert(database, Observations.from_rows(["a"], np.array(["2022-07"], "M8[us]"), np.array([1.0])), Calendar(), 0)

    assert (at_first, long_ago, due()) == ({"late"}, {"late"}, {"a", "late"})


def test_a_forecast_that_is_written_twice_is_there_once(database: Database, entry: LogEntry) -> None:
    """Whoever cannot know whether a batch was committed writes it again."""
    write_forecasts(database, [entry], 0)
    write_forecasts(database, [entry, replace(entry, forecast_id="other")], 0)

    found = find_forecast(database, entry.forecast_id)

    assert found is not None
    assert found.row.cutoff == np.datetime64("2022-06", "us").astype(np.int64)


def test_steps_of_a_local_calendar_are_kept_as_instants(artifacts: Artifacts, entry: LogEntry) -> None:
    """As observations with a timezone are: midnight in Berlin is 23:00 UTC of the day before."""
    forecaster = artifact.load(artifacts.get(name="shop", frequency="D", season_length=7))
    series = Series.make([1.0] * 14, start="2024-01-01", frequency="D", timezone="Europe/Berlin")
    selected = replace(entry.selected, model=replace(entry.selected.model, forecaster=forecaster))

    row = make_row(replace(entry, selected=selected, series=series, forecast=forecaster.forecast([series], 2)[0]), 0)

    times = [np.datetime64(row[name], "us") for name in ("cutoff", "first_timestamp", "last_timestamp")]
    expected = ["2024-01-13T23", "2024-01-14T23", "2024-01-15T23"]
    assert times == [np.datetime64(one) for one in expected]


def _sample(registry: CollectorRegistry, name: str, **labels: str) -> float | None:
    return registry.get_sample_value(name, labels)
