"""The catalog: which version answers, and when it changes."""

import asyncio
import shutil
import time
from collections.abc import Callable
from dataclasses import replace

import pytest
from starlette.testclient import TestClient

from service.errors import ModelLoading, ModelRefused, NoModel
from service.selector import Selector
from service.serving.catalog import Catalog
from service.serving.index_follower import silence_of
from service.serving.model_loader import ModelLimits
from service.serving.registry_index import ModelVersion, RegisteredModel, RegistryIndex, RegistryState
from tests.service.home import ServiceHome, eventually

MONTHS = [float(month) for month in range(1, 61)]
REQUEST = {"series": [{"values": MONTHS}], "horizon": 1}


def version_of(client: TestClient) -> str:
    """Return the version that answers a forecast."""
    return str(client.post("/forecast", json=REQUEST).json()["model"]["version"])


def metric(client: TestClient, sample: str) -> float:
    """Return the value of one sample, 0 if there is none."""
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
def test_a_selector_has_an_alias_or_a_version(text: str, expected: Selector) -> None:
    """A name alone means its champion."""
    assert Selector.parse(text) == expected


def test_a_moved_alias_changes_the_version_that_answers(home: ServiceHome, start: Callable[..., TestClient]) -> None:
    """And back again, without loading the old version a second time."""
    home.publish("temperatures", "1")
    client = start()

    home.publish("temperatures", "2", shift=100.0)
    eventually(lambda: version_of(client) == "2", "the promotion was not noticed")
    home.publish("temperatures", "1")

    eventually(lambda: version_of(client) == "1", "the rollback was not noticed")
    assert metric(client, 'almanac_model_reloads_total{model="temperatures",outcome="ok"}') == 2.0
    assert 'almanac_model_info{alias="champion",architecture="lstm"' in client.get("/metrics").text


def test_a_version_that_fails_its_golden_forecasts_never_answers(
    home: ServiceHome, start: Callable[..., TestClient]
) -> None:
    """The old one answers, the failure is counted once, and a request for the new one gets the reason."""
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


def test_a_champion_in_memory_is_kept_if_the_index_loses_it(
    home: ServiceHome, start: Callable[..., TestClient]
) -> None:
    """Until there is another champion."""
    home.publish("temperatures", "1")
    client = start()
    catalog = client.app.state.service.catalog  # type: ignore[attr-defined]

    home.set_empty()
    eventually(lambda: catalog.index.models == {}, "the index was not read")

    assert version_of(client) == "1"
    assert client.get("/health/ready").status_code == 200
    home.publish("temperatures", "2", shift=1.0)
    eventually(lambda: version_of(client) == "2", "the promotion was not noticed")


def test_the_default_stays_after_a_restart(home: ServiceHome, start: Callable[..., TestClient]) -> None:
    """A name that was registered before it, and has a champion since then, does not become the default."""
    home.publish("temperatures", "1")
    first = start()
    eventually(lambda: first.app.state.service.catalog.remembered == "temperatures", "the default was not stored")  # type: ignore[attr-defined]
    home.publish("rain", "1")
    index = home.cache.read()
    created = {"rain": 1, "temperatures": 5}
    home.set_models({name: replace(one, created=created[name]) for name, one in index.models.items()})

    again = start().app.state.service.catalog  # type: ignore[attr-defined]

    eventually(lambda: again.remembered == "temperatures" and len(again.names()) == 2, "the default was not read")
    assert again.default == "temperatures"


def test_champions_of_another_registry_leave_memory(home: ServiceHome) -> None:
    """A new server may start from the index of an old one."""
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


def unmount(home: ServiceHome) -> None:
    """Take the home away."""
    home.path.rename(home.path.with_name("away"))


def start_anew(home: ServiceHome) -> None:
    """Take the home away; a new registry process finds an empty folder."""
    unmount(home)
    home.cache.write(RegistryIndex(state="absent", detail="There is no registry yet.", checked="later"))


@pytest.mark.parametrize(
    ("lose", "state"),
    [
        (lambda home: shutil.rmtree(home.cache.root), "ok"),
        (unmount, "unreachable"),
        (start_anew, "unreachable"),
        (lambda home: home.cache.write(RegistryIndex(checked="later", source="one")), "emptied"),
        (lambda _home: time.sleep(0.2), "stale"),
    ],
    ids=["cache", "home", "empty home", "empty registry", "silence"],
)
def test_without_news_of_the_registry_models_stay(
    home: ServiceHome, lose: Callable[[ServiceHome], None], state: RegistryState
) -> None:
    """Those in memory answer and are listed, and the state says what is wrong until there is news."""
    home.publish("temperatures", "1")
    home.cache.write(index := replace(home.cache.read(), source="one"))
    catalog = Catalog(home.cache, limits=ModelLimits(silence=0.1 if state == "stale" else 60.0))

    async def follow() -> list[object]:
        await catalog.refresh()
        lose(home)
        for _ in range(2):
            await catalog.refresh()
        found = [catalog.index.state, (await catalog.select(None)).model.name, [*catalog.index.models]]
        home.cache.write(index)
        await catalog.refresh()
        return [*found, catalog.readiness_error(), catalog.index.state]

    assert asyncio.run(follow()) == [state, "temperatures", ["temperatures"], None, "ok"]


