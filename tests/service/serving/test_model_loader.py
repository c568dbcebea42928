"""The model loader: each version is loaded once, and a limited number stays in memory."""

import asyncio
import shutil
from typing import Any

import pytest

from service.errors import ModelLoading
from service.serving.catalog import Catalog
from service.serving.model_loader import ModelLimits
from service.serving.registry_index import ModelVersion, RegisteredModel
from tests.service.home import ServiceHome


def test_a_damaged_artifact_is_logged_once(home: ServiceHome, caplog: pytest.LogCaptureFixture) -> None:
    """However often it is requested."""
    digest = home.publish("rain", "1")
    shutil.rmtree(home.cache.path(digest))
    catalog = Catalog(home.cache)

    async def ask() -> None:
        await catalog.refresh()
        for _ in range(5):
            with pytest.raises(ModelLoading):
                await catalog.select("rain/1")

    asyncio.run(ask())

    assert len([one for one in caplog.records if "rain/1" in one.message]) == 1


def test_a_version_that_is_not_cached_is_fetched(home: ServiceHome) -> None:
    """If it is registered."""
    home.publish("temperatures", "1")
    home.set_models(
        {"temperatures": RegisteredModel({"1": ModelVersion("run"), "2": ModelVersion("run")}, {"champion": "1"})}
    )
    fetched: list[tuple[str, str]] = []
    catalog = Catalog(home.cache, fetch=lambda *version: fetched.append(version))

    async def select() -> None:
        await catalog.refresh()
        await catalog.select("temperatures/2")

    with pytest.raises(ModelLoading):
        asyncio.run(select())

    assert ("temperatures", "2") in fetched


def test_a_version_is_loaded_once_for_many_requests(home: ServiceHome) -> None:
    """At the same time."""
    home.publish("temperatures", "1")
    home.publish("temperatures", "2", alias=None, shift=1.0)
    loads: list[str] = []
    catalog = Catalog(home.cache, on_load=lambda name, _outcome: loads.append(name))

    async def select() -> list[Any]:
        await catalog.refresh()
        return await asyncio.gather(*(catalog.select("temperatures/2") for _ in range(20)))

    selected = asyncio.run(select())

    assert {one.model.version for one in selected} == {"2"}
    assert len(loads) == 2


def test_the_number_of_versions_in_memory_is_limited(home: ServiceHome) -> None:
    """The least recently used one is dropped, but not the champion."""
    home.publish("temperatures", "1")
    for number in range(2, 6):
        home.publish("temperatures", str(number), alias=None, shift=float(number))
    catalog = Catalog(home.cache, limits=ModelLimits(versions=3))

    async def select() -> None:
        await catalog.refresh()
        for number in range(2, 6):
            await catalog.select(f"temperatures/{number}")

    asyncio.run(select())

    assert [model.version for model in catalog.loader.loaded()] == ["1", "4", "5"]
