"""Search: what a search tries, and its trials: each fits one network with drawn settings in an MLflow run of its own."""

import math
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.errors import AlmanacError, ConfigInvalid, RegistryError, TrainingError
from models.jobs.setting_bounds import DAYS_30, SettingBounds
from training.config.toml import merge
from training.config.training import TrainConfig, train_config
from training.fit.candidate import EpochRecord
from training.fit.request import OnEpoch
from training.pipeline.task import Runtime, TrainingTask
from training.registry import provenance, runs
from training.registry.client import Registry
from training.registry.parameters import run_params
from training.tuning import search_space
from training.tuning.fitted_trial import FittedTrial, request_of
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
    """Fit one network with drawn settings here, and tell the study the result; raises RegistryError."""
    config, drawn = draw_trial(running, trial)
    directory = running.runtime.folder(f"trial-{trial.number}")

    def fit(on_epoch: OnEpoch) -> FittedTrial:
        training_set = running.task.training_set(whole=False)
        return FittedTrial.of(running.runtime.fit(request_of(config, training_set, directory, on_epoch)))

    end_trial(running, trial, config, drawn, fit)
    shutil.rmtree(directory)


def draw_trial(running: RunningSearch, trial: "Trial") -> tuple[TrainConfig, dict[str, Any]]:
    """Return the configuration of a trial, and the settings in it that were drawn."""
    drawn = search_space.draw(running.search.space, trial)
    return train_config(merge(running.search.settings, search_space.nested(drawn), {"seeds": 1})), drawn


def end_trial(
    running: RunningSearch,
    trial: "Trial",
    config: TrainConfig,
    drawn: Mapping[str, Any],
    fit: Callable[[OnEpoch], FittedTrial],
) -> None:
    """Log what `fit` returns, tell the study, and write the best settings so far; raises RegistryError."""
    from optuna.trial import TrialState

    try:
        fitted = _track(running, trial, config, drawn, fit)
    except RegistryError:
        raise
    except AlmanacError as error:
        trial.set_user_attr("cause", str(error))
        running.study.tell(trial, state=TrialState.FAIL)
        running.report(f"{_label(running, trial)}: failed: {error.detail}", "red")
        return
    if fitted is None:
        running.study.tell(trial, state=TrialState.PRUNED)
        _report_end(running, trial, "pruned")
        return
    running.study.tell(trial, fitted.validation_mase)
    if running.study.best_trial.number == trial.number:
        running.write_best()
    _report_end(running, trial, f"validation MASE {fitted.validation_mase:.4f}")


def _track(
    running: RunningSearch,
    trial: "Trial",
    config: TrainConfig,
    drawn: Mapping[str, Any],
    fit: Callable[[OnEpoch], FittedTrial],
) -> FittedTrial | None:
    """Return what `fit` returns, logged in a run of its own, or None if an epoch shows that the trial is to be pruned."""
    runtime, registry = running.runtime, running.registry
    with runs.tracked_run(registry, config.name, f"trial {trial.number}", parent=running.run_id) as run_id:
        _log_trial(running, run_id, trial, config, drawn)
        with runtime.progress.training(_label(running, trial)) as show:

            def on_epoch(epoch: EpochRecord) -> None:
                show(epoch)
                runs.log_epoch(registry, run_id, epoch)
                _prune(trial, epoch, config)

            try:
                fitted = fit(on_epoch)
            except Pruned:
                registry.log(run_id, tags={"trial.state": "pruned"})
                return None
        if math.isnan(fitted.validation_mase):
            raise TrainingError("The validation error is not a number.")
        _log_end(running, run_id, trial.number, fitted)
        return fitted


def _log_trial(
    running: RunningSearch, run_id: str, trial: "Trial", config: TrainConfig, drawn: Mapping[str, Any]
) -> None:
    """Log what a trial is."""
    registry, architecture = running.registry, config.first_network
    described = provenance.describe(
        config, running.task.data, running.runtime.environment, architecture=architecture, seed=config.seed
    )
    runs.log_provenance(registry, run_id, described)
    tags = {"architecture": architecture, "trial.number": trial.number, "trial.drawn": dict(drawn)}
    others = {key: value for key, value in drawn.items() if key not in run_params(described)}
    registry.log(run_id, params=others, tags={"almanac.kind": "trial", **tags})


def _prune(trial: "Trial", epoch: EpochRecord, config: TrainConfig) -> None:
    """Report an epoch with a validation error to the study; raise Pruned if the trial is to end."""
    if math.isnan(epoch.validation_mase):
        return
    trial.report(epoch.validation_mase, epoch.step)
    if WARM_UP * config.fit.schedules[0] < epoch.step < config.fit.schedules[-1] and trial.should_prune():
        raise Pruned


def _log_end(running: RunningSearch, own: str, number: int, fitted: FittedTrial) -> None:
    """Log a trial's error and choices in its own run, and the least error so far as a step of the search's curve."""
    registry, error = running.registry, fitted.validation_mase
    figures = {"validation.mase": error, "train_seconds": fitted.train_seconds}
    registry.log(own, metrics=figures, tags={"trial.state": "complete", "weights_digest": fitted.weights_digest})
    registry.log_json(own, fitted.choices, provenance.CHOICES)
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
