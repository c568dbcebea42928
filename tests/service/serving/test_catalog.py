"""The catalog: which version answers, and when another takes its place."""

import asyncio
import shutil
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from starlette.testclient import TestClient

from service.errors import DefaultUnknown, ModelLoading, ModelRefused, NoModel
from service.selector import Selector
from service.serving.catalog import Catalog
from service.serving.registry_index import ModelVersion, RegisteredModel, RegistryIndex
from tests.service.home import ServiceHome, eventually

MONTHS = [float(month) for month in range(1, 61)]
REQUEST = {"series": [{"values": MONTHS}], "horizon": 1}


def version_of(client: TestClient) -> str:
    """Return the version that answers now."""
    return str(client.post("/forecast", json=REQUEST).json()["model"]["version"])


def metric(client: TestClient, sample: str) -> float:
    """Return the value of one sample, 0 where it is not there."""
    lines = client.get("/metrics").text.splitlines()
    return next((float(line.rpartition(" ")[2]) for line in lines if line.startswith(sample + " ")), 0.0)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("rain", Selector("rain", "champion")),
        ("rain@challenger", Selector("rain", "challenger")),
        ("rain/7", Selector("rain", None, "7")),
        ("a/b/7", Selector("a/b", None, "7")),
        ("starter", Selector("starter", None)),
        ("starter@champion", Selector("starter", "champion")),
    ],
)
def test_a_model_is_named_in_three_ways(text: str, expected: Selector) -> None:
    """A bare name means its champion."""
    assert Selector.parse(text) == expected


def test_a_moved_alias_changes_the_version_that_answers(home: ServiceHome, start: Callable[..., TestClient]) -> None:
    """Forth, and back again: the old version is still in memory."""
    home.publish("temperatures", "1")
    client = start()

    home.publish("temperatures", "2", shift=100.0)
    eventually(lambda: version_of(client) == "2", "the promotion went unnoticed")
    home.publish("temperatures", "1")

    eventually(lambda: version_of(client) == "1", "the rollback went unnoticed")
    assert metric(client, 'almanac_model_reloads_total{model="temperatures",outcome="ok"}') == 2.0
    assert 'almanac_model_info{alias="champion",architecture="lstm"' in client.get("/metrics").text


def test_a_version_that_fails_its_goldens_never_answers(home: ServiceHome, start: Callable[..., TestClient]) -> None:
    """The old one goes on, the failure is counted once, and asking for the new one says why."""
    home.publish("temperatures", "1")
    client = start()
    with home.cache.download() as folder:
        shutil.copytree(home.cache.path(home.store()), folder / "a")
        shutil.copy(home.cache.path(home.store(shift=5.0)) / "network.onnx", folder / "a" / "network.onnx")
        digest = home.cache.store(folder)
    versions = {**home.cache.read().models["temperatures"].versions, "2": ModelVersion("run-2", digest)}

    home.set_models({"temperatures": RegisteredModel(versions, {"champion": "2"})})

    failed = 'almanac_model_reloads_total{model="temperatures",outcome="failed"}'
    eventually(lambda: metric(client, failed) == 1.0, "the failure was not counted")
    assert version_of(client) == "1"
    refusal = client.post("/forecast", json={**REQUEST, "model": "temperatures/2"})
    assert (refusal.status_code, refusal.json()["code"]) == (503, "MODEL_REFUSED")
    errors = {one["version"]: one["error"] for one in client.get("/models/temperatures").json()["versions"]}
    assert errors["1"] == ""
    assert errors["2"] == refusal.json()["detail"]
    assert metric(client, failed) == 1.0


def test_a_champion_in_memory_outlives_an_index_without_it(home: ServiceHome, start: Callable[..., TestClient]) -> None:
    """Only another champion takes its place; a request that names no model still means it."""
    home.publish("temperatures", "1")
    client = start()
    catalog = client.app.state.service.catalog  # type: ignore[attr-defined]

    home.set_empty()
    eventually(lambda: catalog.index.models == {}, "the empty index went unread")

    assert version_of(client) == "1"
    assert client.get("/health/ready").status_code == 200
    home.publish("temperatures", "2", shift=1.0)
    eventually(lambda: version_of(client) == "2", "the promotion went unnoticed")


