"""The registry's child: what it makes of MLflow's answers, and of none."""

import fcntl
import shutil
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue
from types import SimpleNamespace
from typing import Any

import pytest

from service.serving.registry_index import ModelVersion, RegisteredModel
from service.serving.registry_process import RegistryPoller, _listen, describe
from tests.service.home import ServiceHome

NOW = "2026-02-02T00:00:00+00:00"


class Page(list[Any]):
    """One page of a paged search."""

    token: str | None = None


class Client:
    """MLflow's client, as far as it is used: two searches, one item a page."""

    def __init__(self, versions: dict[str, list[str]], aliases: dict[str, dict[str, str]]) -> None:
        """Answer with these."""
        self.models = [SimpleNamespace(name=name, aliases=aliases.get(name, {})) for name in versions]
        self.versions = [
            SimpleNamespace(name=name, version=number, run_id=f"run-{number}")
            for name, numbers in versions.items()
            for number in numbers
        ]

    def search_registered_models(self, max_results: int, page_token: str | None) -> Page:
        """Return one page of names."""
        return self._page(self.models, max_results, page_token)

    def search_model_versions(self, max_results: int, page_token: str | None) -> Page:
        """Return one page of versions."""
        return self._page(self.versions, max_results, page_token)

    @staticmethod
    def _page(items: list[Any], _max_results: int, token: str | None) -> Page:
        at = int(token or 0)
        page = Page(items[at : at + 1])
        page.token = str(at + 1) if at + 1 < len(items) else None
        return page


@pytest.fixture
def asks(home: ServiceHome, monkeypatch: pytest.MonkeyPatch) -> Callable[..., RegistryPoller]:
    """Return a function that makes a Registry over given answers; every download brings the same sound artifact."""

    def asks(client: object, fetch: Callable[[str, str, ModelVersion], ModelVersion] | None = None) -> RegistryPoller:
        made = RegistryPoller(home.cache, "http://127.0.0.1:9")
        monkeypatch.setattr(made, "_connect", lambda: client)
        bring = fetch or (lambda _name, _number, version: ModelVersion(version.run_id, home.store()))
        monkeypatch.setattr(made, "_fetch", bring)
        return made

    return asks


def test_a_poll_writes_what_the_registry_says_and_fetches_what_has_an_alias(
    home: ServiceHome, asks: Callable[..., RegistryPoller]
) -> None:
    """Versions in the order of their numbers, from however many pages."""
    client = Client({"rain": ["10", "9", "2"], "wind": ["1"]}, {"rain": {"champion": "9", "previous": "2"}})

    index = asks(client).poll(NOW)

    assert home.cache.read() == index
    assert list(index.models["rain"].versions) == ["2", "9", "10"]
    assert index.models["rain"].aliases == {"champion": "9", "previous": "2"}
    assert {number for number, version in index.models["rain"].versions.items() if version.digest} == {"2", "9"}
    assert index.models["wind"] == RegisteredModel({"1": ModelVersion("run-1")}, {})


def test_a_version_without_an_alias_is_fetched_when_it_is_wanted(asks: Callable[..., RegistryPoller]) -> None:
    """Whoever wants what does not exist is not heard."""
    polling = asks(Client({"rain": ["1", "2"]}, {}))
    polling.want("rain", "2")
    polling.want("rain", "99")
    polling.want("snow", "1")

    index = polling.poll(NOW)

    assert index.models["rain"].versions["2"].digest
    assert index.models["rain"].versions["1"].digest is None


def test_what_is_here_is_not_fetched_again_unless_it_is_damaged(
    home: ServiceHome, asks: Callable[..., RegistryPoller]
) -> None:
    """A second poll downloads nothing; a wish for a damaged copy does."""
    fetched: list[str] = []

    def fetch(_name: str, number: str, version: ModelVersion) -> ModelVersion:
        fetched.append(number)
        return ModelVersion(version.run_id, home.store())

    polling = asks(Client({"rain": ["1"]}, {"rain": {"champion": "1"}}), fetch)
    digest = polling.poll(NOW).models["rain"].versions["1"].digest
    polling.want("rain", "1")
    polling.poll(NOW)
    assert fetched == ["1"]
    assert digest is not None
    (home.cache.path(digest) / "network.onnx").write_bytes(b"broken")
    polling.want("rain", "1")

    polling.poll(NOW)

    assert fetched == ["1", "1"]
    assert home.cache.holds(digest)


