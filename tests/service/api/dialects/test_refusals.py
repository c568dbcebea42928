"""Keys, scopes, limits and metrics: those of POST /forecast, with errors as each client reads them."""

from collections.abc import Callable
from typing import Any

import pytest
from starlette.testclient import TestClient

from service.api.key_file import make_key, write_keys
from tests.service.home import ServiceHome

PATHS = {
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


@pytest.mark.parametrize("path", [*PATHS, "/model_params?model=unknown"])
def test_an_unknown_model_is_the_callers_error_while_nothing_is_registered(start: Start, path: str) -> None:
    """A 503 is tried again by clients for a minute; a request to the default model is answered by the starter."""
    client = start(wait=False)
    _, body = PATHS.get(path, ("", None))
    named = path.replace("default", "unknown")
    options = {"params": {**body["params"], "model": "unknown"}} if path == "/invocations" else {"model": "unknown"}

    response = (
        client.get(named) if body is None else client.post(named, json=body if named != path else {**body, **options})
    )

    assert response.status_code in {404, 422}
    assert "'unknown'" in response.text
