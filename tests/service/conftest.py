"""Fixtures of the service's tests: homes with a filled cache, applications and databases."""

import asyncio
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from starlette.testclient import TestClient

from models import artifact, starters
from models.covariates import CovariateNames
from models.jobs.database import SQLITE
from models.series import Series
from service.app import create_app
from service.jobs.client import JobsClient
from service.jobs.schedules import list_schedules
from service.selector import LoadedModel, SelectedModel
from service.settings import Settings
from service.store.database import Database
from service.store.log_entry import ServedForecast
from tests.service.databases import emptied
from tests.service.home import Artifacts, ServiceHome, ready, serving
from tests.service.registrar import Registrar
from tests.starters import make_starters
from tests.system.programs import postgres


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove the environment variables of Almanac and MLflow, except the name of the test client's host."""
    for name in [name for name in os.environ if name.startswith(("ALMANAC_", "MLFLOW_"))]:
        if name != "ALMANAC_ALLOWED_HOSTS":
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> Artifacts:
    """Return the artifacts of all tests, each created once."""
    return Artifacts(tmp_path_factory.mktemp("artifacts"))


@pytest.fixture(scope="session")
def small_starters(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of small starters, created once."""
    return make_starters(tmp_path_factory.mktemp("starters"))


@pytest.fixture(scope="session")
def registrar(
    tmp_path_factory: pytest.TempPathFactory, artifacts: Artifacts, empty_mlflow: Path
) -> Iterator[Registrar]:
    """Return a real MLflow whose model `temperatures` has a champion; importing mlflow takes seconds."""
    home = tmp_path_factory.mktemp("registry")
    shutil.copy(empty_mlflow, home / "mlflow.db")
    with Registrar(home) as registrar:
        registrar.register("temperatures", artifacts.get(name="temperatures"), "champion")
        yield registrar


@pytest.fixture(autouse=True)
def _starters(small_starters: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace the starters of the package by small ones, in this process."""
    monkeypatch.setattr(starters, "FOLDER", small_starters)
    monkeypatch.setattr(starters, "BLENDS", {})


@pytest.fixture
def home(tmp_path: Path, artifacts: Artifacts) -> ServiceHome:
    """Return an ALMANAC_HOME with an empty cache."""
    return ServiceHome(tmp_path / "home", artifacts)


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a SQLite database with empty tables; copying it is faster than a migration."""
    path = tmp_path_factory.mktemp("migrated") / "almanac.db"
    with closing(Database(f"sqlite:///{path}")) as database:
        database.migrate()
    return path


@pytest.fixture(scope="session")
def empty_queue(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a jobs database without jobs; copying it is faster than creating its tables."""
    path = tmp_path_factory.mktemp("queue") / "jobs.db"
    with closing(JobsClient(f"{SQLITE}{path}", 1)) as jobs:
        asyncio.run(jobs.run(list_schedules))
    return path


@pytest.fixture
def start(home: ServiceHome, migrated: Path) -> Iterator[Callable[..., TestClient]]:
    """Return a function that starts an application without the registry process, and waits until it is ready."""
    with ExitStack() as stack:

        def start(*, wait: bool = True, **changes: Any) -> TestClient:  # noqa: ANN401 (any field of Settings)
            if not (home.path / migrated.name).exists():
                home.path.mkdir(exist_ok=True)
                shutil.copy(migrated, home.path)
            app = create_app(Settings(home=home.path, **changes), supervise=False)
            client = stack.enter_context(TestClient(app))
            if wait:
                ready(client)
            return client

        yield start


@pytest.fixture(scope="session")
def shared_client(
    tmp_path_factory: pytest.TempPathFactory, artifacts: Artifacts, migrated: Path
) -> Iterator[TestClient]:
    """Return a client as `client`, but of one service for all tests that change no state."""
    home = ServiceHome(tmp_path_factory.mktemp("shared"), artifacts)
    home.publish("temperatures", "1")
    with serving(home, migrated) as client:
        yield client


@pytest.fixture
def client(home: ServiceHome, start: Callable[..., TestClient]) -> TestClient:
    """Return a client of a new service whose only model is `temperatures`, version 1."""
    home.publish("temperatures", "1")
    return start()


@pytest.fixture
def queue_client(home: ServiceHome, start: Callable[..., TestClient], empty_queue: Path) -> TestClient:
    """Return a client of a new service with an empty queue and no model."""
    home.path.mkdir()
    shutil.copy(empty_queue, home.path)
    return start(wait=False)


@pytest.fixture
def examples_client(home: ServiceHome, start: Callable[..., TestClient]) -> TestClient:
    """Return a client of a service with the models in the examples of /docs; `temperatures` is the default."""
    home.publish("temperatures", "1")
    home.publish("sales", "1", frequency="D", season_length=7, names=CovariateNames(("visitors",), ("price",)))
    return start(model="temperatures")


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """Return the URL of a PostgreSQL that is started for the tests."""
    with postgres() as running:
        yield running.url.replace("+psycopg", "")


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.system)])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of a database without tables, on SQLite and on PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'almanac.db'}"
    return emptied(request.getfixturevalue("postgresql"))


@pytest.fixture
def database_url(empty_url: str, migrated: Path) -> str:
    """Return the URL of an empty database, on SQLite and on PostgreSQL; the tables of PostgreSQL are missing yet."""
    if empty_url.startswith(SQLITE):
        shutil.copy(migrated, empty_url.removeprefix(SQLITE))
    return empty_url


@pytest.fixture
def stored_client(home: ServiceHome, start: Callable[..., TestClient], database_url: str) -> TestClient:
    """Return a client of a service whose only model is `temperatures`, over SQLite and over PostgreSQL."""
    home.publish("temperatures", "1")
    return start(database_url=database_url)


@pytest.fixture
def entry(artifacts: Artifacts) -> ServedForecast:
    """Return a served forecast that is to be written."""
    forecaster = artifact.load(artifacts.get())
    selected = SelectedModel(LoadedModel("temperatures", "7", "run", forecaster, datetime.now(UTC)), "champion")
    series = Series.make([place % 12 + place // 12 for place in range(30)], id="a", start="2020-01", frequency="M")
    return ServedForecast(str(uuid4()), time.time_ns() // 1_000, selected, series, forecaster.forecast([series], 6)[0])
