"""The commands: `almanac serve` at the door, and `almanac key`."""

import asyncio
import json
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import uvicorn
from click.testing import CliRunner, Result

from service.api.key_file import read_keys
from service.api.security import KeyRing
from service.cli import serve as module
from service.cli import server
from service.cli.keys import key
from service.cli.serve import serve
from service.settings import Settings

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return a function that runs a command in a home of its own; `serve` stops where it would listen."""
    monkeypatch.setattr(module, "run", lambda _settings, host, port: print(f"listening on {host}:{port}"))  # noqa: T201
    for name in ("ALMANAC_API_KEYS", "ALMANAC_MODEL", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ALMANAC_HOME", str(tmp_path))

    def run(*arguments: str) -> Result:
        command = serve if arguments[0] == "serve" else key
        return CliRunner().invoke(command, arguments[1:])

    return run


def test_without_keys_only_loopback_is_served(run: Run) -> None:
    """Another host is refused with exit code 2 and both remedies."""
    assert run("serve").output == "listening on 127.0.0.1:8000\n"

    refused = run("serve", "--host", "0.0.0.0")  # noqa: S104 (that is the point)

    assert refused.exit_code == 2
    assert "almanac key add" in refused.output
    assert "--insecure" in refused.output


def test_keys_or_insecure_open_other_hosts(run: Run) -> None:
    """Either will do."""
    assert run("serve", "--host", "0.0.0.0", "--insecure").exit_code == 0  # noqa: S104
    assert "forecast, read" in run("key", "add", "--scope", "forecast", "--scope", "read").stderr
    assert run("serve", "--host", "0.0.0.0").exit_code == 0  # noqa: S104


def test_a_key_is_shown_once_and_works(run: Run, tmp_path: Path) -> None:
    """The secret alone is on standard output, ready for a pipe; the file knows its hash and scopes."""
    result = run("key", "add", "--scope", "forecast,observe", "--name", "dashboard")

    secret = result.stdout.strip()
    assert secret.startswith("alm_")
    assert "dashboard" in result.stderr
    assert secret not in (tmp_path / "keys.json").read_text()
    assert KeyRing(tmp_path / "keys.json").find(secret).scopes == ("forecast", "observe")  # type: ignore[union-attr]


def test_a_given_key_is_stored_once(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It comes from an environment variable; another key replaces it, and the key of a person is refused."""
    path, arguments = tmp_path / "keys.json", ("key", "add", "--scope", "observe", "--from", "METRICS_KEY")
    for secret in ("a" * 32, "a" * 32, "b" * 32):
        monkeypatch.setenv("METRICS_KEY", secret)
        result = run(*arguments)
        assert (result.exit_code, result.stdout) == (0, "")
    monkeypatch.setenv("METRICS_KEY", "secret")

    refused = run(*arguments)

    assert [one.name for one in read_keys(path)] == ["METRICS_KEY"]
    assert [KeyRing(path).find(letter * 32) is not None for letter in "ab"] == [False, True]
    assert refused.exit_code == 2
    assert "METRICS_KEY is not a key: it has 6 characters" in refused.output


def test_keys_are_listed_and_removed_by_name(run: Run, tmp_path: Path) -> None:
    """A name is given where none was; the list never shows a key."""
    made = json.loads(run("key", "add", "--scope", "admin", "--json").output)
    run("key", "add", "--scope", "forecast")

    listed = json.loads(run("key", "list", "--json").output)
    removed = run("key", "remove", "key-1")

    assert [(one["name"], one["scopes"]) for one in listed["keys"]] == [("key-1", ["admin"]), ("key-2", ["forecast"])]
    assert made["key"] not in str(listed)
    assert "key-2" in run("key", "list").output
    assert removed.exit_code == 0
    assert [one.name for one in read_keys(tmp_path / "keys.json")] == ["key-2"]


def test_a_rotated_key_works_beside_its_successor_for_a_time(run: Run, tmp_path: Path) -> None:
    """Scopes, rate and length of life are inherited; the audit log has each change, and no key."""
    old = json.loads(
        run("key", "add", "--scope", "read", "--name", "a", "--expires", "90d", "--rate", "5/hour", "--json").output
    )
    new = json.loads(run("key", "rotate", "a", "--overlap", "2h", "--json").output)

    ring = KeyRing(tmp_path / "keys.json")
    former, current = ring.find(old["key"]), ring.find(new["key"])
    assert former is not None
    assert current is not None
    now = datetime.now(UTC)
    assert (former.name, current.name, current.scopes, current.rate) == ("a-old", "a", ("read",), "5/hour")
    assert [former.is_expired(now + timedelta(hours=hours)) for hours in (1, 3)] == [False, True]
    assert [current.is_expired(now + timedelta(days=days)) for days in (89, 91)] == [False, True]
    audited = (tmp_path / "audit.jsonl").read_text()
    assert [(one["action"], one["rate"]) for one in map(json.loads, audited.splitlines())] == [
        ("key.add", "5/hour"),
        ("key.rotate", "5/hour"),
    ]
    assert not {old["key"], new["key"]} & set(audited.split('"'))


