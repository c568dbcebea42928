"""Glance: whether a registry is surely empty, seen without mlflow, whose import takes seconds."""

import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.request import urlopen

import orjson

SQLITE = "sqlite:///"
TIMEOUT_SECONDS = 1.0
SEARCH = "/api/2.0/mlflow/registered-models/search?max_results=1"


def is_empty(uri: str) -> bool:
    """Return True where a registry answers and has no model; False where it has one, or where mlflow must be asked."""
    try:
        if uri.startswith(SQLITE):
            return _is_empty_file(Path(uri.removeprefix(SQLITE)))
        return uri.startswith(("http://", "https://")) and _is_empty_server(uri)
    except (OSError, ValueError, sqlite3.Error):  # no such table, no answer, a password that only mlflow knows
        return False


def _is_empty_file(path: Path) -> bool:
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=TIMEOUT_SECONDS)) as store:
        return store.execute("SELECT 1 FROM registered_models LIMIT 1").fetchone() is None


def _is_empty_server(uri: str) -> bool:
    with urlopen(f"{uri.rstrip('/')}{SEARCH}", timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310 (http or https, see above)
        found = orjson.loads(answer.read())
    return isinstance(found, dict) and not found.get("registered_models") and "error_code" not in found
