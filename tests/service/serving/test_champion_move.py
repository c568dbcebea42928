"""A champion moved by the registry process: what changes, what is recorded, and what goes wrong."""

import asyncio
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import service.cli.serve as serving
from models.audit import log
from models.errors import HomeMoved, PreviousMissing, RegistryError, RegistryUnreachable
from service.errors import ChampionChanged, ModelNotFound
from service.processes.answers import Answers, Message
from service.serving.champion_move import ERRORS, ChampionMove, move_champion
from service.serving.registry_process import RegistryPoller
from tests.models.registry.fake_registry import FakeRegistry
from tests.service.home import ServiceHome


def make_move(action: Any = "promote", name: str = "rain", version: str | None = "2", **options: Any) -> ChampionMove:  # noqa: ANN401
    """Return a request of the key `ops`."""
    return ChampionMove(action, name, version, "Calm.", "key:ops", **options)


@pytest.fixture
def ask(home: ServiceHome, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    """Return a function that moves a champion in a fake registry, through the poller, and returns what the server gets."""

    def ask(registry: object, move: ChampionMove) -> dict[str, Any]:
        move = replace(move, until=move.until and time.monotonic() + 60)  # a parameter is made long before its test
        poller = RegistryPoller(home.cache, "http://127.0.0.1:9")
        monkeypatch.setattr(poller, "_connect", lambda: registry)

        async def answer(question: Message) -> Message:
            return poller.move(ChampionMove.from_dict(question["move"]), home.path)

        return asyncio.run(move_champion(answer, move))

    return ask


def foreign_database(home: Path) -> None:
    """Make the registry of a home that was copied from another."""
    home.mkdir(exist_ok=True)
    with closing(sqlite3.connect(home / "mlflow.db")) as store, store:
        store.execute("CREATE TABLE experiments (artifact_location TEXT)")
        store.execute("INSERT INTO experiments VALUES ('file:///data/my%20first/artifacts')")


@pytest.mark.parametrize(
    ("move", "after", "changed"),
    [
        (make_move("promote", version="3"), ("3", "2"), True),
        (make_move("promote", version="2"), ("2", "1"), False),
        (make_move("rollback", version=None), ("1", "2"), True),
        (make_move("rollback", version="2"), ("1", "2"), True),
        (make_move("rollback", version="1"), ("2", "1"), False),
    ],
)
def test_a_move_is_answered_and_recorded_only_if_something_changes(
    ask: Callable[..., dict[str, Any]], home: ServiceHome, move: ChampionMove, after: tuple[str, str], *, changed: bool
) -> None:
    """With its reason, in the run and in the audit log."""
    registry = FakeRegistry({"champion": "2", "previous": "1"})
    home.path.mkdir()

    answer = ask(registry, move)

    assert answer == {"name": "rain", "champion": after[0], "previous": after[1], "changed": changed}
    assert (registry.aliases["champion"], registry.aliases["previous"]) == after
    lines = {line.data["alias"]: (line.data["actor"], line.data["reason"]) for line in log.read(home.path)}
    assert lines == ({"champion": ("key:ops", "Calm."), "previous": ("key:ops", "Calm.")} if changed else {})
    assert [logged["reason"] for logged in registry.logged.values()] == ["Calm."] * changed


class Denied(Exception):
    """What MLflow raises for another's model."""

    error_code = "PERMISSION_DENIED"


class Failing:
    """A registry whose first call raises an error."""

    def __init__(self, error: Exception) -> None:
        """Raise this."""
        self.error = error

    def get_registered_model(self, _name: str) -> None:
        """Raise it."""
        raise self.error


@pytest.mark.parametrize(
    ("registry", "move", "error", "text"),
    [
        (FakeRegistry({}), make_move(name="snow"), ModelNotFound, "name=snow not found. GET /models"),
        (FakeRegistry({}), make_move(version="77"), ModelNotFound, "version=77"),
        (FakeRegistry({"champion": "2"}), make_move("rollback"), PreviousMissing, "no previous champion"),
        (FakeRegistry({"champion": "3", "previous": "1"}), make_move("rollback"), ChampionChanged, "version 3, not 2"),
        (Failing(Denied("No.")), make_move(), RegistryError, "refuses: No."),
        (Failing(ConnectionError("refused")), make_move(), RegistryUnreachable, "cannot be reached: refused"),
        (FakeRegistry({"champion": "1"}), make_move(until=0.0), RegistryUnreachable, "nothing has"),
    ],
)
def test_what_cannot_be_moved_is_an_error_with_its_remedy(
    ask: Callable[..., dict[str, Any]], registry: object, move: ChampionMove, error: type[Exception], text: str
) -> None:
    """Also a request that waited until its caller was told that it has failed."""
    with pytest.raises(error, match=text) as raised:
        ask(registry, move)

    assert type(raised.value) is error


def test_a_missing_registry_is_not_created(home: ServiceHome, tmp_path: Path) -> None:
    """There is no model to move."""
    answer = RegistryPoller(home.cache, f"sqlite:///{tmp_path / 'mlflow.db'}").move(make_move(), home.path)

    assert answer["error"] == "ModelUnknown"
    assert list(tmp_path.glob("mlflow.db")) == []


@pytest.mark.parametrize(("exists", "text"), [(True, "was copied or moved"), (False, "does not exist any more")])
def test_a_home_that_was_copied_or_has_vanished_moves_no_champion(
    home: ServiceHome, *, exists: bool, text: str
) -> None:
    """It would write into the other one."""
    if exists:
        foreign_database(home.path)
    poller = RegistryPoller(home.cache, f"sqlite:///{home.path / 'mlflow.db'}")

    answer = poller.move(make_move(), home.path)

    assert text in answer["detail"]
    assert ERRORS[answer["error"]] is (HomeMoved if exists else RegistryUnreachable)


@pytest.mark.parametrize("uri", [None, "http://127.0.0.1:9"])
def test_a_copied_home_is_not_served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uri: str | None) -> None:
    """Only if its own database is the registry."""
    foreign_database(tmp_path)
    served: list[object] = []
    monkeypatch.setattr(serving, "run", lambda *arguments: served.append(arguments))

    found = CliRunner().invoke(serving.serve, env={"ALMANAC_HOME": str(tmp_path), "MLFLOW_TRACKING_URI": uri})

    assert (found.exit_code, len(served)) == ((0, 1) if uri else (1, 0))
    assert uri or f"ALMANAC_HOME={tmp_path} almanac home relocate" in str(found.exception)


def test_an_answer_finds_its_question_and_silence_is_none() -> None:
    """In any order; the end of the other process ends the waiting at once."""

    async def converse() -> list[Message | None]:
        answers, sent = Answers(), list[int]()
        asked = [asyncio.create_task(answers.ask(sent.append)) for _ in range(3)]
        late = await answers.ask(lambda _number: None, seconds=0)
        answers.receive(sent[1], {"two": 2})
        answers.receive(sent[0], {"one": 1})
        answers.receive(99, {})
        answers.abandon()
        return [late, *await asyncio.gather(*asked)]

    assert asyncio.run(converse()) == [None, {"one": 1}, {"two": 2}, None]


def test_no_answer_is_an_unreachable_registry() -> None:
    """Of a process that does not run, or hangs."""

    async def silent(_question: Message) -> None:
        return None

    with pytest.raises(RegistryUnreachable, match="does not answer"):
        asyncio.run(move_champion(silent, make_move()))
