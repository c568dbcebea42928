"""Metrics: what Prometheus reads, with labels that nobody outside can multiply."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from models import artifact
from models.profile import Profile, features
from service.api.security import make_key, write_keys
from service.monitoring.drift import MIN_INPUTS, WINDOW
from service.serving.registry_index import ModelVersion, RegisteredModel, RegistryIndex, keep_lost_champions
from tests.service.home import ServiceHome, eventually

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def samples(client: TestClient) -> Samples:
    """Return every sample by name and labels."""
    families = text_string_to_metric_families(client.get("/metrics").text)
    return {(one.name, frozenset(one.labels.items())): one.value for family in families for one in family.samples}


def value(client: TestClient, name: str, **labels: str) -> float:
    """Return one sample; raises KeyError if it is not there."""
    return samples(client)[name, frozenset(labels.items())]


def post(client: TestClient, *values: list[Any], horizon: int = 2) -> int:
    """Post series and return the status."""
    return client.post(
        "/forecast", json={"series": [{"values": one} for one in values], "horizon": horizon}
    ).status_code


def test_requests_are_counted_by_route_method_and_status(client: TestClient) -> None:
    """The card's route is its template, not the name that was asked for."""
    post(client, [1, 2])
    post(client, [1, 2], horizon=0)
    client.get("/models/temperatures")
    client.get("/models/weather")

    assert value(client, "almanac_requests_total", route="/forecast", method="POST", status="200") == 1
    assert value(client, "almanac_requests_total", route="/forecast", method="POST", status="422") == 1
    assert value(client, "almanac_requests_total", route="/models/{model:path}", method="GET", status="200") == 1
    assert value(client, "almanac_requests_total", route="/models/{model:path}", method="GET", status="404") == 1
    assert value(client, "almanac_request_seconds_count", route="/forecast") == 2


def test_a_refused_key_is_counted_under_the_route_that_refused_it(
    home: ServiceHome, start: Callable[..., TestClient]
) -> None:
    """So that a client with a wrong key is seen where it knocks; other paths stay unmatched."""
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


def test_models_that_the_registry_lost_are_counted(home: ServiceHome, start: Callable[..., TestClient]) -> None:
    """An alert can be made of it."""
    home.publish("temperatures", "1")
    client = start()
    home.cache.write(keep_lost_champions(home.cache.read(), RegistryIndex(checked="2026-01-01T00:00:00+00:00")))

    eventually(lambda: value(client, "almanac_registry_champions_gone") == 1, "the loss goes unnoticed")

    assert client.get("/models").json()["registry"]["state"] == "emptied"


def test_series_points_and_errors_are_counted(client: TestClient) -> None:
    """Errors of single series and of whole requests, each by its code."""
    post(client, [1, 2], [3, 4], ["x"], horizon=3)
    post(client, [])
    post(client, [1], horizon=0)

    assert value(client, "almanac_series_total", model="temperatures") == 2
    assert value(client, "almanac_points_total", model="temperatures") == 6
    assert value(client, "almanac_errors_total", code="SERIES_NOT_NUMERIC") == 1
    assert value(client, "almanac_errors_total", code="SERIES_EMPTY") == 1
    assert value(client, "almanac_errors_total", code="HORIZON_INVALID") == 1


def test_a_scanner_adds_no_labels(client: TestClient) -> None:
    """Unknown paths are one route, unknown methods one method, and no id of a series is a label."""
    before = len(samples(client))
    for number in range(50):
        client.request(f"WEIRD{number}", f"/secret/{number}")
        client.post("/forecast", json={"series": [{"id": f"s{number}", "values": [1]}], "horizon": 1})

    assert value(client, "almanac_requests_total", route="unmatched", method="OTHER", status="404") == 50
    assert len(samples(client)) - before < 60


def test_the_champion_is_shown_with_its_age(client: TestClient) -> None:
    """Version, run and architecture are labels of a gauge that is 1."""
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


def test_openmetrics_is_spoken_to_those_who_ask_for_it(client: TestClient) -> None:
    """As Prometheus does."""
    response = client.get("/metrics", headers={"accept": "application/openmetrics-text; version=1.0.0"})

    assert response.headers["content-type"].startswith("application/openmetrics-text")
    assert response.text.endswith("# EOF\n")


@pytest.fixture
def profiled(home: ServiceHome, start: Callable[..., TestClient]) -> TestClient:
    """Return a client of a service whose champion was trained on values around 10."""
    random = np.random.default_rng(0)
    trained = random.normal(10.0, 2.0, (1000, 60))
    with home.cache.download() as folder:
        home.publish("temperatures", "1")
        source = home.cache.path(str(home.cache.read().models["temperatures"].versions["1"].digest))
        copy = folder / "artifact"
        copy.mkdir()
        for path in source.iterdir():
            (copy / path.name).write_bytes(path.read_bytes())
        artifact.update_spec(copy, profile=Profile.fit(features(trained, 12)).to_dict())
        digest = home.cache.store(folder)
    home.set_models({"temperatures": RegisteredModel({"1": ModelVersion("run-1", digest)}, {"champion": "1"})})
    return start()


@pytest.mark.parametrize(("mean", "drifted"), [(10.0, False), (30.0, True)])
def test_drift_tells_inputs_like_the_trainings_from_others(profiled: TestClient, mean: float, *, drifted: bool) -> None:
    """A population stability index above 0.25 is a great change, by the usual reading."""
    random = np.random.default_rng(1)
    post(profiled, *random.normal(mean, 2.0, (400, 60)).tolist())

    score = value(profiled, "almanac_input_drift_score", model="temperatures", feature="level")

    assert (score > 0.25) is drifted


def test_drift_is_not_judged_on_a_handful_of_inputs(profiled: TestClient) -> None:
    """Below a hundred inputs chance alone would look like drift."""
    post(profiled, *[[10.0] * 60] * (MIN_INPUTS - 1))

    assert not any(name == "almanac_input_drift_score" for name, _ in samples(profiled))


def test_drift_remembers_only_the_newest_inputs(profiled: TestClient) -> None:
    """What came long ago is forgotten: the score falls back."""
    random = np.random.default_rng(2)
    post(profiled, *random.normal(30.0, 2.0, (WINDOW, 60)).tolist())
    post(profiled, *random.normal(10.0, 2.0, (WINDOW, 60)).tolist())

    assert value(profiled, "almanac_input_drift_score", model="temperatures", feature="level") < 0.25
