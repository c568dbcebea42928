"""Metrics for Prometheus; requests cannot add labels."""

from collections.abc import Callable
from typing import Any

import numpy as np
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from models.profile import Profile, features
from service.api.key_file import make_key, write_keys
from service.monitoring.drift import MIN_INPUTS
from service.monitoring.recent_input import WINDOW
from service.serving.registry_index import RegistryIndex, keep_lost_champions
from tests.service.home import ServiceHome, eventually

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def samples(client: TestClient) -> Samples:
    """Return every sample by name and labels."""
    families = text_string_to_metric_families(client.get("/metrics").text)
    return {(one.name, frozenset(one.labels.items())): one.value for family in families for one in family.samples}


def value(client: TestClient, name: str, **labels: str) -> float:
    """Return one sample; raise KeyError if there is none."""
    return samples(client)[name, frozenset(labels.items())]


def post(client: TestClient, *values: list[Any], horizon: int = 2) -> int:
    """Post series and return the status."""
    return client.post(
        "/forecast", json={"series": [{"values": one} for one in values], "horizon": horizon}
    ).status_code


def test_requests_are_counted_by_route_method_and_status(client: TestClient) -> None:
    """A route with a parameter is its template."""
    post(client, [1, 2])
    post(client, [1, 2], horizon=0)
    client.get("/models/temperatures")
    client.get("/models/weather")

    assert value(client, "almanac_requests_total", route="/forecast", method="POST", status="200") == 1
    assert value(client, "almanac_requests_total", route="/forecast", method="POST", status="422") == 1
    assert value(client, "almanac_requests_total", route="/models/{model:path}", method="GET", status="200") == 1
    assert value(client, "almanac_requests_total", route="/models/{model:path}", method="GET", status="404") == 1
    assert value(client, "almanac_request_seconds_count", route="/forecast") == 2
    for seconds in ("30.0", "60.0", "120.0"):  # also beyond 10 s
        assert value(client, "almanac_request_seconds_bucket", route="/forecast", le=seconds) == 2


def test_a_refused_key_is_counted_under_the_route_that_refused_it(
    home: ServiceHome, start: Callable[..., TestClient]
) -> None:
    """Unknown paths are `unmatched`."""
    home.publish("temperatures", "1")
    client = start()
    secret, key = make_key("k", ("observe",), "")
    write_keys(home.path / "keys.json", (key,))
    for path in ("/models", "/models/rain", "/nowhere"):
        client.get(path)
    client.post("/forecast", json={}, headers={"x-api-key": secret})

    client.headers["x-api-key"] = secret

    refused = {"method": "GET", "status": "401"}
    assert value(client, "almanac_requests_total", route="/models", **refused) == 1
    assert value(client, "almanac_requests_total", route="/models/{model:path}", **refused) == 1
    assert value(client, "almanac_requests_total", route="unmatched", **refused) == 1
    assert value(client, "almanac_requests_total", route="/forecast", method="POST", status="403") == 1


def test_models_without_a_champion_in_the_registry_are_counted(
    home: ServiceHome, start: Callable[..., TestClient]
) -> None:
    """They are served all the same, and the state of the registry is `emptied`."""
    home.publish("temperatures", "1")
    client = start()
    home.cache.write(keep_lost_champions(home.cache.read(), RegistryIndex(checked="2026-01-01T00:00:00+00:00")))

    eventually(lambda: value(client, "almanac_registry_champions_gone") == 1, "the loss is not counted")

    assert client.get("/models").json()["registry"]["state"] == "emptied"


def test_series_points_and_errors_are_counted(client: TestClient) -> None:
    """Errors by their code, of single series and of whole requests."""
    post(client, [1, 2], [3, 4], ["x"], horizon=3)
    post(client, [])
    post(client, [1], horizon=0)

    assert value(client, "almanac_series_total", model="temperatures") == 2
    assert value(client, "almanac_points_total", model="temperatures") == 6
    assert value(client, "almanac_errors_total", code="SERIES_NOT_NUMERIC") == 1
    assert value(client, "almanac_errors_total", code="SERIES_EMPTY") == 1
    assert value(client, "almanac_errors_total", code="HORIZON_INVALID") == 1


def test_a_scanner_adds_no_labels(client: TestClient) -> None:
    """Unknown paths are one route, unknown methods one method, and ids of series are not labels."""
    before = len(samples(client))
    for number in range(50):
        client.request(f"WEIRD{number}", f"/secret/{number}")
        client.post("/forecast", json={"series": [{"id": f"s{number}", "values": [1]}], "horizon": 1})

    assert value(client, "almanac_requests_total", route="unmatched", method="OTHER", status="404") == 50
    assert len(samples(client)) - before < 75


def test_the_champion_is_shown_with_its_age(client: TestClient) -> None:
    """Version, run and architecture are labels of a gauge with the value 1."""
    info = value(
        client,
        "almanac_model_info",
        model="temperatures",
        version="1",
        alias="champion",
        run_id="run-1",
        architecture="lstm",
        frequency="M",
    )

    assert info == 1
    assert value(client, "almanac_model_age_seconds", model="temperatures", version="1") > 0
    assert value(client, "almanac_registry_up") == 1


def test_openmetrics_is_returned_if_accepted(client: TestClient) -> None:
    """Prometheus accepts it."""
    response = client.get("/metrics", headers={"accept": "application/openmetrics-text; version=1.0.0"})

    assert response.headers["content-type"].startswith("application/openmetrics-text")
    assert response.text.endswith("# EOF\n")


def test_drift_of_inputs_is_a_gauge(home: ServiceHome, start: Callable[..., TestClient]) -> None:
    """From MIN_INPUTS inputs on, over the newest WINDOW of them."""
    random = np.random.default_rng(0)
    home.publish("temperatures", "1")
    profile = Profile.fit(features(random.normal(10.0, 2.0, (1000, 60)), 12)).to_dict()
    home.change_spec("temperatures", "1", profile=profile)
    client = start()

    def drift_after(mean: float, inputs: int) -> float | None:
        post(client, *random.normal(mean, 2.0, (inputs, 60)).tolist())
        labels = frozenset({("model", "temperatures"), ("feature", "level")})
        return samples(client).get(("almanac_input_drift_score", labels))

    few, same, other, again = (drift_after(*one) for one in ((10, MIN_INPUTS - 1), (10, 300), (30, 400), (10, WINDOW)))

    assert few is None
    assert same is not None
    assert other is not None
    assert again is not None
    assert max(same, again) < 0.25 < other
