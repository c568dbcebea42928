"""The registry process: the index and the cache after a poll of MLflow."""

import errno
import shutil
import threading
from collections.abc import Callable
from dataclasses import replace
from queue import SimpleQueue
from types import SimpleNamespace
from typing import Any

import pytest

from service.serving.registry_channel import listen
from service.serving.registry_errors import describe
from service.serving.registry_index import ModelVersion, RegisteredModel
from service.serving.registry_process import RegistryPoller
from tests.service.home import ServiceHome
from tests.service.serving.fake_mlflow import FakeMlflow

NOW = "2026-02-02T00:00:00+00:00"


@pytest.fixture
def make_poller(home: ServiceHome, monkeypatch: pytest.MonkeyPatch) -> Callable[..., RegistryPoller]:
    """Return a function that creates a poller with a fake client; every download is the same artifact."""

    def make_poller(
        client: object, fetch: Callable[[str, str, ModelVersion], ModelVersion] | None = None
    ) -> RegistryPoller:
        poller = RegistryPoller(home.cache, "http://127.0.0.1:9")
        monkeypatch.setattr(poller, "_connect", lambda: client)
        fetch = fetch or (lambda _name, _number, version: ModelVersion(version.run_id, home.store()))
        monkeypatch.setattr(poller, "_fetch", fetch)
        return poller

    return make_poller


def test_a_poll_writes_the_index_and_fetches_versions_with_an_alias(
    home: ServiceHome, make_poller: Callable[..., RegistryPoller]
) -> None:
    """Versions in the order of their numbers, from several pages."""
    client = FakeMlflow({"rain": ["10", "9", "2"], "wind": ["1"]}, {"rain": {"champion": "9", "previous": "2"}})

    index = make_poller(client).poll(NOW)

    assert home.cache.read() == index
    assert list(index.models["rain"].versions) == ["2", "9", "10"]
    assert index.models["rain"].aliases == {"champion": "9", "previous": "2"}
    assert {number for number, version in index.models["rain"].versions.items() if version.digest} == {"2", "9"}
    assert index.models["wind"] == RegisteredModel({"1": ModelVersion("run-1")}, {}, created=1)


def test_a_wanted_version_is_fetched_without_an_alias(make_poller: Callable[..., RegistryPoller]) -> None:
    """If it exists."""
    poller = make_poller(FakeMlflow({"rain": ["1", "2"]}, {}))
    poller.want("rain", "2")
    poller.want("rain", "99")
    poller.want("snow", "1")

    index = poller.poll(NOW)

    assert index.models["rain"].versions["2"].digest
    assert index.models["rain"].versions["1"].digest is None


def test_a_cached_version_is_fetched_again_only_if_it_is_damaged(
    home: ServiceHome, make_poller: Callable[..., RegistryPoller]
) -> None:
    """And wanted."""
    fetched: list[str] = []

    def fetch(_name: str, number: str, version: ModelVersion) -> ModelVersion:
        fetched.append(number)
        return ModelVersion(version.run_id, home.store())

    poller = make_poller(FakeMlflow({"rain": ["1"]}, {"rain": {"champion": "1"}}), fetch)
    digest = poller.poll(NOW).models["rain"].versions["1"].digest
    poller.want("rain", "1")
    poller.poll(NOW)
    assert fetched == ["1"]
    assert digest is not None
    (home.cache.path(digest) / "network.onnx").write_bytes(b"broken")
    poller.want("rain", "1")

    poller.poll(NOW)

    assert fetched == ["1", "1"]
    assert home.cache.contains(digest)


def test_a_version_that_cannot_be_served_is_not_fetched_at_every_poll(
    make_poller: Callable[..., RegistryPoller],
) -> None:
    """Its error is stored; a request for it fetches it once more."""
    fetched: list[str] = []

    def fetch(_name: str, number: str, version: ModelVersion) -> ModelVersion:
        fetched.append(number)
        return ModelVersion(version.run_id, None, "no model of Almanac's")

    poller = make_poller(FakeMlflow({"rain": ["1"]}, {"rain": {"champion": "1"}}), fetch)
    poller.poll(NOW)
    poller.poll(NOW)
    assert fetched == ["1"]
    poller.want("rain", "1")

    poller.poll(NOW)

    assert fetched == ["1", "1"]


def test_an_unreachable_registry_leaves_the_models_unchanged(
    home: ServiceHome, make_poller: Callable[..., RegistryPoller]
) -> None:
    """With the reason in `detail`."""
    home.publish("rain", "1")
    poller = make_poller(SimpleNamespace())

    index = poller.poll(NOW)

    assert index.state == "unreachable"
    assert "search_model_versions" in index.detail
    assert index.models["rain"].aliases == {"champion": "1"}
    assert index.checked == NOW