def test_what_cannot_be_served_is_not_tried_at_every_poll(asks: Callable[..., RegistryPoller]) -> None:
    """Its error is remembered; who asks for it by name has it tried once more."""
    tried: list[str] = []

    def fetch(_name: str, number: str, version: ModelVersion) -> ModelVersion:
        tried.append(number)
        return ModelVersion(version.run_id, None, "no model of Almanac's")

    polling = asks(Client({"rain": ["1"]}, {"rain": {"champion": "1"}}), fetch)
    polling.poll(NOW)
    polling.poll(NOW)
    assert tried == ["1"]
    polling.want("rain", "1")

    polling.poll(NOW)

    assert tried == ["1", "1"]


def test_a_registry_that_fails_leaves_the_models_as_they_were(
    home: ServiceHome, asks: Callable[..., RegistryPoller]
) -> None:
    """The reason stands beside them, on one line."""
    home.publish("rain", "1")
    polling = asks(SimpleNamespace())

    index = polling.poll(NOW)

    assert index.state == "unreachable"
    assert "search_model_versions" in index.detail
    assert index.models["rain"].aliases == {"champion": "1"}
    assert index.checked == NOW


@pytest.mark.parametrize(
    ("client", "state"),
    [
        (Client({}, {}), "emptied"),
        (Client({"wind": ["1"]}, {}), "ok"),
        (Client({"rain": ["1"]}, {}), "ok"),
        (Client({"rain": ["2"]}, {"rain": {"champion": "1"}}), "ok"),
    ],
)
def test_a_champion_that_the_registry_lost_is_kept(
    home: ServiceHome, asks: Callable[..., RegistryPoller], caplog: pytest.LogCaptureFixture, client: Client, state: str
) -> None:
    """Its name, alias or version deleted, or all of it: the index and the artifact stay, with a word about it, once."""
    digest = home.publish("rain", "1")
    polling = asks(client)

    with caplog.at_level("WARNING"):
        polling.poll(NOW)
        index = polling.poll(NOW)

    assert (index.state, index.gone) == (state, ("rain",))
    assert "rain" in index.detail
    assert index.models["rain"].aliases["champion"] == "1"
    assert index.models["rain"].versions["1"].digest == digest
    assert home.cache.holds(digest)
    assert len([one for one in caplog.records if index.detail in one.message]) == 1


