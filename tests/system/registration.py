"""Registration: registers artifacts as training does, without training."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

from tests.artifacts import make_artifact
from training.registry.client import Registry
from training.registry.location import RegistryLocation


def example() -> pd.DataFrame:
    """Return a long frame that a monthly model can forecast."""
    months = pd.date_range("2000-01-01", periods=60, freq="MS")
    return pd.DataFrame({"unique_id": "one", "ds": months, "y": [float(i % 12) for i in range(60)]})


@contextmanager
def registry_at(uri: str, home: Path) -> Iterator[Registry]:
    """Yield the registry at a URI; MLflow's environment variables are restored afterwards."""
    import mlflow

    before = dict(os.environ)
    try:
        yield Registry(RegistryLocation(home, uri))
    finally:
        os.environ.clear()
        os.environ.update(before)
        mlflow.set_tracking_uri("")
        mlflow.set_registry_uri("")


def register(registry: Registry, folder: Path, *, shift: float = 0.0, name: str = "temperatures") -> str:
    """Register a seasonal naive that adds `shift` as the next version of a name, and return its number."""
    artifact = make_artifact(folder / f"{name}-{shift}", name=name, shift=shift)
    run = registry.start(name, f"shift {shift}", tags={"almanac.kind": "test"})
    uri = registry.models.log_model(run, artifact, example())
    registry.finish(run)
    return registry.models.register(name, uri, run_id=run, tags={"architecture": "lstm"})