@pytest.mark.parametrize(
    ("client", "state"),
    [
        (FakeMlflow({}, {}), "emptied"),
        (FakeMlflow({"wind": ["1"]}, {}), "ok"),
        (FakeMlflow({"rain": ["1"]}, {}), "ok"),
        (FakeMlflow({"rain": ["2"]}, {"rain": {"champion": "1"}}), "ok"),
    ],
)
def test_a_champion_that_the_registry_lost_is_kept(
    home: ServiceHome,
    make_poller: Callable[..., RegistryPoller],
    caplog: pytest.LogCaptureFixture,
    client: FakeMlflow,
    state: str,
) -> None:
    """If its name, alias or version is deleted, or all of it; a warning is logged once."""
    digest = home.publish("rain", "1")
    poller = make_poller(client)

    with caplog.at_level("WARNING"):
        poller.poll(NOW)
        index = poller.poll(NOW)

    assert (index.state, index.gone) == (state, ("rain",))
    assert "rain" in index.detail
    assert index.models["rain"].aliases["champion"] == "1"
    assert index.models["rain"].versions["1"].digest == digest
    assert home.cache.contains(digest)
    assert len([one for one in caplog.records if index.detail in one.message]) == 1


def test_the_models_of_another_registry_are_not_kept(home: ServiceHome, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a change of MLFLOW_TRACKING_URI."""
    home.publish("rain", "1")
    home.cache.write(replace(home.cache.read(), source="another"))
    poller = RegistryPoller(home.cache, "http://127.0.0.1:9")
    monkeypatch.setattr(poller, "_connect", lambda: FakeMlflow({}, {}))

    index = poller.poll(NOW)

    assert (index.state, index.models) == ("ok", {})


def test_a_new_champion_replaces_a_lost_one(home: ServiceHome, make_poller: Callable[..., RegistryPoller]) -> None:
    """And the artifact of the lost one is removed."""
    digest = home.publish("rain", "1")
    make_poller(FakeMlflow({}, {})).poll(NOW)
    fetch = lambda _name, _number, version: ModelVersion(version.run_id, home.store(shift=1.0))  # noqa: E731

    index = make_poller(FakeMlflow({"rain": ["2"]}, {"rain": {"champion": "2"}}), fetch).poll(NOW)

    assert (index.state, index.detail, index.gone) == ("ok", "", ())
    assert list(index.models["rain"].versions) == ["2"]
    assert not home.cache.path(digest).exists()


def test_nothing_is_pruned_before_the_new_champion_is_cached(
    home: ServiceHome, make_poller: Callable[..., RegistryPoller]
) -> None:
    """A failed download leaves the old artifact."""
    digest = home.publish("rain", "1")

    make_poller(FakeMlflow({"rain": ["2"]}, {"rain": {"champion": "2"}}), lambda _name, _number, version: version).poll(
        NOW
    )

    assert home.cache.contains(digest)


def test_a_deleted_cache_is_filled_again(home: ServiceHome, make_poller: Callable[..., RegistryPoller]) -> None:
    """With index and artifacts, at the next poll."""
    poller = make_poller(FakeMlflow({"rain": ["1"]}, {"rain": {"champion": "1"}}))
    before = poller.poll(NOW)
    shutil.rmtree(home.cache.root)

    after = poller.poll(NOW)

    assert home.cache.read() == after == before
    assert home.cache.contains(str(after.models["rain"].versions["1"].digest))


def test_an_error_is_described_on_one_line() -> None:
    """With the extra to install if a package is missing."""
    assert "[train]" in describe(ModuleNotFoundError("No module named 'sqlalchemy'"))
    assert describe(RuntimeError("two\n lines")) == "two lines"
    assert describe(TimeoutError()) == "TimeoutError"


def test_the_process_ends_when_its_input_closes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Until then each line is queued and wakes the poller."""
    asked: SimpleQueue[dict[str, Any]] = SimpleQueue()
    wake = threading.Event()
    codes: list[int] = []
    lines = [b'{"name": "rain", "version": "3"}\n']
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=lines))
    monkeypatch.setattr("os._exit", codes.append)

    listen(asked, wake)

    assert asked.get() == {"name": "rain", "version": "3"}
    assert wake.is_set()
    assert codes == [0]


def test_a_cache_that_cannot_be_written_is_said_once_and_tried_again(
    home: ServiceHome,
    make_poller: Callable[..., RegistryPoller],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The process goes on, and nothing of a draft is left."""
    poller = make_poller(FakeMlflow({"rain": ["1"]}, {"rain": {"champion": "1"}}))
    with monkeypatch.context() as full:
        full.setattr("pathlib.Path.replace", raise_no_space)
        for _ in range(2):
            assert list(poller.poll(NOW).models) == ["rain"]
    left = [path.name for path in home.cache.root.iterdir() if path.is_file()]

    poller.poll(NOW)

    assert (left, list(home.cache.read().models)) == ([], ["rain"])
    assert [record.getMessage().partition(":")[0] for record in caplog.records].count(
        "the cache cannot be written"
    ) == 1


def raise_no_space(*_: object) -> None:
    """Raise the error of a full disk."""
    raise OSError(errno.ENOSPC, "No space left on device")
