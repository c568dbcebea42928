"""Live accuracy: logged forecasts and their actual values in the database of a running service, and GET /accuracy."""

from typing import TYPE_CHECKING, Any, cast

import numpy as np
from starlette.testclient import TestClient

from service.api.state import Service
from service.store.scoring.counting import count_due
from tests.service.forecast_log import actuals_of, last_week, log, make_forecast, make_history
from tests.service.home import eventually

if TYPE_CHECKING:
    from fastapi import FastAPI


def service_of(client: TestClient) -> Service:
    """Return the service behind a client."""
    service: Service = cast("FastAPI", client.app).state.service
    return service


def post_actuals(client: TestClient, series_id: str, actuals: dict[np.datetime64, float]) -> None:
    """Post the actual values of a series."""
    rows = [{"id": series_id, "timestamp": str(stamp.astype("M8[D]")), "value": v} for stamp, v in actuals.items()]
    answer = client.post("/observations", json={"observations": rows, "frequency": "M"})
    assert answer.status_code == 200, answer.text


def fill(client: TestClient, number: int = 12) -> None:
    """Log forecasts of several series, models and versions, and post all their actual values."""
    database = service_of(client).database.sync_database
    for seed in range(number):
        forecast = make_forecast(make_history(seed), horizon=3 + 3 * seed, seed=seed)
        model, version = ("starter", "abc") if seed % 3 == 0 else ("temperatures", str(1 + seed % 2))
        log(
            database,
            f"f{seed}",
            forecast,
            series_id=f"s{seed}",
            made_at=last_week() + seed,
            due=False,
            model=model,
            version=version,
        )
        post_actuals(client, f"s{seed}", actuals_of(forecast, 100 + seed))


def scored(client: TestClient) -> None:
    """Return once nothing is due, and the figures have been counted since."""
    service = service_of(client)
    eventually(lambda: count_due(service.database.sync_database) == 0, "forecasts stay due")
    assert client.portal is not None
    client.portal.call(service.scorer.count)


def get(client: TestClient, **parameters: Any) -> dict[str, Any]:  # noqa: ANN401 (any parameter)
    """Return the response of GET /accuracy."""
    response = client.get("/accuracy", params=parameters)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer
