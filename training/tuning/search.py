"""Search: what a search tries, and its trials: each fits one network with drawn settings in an MLflow run of its own."""

import math
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models import artifact
from models.errors import AlmanacError, ConfigInvalid, RegistryError, TrainingError
from models.jobs.setting_bounds import DAYS_30, SettingBounds
from training.config.toml import merge
from training.config.training import TrainConfig, train_config
from training.fit.candidate import Candidate, EpochRecord
from training.fit.request import FitRequest
from training.pipeline.task import Runtime, TrainingTask
from training.registry import provenance, runs
from training.registry.client import Registry
from training.registry.parameters import run_params
from training.tuning import search_space
from training.tuning.search_space import Space
from training.tuning.study import count_outcomes, count_trials, outcome_of

if TYPE_CHECKING:
    from optuna import Study, Trial

WARM_UP = 2
"""Times the steps of the shortest schedule in which a trial is not pruned: these, with and without a logarithm, say little
about the long ones."""

BUDGET = {"trials": SettingBounds(1, 100_000), "max_seconds": SettingBounds(0, DAYS_30, whole=False, above=True)}
"""Bounds of a search's limits."""


@dataclass(frozen=True, slots=True)
class Budget:
    """Limits of a search.

    Attributes:
        trials: Trials in all, those of earlier calls on the same study included.
        max_seconds: Wall time of this call after which no further trial begins.
    """

    trials: int = 20
    max_seconds: float = 1800.0

    def __post_init__(self) -> None:
        for name, bounds in BUDGET.items():
            if fault := bounds.fault(getattr(self, name)):
                raise ConfigInvalid(f"{name} must be {fault}. Received: {getattr(self, name)}.")


@dataclass(frozen=True, slots=True)
class Search:
    """What a search tries: settings that vary around a configuration, as merged TOML, within a budget."""

    settings: Mapping[str, Any]
    space: Space
    budget: Budget
    folder: Path
    study: str
    output: Path


class Pruned(Exception):
    """A trial that is not going to be the best one."""


@dataclass(frozen=True, slots=True)
class RunningSearch:
    """A search in progress: its study, data, MLflow run and runtime."""

    search: Search
    study: "Study"
    task: TrainingTask
    run_id: str
    registry: Registry
    runtime: Runtime
    began: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """Wall time of this call so far."""
        return time.monotonic() - self.began

    @property
    def best_settings(self) -> dict[str, Any]:
        """Drawn settings of the best trial, by key."""
        import optuna

        return search_space.draw(self.search.space, optuna.trial.FixedTrial(self.study.best_trial.params))

    def report(self, text: str, style: str = "") -> None:
        """Print one line."""
        self.runtime.progress.report(text, style)

    def write_best(self) -> None:
        """Write the best trial's settings as a configuration that `almanac train` reads."""
        best, output = self.study.best_trial, self.search.output
        comment = (
            f"Best of {count_trials(self.study)} trials of study {self.search.study}: trial {best.number}, validation MASE "
            f"{best.value:.4f}.\nWritten by almanac tune; almanac train reads it."
        )
        settings = merge(self.search.settings, search_space.nested(self.best_settings))
        settings["data"] = str(self.task.config.data.absolute())
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(search_space.to_toml(settings, comment=comment), encoding="utf-8")


def run_trial(running: RunningSearch, trial: "Trial") -> None:
    """Fit one network with drawn settings and tell the study the result; raises RegistryError."""
    from optuna.trial import TrialState

    drawn = search_space.draw(running.search.space, trial)
    config = train_config(merge(running.search.settings, search_space.nested(drawn), {"seeds": 1}))
    try:
        candidate = _fit(running, trial, config, drawn)
    except RegistryError:
        raise
    except AlmanacError as error:
        trial.set_user_attr("cause", str(error))
        running.study.tell(trial, state=TrialState.FAIL)
        running.report(f"{_label(running, trial)}: failed: {error.detail}", "red")
        return
    if candidate is None:
        running.study.tell(trial, state=TrialState.PRUNED)
        _report_end(running, trial, "pruned")
        return
    running.study.tell(trial, float(candidate.validation["mase"]))
    if running.study.best_trial.number == trial.number:
        running.write_best()
    _report_end(running, trial, f"validation MASE {candidate.validation['mase']:.4f}")


