import shutil
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from sqlalchemy import Engine, event

from models.series import Series
from tests.training.fakes import combine_graphs, make_series, write_csv
from training.evaluation import classical, figures
from training.fit.request import Fit
from training.pipeline.task import Runtime
from training.progress import Progress
from training.registry import runs
from training.registry.client import Registry
from training.registry.home import relocate
from training.registry.location import RegistryLocation

MakeRuntime = Callable[[Fit], Runtime]


@contextmanager
def in_this_process(_count: int) -> Iterator[Executor]:
    """Yield one thread in the place of spawned processes, each of which would import statsforecast anew."""
    with ThreadPoolExecutor(1) as pool:
        yield pool


@pytest.fixture(autouse=True)
def classical_models_fitted_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fit AutoETS and AutoTheta in this process: real fits, at a hundredth of the price."""
    monkeypatch.setattr(classical, "worker_processes", in_this_process)


@pytest.fixture(scope="session")
def empty_store(empty_mlflow: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Yield an MLflow database with its tables.

    A copy need not be checked for its tables again, and waits for no disk: it lives as long as its test.
    """
    home = tmp_path_factory.mktemp("store")
    shutil.copy(empty_mlflow, home / "mlflow.db")
    event.listen(Engine, "connect", wait_for_no_disk)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mlflow.store.db.utils._verify_schema", lambda _engine: None)
        yield home / "mlflow.db"
    if event.contains(Engine, "connect", wait_for_no_disk):  # engines that are gone may have taken it along
        event.remove(Engine, "connect", wait_for_no_disk)


def wait_for_no_disk(connection: Any, _record: object) -> None:  # noqa: ANN401 - any driver's
    """Turn off SQLite's waits for the disk."""
    if isinstance(connection, sqlite3.Connection):
        connection.execute("PRAGMA synchronous = OFF")


@pytest.fixture
def registry(empty_store: Path, tmp_path: Path) -> Registry:
    """Return a registry of its own, empty."""
    return copy_registry(empty_store, tmp_path / "home")


def copy_registry(database: Path, home: Path) -> Registry:
    """Return a registry that begins with the runs, versions and artifacts of the home of a database."""
    home.mkdir()
    shutil.copy(database, home / "mlflow.db")
    location = RegistryLocation.from_environment({"ALMANAC_HOME": str(home)})
    artifacts = database.parent / "artifacts"
    if artifacts.exists():
        shutil.copytree(artifacts, home / "artifacts")
        relocate(location)
    return Registry(location)


@pytest.fixture
def progress() -> Progress:
    """Return a terminal that keeps what is printed."""
    return Progress(Console(file=StringIO(), width=200))


@pytest.fixture
def make_runtime(progress: Progress, tmp_path: Path) -> MakeRuntime:
    """Return what makes a runtime around a fit; each has a scratch folder of its own."""
    count = iter(range(100))
    return lambda fit: Runtime(progress, fit, tmp_path / f"scratch-{next(count)}", combine=combine_graphs)


@pytest.fixture(scope="module")
def no_figures() -> Iterator[None]:
    """Draw no figures in a module, which takes longer than all else that its tests do."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(figures, "save_figures", lambda _figures, folder: (folder / "figures.txt").write_text("none"))
        patch.setattr(runs, "_draw", lambda *_: {})
        yield


@pytest.fixture
def series() -> list[Series]:
    """Return three monthly series of eight years."""
    return [make_series(name, seed=seed) for seed, name in enumerate("abc")]


@pytest.fixture
def data_file(series: list[Series], tmp_path: Path) -> Path:
    """Return a long CSV file of those series."""
    return write_csv(tmp_path / "weather.csv", series)


@pytest.fixture
def eager() -> Iterator[None]:
    """Run optimizer steps without compiling them, which for a handful takes longer than they do."""
    import tensorflow as tf

    tf.config.run_functions_eagerly(run_eagerly=True)
    yield
    tf.config.run_functions_eagerly(run_eagerly=False)
