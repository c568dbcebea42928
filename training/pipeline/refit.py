"""Refit: the winner is fitted again on all data with the choices that it made before."""

from models.errors import AlmanacError
from training.config.fit import with_choices
from training.config.training import ENSEMBLE
from training.fit.candidate import Candidate
from training.fit.ensemble import make_ensemble
from training.fit.request import FitRequest
from training.pipeline.task import Runtime, TrainingTask

FOLDER = "refit"


def refit(name: str, backtested: Candidate, task: TrainingTask, runtime: Runtime) -> Candidate:
    """Return the winner fitted again on all data, the held-out block included; the same candidate if that fails.

    Every member of an ensemble, and of an `auto`, is fitted again and keeps its weight. The specification keeps the
    accuracy of the candidate that had not seen the held-out block.
    """
    try:
        if backtested.ensemble_weights is None:
            return _fit_again(name, backtested, task, runtime)
        members = {key: _fit_again(key, one, task, runtime) for key, one in backtested.members.items()}
        return make_ensemble(members, runtime.scratch / FOLDER / ENSEMBLE, runtime.combine, backtested.ensemble_weights)
    except AlmanacError as error:
        runtime.progress.report(
            f"Fitting on all data failed; the backtested candidate is registered: {error}", "yellow"
        )
        return backtested


def _fit_again(name: str, backtested: Candidate, task: TrainingTask, runtime: Runtime) -> Candidate:
    """Return one network fitted again on all data."""
    spec = backtested.forecaster.spec
    with runtime.progress.training(f"{name}, all data") as show:
        candidate = runtime.fit(
            FitRequest(
                training_set=task.training_set(whole=True),
                architecture=spec.architecture,
                name=task.config.name,
                seed=spec.seed,
                config=with_choices(task.config.fit, spec),
                directory=runtime.folder(FOLDER, name),
                on_epoch=show,
            )
        )
    for warning in candidate.warnings:
        runtime.progress.report(f"  {name}, all data: {warning}", "yellow")
    return candidate
