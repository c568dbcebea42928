"""API keys and scopes: which requests are accepted, and when that is checked."""

import asyncio
import json
import os
import re
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send

from models.audit.hidden_keys import HIDDEN, KnownKeys
from service.api import security
from service.api.key_file import SCOPES, Key, hash_key, make_key, read_keys, write_keys
from service.api.rates import Rates
from service.api.security import Guard, KeyCheck, KeyRing, is_loopback, scopes_for
from service.errors import KeyMissing, KeysInvalid
from service.logs import JsonLines
from tests.service.home import ServiceHome

REQUEST = {"series": [{"values": [1, 2, 3]}], "horizon": 1}


def add_keys(home: ServiceHome, **scopes: tuple[str, ...]) -> dict[str, str]:
    """Write one key for each name, and return the secrets."""
    made = {name: make_key(name, granted, "2026-01-01") for name, granted in scopes.items()}
    write_keys(home.path / "keys.json", tuple(key for _, key in made.values()))
    return {name: secret for name, (secret, _) in made.items()}


@pytest.fixture
def secrets(home: ServiceHome) -> dict[str, str]:
    """Return a key for each of three scopes, in a home with a model."""
    home.publish("temperatures", "1")
    return add_keys(home, caller=("forecast",), watcher=("observe",), owner=("admin",))


def test_without_keys_every_request_is_accepted(shared_client: TestClient) -> None:
    """The service then binds to loopback."""
    assert shared_client.post("/forecast", json=REQUEST).status_code == 200
    assert shared_client.get("/metrics").status_code == 200


def test_a_scope_gives_access_to_its_paths(start: Callable[..., TestClient], secrets: dict[str, str]) -> None:
    """`admin` to every path; health and docs need no key."""
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


def test_writing_and_reading_observations_are_two_scopes(start: Callable[..., TestClient], home: ServiceHome) -> None:
    """`record` writes, `read` reads, and `forecast` reads forecasts."""
    home.publish("temperatures", "1")
    keys = add_keys(home, sensor=("record",), reader=("read",), caller=("forecast",))
    client = start()
    paths = {"POST": ["/observations"], "GET": ["/observations/export", "/series", "/series/a", "/forecasts/a"]}

    table = {
        who: [
            client.request(method, path, headers={"x-api-key": key}).status_code != 403
            for method, names in paths.items()
            for path in names
        ]
        for who, key in keys.items()
    }

    assert table == {
        "sensor": [True, False, False, False, False],
        "reader": [False, True, True, True, True],
        "caller": [False, False, False, False, True],
    }


def test_jobs_and_schedules_need_the_scope_admin(start: Callable[..., TestClient], home: ServiceHome) -> None:
    """A job reads files and changes models."""
    keys = add_keys(home, **{scope: (scope,) for scope in SCOPES})
    client = start(wait=False)
    requests = [("GET", "/jobs"), ("POST", "/jobs"), ("GET", "/jobs/a"), ("POST", "/jobs/a/cancel")]
    requests += [
        ("GET", "/schedules"),
        ("POST", "/schedules"),
        ("DELETE", "/schedules/a"),
        ("POST", "/schedules/a/trigger"),
    ]

    accepted = {
        scope
        for scope, key in keys.items()
        for method, path in requests
        if client.request(method, path, headers={"x-api-key": key}).status_code != 403
    }

    assert accepted == {"admin"}
    assert client.get("/jobs").status_code == 401


def test_a_key_is_read_from_either_header(start: Callable[..., TestClient], secrets: dict[str, str]) -> None:
    """Bearer, in upper or lower case, or X-API-Key."""
    client, key = start(), secrets["caller"]

    for headers in ({"authorization": f"Bearer {key}"}, {"authorization": f"bearer {key}"}, {"x-api-key": key}):
        assert client.post("/forecast", json=REQUEST, headers=headers).status_code == 200


def test_a_request_without_a_known_key_is_401(start: Callable[..., TestClient], secrets: dict[str, str]) -> None:
    """Also for a path that does not exist."""
    assert secrets
    client = start()
    wrong = [{"authorization": text} for text in ("Bearer wrong", "Bearer ", "Basic YTpi")]

    for headers in ({}, {"x-api-key": ""}, *wrong):
        response = client.post("/forecast", json=REQUEST, headers=headers)

        assert (response.status_code, response.json()["code"]) == (401, "KEY_MISSING")
        assert response.headers["www-authenticate"] == "Bearer"
        assert client.get("/elsewhere", headers=headers).status_code == 401


