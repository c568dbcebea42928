"""Refit: the winner trained again on all data, with the choices that were made before."""

from pathlib import Path
from typing import TYPE_CHECKING

from models.errors import AlmanacError
from training.config.fit import with_choices
from training.config.training import ENSEMBLE
from training.fit.candidate import Candidate
from training.fit.ensemble import make_ensemble
from training.fit.request import FitRequest
from training.pipeline.champion import seen_by

if TYPE_CHECKING:
    from training.pipeline.task import Bench, Task


def refit(name: str, first: Candidate, task: "Task", bench: "Bench") -> Candidate:
    """Return the winner trained again with the same choices on all data, the held-out block included.

    Of an ensemble, and of an `auto`, every member is trained again, and counts as it did. The specification keeps the
    figures of the run that had not seen the held-out block. A second training that fails leaves the first one standing.

    Args:
        name: What it is called among the candidates.
        first: As it was backtested.
        task: The comparison that it won.
        bench: What trains, and where.
    """
    try:
        if first.mixture is None or len(first.members) == 1:
            return _fit_again(name, first, task, bench)
        members = {key: _fit_again(key, one, task, bench) for key, one in first.members.items()}
        return make_ensemble(members, bench.scratch / "refit" / ENSEMBLE, bench.combine, first.mixture)
    except AlmanacError as error:
        bench.terminal.say(f"Training on all data failed, so the first training stays: {error}", "yellow")
        return first


def _fit_again(name: str, first: Candidate, task: "Task", bench: "Bench") -> Candidate:
    """Return one network trained again on all data."""
    spec = first.forecaster.spec
    chosen = with_choices(task.config.fit, spec)
    with bench.terminal.training(f"{name}, all data") as show:
        request = FitRequest(
            training_set=seen_by(spec.architecture, task, bench, whole=True),
            architecture=spec.architecture,
            name=task.config.name,
            seed=spec.seed,
            config=chosen,
            directory=empty_folder(bench.scratch / "refit" / name),
            on_epoch=show,
        )
        candidate = bench.fit(request)
    for warning in candidate.warnings:
        bench.terminal.say(f"  {name}, all data: {warning}", "yellow")
    return candidate


def empty_folder(path: Path) -> Path:
    """Return a folder that was made just now."""
    path.mkdir(parents=True)
    return path