def test_champions_of_another_registry_leave_memory(home: ServiceHome) -> None:
    """A new server starts from the last index, whose registry may not be the one that it is now told of."""
    home.publish("temperatures", "1")
    home.cache.write(replace(home.cache.read(), source="one"))
    catalog = Catalog(home.cache)

    async def champions() -> list[list[str]]:
        await catalog.refresh()
        before = catalog.names()
        home.cache.write(RegistryIndex(checked="now", source="another"))
        await catalog.refresh()
        return [before, catalog.names()]

    assert asyncio.run(champions()) == [["temperatures"], []]


def test_a_cache_that_is_removed_changes_nothing(home: ServiceHome, start: Callable[..., TestClient]) -> None:
    """What is in memory answers; the models stay listed."""
    home.publish("temperatures", "1")
    client = start()
    catalog = client.app.state.service.catalog  # type: ignore[attr-defined]

    shutil.rmtree(home.cache.root)
    asyncio.run(catalog.refresh())

    assert version_of(client) == "1"
    assert client.get("/health/ready").status_code == 200
    assert "temperatures" in [one["name"] for one in client.get("/models").json()["models"]]


def test_the_same_number_of_another_run_is_another_version(home: ServiceHome) -> None:
    """A registry made anew counts from 1 again; its first model takes over."""
    home.publish("temperatures", "1")
    catalog = Catalog(home.cache)

    async def choose() -> list[str | None]:
        await catalog.refresh()
        before = (await catalog.select(None)).model.run_id
        home.set_models(
            {"temperatures": RegisteredModel({"1": ModelVersion("new", home.store(shift=1.0))}, {"champion": "1"})}
        )
        await catalog.refresh()
        return [
            before,
            (await catalog.select(None)).model.run_id,
            (await catalog.select("temperatures/1")).model.run_id,
        ]

    assert asyncio.run(choose()) == ["run-1", "new", "new"]


def test_a_registry_that_falls_silent_changes_nothing(home: ServiceHome, start: Callable[..., TestClient]) -> None:
    """The cache goes on answering, also after a restart."""
    home.publish("temperatures", "1")
    home.set_models({}, state="unreachable", detail="timed out")

    client = start()

    assert version_of(client) == "1"
    assert client.get("/models").json()["registry"] == {
        "state": "unreachable",
        "detail": "timed out",
        "checked": "2026-01-01T00:00:00+00:00",
    }
    assert metric(client, "almanac_registry_up") == 0.0


@pytest.mark.parametrize(("state", "expected"), [("ok", NoModel), ("absent", NoModel), ("unreachable", ModelLoading)])
def test_an_empty_registry_and_a_silent_one_are_told_apart(home: ServiceHome, state: Any, expected: type) -> None:  # noqa: ANN401
    """The remedy is another, for whoever asks for a model by its name; the starter answers who does not."""
    home.set_models({}, state=state, detail="because")
    catalog = Catalog(home.cache)

    async def choose() -> str:
        await catalog.refresh()
        with pytest.raises(expected, match="starter"):
            await catalog.select("temperatures")
        return (await catalog.select(None)).model.name

    assert asyncio.run(choose()) == "starter"
    assert catalog.readiness_error() is None


def test_before_the_registry_has_answered_the_model_is_loading(home: ServiceHome) -> None:
    """Nothing is known yet: not that there is nothing."""
    catalog = Catalog(home.cache)

    asyncio.run(catalog.refresh())

    assert isinstance(catalog.readiness_error(), ModelLoading)


def test_a_default_that_is_not_there_is_what_keeps_the_service_from_ready(home: ServiceHome) -> None:
    """Other champions do not make up for ALMANAC_MODEL."""
    home.publish("rain", "1")
    catalog = Catalog(home.cache, default="temperatures")

    asyncio.run(catalog.refresh())

    assert isinstance(catalog.readiness_error(), DefaultUnknown)


