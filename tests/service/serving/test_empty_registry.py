"""The registry probe: certainly empty, or unknown without mlflow."""

import shutil
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from service.serving.empty_registry import SEARCH, is_empty
from service.serving.registry_index import RegistryIndex
from service.serving.registry_process import RegistryPoller
from tests.service.home import ServiceHome
from tests.service.registrar import Registrar


@contextmanager
def server(status: int, body: str) -> Iterator[str]:
    """Serve the search for models on loopback, and yield the address."""

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
def test_a_server_is_empty_if_its_search_is(status: int, body: str, *, empty: bool) -> None:
    """Any other response needs mlflow."""
    with server(status, body) as address:
        assert is_empty(address) is empty
        assert is_empty(f"{address}/") is empty


def test_a_database_of_mlflow_is_read(registrar: Registrar, tmp_path: Path) -> None:
    """It is empty after the last name is deleted."""
    path = tmp_path / "mlflow.db"
    shutil.copy(registrar.path, path)

    before = is_empty(f"sqlite:///{path}")
    with closing(sqlite3.connect(path)) as store, store:
        store.execute("DELETE FROM registered_models")

    assert (before, is_empty(f"sqlite:///{path}")) == (False, True)


@pytest.mark.parametrize(
    "uri", ["http://127.0.0.1:9", "postgresql://host/db", "sqlite:////nowhere/mlflow.db", "file:///x"]
)
def test_a_registry_that_cannot_be_read_is_not_empty(uri: str) -> None:
    """Only mlflow can tell."""
    assert not is_empty(uri)


def test_a_file_without_tables_is_not_empty(tmp_path: Path) -> None:
    """Training may be creating them."""
    sqlite3.connect(tmp_path / "mlflow.db").close()

    assert not is_empty(f"sqlite:///{tmp_path / 'mlflow.db'}")


def test_an_empty_registry_is_polled_without_mlflow(home: ServiceHome, monkeypatch: pytest.MonkeyPatch) -> None:
    """So the starter answers at once."""
    with server(200, "{}") as address:
        poller = RegistryPoller(home.cache, address)
        monkeypatch.setattr(poller, "_connect", None)  # a call would fail

        index = poller.poll("now")

    assert index == home.cache.read()
    assert index == RegistryIndex(checked="now", source=index.source)
    assert index.source
