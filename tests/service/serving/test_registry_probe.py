"""A glance at a registry: surely empty, or to be asked through mlflow."""

import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from service.serving.registry_index import RegistryIndex
from service.serving.registry_probe import SEARCH, is_empty
from service.serving.registry_process import RegistryPoller
from tests.service.home import ServiceHome


@contextmanager
def server(status: int, body: str) -> Iterator[str]:
    """Answer the search for models on loopback, and yield the address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == SEARCH else 404)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as listening:
        thread = threading.Thread(target=listening.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{listening.server_port}"
        listening.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("status", "body", "empty"),
    [
        (200, "{}", True),
        (200, '{"registered_models": []}', True),
        (200, '{"registered_models": [{"name": "rain"}]}', False),
        (200, "<html>sign in</html>", False),
        (200, "[]", False),
        (401, "{}", False),
        (500, '{"error_code": "INTERNAL_ERROR"}', False),
    ],
)
def test_a_server_is_empty_only_where_it_says_so(status: int, body: str, *, empty: bool) -> None:
    """Whatever else it answers is for mlflow to understand."""
    with server(status, body) as address:
        assert is_empty(address) is empty
        assert is_empty(f"{address}/") is empty


def test_mlflows_own_database_is_understood(tmp_path: Path) -> None:
    """As mlflow makes it: empty at first, and no more once a name is registered."""
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    ask = f"import mlflow; client = mlflow.MlflowClient({uri!r}); client.search_registered_models()"
    subprocess.run([sys.executable, "-c", ask], check=True, capture_output=True)  # noqa: S603 (our own)

    before = is_empty(uri)
    with sqlite3.connect(tmp_path / "mlflow.db") as store:
        store.execute("INSERT INTO registered_models (name, workspace) VALUES ('rain', 'default')")
    store.close()

    assert (before, is_empty(uri)) == (True, False)


@pytest.mark.parametrize(
    "uri", ["http://127.0.0.1:9", "postgresql://host/db", "sqlite:////nowhere/mlflow.db", "file:///x"]
)
def test_what_cannot_be_seen_is_for_mlflow(uri: str) -> None:
    """No answer is not emptiness."""
    assert not is_empty(uri)


def test_a_file_without_mlflows_tables_is_for_mlflow(tmp_path: Path) -> None:
    """It may be about to be made."""
    sqlite3.connect(tmp_path / "mlflow.db").close()

    assert not is_empty(f"sqlite:///{tmp_path / 'mlflow.db'}")


def test_an_empty_registry_is_told_without_mlflow(home: ServiceHome, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the starter answers at once."""
    with server(200, "{}") as address:
        polling = RegistryPoller(home.cache, address)
        monkeypatch.setattr(polling, "_connect", None)  # a call would fail

        index = polling.poll("now")

    assert index == home.cache.read()
    assert index == RegistryIndex(checked="now", source=index.source)
    assert index.source
