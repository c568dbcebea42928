"""Backup and restore as docs/operations.md describes them: onto an empty home, the service forecasts the same."""

import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from starlette.testclient import TestClient

from service.app import create_app
from service.settings import Settings
from tests.service.conftest import (  # noqa: F401 - fixtures
    _environment,
    _starters,
    artifacts,
    database_url,
    empty_url,
    home,
    migrated,
    postgresql,
    registrar,
    small_starters,
    start,
    stored_client,
)
from tests.service.home import ServiceHome, eventually
from tests.service.registrar import Registrar
from training.registry.home import relocate
from training.registry.location import RegistryLocation

pytestmark = pytest.mark.system

ASKED = {
    "series": [{"id": "a", "start": "2018-01", "frequency": "M", "values": [float(i % 12) for i in range(60)]}],
    "horizon": 12,
}
OBSERVED = {"frequency": "M", "observations": [{"id": "a", "timestamp": "2023-01-01", "value": 0.5}]}


def test_a_restored_home_forecasts_the_same(
    stored_client: TestClient,  # noqa: F811 - a fixture
    home: ServiceHome,  # noqa: F811
    registrar: Registrar,  # noqa: F811
    database_url: str,  # noqa: F811
    tmp_path: Path,
) -> None:
    """And has the forecasts and observations of the backup, which is made while the service runs."""
    before = stored_client.post("/forecast", json=ASKED).json()
    number = before["forecasts"][0]["forecast_id"]
    eventually(lambda: stored_client.get(f"/forecasts/{number}").status_code == 200, "the forecast is not written")
    stored_client.post("/observations", json=OBSERVED).raise_for_status()

    empty = tmp_path / "empty"
    empty.mkdir()
    restored_url = copy_database(database_url, empty)
    copy_file(registrar.path, empty / "mlflow.db")
    shutil.copytree(registrar.path.parent / "artifacts", empty / "artifacts")
    location = RegistryLocation.from_environment({"ALMANAC_HOME": str(empty)})
    moved = relocate(location)

    with TestClient(create_app(Settings(home=empty, database_url=restored_url))) as restored:
        eventually(lambda: names(restored) == ["temperatures"], "the registry is not read")
        after = restored.post("/forecast", json={**ASKED, "model": "temperatures"}).json()
        assert forecasts(after) == forecasts(before)
        assert restored.get(f"/forecasts/{number}").json() == stored_client.get(f"/forecasts/{number}").json()
        exported = [one.get("/series/a").json() for one in (stored_client, restored)]
        assert exported[0] == exported[1]
    assert moved == [registrar.path.parent]
    assert home.path != empty


def copy_database(url: str, folder: Path) -> str:
    """Copy a database that is in use, as the documentation says, and return the URL of the copy."""
    if url.startswith("sqlite"):
        copy_file(Path(url.removeprefix("sqlite:///")), folder / "almanac.db")
        return f"sqlite:///{folder / 'almanac.db'}"
    restored = url.rpartition("/")[0] + "/restored"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE restored")
    dump = folder / "almanac.dump"
    for command in (
        ["pg_dump", "--format=custom", f"--dbname={url}", f"--file={dump}"],
        ["pg_restore", "--no-owner", f"--dbname={restored}", str(dump)],
    ):
        subprocess.run(command, check=True)  # noqa: S603 - fixed
    return restored


def copy_file(source: Path, target: Path) -> None:
    """Copy a SQLite file that is in use: what `.backup` of the program sqlite3 does."""
    with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(target)) as new:
        old.backup(new)


def names(client: TestClient) -> list[str]:
    """Return the models whose champion is in memory."""
    ready = client.get("/health/ready").json()
    return [one["name"] for one in ready.get("models", []) if one.get("name") == "temperatures"]


def forecasts(response: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the forecasts of a response without what differs from request to request."""
    return [{key: value for key, value in one.items() if key != "forecast_id"} for one in response["forecasts"]]