def test_a_request_is_rejected_before_its_body_is_read(home: ServiceHome) -> None:
    """The middleware never calls `receive`."""
    add_keys(home, caller=("forecast",))
    sent: list[Message] = []

    async def app(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise AssertionError("the request was passed on")

    async def receive() -> Message:
        raise AssertionError("the body was read")

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/forecast", "headers": []}
    asyncio.run(Guard(app, [KeyCheck(KeyRing(home.path / "keys.json"), Rates(None))])(scope, receive, send))

    assert sent[0]["status"] == 401


def test_keys_are_read_again_when_their_file_changes(start: Callable[..., TestClient], home: ServiceHome) -> None:
    """A new key is accepted, a removed one is not, and without any key every request is rejected."""
    home.publish("temperatures", "1")
    client = start()
    secret = add_keys(home, caller=("forecast",))["caller"]
    path = home.path / "keys.json"

    assert client.post("/forecast", json=REQUEST).status_code == 401
    assert client.post("/forecast", json=REQUEST, headers={"x-api-key": secret}).status_code == 200
    write_keys(path, ())
    assert client.post("/forecast", json=REQUEST, headers={"x-api-key": secret}).status_code == 401
    path.unlink()
    assert client.post("/forecast", json=REQUEST).status_code == 401


def test_requests_that_arrive_together_look_at_the_file_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes a system call."""
    looks: list[str] = []
    monkeypatch.setattr(security, "_fingerprint", looks.append)
    monkeypatch.setattr(security, "CHECK_SECONDS", 60.0)
    ring = KeyRing(tmp_path / "keys.json")
    looks.clear()

    for _ in range(5):
        ring.refresh()

    assert len(looks) == 1


def test_a_broken_file_leaves_the_last_keys_in_force(home: ServiceHome) -> None:
    """A running service goes on."""
    secret = add_keys(home, caller=("forecast",))["caller"]
    ring = KeyRing(home.path / "keys.json")

    (home.path / "keys.json").write_text("{")

    assert ring.find(secret).scopes == ("forecast",)  # type: ignore[union-attr]
    assert ring.find("wrong") is None


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        '{"keys": 7}',
        '{"keys": [{"name": "a"}]}',
        '{"keys": [{"name": "a", "sha256": "00", "scopes": ["forecast"]}]}',
        json.dumps({"keys": [{"name": "a", "sha256": "0" * 64, "scopes": ["everything"]}]}),
        json.dumps({"keys": [{"name": "a", "sha256": "0" * 64}]}),
        json.dumps({"keys": [{"name": "a", "sha256": "0" * 64, "scopes": []}]}),
        json.dumps({"keys": [{"name": "a", "sha256": "0" * 64, "scopes": "admin"}]}),
        '{"keys": [{"name": "a", "sha256": "' + "0" * 64 + '", "scopes": ["forecast"]}], "keys": []}',
        '{"keys": [{"name": "a", "sha256": "' + "0" * 64 + '", "scopes": ["forecast"], "scopes": ["admin"]}]}',
    ],
)
def test_an_invalid_key_file_is_an_error_at_start(tmp_path: Path, content: str) -> None:
    """The error contains its name and the command that creates keys; no hash has a scope that is not written there."""
    path = tmp_path / "keys.json"
    path.write_text(content)

    with pytest.raises(KeysInvalid, match=r"keys\.json.*almanac key add"):
        KeyRing(path)


@pytest.mark.parametrize(
    ("file_mode", "folder_mode", "command"),
    [
        (0o660, 0o755, "chmod 600 {folder}/keys.json"),
        (0o602, 0o755, "chmod 600 {folder}/keys.json"),
        (0o600, 0o775, "chmod go-w {folder}"),
        (0o600, 0o757, "chmod go-w {folder}"),
        (0o644, 0o1777, None),
        (0o600, 0o700, None),
    ],
)
def test_a_key_file_that_others_can_write_is_refused(
    tmp_path: Path, file_mode: int, folder_mode: int, command: str | None
) -> None:
    """At the start with the command that mends it; a running service keeps the last keys. `/tmp` protects its files."""
    folder = tmp_path / "home"
    path = folder / "keys.json"
    secret, key = make_key("mine", ("forecast",), "2026-01-01")
    write_keys(path, (key,))
    ring = KeyRing(path)
    write_keys(path, (key, make_key("theirs", ("admin",), "2026-01-01")[1]))

    path.chmod(file_mode)
    folder.chmod(folder_mode)

    assert ring.find(secret).scopes == ("forecast",)  # type: ignore[union-attr]
    if command is None:
        assert len(read_keys(path)) == 2
        return
    with pytest.raises(KeysInvalid, match=re.escape(f"`{command.format(folder=folder)}`")):
        read_keys(path)


def test_a_key_file_of_another_user_is_refused_by_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the command that mends it: that user can create keys."""
    path = tmp_path / "keys.json"
    write_keys(path, (make_key("mine", ("forecast",), "2026-01-01")[1],))
    if os.geteuid() == 0:
        os.chown(path, 12_345, -1)
    monkeypatch.setattr(os, "geteuid", lambda: 0)

    with pytest.raises(KeysInvalid, match=re.escape(f"`chown 0 {path}`")):
        read_keys(path)


def test_a_link_to_no_key_file_is_an_error(tmp_path: Path) -> None:
    """Keys were meant: it is not a service without keys."""
    path = tmp_path / "keys.json"
    path.symlink_to(tmp_path / "gone.json")

    with pytest.raises(KeysInvalid, match=r"a link to .*gone\.json, which does not exist.*`rm "):
        read_keys(path)


def test_no_key_is_written_into_a_folder_of_others(tmp_path: Path) -> None:
    """It could be replaced at once."""
    tmp_path.chmod(0o777)

    with pytest.raises(KeysInvalid, match="chmod go-w"):
        write_keys(tmp_path / "keys.json", ())


def test_only_a_hash_is_stored_readable_by_its_owner(tmp_path: Path) -> None:
    """The file contains no secret."""
    secret, key = make_key("mine", ("forecast", "observe"), "2026-01-01")
    path = tmp_path / "keys.json"

    write_keys(path, (key,))

    assert secret not in path.read_text()
    assert read_keys(path) == (key,)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_other_paths_need_the_scope_admin() -> None:
    """A new route is protected until it is listed."""
    assert scopes_for("/forecast") == ("forecast", "admin")
    assert scopes_for("/models/temperatures") == ("forecast", "observe", "admin")
    assert scopes_for("/modelsx") == ("admin",)
    assert scopes_for("/jobs") == ("admin",)
    assert scopes_for("/health/live") is None
    assert scopes_for("/series/a") == ("read", "admin")
    assert scopes_for("/series/a", "DELETE") == ("erase", "admin")


@pytest.mark.parametrize(
    ("host", "truth"),
    [("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("localhost", True)]
    + [(host, False) for host in ("0.0.0.0", "::", "192.168.1.5", "example.org", "", "127.0.0.1.example.org")],  # noqa: S104
)
def test_loopback_addresses_are_recognised(host: str, *, truth: bool) -> None:
    """Names that only look like one are not."""
    assert is_loopback(host) is truth


@pytest.mark.parametrize(
    ("others", "hint"), [((), "almanac key rotate a-old-2"), (("a",), "The key a is its successor: send that one.")]
)
def test_an_expired_key_names_its_successor(tmp_path: Path, others: tuple[str, ...], hint: str) -> None:
    """Or how it gets one."""
    secret, key = make_key("a-old-2", ("forecast",), "2026-01-01", "2026-01-02T00:00:00+00:00")
    write_keys(tmp_path / "keys.json", (key, *(make_key(name, ("read",), "2026-01-01")[1] for name in others)))
    check = KeyCheck(KeyRing(tmp_path / "keys.json"), Rates(None))
    headers = [(b"authorization", f"Bearer {secret}".encode())]

    error = check({"type": "http", "path": "/forecast", "method": "POST", "headers": headers})

    assert isinstance(error, KeyMissing)
    assert hint in error.hint


def test_no_key_is_ever_in_a_line_of_the_log(
    start: Callable[..., TestClient],
    secrets: dict[str, str],
    home: ServiceHome,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Wherever a client puts it, right or wrong, also beside the traceback of a bug."""
    key, unknown, own = secrets["owner"], make_key("other", ("admin",), "2026-01-01")[0], f"a.+{'k' * 40}/x="
    path = home.path / "keys.json"
    write_keys(path, (*read_keys(path), Key("own", hash_key(own), ("admin",))))
    client, right = start(access_log=True), {"x-api-key": key}
    client.post("/schedules", json={"name": key, "cron": key}, headers=right)  # loads what it needs
    monkeypatch.setattr("service.forecasting.answer.predict_many", lambda *_: 1 / 0)
    caplog.set_level(0)
    caplog.clear()  # of the requests before, if another test has set the level
    for one in (key, unknown, own):
        client.get("/models", params={"api_key": one}, headers=right)
        client.get(f"/models/{one}", headers=right)
        client.get(f"/{one}", headers={"authorization": one, "x-key": one, "cookie": f"key={one}", "x-request-id": one})
        client.get("/models", headers={"authorization": f"Bearer {one}"})
        client.post("/forecast", json={**REQUEST, "model": one}, headers=right)
        client.post("/forecast", json={**REQUEST, one: one}, headers=right)
        client.post("/schedules", json={"name": one, "cron": one}, headers=right)
    client.post("/forecast", json=REQUEST | {"model": "temperatures"}, headers={**right, "x-request-id": key})

    made = JsonLines(KnownKeys(path).digests)
    lines = [made.format(one) for one in caplog.records if one.name.startswith("almanac")]

    assert sum('"message":"request"' in one for one in lines) == 22
    assert any("ZeroDivisionError" in one for one in lines)
    assert [one for one in lines if key in one or unknown in one or own in one] == []
    assert any(HIDDEN in one for one in lines)
