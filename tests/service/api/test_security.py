"""Doors: who is let in, and when that is decided."""

import asyncio
import json
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send

from service.api.security import (
    SCOPES,
    AuthMiddleware,
    Key,
    KeyRing,
    is_loopback,
    make_key,
    read_keys,
    scopes_for,
    write_keys,
)
from service.errors import KeysInvalid
from tests.service.home import ServiceHome

REQUEST = {"series": [{"values": [1, 2, 3]}], "horizon": 1}


def give_keys(home: ServiceHome, **scopes: tuple[str, ...]) -> dict[str, str]:
    """Write one key for each name, and return the secrets."""
    made = {name: make_key(name, held, "2026-01-01") for name, held in scopes.items()}
    write_keys(home.path / "keys.json", tuple(key for _, key in made.values()))
    return {name: secret for name, (secret, _) in made.items()}


@pytest.fixture
def secrets(home: ServiceHome) -> dict[str, str]:
    """Return keys for each scope, over a home with a model."""
    home.publish("temperatures", "1")
    return give_keys(home, caller=("forecast",), watcher=("observe",), owner=("admin",))


def test_without_keys_everyone_who_reaches_the_service_is_let_in(client: TestClient) -> None:
    """It binds to loopback then."""
    assert client.post("/forecast", json=REQUEST).status_code == 200
    assert client.get("/metrics").status_code == 200


def test_a_key_opens_what_its_scope_says(start: Callable[..., TestClient], secrets: dict[str, str]) -> None:
    """`forecast` asks, `observe` watches, `admin` does everything; health and docs need no key."""
    client = start()
    table = {
        (who, path): client.request(
            "POST" if path == "/forecast" else "GET", path, headers={"x-api-key": key}
        ).status_code
        for who, key in secrets.items()
        for path in ("/forecast", "/models", "/metrics", "/elsewhere")
    }

    assert table == {
        ("caller", "/forecast"): 400,
        ("caller", "/models"): 200,
        ("caller", "/metrics"): 403,
        ("caller", "/elsewhere"): 403,
        ("watcher", "/forecast"): 403,
        ("watcher", "/models"): 200,
        ("watcher", "/metrics"): 200,
        ("watcher", "/elsewhere"): 403,
        ("owner", "/forecast"): 400,
        ("owner", "/models"): 200,
        ("owner", "/metrics"): 200,
        ("owner", "/elsewhere"): 404,
    }
    for path in ("/health/live", "/health/ready", "/docs", "/openapi.json", "/static/swagger-ui.css"):
        assert client.get(path).status_code == 200


def test_writing_observations_and_reading_them_are_two_scopes(
    start: Callable[..., TestClient], home: ServiceHome
) -> None:
    """A sensor that posts reads nothing; a reader changes nothing; whoever forecasts may look a forecast up again."""
    home.publish("temperatures", "1")
    keys = give_keys(home, sensor=("record",), reader=("read",), caller=("forecast",))
    client = start()
    asked = {"POST": ["/observations"], "GET": ["/observations/export", "/series", "/series/a", "/forecasts/a"]}

    table = {
        who: [
            client.request(method, path, headers={"x-api-key": key}).status_code != 403
            for method, paths in asked.items()
            for path in paths
        ]
        for who, key in keys.items()
    }

    assert table == {
        "sensor": [True, False, False, False, False],
        "reader": [False, True, True, True, True],
        "caller": [False, False, False, False, True],
    }


def test_jobs_and_schedules_are_for_admins_alone(start: Callable[..., TestClient], home: ServiceHome) -> None:
    """A job reads files and changes models: no other scope looks at one or makes one."""
    keys = give_keys(home, **{scope: (scope,) for scope in SCOPES})
    client = start(wait=False)
    asked = [("GET", "/jobs"), ("POST", "/jobs"), ("GET", "/jobs/a"), ("POST", "/jobs/a/cancel")]
    asked += [
        ("GET", "/schedules"),
        ("POST", "/schedules"),
        ("DELETE", "/schedules/a"),
        ("POST", "/schedules/a/trigger"),
    ]

    let_in = {
        scope
        for scope, key in keys.items()
        for method, path in asked
        if client.request(method, path, headers={"x-api-key": key}).status_code != 403
    }

    assert let_in == {"admin"}
    assert client.get("/jobs").status_code == 401