def test_an_index_is_stale_after_ten_polls_and_a_minute() -> None:
    """Whichever is longer."""
    assert [silence_of(seconds) for seconds in (0.1, 2.0, 30.0)] == [60.0, 60.0, 300.0]


def test_the_same_number_of_another_run_is_another_version(home: ServiceHome) -> None:
    """A new registry counts from 1 again."""
    home.publish("temperatures", "1")
    catalog = Catalog(home.cache)

    async def select() -> list[str | None]:
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

    assert asyncio.run(select()) == ["run-1", "new", "new"]


def test_an_unreachable_registry_changes_nothing(home: ServiceHome, start: Callable[..., TestClient]) -> None:
    """The cached model answers, even after a restart."""
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
def test_an_empty_and_an_unreachable_registry_have_different_errors(
    home: ServiceHome, state: RegistryState, expected: type
) -> None:
    """For a request that names a model; without a name the starter answers."""
    home.set_models({}, state=state, detail="because")
    catalog = Catalog(home.cache)

    async def select() -> str:
        await catalog.refresh()
        with pytest.raises(expected, match="starter"):
            await catalog.select("temperatures")
        return (await catalog.select(None)).model.name

    assert asyncio.run(select()) == "starter"
    assert catalog.readiness_error() is None


def test_before_the_first_poll_the_model_is_loading(home: ServiceHome) -> None:
    """It may contain one."""
    catalog = Catalog(home.cache)

    asyncio.run(catalog.refresh())

    assert isinstance(catalog.readiness_error(), ModelLoading)


@pytest.mark.parametrize("default", ["temperatures", "rain@best", "rain/7"])
def test_a_default_that_is_not_registered_is_an_error_of_the_setting(
    home: ServiceHome, start: Callable[..., TestClient], caplog: pytest.LogCaptureFixture, default: str
) -> None:
    """503 for a request without `model`, and a warning in the log; 422 for a request with it."""
    home.publish("rain", "1")
    client = start(wait=False, model=default)
    catalog = client.app.state.service.catalog  # type: ignore[attr-defined]
    eventually(lambda: catalog.champions, "nothing was loaded")

    bare = client.post("/forecast", json=REQUEST)
    named = client.post("/forecast", json={**REQUEST, "model": default})
    eventually(lambda: any("ALMANAC_MODEL" in one.message for one in caplog.records), "nothing was logged")

    assert (bare.status_code, bare.json()["code"], bare.json()["pointer"]) == (503, "DEFAULT_MODEL_UNKNOWN", "")
    assert "ALMANAC_MODEL" in bare.json()["detail"]
    assert "Set ALMANAC_MODEL" in bare.json()["hint"]
    assert (named.status_code, named.json()["code"], named.json()["pointer"]) == (422, "MODEL_UNKNOWN", "/model")
    assert client.get("/health/ready").json()["code"] == "DEFAULT_MODEL_UNKNOWN"
    assert client.post("/forecast", json={**REQUEST, "model": "rain"}).status_code == 200


def test_a_long_name_is_cut_in_the_error(shared_client: TestClient) -> None:
    """As are long aliases and versions."""
    for model in ("n" * 5000, "temperatures@" + "a" * 5000, "temperatures/" + "9" * 5000):
        refusal = shared_client.post("/forecast", json={**REQUEST, "model": model}).json()

        assert refusal["code"] == "MODEL_UNKNOWN"
        assert "…" in refusal["detail"]
        assert len(str(refusal)) < 500


def test_a_foreign_model_does_not_count_as_a_name(home: ServiceHome) -> None:
    """A request without `model` still means the only Almanac model."""
    home.publish("temperatures", "1")
    home.set_models(
        {"foreign": RegisteredModel({"1": ModelVersion("run", None, "not an Almanac model")}, {"champion": "1"})}
    )
    catalog = Catalog(home.cache)

    async def select(text: str | None) -> str:
        await catalog.refresh()
        return (await catalog.select(text)).model.name

    assert asyncio.run(select(None)) == "temperatures"
    with pytest.raises(ModelRefused, match="not an Almanac model"):
        asyncio.run(select("foreign"))
