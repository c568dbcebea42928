"""Pickle: no model, no request and no row of a database is read with it."""

import pickle
from collections.abc import Callable

import pytest
from starlette.testclient import TestClient

from tests.service.home import ServiceHome

ROWS = {"observations": [{"id": "a", "timestamp": f"2024-{month:02d}", "value": month} for month in range(1, 13)]}


def test_a_service_without_pickle_loads_its_models_and_answers(
    home: ServiceHome, start: Callable[..., TestClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model that is replaced, too: nothing but JSON and ONNX is opened."""

    def refuse(*_: object, **__: object) -> None:
        pytest.fail("something was unpickled")

    for name in ("load", "loads", "Unpickler", "_Unpickler"):
        monkeypatch.setattr(pickle, name, refuse)
    home.publish("temperatures", "1")

    client = start()
    forecast = client.post("/forecast", json={"series": [{"values": [1, 2, 3]}], "horizon": 2})
    stored = client.post("/observations", json={**ROWS, "frequency": "M"})
    of_stored = client.get("/series/a/forecast?horizon=2")

    assert [forecast.status_code, stored.status_code, of_stored.status_code] == [200, 200, 200]
    assert client.get("/models/temperatures").json()["model"]["version"] == "1"
