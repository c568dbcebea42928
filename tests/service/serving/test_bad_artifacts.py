"""Bad artifacts of many kinds, each refused with its reason, counted and logged; the old champion answers all the same."""

import asyncio
import errno
import json
import math
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from models import artifact
from models.errors import ArtifactIncomplete
from service.errors import ModelRefused
from service.serving.artifact_cache import ArtifactCache, digest_of
from service.serving.catalog import Catalog
from service.serving.model_loader import ModelLimits
from service.serving.registry_index import FOREIGN, ModelVersion, RegisteredModel
from service.serving.registry_process import RegistryPoller
from tests.service.home import CHECKED, ServiceHome
from tests.service.serving.fake_mlflow import FakeMlflow

Spoil = Callable[[Path], object]


def network(change: Callable[[onnx.ModelProto], object]) -> Spoil:
    """Return what changes the network of an artifact."""

    def spoil(folder: Path) -> None:
        model = onnx.load(folder / artifact.NETWORK)
        change(model)
        (folder / artifact.NETWORK).write_bytes(model.SerializeToString())

    return spoil


def text(name: str, change: Callable[[dict[str, object]], object]) -> Spoil:
    """Return what changes a JSON file of an artifact."""

    def spoil(folder: Path) -> None:
        data = json.loads((folder / name).read_text())
        change(data)
        (folder / name).write_text(json.dumps(data))

    return spoil


def content(name: str, change: Callable[[bytes], bytes]) -> Spoil:
    """Return what changes the bytes of a file."""
    return lambda folder: (folder / name).write_bytes(change((folder / name).read_bytes()))


def shift(model: onnx.ModelProto, by: float) -> None:
    """Add a number to what the network returns."""
    output = model.graph.output[0].name
    for node in model.graph.node:
        node.output[:] = ["inner" if name == output else name for name in node.output]
    model.graph.initializer.append(numpy_helper.from_array(np.array(by, np.float64), "by"))
    model.graph.node.append(helper.make_node("Add", ["inner", "by"], [output]))


def external(model: onnx.ModelProto) -> None:
    """Keep a weight in another file."""
    model.graph.initializer[0].ClearField("raw_data")
    model.graph.initializer[0].data_location = TensorProto.EXTERNAL
    model.graph.initializer[0].external_data.add(key="location", value="weights.bin")


def custom(model: onnx.ModelProto) -> None:
    """Add an operator of a library."""
    model.graph.node.append(helper.make_node("Shell", [], ["e"], domain="evil.ops"))


def link(folder: Path) -> None:
    """Make the network a link to a file outside the folder that the artifact's folder is in."""
    (folder / artifact.NETWORK).rename(folder.parents[1] / "elsewhere.onnx")
    (folder / artifact.NETWORK).symlink_to(folder.parents[1] / "elsewhere.onnx")


def link_within(folder: Path) -> None:
    """Make the network a link to another file of the same folder."""
    (folder / artifact.NETWORK).rename(folder / "other.onnx")
    (folder / artifact.NETWORK).symlink_to("other.onnx")


