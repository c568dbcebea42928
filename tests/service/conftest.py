"""Fixtures of the service's tests: a home with a filled cache, and applications of one's own."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from models import starters
from models.covariates import CovariateNames
from models.jobs.database import SQLITE
from service.app import create_app
from service.settings import Settings
from service.store.database import Database
from tests.service.databases import emptied
from tests.service.home import Artifacts, ServiceHome, ready
from tests.starters import make_starters
from tests.system.programs import postgres


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide the variables of whoever runs the tests."""
    for name in [name for name in os.environ if name.startswith(("ALMANAC_", "MLFLOW_"))]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> Artifacts:
    """Return artifacts made once for all tests, by what tells them apart."""
    return Artifacts(tmp_path_factory.mktemp("artifacts"))


@pytest.fixture(scope="session")
def small_starters(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of small starters, made once for all tests."""
    return make_starters(tmp_path_factory.mktemp("starters"))


@pytest.fixture(autouse=True)
def _starters(small_starters: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let small starters stand for the shipped ones, which a process of its own still has."""
    monkeypatch.setattr(starters, "FOLDER", small_starters)


@pytest.fixture
def home(tmp_path: Path, artifacts: Artifacts) -> ServiceHome:
    """Return an ALMANAC_HOME whose cache the test fills."""
    return ServiceHome(tmp_path / "home", artifacts)


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a SQLite database with empty tables, to be copied: a migration takes longer."""
    path = tmp_path_factory.mktemp("migrated") / "almanac.db"
    with closing(Database(f"sqlite:///{path}")) as database:
        database.migrate()
    return path


@pytest.fixture
def start(home: ServiceHome, migrated: Path) -> Iterator[Callable[..., TestClient]]:
    """Return a function that starts an application over the home, without the registry's child, and is ready."""
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


@pytest.fixture
def client(home: ServiceHome, start: Callable[..., TestClient]) -> TestClient:
    """Return a client of a service whose only model is `temperatures`, version 1."""
    home.publish("temperatures", "1")
    return start()


@pytest.fixture
def documented(home: ServiceHome, start: Callable[..., TestClient]) -> TestClient:
    """Return a client of a service with the models that the examples of /docs name; `temperatures` is the default."""
    home.publish("temperatures", "1")
    home.publish("sales", "1", frequency="D", season_length=7, names=CovariateNames(("visitors",), ("price",)))
    return start(model="temperatures")


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """Return the URL of a PostgreSQL of the tests' own, started when the first test asks for it."""
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
def keeping(home: ServiceHome, start: Callable[..., TestClient], database_url: str) -> TestClient:
    """Return a client of a service whose only model is `temperatures`, over SQLite and over PostgreSQL."""
    home.publish("temperatures", "1")
    return start(database_url=database_url)
