"""POST /models/{name}/champion and /rollback."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from starlette.testclient import TestClient

from service.api.key_file import SCOPES
from service.api.routes.champion import LONGEST_NAME
from service.processes.answers import Message
from tests.service.api.test_security import add_keys
from tests.service.home import ServiceHome

BODY = {"version": "7", "reason": " Calmer\nin July. "}
ANSWER = {"name": "rain", "champion": "7", "previous": "6", "changed": True}
MOVES = ("champion", "rollback")
FAILURE = {"detail": "Wrong.", "hint": "Do so."}


@pytest.fixture
def registry(shared_client: TestClient) -> Iterator[list[Any]]:
    """Return a list: the questions to the registry process are added to it, the first item is its answer."""
    state: Any = shared_client.app.state  # type: ignore[attr-defined]
    service, talk = state.service, [ANSWER]

    async def ask(question: Message) -> Message | None:
        talk.append(question["move"])
        return talk[0]

    state.service = replace(service, ask_registry=ask)
    yield talk
    state.service = service


def test_a_move_reaches_the_registry_process(shared_client: TestClient, registry: list[Any]) -> None:
    """With reason and actor; the answer is that of the registry process."""
    promoted = shared_client.post("/models/rain/champion", json=BODY)
    rolled_back = shared_client.post("/models/a%20b/rollback", json={"reason": "Too high."})

    assert promoted.status_code == 200
    assert promoted.json() == rolled_back.json() == {**ANSWER, "live": [], "evidence": None}
    fields = ("action", "name", "version", "reason", "actor")
    assert [tuple(move[one] for one in fields) for move in registry[1:]] == [
        ("promote", "rain", "7", "Calmer in July.", "address:testclient"),
        ("rollback", "a b", None, "Too high.", "address:testclient"),
    ]


@pytest.mark.parametrize(
    ("answer", "status", "code"),
    [
        ({"error": "ModelUnknown", **FAILURE}, 404, "MODEL_UNKNOWN"),
        ({"error": "PreviousMissing", **FAILURE}, 409, "NO_PREVIOUS_CHAMPION"),
        ({"error": "ChampionChanged", **FAILURE}, 409, "CHAMPION_CHANGED"),
        ({"error": "RegistryError", **FAILURE}, 502, "REGISTRY_FAILED"),
        ({"error": "RegistryUnreachable", **FAILURE}, 503, "REGISTRY_UNREACHABLE"),
        (None, 503, "REGISTRY_UNREACHABLE"),
    ],
)
def test_each_failure_has_its_status(
    shared_client: TestClient, registry: list[Any], answer: dict[str, str] | None, status: int, code: str
) -> None:
    """A registry that does not answer may do so soon."""
    registry[0] = answer

    refused = shared_client.post("/models/rain/rollback", json={"reason": "Too high."})

    assert (refused.status_code, refused.json()["code"]) == (status, code)
    assert refused.headers.get("retry-after") == ("5" if status == 503 else None)


@pytest.mark.parametrize(
    ("path", "body", "expected"),
    [
        ("rain/champion", {"reason": "Calm."}, (422, "/version")),
        ("rain/champion", {"version": 7, "reason": "Calm."}, (422, "/version")),
        ("rain/champion", {"version": "best", "reason": "Calm."}, (422, "/version")),
        ("rain/champion", {"version": "7"}, (422, "/reason")),
        ("rain/champion", {**BODY, "live_scores": 0}, (422, "/live_scores")),
        ("rain/champion", {"version": "7", "reason": "\n "}, (422, "/reason")),
        ("rain/rollback", {"reason": "a" * 501}, (422, "/reason")),
        ("rain/rollback", {"reason": "\x00"}, (422, "/reason")),
        ("rain/rollback", {"reason": "Calm.", "why": ""}, (422, "/why")),
        (f"{'a' * (LONGEST_NAME + 1)}/rollback", {"reason": "Calm."}, (404, "")),
        ("rain%00/rollback", {"reason": "Calm."}, (404, "")),
    ],
)
def test_a_wrong_request_does_not_reach_the_registry(
    shared_client: TestClient, registry: list[Any], path: str, body: dict[str, Any], expected: tuple[int, str]
) -> None:
    """The pointer shows the field."""
    refused = shared_client.post(f"/models/{path}", json=body)

    assert (refused.status_code, refused.json()["pointer"], len(registry)) == (*expected, 1)


def test_only_an_administrator_moves_a_champion(start: Callable[..., TestClient], home: ServiceHome) -> None:
    """Every key that may read the models still does; without the registry process nothing is moved."""
    keys = add_keys(home, **{scope: (scope,) for scope in SCOPES})
    client = start(wait=False)

    statuses = {
        scope: [
            client.post(f"/models/rain/{move}", json=BODY, headers={"x-api-key": key}).status_code for move in MOVES
        ]
        for scope, key in keys.items()
    }

    assert statuses == {scope: [503, 503] if scope == "admin" else [403, 403] for scope in SCOPES}
    assert client.get("/models", headers={"x-api-key": keys["forecast"]}).status_code == 200
