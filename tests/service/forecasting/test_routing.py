from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from starlette.testclient import TestClient

from models.errors import AlmanacError
from service.serving.registry_index import ModelVersion, RegisteredModel, RegistryIndex
from service.serving.segments import SegmentRouter
from tests.service.home import ServiceHome, eventually

VALUES = [float(number % 12) for number in range(48)]


def publish(home: ServiceHome, segment: str, version: str = "1", **options: Any) -> None:  # noqa: ANN401 (of the artifact)
    """Publish a version of the model of a segment of the family `shops`."""
    name = f"shops-{segment}"
    home.publish(name, version, **options)
    model = home.cache.read().models[name]
    home.set_models({name: replace(model, family="shops", segment=segment)})


@pytest.fixture
def shops(home: ServiceHome, start: Callable[..., TestClient]) -> TestClient:
    """Return a service with a model for each of two segments."""
    for segment in ("North", "South"):
        publish(home, segment)
    return start()


def ask(client: TestClient, *series: dict[str, Any], **options: Any) -> dict[str, Any]:  # noqa: ANN401 (of the request)
    """Return the response to series of equal values."""
    body = {"horizon": 3, "series": [{"values": VALUES, **one} for one in series], **options}
    found: dict[str, Any] = client.post("/forecast", json=body).json()
    return found


@pytest.mark.parametrize("options", [{}, {"model": "shops"}])
def test_each_series_is_forecast_by_the_model_of_its_segment(shops: TestClient, options: dict[str, Any]) -> None:
    """It is named by the series or a part of its id; a series that fits none has an error, and the order stays."""
    found = ask(
        shops,
        {"id": "a", "segment": "South"},
        {"id": "North/7"},
        {"id": "b", "segment": "West"},
        {"id": "c"},
        {"id": "South/North"},
        {"id": "d", "segment": " South "},
        **options,
    )

    assert found["model"] == {"name": "shops", "version": "", "alias": "champion", "run_id": None}
    assert [(one["id"], one["model"]["name"]) for one in found["forecasts"]] == [
        ("a", "shops-South"),
        ("North/7", "shops-North"),
        ("d", "shops-South"),
    ]
    assert [(one["code"], one["pointer"]) for one in found["errors"]] == [
        ("SEGMENT_UNKNOWN", "/series/2/segment"),
        ("SEGMENT_UNKNOWN", "/series/3"),
        ("SEGMENT_UNKNOWN", "/series/4"),
    ]
    assert "North, South" in found["errors"][0]["hint"]


def test_a_new_champion_of_a_segment_answers(shops: TestClient, home: ServiceHome) -> None:
    """Its first request after the swap; a new segment is found as well, and the forecasts are stored with their own models."""
    publish(home, "South", "2", horizon=6)
    publish(home, "West")

    def versions() -> list[tuple[str, str]]:
        found = ask(shops, {"id": "South/1"}, {"id": "West/1"})
        return [(one["model"]["name"], one["model"]["version"]) for one in found["forecasts"]]

    eventually(lambda: versions() == [("shops-South", "2"), ("shops-West", "1")], "the new models do not answer")


def test_a_segment_of_no_family_is_an_error(client: TestClient) -> None:
    """A single model answers its own requests alone."""
    assert ask(client, {"segment": "North"})["code"] == "MODEL_UNKNOWN"
    assert ask(client, {"id": "North/1"}, model="temperatures")["forecasts"]


@pytest.mark.parametrize(
    ("index", "code"),
    [
        (RegistryIndex(), "MODEL_LOADING"),
        (RegistryIndex(state="unreachable", checked="now"), "MODEL_LOADING"),
        (RegistryIndex(state="stale", checked="now"), "MODEL_LOADING"),
        (RegistryIndex(checked="now"), "MODEL_UNKNOWN"),
    ],
    ids=["first poll", "unreachable", "stale", "empty"],
)
def test_a_segment_of_no_known_family_is_unknown_only_if_the_registry_is_known(index: RegistryIndex, code: str) -> None:
    """Otherwise the client tries again."""
    with pytest.raises(AlmanacError) as raised:
        SegmentRouter(lambda: index).family(None, ["North"])

    assert raised.value.code == code


def test_a_family_whose_models_are_being_loaded_is_tried_again(
    home: ServiceHome, start: Callable[..., TestClient]
) -> None:
    """With 503, as a single model; a series with a forecast has 200, and the others' errors are in the body."""
    publish(home, "North")
    publish(home, "South")
    model = home.cache.read().models["shops-South"]
    home.set_models({"shops-South": replace(model, versions={"1": ModelVersion("run-1")})})
    client = start()
    eventually(lambda: client.app.state.service.catalog.champions, "no champion")  # type: ignore[attr-defined]
    body = {"horizon": 3, "series": [{"values": VALUES, "segment": "South"}]}

    loading = client.post("/forecast", json=body)
    some = ask(client, {"segment": "North"}, {"segment": "South"})

    assert (loading.status_code, loading.json()["code"], loading.headers["retry-after"]) == (503, "MODEL_LOADING", "2")
    assert [len(some["forecasts"]), some["errors"][0]["code"]] == [1, "MODEL_LOADING"]


def test_the_index_keeps_families() -> None:
    """It is written to the cache, which every worker reads."""
    index = RegistryIndex({"shops-a": RegisteredModel(family="shops", segment="a")})

    assert RegistryIndex.from_dict(index.to_dict()) == index