KINDS: dict[str, tuple[Spoil, str]] = {
    "empty network": (content(artifact.NETWORK, lambda _: b""), "ONNX|inputs"),
    "truncated network": (content(artifact.NETWORK, lambda old: old[: len(old) // 2]), "not an ONNX graph"),
    "not a network": (content(artifact.NETWORK, lambda _: b"<html>not found</html>"), "not an ONNX graph"),
    "pickle": (content(artifact.NETWORK, lambda _: pickle.dumps({"weights": 1})), "not an ONNX graph|cannot be opened"),
    "NaN weights": (network(lambda model: shift(model, math.nan)), "differ from golden.json by nan"),
    "external data": (network(external), "another file"),
    "custom operators": (network(custom), "evil.ops"),
    "other weights": (network(lambda model: shift(model, 5.0)), "differ from"),
    "spec of another context": (text(artifact.SPEC, lambda spec: spec.update(context_length=61)), "context"),
    "truncated spec": (content(artifact.SPEC, lambda old: old[:100]), "spec.json"),
    "spec of another format": (text(artifact.SPEC, lambda spec: spec.update(format=99)), "format"),
    "spec of another horizon": (text(artifact.SPEC, lambda spec: spec.update(horizon=13)), "horizon"),
    "spec of covariates that the network lacks": (
        text(artifact.SPEC, lambda spec: spec.update(past_covariates=["a"])),
        "covariates",
    ),
    "spec without a season": (text(artifact.SPEC, lambda spec: spec.update(season_length=0)), "season_length"),
    "spec nested too deep": (content(artifact.SPEC, lambda _: b"[" * 200_000), "spec.json"),
    "golden forecasts nested too deep": (content(artifact.GOLDEN, lambda _: b"[" * 200_000), "golden.json"),
    "frequency unknown": (text(artifact.SPEC, lambda spec: spec.update(frequency="SM")), "SM"),
    "no golden forecasts": (lambda folder: (folder / artifact.GOLDEN).unlink(), "golden.json"),
    "golden forecasts of another network": (
        text(artifact.GOLDEN, lambda golden: golden.update(quantiles=(np.array(golden["quantiles"]) + 9).tolist())),
        "differ",
    ),
    "too large": (content(artifact.GOLDEN, lambda old: old + b" " * 2_000_000), "at most"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_bad_artifact_is_refused_with_its_reason(
    kind: str, home: ServiceHome, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Where it is stored, or where it is loaded; the version before it goes on."""
    spoil, reason = KINDS[kind]
    monkeypatch.setattr(artifact, "MOST_JSON_BYTES", 1_000_000)
    first = home.publish("temperatures", "1")
    bad = Path(shutil.copytree(home.cache.path(first), tmp_path / "bad"))
    spoil(bad)
    outcomes: list[str] = []
    catalog = Catalog(home.cache, on_load=lambda _name, outcome: outcomes.append(outcome))

    async def serve() -> str:
        await catalog.refresh()
        _publish_as_is(home, bad, "2")
        await catalog.refresh()
        return (await catalog.select(None)).model.version

    assert asyncio.run(serve()) == "1"
    assert outcomes == ["ok", "failed"]
    error = catalog.loader.load_error(home.cache.read().models["temperatures"].versions["2"].digest)
    assert any(part in error for part in reason.split("|")), error
    assert error in caplog.text or error.partition(": ")[2] in caplog.text


def test_a_model_that_the_machine_cannot_load_now_is_tried_again_and_stops_no_other(
    home: ServiceHome, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Without memory or file descriptors, also at the start; it is logged and counted once."""
    home.publish("rain", "1", shift=1.0)
    home.publish("temperatures", "1")
    outcomes: list[tuple[str, str]] = []
    catalog = Catalog(home.cache, on_load=lambda *outcome: outcomes.append(outcome))
    verify = ArtifactCache.verify
    short = home.cache.read().models["rain"].versions["1"].digest

    def verify_some(cache: ArtifactCache, digest: str) -> Path:
        if digest == short:
            raise OSError(errno.EMFILE, "Too many open files")
        return verify(cache, digest)

    async def follow() -> set[str]:
        home.set_models({})
        await catalog.refresh()
        return set(catalog.champions)

    monkeypatch.setattr(ArtifactCache, "verify", verify_some)
    followed = [asyncio.run(follow()) for _ in range(2)]
    monkeypatch.undo()

    assert followed == [{"temperatures"}, {"temperatures"}]
    assert asyncio.run(follow()) == {"rain", "temperatures"}
    assert outcomes == [("rain", "failed"), ("temperatures", "ok"), ("rain", "ok")]
    assert caplog.text.count("rain/1 cannot be loaded now") == 1


def _publish_as_is(home: ServiceHome, folder: Path, version: str) -> None:
    """Put a folder into the cache as it is, and make it the champion."""
    digest = digest_of(folder)
    shutil.copytree(folder, home.cache.path(digest), symlinks=True)
    model = home.cache.read().models["temperatures"]
    versions = {**model.versions, version: ModelVersion(run_id="run-2", digest=digest)}
    home.set_models({"temperatures": RegisteredModel(versions, {"champion": version})})


@pytest.mark.parametrize(
    "spoil",
    [
        link,
        content(artifact.GOLDEN, lambda old: old + b" " * 2_000_000),
        lambda folder: (folder / artifact.SPEC).unlink(),
    ],
)
def test_a_link_a_large_file_or_half_a_model_is_not_stored(
    spoil: Spoil, home: ServiceHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not even read."""
    monkeypatch.setattr("service.serving.artifact_cache.MOST_NETWORK_BYTES", 1_000_000)
    bad = Path(shutil.copytree(home.cache.path(home.publish("temperatures", "1")), tmp_path / "registered" / "bad"))
    spoil(bad)

    with pytest.raises(ArtifactIncomplete, match=r"symbolic link|at most|no spec.json"):
        home.cache.store(bad)


def large(folder: Path) -> None:
    """Add a file with more bytes than the limit of these tests."""
    (folder / "extra.bin").write_bytes(b" " * 2_000_000)


def fetch_from(folder: Path, home: ServiceHome, client: FakeMlflow, monkeypatch: pytest.MonkeyPatch) -> RegistryPoller:
    """Return a poller for which every version is the artifact in a folder, downloaded by MLflow itself."""
    from mlflow import artifacts

    download = artifacts.download_artifacts
    monkeypatch.setattr(
        artifacts, "download_artifacts", lambda dst_path, **_: download(folder.as_uri(), dst_path=dst_path)
    )
    client.uri = folder.as_uri()
    poller = RegistryPoller(home.cache, "http://127.0.0.1:9")
    monkeypatch.setattr(poller, "_connect", lambda: client)
    return poller


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (link, "symbolic link"),
        (link_within, "network.onnx is a symbolic link, which is never followed"),
        (large, r": model/extra.bin has 2 MB; at most 1 MB"),
        (lambda folder: (folder / artifact.SPEC).unlink(), "no spec.json"),
    ],
)
def test_what_the_registry_process_refuses_is_counted_logged_and_said_once(
    spoil: Spoil, reason: str, home: ServiceHome, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is not downloaded again, and the old champion stays."""
    monkeypatch.setattr("service.serving.artifact_cache.MOST_NETWORK_BYTES", 1_000_000)
    bad = home.path / "registered" / "model"
    shutil.copytree(home.cache.path(home.publish("rain", "1")), bad)
    spoil(bad)
    outcomes: list[str] = []
    catalog = Catalog(home.cache, on_load=lambda _name, outcome: outcomes.append(outcome))
    poller = fetch_from(bad, home, FakeMlflow({"rain": ["1", "2"]}, {"rain": {"champion": "2"}}), monkeypatch)

    async def serve() -> str:
        await catalog.refresh()
        for _ in range(2):
            poller.poll(CHECKED)
            await catalog.refresh()
        with pytest.raises(ModelRefused, match=reason):
            await catalog.select("rain/2")
        return (await catalog.select("rain")).model.version

    assert asyncio.run(serve()) == "1"
    assert outcomes == ["ok", "failed"]
    assert [one.getMessage().partition(":")[0] for one in caplog.records].count("rain/2 refused") == 1


@pytest.mark.parametrize(
    ("error", "outcomes"), [("It has 600 MB.", ["failed"]), (f"{FOREIGN}: it has no spec.json.", [])]
)
def test_at_the_start_a_refused_champion_is_said_and_a_model_of_another_team_is_not(
    error: str, outcomes: list[str], home: ServiceHome
) -> None:
    """The starter answers for the latter only."""
    home.set_models({"rain": RegisteredModel({"1": ModelVersion("run", error=error)}, {"champion": "1"})})
    counted: list[str] = []
    catalog = Catalog(home.cache, on_load=lambda name, outcome: counted.append(outcome) if name == "rain" else None)

    asyncio.run(catalog.refresh())
    refusal = catalog.readiness_error()

    assert counted == outcomes
    assert (f"rain/1 cannot be served: {error}" == refusal.detail) if refusal else not outcomes


@pytest.mark.parametrize("default", [None, "rain"])
@pytest.mark.parametrize("is_stored", [True, False])
def test_while_the_only_champion_is_refused_requests_and_readiness_say_what_to_do(
    home: ServiceHome, caplog: pytest.LogCaptureFixture, *, default: str | None, is_stored: bool
) -> None:
    """Whoever refused it; the log says it once, and the starter does not replace it."""
    if is_stored:
        spoiled = home.cache.path(home.publish("rain", "1")) / artifact.GOLDEN
        spoiled.write_text("{}")
        digest = digest_of(spoiled.parent)
        spoiled.parent.rename(home.cache.path(digest))
        version = ModelVersion("run", digest)
    else:
        version = ModelVersion("run", error="It has 600 MB.")
    home.set_models({"rain": RegisteredModel({"1": version}, {"champion": "1"})})
    catalog = Catalog(home.cache, default=default)

    async def ask() -> ModelRefused:
        for _ in range(2):
            await catalog.refresh()
        with pytest.raises(ModelRefused) as first:
            await catalog.select(None)
        with pytest.raises(ModelRefused) as second:
            await catalog.select(None)
        assert (second.value is first.value, second.value.detail) == (False, first.value.detail)
        return first.value

    refusal, ready = asyncio.run(ask()), catalog.readiness_error()

    assert isinstance(ready, ModelRefused)
    for error in (refusal, ready):
        assert error.detail.startswith("rain/1 cannot be served")
        assert "almanac promote rain VERSION" in error.hint
        assert "starter" in error.hint
    assert caplog.text.count("almanac promote rain VERSION") == 1


def test_a_champion_ten_times_slower_does_not_replace_the_old_one(
    home: ServiceHome, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged and counted once, and can be asked for by its number."""
    home.publish("temperatures", "1")
    seconds = iter([0.01, 0.2])
    monkeypatch.setattr(artifact, "forecast_seconds", lambda _forecaster: next(seconds))
    outcomes: list[str] = []
    limits = ModelLimits(slowdown=10)
    catalog = Catalog(home.cache, limits=limits, on_load=lambda _name, outcome: outcomes.append(outcome))

    async def serve() -> list[str]:
        await catalog.refresh()
        home.publish("temperatures", "2", shift=1.0)
        for _ in range(2):
            home.set_models({})
            await catalog.refresh()
        return [(await catalog.select(name)).model.version for name in (None, "temperatures/2")]

    assert asyncio.run(serve()) == ["1", "2"]
    assert outcomes == ["ok", "ok", "failed"]
    assert caplog.text.count("does not become the champion: it takes 200.0 ms") == 1


def test_models_past_the_memory_limit_are_dropped(home: ServiceHome) -> None:
    """The least recently used one first; the champion stays."""
    home.publish("temperatures", "1")
    for number in (2, 3):
        home.publish("temperatures", str(number), alias=None, shift=float(number))
    catalog = Catalog(home.cache, limits=ModelLimits(megabytes=5))

    async def select() -> None:
        await catalog.refresh()
        for number in (2, 3):
            await catalog.select(f"temperatures/{number}")

    asyncio.run(select())

    assert [model.version for model in catalog.loader.loaded()] == ["1", "3"]
    assert all(2 < model.megabytes < 3 for model in catalog.loader.loaded())
