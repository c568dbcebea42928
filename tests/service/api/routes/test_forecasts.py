"""GET /forecasts/{id}: stored forecasts, their status and their scores."""

import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from sqlalchemy import insert
from starlette.testclient import TestClient

from service.api.routes import forecasts as routes
from service.monitoring.forecast_log import WRITE_SECONDS
from service.store.database import Database
from service.store.forecasts import find_forecast
from service.store.observations import Calendar, Observations, upsert
from service.store.tables import scores
from tests.service.home import ServiceHome
from tests.service.monitoring.test_forecast_log import BARE, MONTHS, ask


def stored(client: TestClient, forecast: dict[str, Any]) -> dict[str, Any]:
    """Return a forecast as it is stored."""
    response = client.get(f"/forecasts/{forecast['forecast_id']}")
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


def test_a_forecast_is_stored_as_it_was_served(stored_client: TestClient) -> None:
    """With its version, cutoff and quantiles, and with seasonal naive and the scale of its history."""
    (served,) = ask(stored_client, levels=[80, 95], quantiles=[0.25])

    found = stored(stored_client, served)

    identity = {"name": "temperatures", "version": "1", "alias": "champion", "run_id": "run-1"}
    assert (found["id"], found["model"], found["cutoff"]) == ("a", identity, "2022-06")
    assert (found["timestamps"], found["median"]) == (served["timestamps"], served["median"])
    bounds = {"0.025": served["intervals"]["95"]["lower"], "0.975": served["intervals"]["95"]["upper"]}
    assert found["quantiles"] == {**served["quantiles"], **bounds}
    assert list(found["quantiles"]) == sorted(found["quantiles"], key=float)
    assert found["naive"] == [7.0, 8.0, 9.0, 10.0, 11.0, 12.0]
    assert (found["scale"], found["status"], found["scores"]) == (1.0, "waiting", [])
    assert abs(datetime.now(UTC) - datetime.fromisoformat(found["made_at"])).total_seconds() < 60


def test_a_forecast_that_is_written_while_it_is_looked_for_is_found(
    stored_client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The look may have begun before, and end after that."""

    def look_slowly(database: Database, forecast_id: str) -> object:
        found = find_forecast(database, forecast_id)
        time.sleep(3 * WRITE_SECONDS)
        return found

    monkeypatch.setattr(routes, "find_forecast", look_slowly)
    (served,) = ask(stored_client)

    assert stored(stored_client, served)["id"] == "a"


def test_forecasts_without_dates_or_id_cannot_be_scored(stored_client: TestClient) -> None:
    """Their status shows it; an observation of the series `0` does not score a forecast without id."""
    nameless = {name: value for name, value in MONTHS.items() if name != "id"}
    served = ask(stored_client, nameless, BARE, MONTHS)
    rows = [{"id": "0", "timestamp": "2022-07", "value": 1}]
    stored_client.post("/observations", json={"observations": rows}).raise_for_status()

    found = [stored(stored_client, one) for one in served]

    assert (served[0]["id"], found[0]["id"], found[0]["observed"]) == ("0", None, 0)
    assert [one["status"] for one in found] == ["unnamed", "unscorable", "waiting"]


def test_observed_steps_are_counted(stored_client: TestClient) -> None:
    """The last day of a month is the month; of two days in one month none is."""
    (served,) = ask(stored_client)
    days = ["2022-07-31", "2022-08-01", "2022-08-02", "2022-12-31"]
    rows = [{"id": "a", "timestamp": day, "value": 1} for day in days]
    stored_client.post("/observations", json={"observations": rows}).raise_for_status()

    assert stored(stored_client, served)["observed"] == 2


def test_scores_are_shown_by_step(stored_client: TestClient, database_url: str) -> None:
    """The status is `partly_scored` until all steps have one."""
    (served,) = ask(stored_client)
    stored(stored_client, served)
    row = {"forecast_id": served["forecast_id"], "observed": 2.5, "pinball": 0.5, "covered_80": True, "scored_at": 1}
    months = np.array(["2022-07", "2022-08"], dtype="M8[us]")
    with closing(Database(database_url)) as database:
        upsert(database, Observations.from_rows(["a"], months[:1], np.array([2.5])), Calendar(), 0)
        with database.writing() as connection:
            stamps = months.astype(np.int64).tolist()
            rows = [{**row, "step": step, "timestamp": stamp} for step, stamp in enumerate(stamps, 1)]
            connection.execute(insert(scores), rows)

    found = stored(stored_client, served)

    assert (found["status"], found["observed"]) == ("partly_scored", 1)
    assert [(one["step"], one["timestamp"], one["covered_80"]) for one in found["scores"]] == [
        (1, "2022-07", True),
        (2, "2022-08", True),
    ]


def test_an_unknown_id_is_not_found(stored_client: TestClient) -> None:
    """Any text is an id."""
    for name in (str(uuid4()), "x", "%00"):
        response = stored_client.get(f"/forecasts/{name}")
        assert (response.status_code, response.json()["code"]) == (404, "FORECAST_UNKNOWN")


def test_without_a_log_no_forecast_is_found(home: ServiceHome, start: Callable[..., TestClient]) -> None:
    """The hint names the setting."""
    home.publish("temperatures", "1")
    client = start(ledger=False)
    (served,) = ask(client)

    response = client.get(f"/forecasts/{served['forecast_id']}")

    assert response.status_code == 404
    assert "ALMANAC_LEDGER" in response.json()["hint"]
