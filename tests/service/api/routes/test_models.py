"""GET /models and GET /models/{model}."""

from collections.abc import Callable

import pytest
from starlette.testclient import TestClient

from models import starters
from service.serving.registry_index import ModelVersion, RegisteredModel
from tests.service.home import ServiceHome, eventually


def test_the_list_contains_registered_models_and_the_starter(
    home: ServiceHome, start: Callable[..., TestClient]
) -> None:
    """With aliases, versions, the champion and the default."""
    home.publish("temperatures", "1")
    home.publish("temperatures", "2", alias="challenger", shift=1.0)
    client = start()

    listed = client.get("/models").json()

    version = starters.version()
    assert listed["models"] == [
        {
            "name": "temperatures",
            "source": "registry",
            "champion": "1",
            "aliases": {"champion": "1", "challenger": "2"},
            "versions": ["1", "2"],
            "frequencies": ["M"],
        },
        {
            "name": "starter",
            "source": "package",
            "champion": version,
            "aliases": {},
            "versions": [version],
            "frequencies": ["D", "M", "Q", "W", "Y", "h"],
        },
    ]
    assert listed["default"] == "temperatures"
    assert listed["registry"]["state"] == "ok"
    assert (client.get("/models/").status_code, client.get("/models/").json()["code"]) == (404, "NOT_FOUND")


def test_the_starter_has_a_card_for_each_frequency(home: ServiceHome, start: Callable[..., TestClient]) -> None:
    """It is the default of an empty registry; without a frequency the card is that of months."""
    home.set_empty()
    client = start()

    listed = client.get("/models").json()
    months, weeks = client.get("/models/starter").json(), client.get("/models/starter?frequency=weekly").json()
    unknown = client.get("/models/starter?frequency=moons")

    identity = {"name": "starter", "version": starters.version(), "alias": None, "run_id": None}
    assert ([one["name"] for one in listed["models"]], listed["default"]) == (["starter"], "starter")
    assert months["model"] == weeks["model"] == identity
    assert months["frequencies"] == ["D", "M", "Q", "W", "Y", "h"]
    assert (months["spec"]["frequency"], months["spec"]["horizon"]) == ("M", 24)
    assert (weeks["spec"]["frequency"], weeks["spec"]["season_length"]) == ("W-SUN", 52)
    assert (unknown.status_code, unknown.json()["code"]) == (422, "FREQUENCY_UNKNOWN")


def test_a_card_contains_the_spec(home: ServiceHome, start: Callable[..., TestClient]) -> None:
    """Of the champion, of another alias or of a version number."""
    home.publish("temperatures", "1", seed=1)
    home.publish("temperatures", "2", alias="challenger", seed=2)
    client = start()

    for selector, version, alias in (
        ("temperatures", "1", "champion"),
        ("temperatures@challenger", "2", "challenger"),
        ("temperatures/2", "2", None),
    ):
        card = client.get(f"/models/{selector}").json()

        assert card["model"] == {"name": "temperatures", "version": version, "alias": alias, "run_id": f"run-{version}"}
        assert card["spec"]["seed"] == int(version)
        assert card["spec"]["quantile_levels"][0] == 0.1
        assert [entry["version"] for entry in card["versions"]] == ["1", "2"]
        assert card["versions"][1] == {
            "version": "2",
            "run_id": "run-2",
            "aliases": ["challenger"],
            "cached": True,
            "error": "",
        }


@pytest.mark.parametrize("selector", ["weather", "temperatures@best", "temperatures/9", "temperatures/", "a/b/c"])
def test_an_unknown_model_is_404(shared_client: TestClient, selector: str) -> None:
    """As a problem document with a hint."""
    response = shared_client.get(f"/models/{selector}")

    assert response.status_code == 404
    assert response.json()["code"] == "MODEL_UNKNOWN"
    assert response.json()["hint"]


def test_a_version_that_is_not_cached_is_503(home: ServiceHome, start: Callable[..., TestClient]) -> None:
    """With Retry-After."""
    home.publish("temperatures", "1")
    client = start()
    versions = {**home.cache.read().models["temperatures"].versions, "2": ModelVersion("run-2")}
    home.set_models({"temperatures": RegisteredModel(versions, {"champion": "1"})})

    eventually(lambda: client.get("/models/temperatures/2").status_code != 404, "the index was not read")

    response = client.get("/models/temperatures/2")

    assert response.status_code == 503
    assert response.headers["retry-after"]
