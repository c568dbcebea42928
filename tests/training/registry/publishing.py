"""Publishing: registered models for tests."""

from pathlib import Path

import pandas as pd

from tests.artifacts import make_artifact
from training.registry.client import Registry


def publish(registry: Registry, directory: Path, *, shift: float = 0.0) -> str:
    """Register an artifact as the next version of `weather` and return its number."""
    return publish_folder(registry, make_artifact(directory, shift=shift))


def publish_folder(registry: Registry, directory: Path) -> str:
    """Register the artifact in a folder, likewise."""
    run_id = registry.start("weather", "lstm", tags={})
    example = pd.DataFrame({"unique_id": "a", "ds": pd.date_range("2000-01", periods=36, freq="MS"), "y": 1.0})
    uri = registry.models.log_model(run_id, directory, example)
    registry.finish(run_id)
    return registry.models.register("weather", uri, run_id=run_id, tags={"architecture": "lstm"})