@pytest.mark.parametrize(
    "headers", [{"authorization": "Bearer {}"}, {"authorization": "bearer {}"}, {"x-api-key": "{}"}]
)
def test_a_key_is_taken_from_either_header(
    start: Callable[..., TestClient], secrets: dict[str, str], headers: dict[str, str]
) -> None:
    """Bearer, in any case, or X-API-Key."""
    presented = {name: value.format(secrets["caller"]) for name, value in headers.items()}

    assert start().post("/forecast", json=REQUEST, headers=presented).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer wrong"},
        {"authorization": "Bearer "},
        {"authorization": "Basic YTpi"},
        {"x-api-key": ""},
    ],
)
def test_a_stranger_gets_401_with_a_challenge(
    start: Callable[..., TestClient], secrets: dict[str, str], headers: dict[str, str]
) -> None:
    """As a problem document; an unknown path tells a stranger nothing."""
    assert secrets
    client = start()

    response = client.post("/forecast", json=REQUEST, headers=headers)

    assert response.status_code == 401
    assert response.json()["code"] == "KEY_MISSING"
    assert response.headers["www-authenticate"] == "Bearer"
    assert client.get("/elsewhere", headers=headers).status_code == 401


def test_a_stranger_is_refused_before_the_body_is_read(home: ServiceHome) -> None:
    """The middleware answers without a single call of receive."""
    give_keys(home, caller=("forecast",))
    sent: list[Message] = []

    async def app(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise AssertionError("the request was passed on")

    async def receive() -> Message:
        raise AssertionError("the body was read")

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/forecast", "headers": []}
    asyncio.run(AuthMiddleware(app, KeyRing(home.path / "keys.json"))(scope, receive, send))

    assert sent[0]["status"] == 401


def test_keys_are_read_again_when_their_file_changes(start: Callable[..., TestClient], home: ServiceHome) -> None:
    """A new key opens, a removed one does not, and the last one removed leaves the doors closed."""
    home.publish("temperatures", "1")
    client = start()
    secret = give_keys(home, caller=("forecast",))["caller"]
    path = home.path / "keys.json"

    assert client.post("/forecast", json=REQUEST).status_code == 401
    assert client.post("/forecast", json=REQUEST, headers={"x-api-key": secret}).status_code == 200
    write_keys(path, ())
    assert client.post("/forecast", json=REQUEST, headers={"x-api-key": secret}).status_code == 401
    path.unlink()
    assert client.post("/forecast", json=REQUEST).status_code == 401


def test_a_file_that_breaks_leaves_the_last_keys_in_force(home: ServiceHome) -> None:
    """A slip in an editor neither opens nor bricks a running service."""
    secret = give_keys(home, caller=("forecast",))["caller"]
    ring = KeyRing(home.path / "keys.json")

    (home.path / "keys.json").write_text("{")

    assert ring.scopes(secret) == ("forecast",)
    assert ring.scopes("wrong") is None


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        '{"keys": 7}',
        '{"keys": [{"name": "a"}]}',
        '{"keys": [{"name": "a", "sha256": "00", "scopes": ["forecast"]}]}',
        json.dumps({"keys": [{"name": "a", "sha256": "0" * 64, "scopes": ["everything"]}]}),
    ],
)
def test_a_file_that_is_no_file_of_keys_is_refused_at_start(tmp_path: Path, content: str) -> None:
    """A service does not start with doors that it cannot judge."""
    path = tmp_path / "keys.json"
    path.write_text(content)

    with pytest.raises(KeysInvalid, match=r"keys\.json"):
        KeyRing(path)


def test_only_a_hash_is_stored_and_only_for_its_owner(tmp_path: Path) -> None:
    """The file holds no secret and lets nobody else read it."""
    secret, key = make_key("mine", ("forecast", "observe"), "2026-01-01")
    path = tmp_path / "keys.json"

    write_keys(path, (key,))

    assert secret not in path.read_text()
    assert read_keys(path) == (key,)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert isinstance(key, Key)


def test_every_path_that_is_not_named_is_for_admin() -> None:
    """A route that is added is closed until someone opens it."""
    assert scopes_for("/forecast") == ("forecast", "admin")
    assert scopes_for("/models/temperatures") == ("forecast", "observe", "admin")
    assert scopes_for("/modelsx") == ("admin",)
    assert scopes_for("/jobs") == ("admin",)
    assert scopes_for("/health/live") is None


@pytest.mark.parametrize(
    ("host", "truth"),
    [("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("localhost", True)]
    + [(host, False) for host in ("0.0.0.0", "::", "192.168.1.5", "example.org", "", "127.0.0.1.example.org")],  # noqa: S104
)
def test_loopback_is_what_only_this_machine_reaches(host: str, *, truth: bool) -> None:
    """A name that only looks like it is not."""
    assert is_loopback(host) is truth
