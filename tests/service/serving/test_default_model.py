"""The default model: what answers requests without `model`, the starter among others."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from service.errors import ModelLoading, ModelRequired, NoModel
from service.serving.artifact_cache import ArtifactCache
from service.serving.catalog import Catalog
from service.serving.registry_index import ModelVersion, RegisteredModel, RegistryIndex
from tests.service.home import ServiceHome, eventually
from tests.starters import make_starters

MONTHS = [float(month) for month in range(1, 61)]
REQUEST = {"series": [{"values": MONTHS}], "horizon": 1}


def selected(home: ServiceHome, text: str | None = None, **options: Any) -> str:  # noqa: ANN401 (of Catalog)
    """Return the name and alias that the catalog selects."""
    catalog = Catalog(home.cache, **options)

    async def select() -> str:
        await catalog.refresh()
        found = await catalog.select(text)
        return f"{found.model.name}@{found.alias}"

    return asyncio.run(select())


def answering(client: TestClient) -> str:
    """Return the name of the model that answers a request without `model`."""
    return str(client.post("/forecast", json=REQUEST).json()["model"]["name"])


def test_before_the_first_poll_the_starter_answers_only_by_name(home: ServiceHome) -> None:
    """The registry may contain a champion."""
    assert selected(home, "starter") == "starter@None"
    with pytest.raises(ModelLoading, match="starter"):
        selected(home)


def test_the_starter_answers_while_the_cache_cannot_be_written(tmp_path: Path) -> None:
    """As with an empty registry: nothing else can be served. Afterwards the registry counts again."""
    (tmp_path / "file").touch()
    catalog = Catalog(ArtifactCache(tmp_path / "file" / "cache"))

    asyncio.run(catalog.refresh())

    assert (catalog.default, catalog.readiness_error(), catalog.index.state) == ("starter", None, "unwritable")
    with pytest.raises(ModelLoading, match="cannot be written"):
        asyncio.run(catalog.select("rain"))
    (tmp_path / "file").unlink()
    ArtifactCache(tmp_path / "file" / "cache").write(RegistryIndex(checked="2024"))
    asyncio.run(catalog.refresh())
    assert catalog.index.state == "ok"


def test_the_starter_can_be_the_default(home: ServiceHome, start: Callable[..., TestClient]) -> None:
    """Whatever is registered, and before the first poll."""
    client = start(model="starter")

    home.publish("temperatures", "1")
    eventually(lambda: len(client.get("/models").json()["models"]) == 2, "the model was not noticed")

    assert answering(client) == "starter"
    assert client.get("/health/ready").json()["models"][-1]["name"] == "starter"
    assert client.get("/models").json()["default"] == "starter"


def test_the_first_registered_model_takes_over(home: ServiceHome, start: Callable[..., TestClient]) -> None:
    """For requests without `model`."""
    home.set_empty()
    client = start()
    ready = client.get("/health/ready").json()

    home.publish("temperatures", "1")

    assert [one["name"] for one in ready["models"]] == ["starter"]
    eventually(lambda: answering(client) == "temperatures", "the promotion was not noticed")
    assert [one["name"] for one in client.get("/health/ready").json()["models"]] == ["temperatures"]


def test_the_error_about_several_models_lists_the_starter(home: ServiceHome) -> None:
    """With the registered names."""
    home.publish("temperatures", "1")
    home.publish("rain", "1", shift=1.0)

    with pytest.raises(ModelRequired, match=r'temperatures, rain.*"starter"'):
        selected(home)


@pytest.mark.parametrize("created", [{"a": 2, "z": 1, "b": 3}, {"a": 0, "z": 1, "b": 0}])
def test_the_default_stays_when_other_names_are_registered(home: ServiceHome, created: dict[str, int]) -> None:
    """The first name that was registered, also after a restart; a running service keeps its default in any case."""
    home.publish("z", "1")
    catalog = Catalog(home.cache)
    asyncio.run(catalog.refresh())
    before = catalog.default
    for name in ("a", "b"):
        home.publish(name, "1", shift=1.0)
    models = home.cache.read().models
    home.set_models({name: replace(models[name], created=moment) for name, moment in created.items()})
    restarted = Catalog(home.cache)

    asyncio.run(catalog.refresh())
    asyncio.run(restarted.refresh())

    assert (before, catalog.default) == ("z", "z")
    assert restarted.default == ("z" if all(created.values()) else None)


def test_a_broken_champion_is_not_replaced_by_the_starter(home: ServiceHome, start: Callable[..., TestClient]) -> None:
    """Its error is returned, and the service is not ready."""
    other = home.store(shift=5.0)
    with home.cache.download() as folder:
        broken = make_starters(folder, only=("M",)) / "M"
        (broken / "network.onnx").write_bytes((home.cache.path(other) / "network.onnx").read_bytes())
        digest = home.cache.store(folder)
    home.set_models({"temperatures": RegisteredModel({"1": ModelVersion("run", digest)}, {"champion": "1"})})
    client = start(wait=False)

    eventually(lambda: client.get("/health/ready").json()["code"] == "MODEL_REFUSED", "the champion was not refused")
    answer = client.post("/forecast", json=REQUEST)

    assert (answer.status_code, answer.json()["code"]) == (503, "MODEL_REFUSED")
    assert client.post("/forecast", json={**REQUEST, "model": "starter"}).status_code == 200


def test_a_champion_that_is_not_cached_is_not_replaced_by_the_starter(home: ServiceHome) -> None:
    """The request gets MODEL_LOADING."""
    home.set_models({"temperatures": RegisteredModel({"1": ModelVersion("run")}, {"champion": "1"})})

    with pytest.raises(ModelLoading):
        selected(home)


def test_a_model_without_a_champion_is_not_replaced_by_the_starter(home: ServiceHome) -> None:
    """The error contains the command that sets one, and the starter's name."""
    home.set_models({"temperatures": RegisteredModel({"1": ModelVersion("run")}, {})})

    with pytest.raises(NoModel, match=r"temperatures.*almanac promote.*starter"):
        selected(home)


def test_the_starter_answers_beside_foreign_models(home: ServiceHome) -> None:
    """In a registry shared with other programs."""
    home.set_models(
        {
            "foreign": RegisteredModel(
                {"1": ModelVersion("run", None, "This is not an Almanac model")}, {"champion": "1"}
            )
        }
    )

    assert selected(home) == "starter@None"


def test_a_registered_model_of_that_name_answers_by_alias_and_version(home: ServiceHome) -> None:
    """It was registered before the name was reserved; `starter` alone is the package's."""
    home.publish("starter", "1", shift=1.0)

    found = {text: selected(home, text) for text in (None, "starter@champion", "starter/1", "starter")}

    assert found == {
        None: "starter@champion",
        "starter@champion": "starter@champion",
        "starter/1": "starter@None",
        "starter": "starter@None",
    }