def test_another_registry_is_taken_at_its_word(home: ServiceHome, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever changes MLFLOW_TRACKING_URI does not want the old one's models."""
    home.publish("rain", "1")
    home.cache.write(replace(home.cache.read(), source="another"))
    polling = RegistryPoller(home.cache, "http://127.0.0.1:9")
    monkeypatch.setattr(polling, "_connect", lambda: Client({}, {}))

    index = polling.poll(NOW)

    assert (index.state, index.models) == ("ok", {})


def test_another_champion_ends_the_mourning(home: ServiceHome, asks: Callable[..., RegistryPoller]) -> None:
    """The registry's word counts again, and the old artifact goes."""
    digest = home.publish("rain", "1")
    asks(Client({}, {})).poll(NOW)
    bring = lambda _name, _number, version: ModelVersion(version.run_id, home.store(shift=1.0))  # noqa: E731

    index = asks(Client({"rain": ["2"]}, {"rain": {"champion": "2"}}), bring).poll(NOW)

    assert (index.state, index.detail, index.gone) == ("ok", "", ())
    assert list(index.models["rain"].versions) == ["2"]
    assert not home.cache.path(digest).exists()


def test_nothing_is_pruned_before_the_new_champion_is_here(
    home: ServiceHome, asks: Callable[..., RegistryPoller]
) -> None:
    """A download that fails leaves the old artifact in its place."""
    digest = home.publish("rain", "1")

    asks(Client({"rain": ["2"]}, {"rain": {"champion": "2"}}), lambda _name, _number, version: version).poll(NOW)

    assert home.cache.holds(digest)


def test_a_cache_removed_between_two_polls_is_filled_again(
    home: ServiceHome, asks: Callable[..., RegistryPoller]
) -> None:
    """Index and artifacts come back."""
    polling = asks(Client({"rain": ["1"]}, {"rain": {"champion": "1"}}))
    before = polling.poll(NOW)
    shutil.rmtree(home.cache.root)

    after = polling.poll(NOW)

    assert home.cache.read() == after == before
    assert home.cache.holds(str(after.models["rain"].versions["1"].digest))


def test_a_missing_sqlite_file_is_no_registry_yet(home: ServiceHome, tmp_path: Path) -> None:
    """Nothing is created, and mlflow is not even imported."""
    index = RegistryPoller(home.cache, f"sqlite:///{tmp_path / 'mlflow.db'}").poll(NOW)

    assert index.state == "absent"
    assert list(tmp_path.glob("mlflow.db")) == []


def test_a_replaced_sqlite_file_ends_the_child(
    home: ServiceHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An open connection would go on reading the old one; its first appearance is no replacement."""
    path = tmp_path / "mlflow.db"
    polling = RegistryPoller(home.cache, f"sqlite:///{path}")
    monkeypatch.setattr(polling, "_connect", lambda: Client({"rain": ["1"]}, {}))
    path.write_text("first")
    assert not polling.was_replaced()
    polling.poll(NOW)
    assert not polling.was_replaced()

    path.unlink()
    gone = polling.was_replaced()
    path.write_text("second")

    assert gone
    assert polling.was_replaced()


def test_a_database_is_not_opened_while_training_makes_it(
    home: ServiceHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first question waits for the lock that training holds; the later ones need none."""
    path = tmp_path / "mlflow.db"
    path.write_text("half")
    polling = RegistryPoller(home.cache, f"sqlite:///{path}")
    held: list[bool] = []

    def connect() -> Client:
        with (tmp_path / "mlflow.db.lock").open("ab") as other:
            try:
                fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                held.append(True)
            else:
                held.append(False)
        return Client({"rain": ["1"]}, {})

    monkeypatch.setattr(polling, "_connect", connect)

    polling.poll(NOW)
    polling.poll(NOW)

    assert held == [True, False]


def test_what_a_file_says_that_is_replaced_meanwhile_is_not_listened_to(
    home: ServiceHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The poll began with one file and ended with another, which may be empty: the index stays as it was."""
    home.publish("rain", "1")
    before = home.cache.read()
    path = tmp_path / "mlflow.db"
    path.write_text("first")
    polling = RegistryPoller(home.cache, f"sqlite:///{path}")

    def connect() -> Client:
        path.unlink()
        path.write_text("second")
        return Client({}, {})

    monkeypatch.setattr(polling, "_connect", connect)

    polling.poll(NOW)

    assert polling.was_replaced()
    assert home.cache.read() == before


def test_an_installation_without_mlflows_sqlite_says_what_to_install() -> None:
    """mlflow-skinny alone reads a server, not a file."""
    assert "almanac-forecast[train]" in describe(ModuleNotFoundError("No module named 'sqlalchemy'"))
    assert describe(RuntimeError("two\n lines")) == "two lines"
    assert describe(TimeoutError()) == "TimeoutError"


def test_the_child_leaves_when_its_input_closes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wishes are queued and wake the poll; the end of the input is the end of the process."""
    asked: SimpleQueue[tuple[str, str]] = SimpleQueue()
    wake = threading.Event()
    codes: list[int] = []
    lines = [b'{"name": "rain", "version": "3"}\n']
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=lines))
    monkeypatch.setattr("os._exit", codes.append)

    _listen(asked, wake)

    assert asked.get() == ("rain", "3")
    assert wake.is_set()
    assert codes == [0]
