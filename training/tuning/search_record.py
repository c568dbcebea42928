"""Search record: what a search leaves in MLflow, one run for the study and one in it for each trial."""

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from models import artifact
from training.data.series_set import SeriesSet
from training.evaluation import figures
from training.fit.candidate import Candidate
from training.registry import provenance
from training.registry.client import Registry
from training.registry.runs import log_provenance


def log_search(
    registry: Registry, run_id: str, told: Mapping[str, Any], data: SeriesSet, space: Mapping[str, str]
) -> None:
    """Write what a search starts from and what it varies."""
    log_provenance(registry, run_id, told)
    registry.log(run_id, params={f"space.{key}": text for key, text in space.items()}, tags={"almanac.kind": "search"})
    registry.log_dataset(run_id, name=data.path.stem, digest=data.digest, source=str(data.path), profile="{}")


def log_trial(registry: Registry, run_id: str, number: int, told: Mapping[str, Any], drawn: Mapping[str, Any]) -> None:
    """Write how one trial's network is made, and which of its settings were drawn."""
    log_provenance(registry, run_id, told)
    tags = {"architecture": told["architecture"], "trial.number": number, "trial.drawn": dict(drawn)}
    registry.log(run_id, tags={"almanac.kind": "trial", **tags})


def log_trial_end(registry: Registry, run_ids: tuple[str, str], number: int, candidate: Candidate) -> None:
    """Write a whole trial's error and choices on its own run, and the error as a step of the search's curve."""
    own, search = run_ids
    found = {"validation.mase": candidate.validation["mase"], "train_seconds": candidate.train_seconds}
    digest = provenance.weights_digest(candidate.directory / artifact.NETWORK)
    registry.log(own, metrics=found, tags={"trial.state": "complete", "weights_digest": digest})
    registry.log_json(own, provenance.choices(candidate.forecaster.spec), provenance.CHOICES)
    registry.log(search, metrics={"trial/validation_mase": candidate.validation["mase"]}, step=number)


def log_search_end(registry: Registry, run_id: str, figure: Any, best: Path, metrics: Mapping[str, float]) -> None:  # noqa: ANN401 - matplotlib's
    """Write what came of a search: its picture, the best configuration and the counts."""
    registry.log(run_id, metrics=metrics)
    with tempfile.TemporaryDirectory() as folder:
        figures.save_figures({"search": figure}, Path(folder))
        registry.log_files(run_id, Path(folder), "figures")
        (Path(folder) / "search.png").unlink()
        shutil.copy(best, Path(folder) / "best.toml")
        registry.log_files(run_id, Path(folder), "configuration")
