"""Keys, scopes, limits and metrics: those of POST /forecast, with errors as each client reads them."""

from collections.abc import Callable
from typing import Any

import pytest
from starlette.testclient import TestClient

from service.api.key_file import make_key, write_keys
from tests.service.home import ServiceHome

PATHS: dict[str, tuple[str, dict[str, Any]]] = {
    "/v2/forecast": ("error", {"series": {"y": [1, 2, 3], "sizes": [3]}, "freq": "MS", "h": 3}),
    "/v1/timeseries/forecast": (
        "error",
        {"model": "default", "inputs": [{"name": "a", "series": [1, 2], "frequency": "D"}], "options": {"horizon": 3}},
    ),
    "/v2/models/default/infer": (
        "error",
        {
            "inputs": [{"name": "values", "datatype": "FP64", "shape": [2], "data": [1, 2]}],
            "parameters": {"horizon": 3},
        },
    ),
    "/invocations": ("message", {"inputs": {"unique_id": ["a"], "ds": [None], "y": [1.0]}, "params": {"horizon": 3}}),
}
ROUTES = {
    "/v2/forecast": "/v2/forecast",
    "/v1/timeseries/forecast": "/v1/timeseries/forecast",
    "/v2/models/default/infer": "/v2/models/{model}/infer",
    "/invocations": "/invocations",
}
Start = Callable[..., TestClient]


def test_a_path_needs_a_key_with_its_scope(home: ServiceHome, start: Start) -> None:
    """401 without, 403 with another scope; probes need none."""
    secret, key = make_key("reader", ("read",), "")
    write_keys(home.path / "keys.json", (key,))
    client, headers = start(wait=False), {"authorization": f"Bearer {secret}"}

    for path, (member, body) in PATHS.items():
        refused = client.post(path, json=body)
        assert (refused.status_code, client.post(path, json=body, headers=headers).status_code) == (401, 403)
        assert "almanac key add" in str(refused.json()[member])
    assert client.get("/v2/health/live").status_code == 200
    assert client.get("/validate_api_key").status_code == 401
    assert client.get("/validate_api_key", headers=headers).status_code == 200


@pytest.mark.parametrize(("changes", "status"), [({"max_body_bytes": 10}, 413), ({"max_steps": 2}, 422)])
def test_the_limits_are_those_of_a_forecast(start: Start, changes: dict[str, Any], status: int) -> None:
    """The error names the setting."""
    client = start(model="starter", **changes)

    for path, (member, body) in PATHS.items():
        response = client.post(path, json=body)
        assert response.status_code == status, response.text
        assert "ALMANAC_MAX_" in str(response.json()[member])


def test_a_route_is_counted_without_the_name_of_a_model(dialects: TestClient) -> None:
    """So that the labels of metrics stay few, also of refused requests."""
    for path, (_, body) in PATHS.items():
        assert dialects.post(path, json=body).status_code == 200
        assert dialects.post(path, content=b"x", headers={"content-type": "text/html"}).status_code == 415
    dialects.post("/v2/models/of-someone/infer", content=b"x", headers={"content-type": "text/html"})

    text = dialects.get("/metrics").text

    for route in ROUTES.values():
        assert f'route="{route}"' in text
    assert "of-someone" not in text


def test_an_unknown_model_is_the_callers_error_while_nothing_is_registered(home: ServiceHome, start: Start) -> None:
    """A 503 is tried again by clients for a minute; a request to the default model is answered by the starter."""
    home.set_empty()
    client = start(wait=False)
    bodies = {path: {**body, "model": "unknown"} for path, (_, body) in PATHS.items()}
    bodies["/invocations"] = {**PATHS["/invocations"][1], "params": {"model": "unknown"}}
    bodies["/v2/models/default/infer"].pop("model")

    found = [client.post(path.replace("default", "unknown"), json=body) for path, body in bodies.items()]
    found.append(client.get("/model_params", params={"model": "unknown"}))

    assert [one.status_code for one in found] == [422, 422, 404, 422, 422], [one.text for one in found]
    assert all("'unknown'" in one.text for one in found)
