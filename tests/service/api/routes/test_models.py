"""GET /models and GET /models/{model}: what is registered, and what a version promises."""

from collections.abc import Callable

import pytest
from starlette.testclient import TestClient

from models import starters
from service.serving.registry_index import ModelVersion, RegisteredModel
from tests.service.home import ServiceHome, eventually


def test_the_list_names_models_aliases_and_versions(home: ServiceHome, start: Callable[..., TestClient]) -> None:
    """With the version that answers now, and the default; the starter stands last."""
    home.publish("temperatures", "1")
    home.publish("temperatures", "2", alias="challenger", shift=1.0)

    answer = start().get("/models").json()

    version = starters.version()
    assert answer["models"] == [
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
    assert answer["default"] == "temperatures"
    assert answer["registry"]["state"] == "ok"


def test_an_empty_registry_lists_the_starter(home: ServiceHome, start: Callable[..., TestClient]) -> None:
    """Before the first training, and it is the default."""
    home.set_empty()

    answer = start().get("/models").json()

    assert [one["name"] for one in answer["models"]] == ["starter"]
    assert answer["default"] == "starter"


def test_the_starters_card_is_that_of_one_frequency(home: ServiceHome, start: Callable[..., TestClient]) -> None:
    """Of months unless another is asked for, any alias of it; it names those that have a network of their own."""
    home.set_empty()
    client = start()

    months, weeks = client.get("/models/starter").json(), client.get("/models/starter?frequency=weekly").json()
    unknown = client.get("/models/starter?frequency=moons")

    identity = {"name": "starter", "version": starters.version(), "alias": None, "run_id": None}
    assert months["model"] == weeks["model"] == identity
    assert months["frequencies"] == ["D", "M", "Q", "W", "Y", "h"]
    assert (months["spec"]["frequency"], months["spec"]["horizon"]) == ("M", 24)
    assert (weeks["spec"]["frequency"], weeks["spec"]["season_length"]) == ("W-SUN", 52)
    assert (unknown.status_code, unknown.json()["code"]) == (422, "FREQUENCY_UNKNOWN")


@pytest.mark.parametrize(
    ("selector", "version", "alias"),
    [
        ("temperatures", "1", "champion"),
        ("temperatures@challenger", "2", "challenger"),
        ("temperatures/2", "2", None),
    ],
)
def test_a_card_shows_the_whole_spec(
    home: ServiceHome, start: Callable[..., TestClient], selector: str, version: str, alias: str | None
) -> None:
    """Of the champion, of another alias or of a version by its number."""
    home.publish("temperatures", "1", seed=1)
    home.publish("temperatures", "2", alias="challenger", seed=2)

    card = start().get(f"/models/{selector}").json()

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
def test_a_model_that_is_not_there_is_404(client: TestClient, selector: str) -> None:
    """As a problem document that lists what there is."""
    response = client.get(f"/models/{selector}")

    assert response.status_code == 404
    assert response.json()["code"] == "MODEL_UNKNOWN"
    assert response.json()["hint"]


def test_a_version_that_is_still_to_be_fetched_is_503(home: ServiceHome, start: Callable[..., TestClient]) -> None:
    """With a time to come back."""
    home.publish("temperatures", "1")
    client = start()
    versions = {**home.cache.read().models["temperatures"].versions, "2": ModelVersion("run-2")}
    home.set_models({"temperatures": RegisteredModel(versions, {"champion": "1"})})

    eventually(lambda: client.get("/models/temperatures/2").status_code != 404, "the version goes unnoticed")

    response = client.get("/models/temperatures/2")

    assert response.status_code == 503
    assert response.headers["retry-after"]


def test_a_slash_too_many_lists_the_models(client: TestClient) -> None:
    """/models/ is /models."""
    assert client.get("/models/").json() == client.get("/models").json()
