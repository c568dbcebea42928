"""What all tests share: how Hypothesis searches, compiled modules, the Host of Starlette's test client, training without XLA."""

import gc
import os
import shutil
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from hypothesis import HealthCheck, settings

from almanac import names
from models import starters

# The gate must answer the same on a slow, busy machine as on a fast one: no deadline, the same examples every time.
settings.register_profile("gate", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
# `pytest --hypothesis-profile explore` looks elsewhere each time, and longer.
settings.register_profile("explore", deadline=None, max_examples=5000, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("gate")

# Where it is set, every process that a test starts compiles all that it imports: 20 s for TensorFlow, in place of 5.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

os.environ["ALMANAC_ALLOWED_HOSTS"] = "testserver"

names.claim()  # the command line and `import almanac` use the modules that the tests import

gc.disable()  # while the tests are imported


FIRST = tuple(
    f"tests/{one}" for one in ("integration/", "prove/", "system/", "training/", "models/networks/", "service/test_")
)
"""Beginnings of the paths of files that take long."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take long, so that two processes end at nearly the same time."""
    items.sort(key=lambda item: not item.nodeid.startswith(FIRST))


def pytest_collection_finish() -> None:
    """Leave all that is imported out of garbage collection, which would go through a million objects again and again."""
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="module", autouse=True)
def _own_starters() -> None:
    """Forget the starters that another module loaded: small ones may stand for the package's."""
    starters.clear_cache()


@pytest.fixture(scope="session")
def empty_mlflow(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an MLflow database with its tables and no model; making them takes seconds, once for a version of MLflow."""
    from training.registry.client import Registry
    from training.registry.location import RegistryLocation

    kept = pytestconfig.cache.mkdir("mlflow") / f"{version('mlflow')}.db"
    with FileLock(kept.with_suffix(".lock")):
        if not kept.exists():
            home = tmp_path_factory.mktemp("mlflow")
            Registry(RegistryLocation.from_environment({"ALMANAC_HOME": str(home)})).models.names()
            shutil.copy(home / "mlflow.db", kept.with_suffix(".new"))
            kept.with_suffix(".new").replace(kept)
    return kept


@pytest.fixture(scope="module")
def graphs() -> Iterator[None]:
    """Trace training steps as graphs and leave XLA out, which takes 10 to 20 s of compiling a network.

    `tests/integration/test_circle.py` and `tests/models/networks/test_bptt.py` compile with XLA.
    """
    import tensorflow as tf

    traced = tf.function

    def function(func: Any = None, *, jit_compile: bool | None = None, **options: Any) -> Any:  # noqa: ANN401 - any function
        del jit_compile
        return traced(func, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tf, "function", function)
        yield