@pytest.mark.parametrize(
    "option",
    [("--expires", "soon"), ("--expires", "²d"), ("--expires", "0d"), ("--rate", "fast"), ("--rate", "0/second")],
)
def test_a_time_or_a_rate_that_is_none_is_refused(run: Run, option: tuple[str, str]) -> None:
    """With an example of one."""
    result = run("key", "add", "--scope", "read", *option)

    assert result.exit_code == 2
    assert "such as" in result.stderr


def test_a_name_given_by_number_fills_the_gap(run: Run) -> None:
    """No name stands twice."""
    for _ in range(3):
        run("key", "add", "--scope", "admin")
    run("key", "remove", "key-2")

    assert "key-2" in run("key", "add", "--scope", "admin").stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("key", "add", "--scope", "everything"), "forecast, record, read, observe, erase, admin"),
        (("key", "add", "--scope", ","), "forecast, record, read, observe, erase, admin"),
        (("key", "add"), "--scope"),
        (("key", "remove", "nobody"), "nobody"),
        (("serve", "--port", "70000"), "--port"),
    ],
)
def test_a_wrong_usage_is_exit_code_2_and_says_what_is_right(run: Run, arguments: tuple[str, ...], said: str) -> None:
    """One line, no traceback."""
    result = run(*arguments)

    assert result.exit_code == 2
    assert said in result.output


def test_a_key_is_added_to_the_file_that_the_setting_names(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though it does not exist yet: this is how it comes to be."""
    named = tmp_path / "elsewhere" / "doors.json"
    monkeypatch.setenv("ALMANAC_API_KEYS", str(named))

    run("key", "add", "--scope", "admin")

    assert len(read_keys(named)) == 1


def test_the_process_does_not_wait_for_a_thread_that_computes(monkeypatch: pytest.MonkeyPatch) -> None:
    """It exits once everything is closed; a thread that ends is waited for."""
    exits, end = list[int](), threading.Event()
    monkeypatch.setattr("os._exit", exits.append)
    monkeypatch.setattr(server, "THREADS_SECONDS", 0.01)
    monkeypatch.setattr("logging.shutdown", lambda: None)
    busy = threading.Thread(target=end.wait, name="forecast_0")
    monkeypatch.setattr("threading.enumerate", lambda: [busy])
    busy.start()

    server._leave()
    end.set()
    busy.join()
    server._leave()

    assert exits == [0]


def test_forwarded_headers_are_believed_of_configured_proxies_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another client cannot say that its request came by https."""
    made, seen = dict[str, Any](), list[str]()

    def stop(_app: object, **options: object) -> None:
        made.update(options)
        raise KeyboardInterrupt

    async def app(scope: dict[str, Any], _receive: object, _send: object) -> None:
        seen.append(scope["scheme"])

    monkeypatch.setattr(server, "uvicorn", SimpleNamespace(Config=stop))
    monkeypatch.setattr(server, "sys", SimpleNamespace(setswitchinterval=lambda _seconds: None))
    served: Any = SimpleNamespace(state=SimpleNamespace(service=SimpleNamespace(metrics=None)))
    with socket.socket() as listener, pytest.raises(KeyboardInterrupt):
        server.serve_app(served, Settings(home=tmp_path, forwarded_allow_ips="10.0.0.0/8"), listener)
    config = uvicorn.Config(
        app, log_config=None, **{key: made[key] for key in ("proxy_headers", "forwarded_allow_ips")}
    )
    config.load()
    for client in ("10.0.0.7", "203.0.113.9"):
        scope = {"type": "http", "scheme": "http", "client": (client, 1), "headers": [(b"x-forwarded-proto", b"https")]}
        asyncio.run(config.loaded_app(scope, None, None))

    assert seen == ["https", "http"]


def test_only_a_document_of_the_interface_builds_what_it_is_made_of() -> None:
    """FastAPI's models of it are half of its import; models defined afterwards are built at once, as ever."""
    program = (
        "from service.cli.starting import prepare_process; prepare_process()\n"
        "import fastapi, fastapi.openapi.models as models, pydantic\n"
        "class Own(pydantic.BaseModel): pass\n"
        "print(models.OpenAPI.__pydantic_complete__, Own.__pydantic_complete__)\n"
        "print(fastapi.FastAPI().openapi()['info']['title'], models.OpenAPI.__pydantic_complete__)"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)  # noqa: S603 - ours

    assert done.stdout.split() == ["False", "True", "FastAPI", "True"]