def _fit(running: RunningSearch, trial: "Trial", config: TrainConfig, drawn: Mapping[str, Any]) -> Candidate | None:
    """Return the network of a trial, fitted in a run of its own, or None if it was pruned."""
    runtime, registry, architecture = running.runtime, running.registry, config.first_network
    directory = runtime.folder(f"trial-{trial.number}")
    with runs.tracked_run(registry, config.name, f"trial {trial.number}", parent=running.run_id) as run_id:
        described = provenance.describe(
            config, running.task.data, runtime.environment, architecture=architecture, seed=config.seed
        )
        runs.log_provenance(registry, run_id, described)
        tags = {"architecture": architecture, "trial.number": trial.number, "trial.drawn": dict(drawn)}
        others = {key: value for key, value in drawn.items() if key not in run_params(described)}
        registry.log(run_id, params=others, tags={"almanac.kind": "trial", **tags})
        with runtime.progress.training(_label(running, trial)) as show:

            def on_epoch(epoch: EpochRecord) -> None:
                show(epoch)
                runs.log_epoch(registry, run_id, epoch)
                _prune(trial, epoch, config)

            request = FitRequest(
                training_set=running.task.training_set(whole=False),
                architecture=architecture,
                name=config.name,
                seed=config.seed,
                config=config.fit,
                directory=directory,
                on_epoch=on_epoch,
            )
            try:
                candidate = runtime.fit(request)
            except Pruned:
                registry.log(run_id, tags={"trial.state": "pruned"})
                return None
        if math.isnan(candidate.validation["mase"]):
            raise TrainingError("The validation error is not a number.")
        _log_end(running, run_id, trial.number, candidate)
        shutil.rmtree(directory)
        return candidate


def _prune(trial: "Trial", epoch: EpochRecord, config: TrainConfig) -> None:
    """Report an epoch with a validation error to the study; raise Pruned if the trial is to end."""
    if math.isnan(epoch.validation_mase):
        return
    trial.report(epoch.validation_mase, epoch.step)
    if WARM_UP * config.fit.schedules[0] < epoch.step < config.fit.schedules[-1] and trial.should_prune():
        raise Pruned


def _log_end(running: RunningSearch, own: str, number: int, candidate: Candidate) -> None:
    """Log a trial's error and choices in its own run, and the least error so far as a step of the search's curve."""
    registry, error = running.registry, float(candidate.validation["mase"])
    figures = {"validation.mase": error, "train_seconds": candidate.train_seconds}
    digest = provenance.weights_digest(candidate.directory / artifact.NETWORK)
    registry.log(own, metrics=figures, tags={"trial.state": "complete", "weights_digest": digest})
    registry.log_json(own, provenance.choices(candidate.forecaster.spec), provenance.CHOICES)
    complete = [one.value for one in running.study.trials if outcome_of(one) == "complete" and one.value is not None]
    registry.log(running.run_id, metrics={"search/least_validation_mase": min([error, *complete])}, step=number)


def _label(running: RunningSearch, trial: "Trial") -> str:
    return f"trial {trial.number} ({count_trials(running.study) + 1}/{running.search.budget.trials})"


def _report_end(running: RunningSearch, trial: "Trial", result: str) -> None:
    shown = [
        f"{key}={value:.3g}" if isinstance(value, float) else f"{key}={value}" for key, value in trial.params.items()
    ]
    best = running.study.best_trial if count_outcomes(running.study)["complete"] else None
    so_far = f"; best {best.value:.4f}, trial {best.number}" if best else ""
    running.report(f"trial {trial.number}: {result}{so_far}  {' '.join(shown)}")
