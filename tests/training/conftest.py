import shutil
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from models.series import Series
from tests.training.fakes import make_series, write_csv
from training.candidate import Candidate
from training.pipeline import Bench
from training.place import Place
from training.registry import Registry
from training.terminal import Terminal


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an MLflow database with its tables made; making them takes seconds, copying none."""
    home = tmp_path_factory.mktemp("store")
    Registry(Place.from_environment({"ALMANAC_HOME": str(home)})).names()
    return home / "mlflow.db"


@pytest.fixture
def registry(empty_store: Path, tmp_path: Path) -> Registry:
    """Return a registry of its own, empty."""
    home = tmp_path / "home"
    home.mkdir()
    shutil.copy(empty_store, home / "mlflow.db")
    return Registry(Place.from_environment({"ALMANAC_HOME": str(home)}))


@pytest.fixture
def terminal() -> Terminal:
    """Return a terminal that keeps what it is told."""
    return Terminal(Console(file=StringIO(), width=200))


@pytest.fixture
def make_bench(registry: Registry, terminal: Terminal, tmp_path: Path) -> Callable[[Callable[..., Candidate]], Bench]:
    """Return what makes a bench around a training; each has a scratch folder of its own."""
    count = iter(range(100))
    return lambda fit: Bench(registry, terminal, fit, tmp_path / f"scratch-{next(count)}")


@pytest.fixture
def series() -> list[Series]:
    """Return three monthly series of eight years."""
    return [make_series(name, seed=seed) for seed, name in enumerate("abc")]


@pytest.fixture
def data_file(series: list[Series], tmp_path: Path) -> Path:
    """Return a long CSV file of those series."""
    return write_csv(tmp_path / "weather.csv", series)
