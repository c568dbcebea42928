"""A home that an earlier Almanac wrote (commit 1156a74: `train`, `schedule add`, `serve`) opens, and its model forecasts the same."""

import json
import sqlite3
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from numpy.testing import assert_allclose
from starlette.testclient import TestClient

from models import artifact, starters
from service.app import create_app
from service.settings import Settings
from tests.service.home import ready
from training.registry.client import Registry
from training.registry.location import RegistryLocation

ARCHIVE = Path(__file__).parent / "homes" / "0.1.0.tar.xz"

LOCATIONS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("model_versions", "storage_location"),
    ("logged_models", "artifact_location"),
)
"""Columns in which MLflow keeps absolute paths."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the old home, its data and what was forecast then; MLflow's paths are those of the new place."""
    there = tmp_path_factory.mktemp("old")
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(there, filter="data")
    database = sqlite3.connect(there / "almanac-data" / "mlflow.db")
    ((then,),) = database.execute("SELECT artifact_location FROM experiments WHERE name = 'weather'")
    before = then.removeprefix("file://").removesuffix("/almanac-data/artifacts")
    for table, column in LOCATIONS:
        database.execute(f"UPDATE {table} SET {column} = replace({column}, ?, ?)", (before, str(there)))  # noqa: S608
    database.commit()
    database.close()
    return there


@pytest.fixture(scope="module")
def service(folder: Path) -> Iterator[TestClient]:
    """Return a client of the service over that home."""
    with TestClient(create_app(Settings(home=folder / "almanac-data"))) as client:
        ready(client)
        yield client


def recorded(folder: Path, name: str) -> Any:  # noqa: ANN401 - any JSON
    """Return what was recorded when the home was written."""
    return json.loads((folder / name).read_text())


def test_the_old_model_loads_and_its_golden_forecasts_are_right(folder: Path, tmp_path: Path) -> None:
    """Loading replays them; the specification is written back as it was read."""
    registry = Registry(RegistryLocation.from_environment({"ALMANAC_HOME": str(folder / "almanac-data")}))
    path = registry.models.download(registry.models.resolve("weather@champion"), tmp_path / "model")

    spec = artifact.load(path).spec

    assert spec.architecture == "gru"
    assert json.loads(spec.to_json()) == json.loads((path / artifact.SPEC).read_text())


def test_the_old_model_forecasts_the_same(folder: Path, service: TestClient) -> None:
    """The service returns what it returned then, from medians to the ends of intervals."""
    rows = [line.split(",") for line in (folder / "weather.csv").read_text().splitlines()[1:]]
    values = [float(value) for name, _, value in rows if name == "station0"]
    body = {"id": "station0", "start": "2015-01", "frequency": "M", "values": values}

    answer = service.post("/forecast", json={"series": [body], "horizon": 6, "levels": [80, 95]}).json()

    then = recorded(folder, "posted.json")
    (old,), (new,) = then["forecasts"], answer["forecasts"]
    assert answer["model"] == then["model"]
    assert old.keys() <= new.keys()
    assert_allclose(new["median"], old["median"], rtol=1e-6)
    for level, interval in old["intervals"].items():
        assert_allclose(new["intervals"][level]["lower"], interval["lower"], rtol=1e-6)
        assert_allclose(new["intervals"][level]["upper"], interval["upper"], rtol=1e-6)


def test_old_observations_forecasts_and_schedules_are_there(service: TestClient) -> None:
    """The database and the jobs' database of then open, and say what they held."""
    (schedule,) = service.get("/schedules").json()["schedules"]
    series = service.get("/series/station0").json()
    later = service.get("/series/station0/forecast", params={"horizon": 3})

    assert (schedule["name"], schedule["cron"]) == ("weather", "0 3 1 * *")
    assert series["observations"] == 72
    assert later.json()["forecasts"][0]["timestamps"] == ["2021-01-01", "2021-02-01", "2021-03-01"]
    assert service.get("/accuracy").status_code == 200


@pytest.mark.parametrize(
    "kind", sorted(path.name for path in starters.FOLDER.iterdir() if (path / "spec.json").exists())
)
def test_a_starters_specification_is_written_back_as_it_was_read(kind: str) -> None:
    """What ships is what was trained."""
    path = starters.FOLDER / kind

    assert json.loads(artifact.load(path).spec.to_json()) == json.loads((path / artifact.SPEC).read_text())