@pytest.mark.parametrize("default", ["temperatures", "rain@best", "rain/7"])
def test_a_default_that_is_not_registered_is_the_settings_fault(
    home: ServiceHome, start: Callable[..., TestClient], caplog: pytest.LogCaptureFixture, default: str
) -> None:
    """A request without `model` is sound: 503, the setting named, in the log too; one that names the model is at fault."""
    home.publish("rain", "1")
    client = start(wait=False, model=default)
    catalog = client.app.state.service.catalog  # type: ignore[attr-defined]
    eventually(lambda: catalog.champions, "nothing is loaded")

    bare = client.post("/forecast", json=REQUEST)
    named = client.post("/forecast", json={**REQUEST, "model": default})
    eventually(lambda: any("ALMANAC_MODEL" in one.message for one in caplog.records), "the log says nothing")

    assert (bare.status_code, bare.json()["code"], bare.json()["pointer"]) == (503, "DEFAULT_MODEL_UNKNOWN", "")
    assert "ALMANAC_MODEL" in bare.json()["detail"]
    assert "Set ALMANAC_MODEL" in bare.json()["hint"]
    assert (named.status_code, named.json()["code"], named.json()["pointer"]) == (422, "MODEL_UNKNOWN", "/model")
    assert client.get("/health/ready").json()["code"] == "DEFAULT_MODEL_UNKNOWN"
    assert client.post("/forecast", json={**REQUEST, "model": "rain"}).status_code == 200


def test_a_damaged_artifact_is_said_once(home: ServiceHome, caplog: pytest.LogCaptureFixture) -> None:
    """However often it is asked for."""
    digest = home.publish("rain", "1")
    shutil.rmtree(home.cache.path(digest))
    catalog = Catalog(home.cache)

    async def ask() -> None:
        await catalog.refresh()
        for _ in range(5):
            with pytest.raises(ModelLoading):
                await catalog.select("rain/1")

    asyncio.run(ask())

    assert len([one for one in caplog.records if "missing or damaged" in one.message]) == 1


def test_a_long_name_is_not_echoed_whole(client: TestClient) -> None:
    """Its beginning suffices."""
    for model in ("n" * 5000, "temperatures@" + "a" * 5000, "temperatures/" + "9" * 5000):
        refusal = client.post("/forecast", json={**REQUEST, "model": model}).json()

        assert refusal["code"] == "MODEL_UNKNOWN"
        assert "…" in refusal["detail"]
        assert len(str(refusal)) < 500


def test_a_version_that_is_not_cached_is_asked_for(home: ServiceHome) -> None:
    """Once it is known by its number, the registry's child is told to fetch it."""
    home.publish("temperatures", "1")
    home.set_models(
        {"temperatures": RegisteredModel({"1": ModelVersion("run"), "2": ModelVersion("run")}, {"champion": "1"})}
    )
    asked: list[tuple[str, str]] = []
    catalog = Catalog(home.cache, fetch=lambda *wish: asked.append(wish))

    async def choose() -> None:
        await catalog.refresh()
        await catalog.select("temperatures/2")

    with pytest.raises(ModelLoading):
        asyncio.run(choose())

    assert ("temperatures", "2") in asked


def test_many_who_ask_for_one_version_wait_for_one_load(home: ServiceHome) -> None:
    """A version is loaded once, however many ask for it at the same time."""
    home.publish("temperatures", "1")
    home.publish("temperatures", "2", alias=None, shift=1.0)
    loads: list[str] = []
    catalog = Catalog(home.cache, on_load=lambda name, _outcome: loads.append(name))

    async def choose() -> list[Any]:
        await catalog.refresh()
        return await asyncio.gather(*(catalog.select("temperatures/2") for _ in range(20)))

    choices = asyncio.run(choose())

    assert {choice.model.version for choice in choices} == {"2"}
    assert len(loads) == 2


def test_memory_holds_only_so_many_versions_and_always_the_champion(home: ServiceHome) -> None:
    """The least recently asked for makes room."""
    home.publish("temperatures", "1")
    for number in range(2, 6):
        home.publish("temperatures", str(number), alias=None, shift=float(number))
    catalog = Catalog(home.cache, limit=3)

    async def choose() -> None:
        await catalog.refresh()
        for number in range(2, 6):
            await catalog.select(f"temperatures/{number}")

    asyncio.run(choose())

    assert [served.version for served in catalog.loaded()] == ["1", "4", "5"]


def test_a_foreign_model_is_no_name_of_ours(home: ServiceHome) -> None:
    """The only name of ours needs no naming, though the registry has others."""
    home.publish("temperatures", "1")
    home.set_models(
        {"foreign": RegisteredModel({"1": ModelVersion("run", None, "no model of Almanac's")}, {"champion": "1"})}
    )
    catalog = Catalog(home.cache)

    async def choose(text: str | None) -> str:
        await catalog.refresh()
        return (await catalog.select(text)).model.name

    assert asyncio.run(choose(None)) == "temperatures"
    with pytest.raises(ModelRefused, match="no model of Almanac"):
        asyncio.run(choose("foreign"))
