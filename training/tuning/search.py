"""Tune: a search over settings by validation error, every trial a run, pruned early, kept on disk and taken up again."""

import json
import math
import shutil
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.errors import AlmanacError, ConfigInvalid, RegistryError, TrainingError
from training.config.toml import merge
from training.config.training import TrainConfig, train_config
from training.data.holdout import hold_out, tell_split
from training.evaluation import figures
from training.fit.candidate import Candidate, EpochRecord
from training.fit.request import FitRequest
from training.pipeline.plan import read_data
from training.pipeline.task import Runtime, TrainingTask
from training.registry import provenance, runs
from training.registry.client import Registry
from training.tuning import search_record, search_space
from training.tuning.search_space import Space
from training.tuning.study import (
    as_point,
    check_same,
    count_outcomes,
    count_trials,
    give_back,
    measure_importances,
    open_study,
)

if TYPE_CHECKING:
    from optuna import Study, Trial

WARM_UP = 2
"""Times the steps of the shortest schedule in which a trial is not pruned: these, with and without a logarithm, say little of
the long ones."""


@dataclass(frozen=True, slots=True)
class Budget:
    """How much a search may cost.

    Attributes:
        trials: Trials in all, those of earlier calls on the same study among them.
        max_seconds: Wall time of this call after which no further trial is begun.
    """

    trials: int = 20
    max_seconds: float = 1800.0

    def __post_init__(self) -> None:
        """Refuse a budget in which nothing can be tried."""
        if self.trials < 1:
            raise ConfigInvalid(f"trials must be at least 1. Received: {self.trials}.")
        if not self.max_seconds > 0:
            raise ConfigInvalid(f"max_seconds must be above 0. Received: {self.max_seconds}.")


@dataclass(frozen=True, slots=True)
class Search:
    """What is searched, from where, at what cost.

    Attributes:
        settings: The configuration that every trial starts from, as merged TOML.
        space: What varies.
        budget: When to stop.
        folder: Where studies are kept.
        study: Name of the study.
        output: Where the best configuration goes.
    """

    settings: Mapping[str, Any]
    space: Space
    budget: Budget
    folder: Path
    study: str
    output: Path


@dataclass(frozen=True, slots=True)
class Found:
    """What a search has found so far.

    Attributes:
        study: Its name.
        run_id: Its run in MLflow.
        best: The best trial's settings, by key.
        trial: The best trial's number.
        validation_mase: Its error.
        counts: Trials by outcome: `complete`, `pruned`, `failed`.
        importances: Share of each setting in the spread of the errors; empty where there are too few trials.
        output: Where the best configuration stands.
        seconds: Wall time of this call.
    """

    study: str
    run_id: str
    best: Mapping[str, Any]
    trial: int
    validation_mase: float
    counts: Mapping[str, int]
    importances: Mapping[str, float]
    output: Path
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Return the outcome as `almanac tune --json` prints it."""
        return {
            "study": self.study,
            "run_id": self.run_id,
            "best": dict(self.best),
            "trial": self.trial,
            "validation_mase": self.validation_mase,
            "trials": dict(self.counts),
            "importances": dict(self.importances),
            "output": str(self.output),
            "seconds": self.seconds,
        }


class Pruned(Exception):
    """A trial that would not become the best."""


@dataclass(frozen=True, slots=True)
class _Hunt:
    """A search as it is being made."""

    search: Search
    study: "Study"
    task: TrainingTask
    run_id: str
    registry: Registry
    runtime: Runtime
    began: float = field(default_factory=time.monotonic)

    @property
    def late(self) -> bool:
        """Whether the wall time of this call is used up."""
        return time.monotonic() - self.began > self.search.budget.max_seconds


def tune(search: Search, registry: Registry, runtime: Runtime) -> Found:
    """Try settings until the budget is used up, and write the best ones as a configuration.

    Trials are judged by validation origins before the cutoff; the held-out block is never seen.

    Raises:
        AlmanacError: If the data cannot be used, no trial was ever whole, the study was begun on something else or
            another process works on it.
    """
    config = train_config(search.settings)
    data = read_data(config, runtime.progress)
    split = hold_out(data.series, config.horizon, season_length=data.frequency.season_length)
    runtime.progress.report_findings(tell_split(split))
    with open_study(search.folder, search.study, seed=config.seed) as study:
        check_same(study, _identity(search, data.digest))
        known = study.user_attrs.get("run_id")
        with runs.tracked_run(registry, config.name, f"tune {search.study}", resume=known) as run_id:
            study.set_user_attr("run_id", run_id)
            hunt = _Hunt(search, study, TrainingTask(config, data, (split,)), run_id, registry, runtime)
            if run_id != known:
                told = provenance.describe(config, data, runtime.environment)
                varied = {key: str(one) for key, one in search.space.items()}
                search_record.log_search(registry, run_id, told, data, varied)
            _say_plan(hunt)
            try:
                _try_all(hunt)
                return _conclude(hunt)
            except KeyboardInterrupt:
                _say_stopped(hunt, "Stopped")
                raise


def _try_all(hunt: _Hunt) -> None:
    """Run trials one after the other until trials or seconds are used up."""
    if not hunt.study.trials:
        first = {key: getattr(hunt.task.config.fit, key.removeprefix("fit."), None) for key in hunt.search.space}
        first["architecture"] = hunt.task.config.architecture[0]
        hunt.study.enqueue_trial(search_space.as_params(hunt.search.space, first))
    while count_trials(hunt.study) < hunt.search.budget.trials:
        if hunt.late:
            _say_stopped(hunt, f"{hunt.search.budget.max_seconds:g} s are used up")
            return
        trial = hunt.study.ask()
        try:
            _try_one(hunt, trial)
        except BaseException:
            give_back(hunt.study, trial)
            raise


def _try_one(hunt: _Hunt, trial: "Trial") -> None:
    """Train one network with drawn settings and tell the study how it ended."""
    from optuna.trial import TrialState

    drawn = search_space.draw(hunt.search.space, trial)
    config = train_config(merge(hunt.search.settings, search_space.nested(drawn), {"seeds": 1}))
    try:
        candidate = _fit(hunt, trial, config, drawn)
    except RegistryError:
        raise
    except AlmanacError as error:
        trial.set_user_attr("cause", str(error))
        hunt.study.tell(trial, state=TrialState.FAIL)
        hunt.runtime.progress.report(f"{_label(hunt, trial)}: failed: {error.detail}", "red")
        return
    if candidate is None:
        hunt.study.tell(trial, state=TrialState.PRUNED)
        _say_end(hunt, trial, "pruned")
        return
    hunt.study.tell(trial, float(candidate.validation["mase"]))
    if hunt.study.best_trial.number == trial.number:
        _write_best(hunt)
    _say_end(hunt, trial, f"validation MASE {candidate.validation['mase']:.4f}")


def _fit(hunt: _Hunt, trial: "Trial", config: TrainConfig, drawn: Mapping[str, Any]) -> Candidate | None:
    """Return the network that a trial trains, in a run of its own, or None where it was pruned."""
    runtime, registry, architecture = hunt.runtime, hunt.registry, config.architecture[0]
    directory = runtime.folder(f"trial-{trial.number}")
    warm = WARM_UP * config.fit.schedules[0]
    name = f"trial {trial.number}"
    with runs.tracked_run(registry, config.name, name, parent=hunt.run_id) as run_id:
        told = provenance.describe(
            config, hunt.task.data, runtime.environment, architecture=architecture, seed=config.seed
        )
        search_record.log_trial(registry, run_id, trial.number, told, drawn)
        with runtime.progress.training(_label(hunt, trial)) as show:

            def on_epoch(epoch: EpochRecord) -> None:
                show(epoch)
                runs.log_epoch(registry, run_id, epoch)
                if math.isnan(epoch.validation_mase):  # nothing is held out any more
                    return
                trial.report(epoch.validation_mase, epoch.step)
                if warm < epoch.step < config.fit.max_steps and trial.should_prune():
                    raise Pruned

            request = FitRequest(
                training_set=hunt.task.training_set(whole=False),
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
        search_record.log_trial_end(registry, (run_id, hunt.run_id), trial.number, candidate)
        shutil.rmtree(directory)
        return candidate


def _conclude(hunt: _Hunt) -> Found:
    """Write the best configuration, draw the search, and return what was found.

    Raises:
        TrainingError: If no trial was whole.
    """
    tally = count_outcomes(hunt.study)
    if not tally["complete"]:
        causes = {one.user_attrs["cause"] for one in hunt.study.trials if "cause" in one.user_attrs}
        raise TrainingError(f"No trial of study {hunt.search.study} was whole. {' '.join(sorted(causes))}".rstrip())
    _write_best(hunt)
    best_error, importances = float(hunt.study.best_value), measure_importances(hunt.study)
    done = [one for one in map(as_point, hunt.study.trials) if one is not None]
    figure = figures.draw_search(done, importances, title=f"Study {hunt.search.study}: {len(done)} trials")
    metrics = {"validation.mase": best_error, **{f"trials.{name}": float(count) for name, count in tally.items()}}
    search_record.log_search_end(hunt.registry, hunt.run_id, figure, hunt.search.output, metrics)
    return Found(
        hunt.search.study,
        hunt.run_id,
        _best_settings(hunt),
        hunt.study.best_trial.number,
        best_error,
        tally,
        importances,
        hunt.search.output,
        time.monotonic() - hunt.began,
    )


def _identity(search: Search, digest: str) -> dict[str, str]:
    """Return what makes the errors of trials comparable; where the data lies and what its unit is do not matter."""
    settings = asdict(train_config(search.settings))
    return {
        "data": digest,
        "settings": json.dumps({key: value for key, value in settings.items() if key not in {"data", "name", "unit"}}),
        "space": "; ".join(f"{key}: {one}" for key, one in search.space.items()),
    }


def _write_best(hunt: _Hunt) -> None:
    """Write the best trial's settings as a configuration that `almanac train` takes."""
    best = hunt.study.best_trial
    comment = (
        f"Best of {count_trials(hunt.study)} trials of study {hunt.search.study}: trial {best.number}, validation MASE "
        f"{best.value:.4f}.\nWritten by almanac tune; almanac train takes it."
    )
    settings = merge(hunt.search.settings, search_space.nested(_best_settings(hunt)))
    settings["data"] = str(hunt.task.config.data.absolute())
    hunt.search.output.parent.mkdir(parents=True, exist_ok=True)
    hunt.search.output.write_text(search_space.to_toml(settings, comment=comment), encoding="utf-8")


def _best_settings(hunt: _Hunt) -> dict[str, Any]:
    import optuna

    return search_space.draw(hunt.search.space, optuna.trial.FixedTrial(hunt.study.best_trial.params))


def _label(hunt: _Hunt, trial: "Trial") -> str:
    return f"trial {trial.number} ({count_trials(hunt.study) + 1}/{hunt.search.budget.trials})"


def _say_plan(hunt: _Hunt) -> None:
    say, budget = hunt.runtime.progress.report, hunt.search.budget
    done = count_trials(hunt.study)
    before = f", {done} of them done" if done else ""
    say(f"Study {hunt.search.study}: {budget.trials} trials{before}, up to {budget.max_seconds:g} s from now.")
    for key, one in hunt.search.space.items():
        say(f"  {key}: {one}")


def _say_stopped(hunt: _Hunt, why: str) -> None:
    done, wanted = count_trials(hunt.study), hunt.search.budget.trials
    hunt.runtime.progress.report(f"{why} after {done} of {wanted} trials; the same command goes on.", "yellow")


def _say_end(hunt: _Hunt, trial: "Trial", ended: str) -> None:
    shown = [
        f"{key}={value:.3g}" if isinstance(value, float) else f"{key}={value}" for key, value in trial.params.items()
    ]
    best = hunt.study.best_trial if count_outcomes(hunt.study)["complete"] else None
    so_far = f"; best {best.value:.4f}, trial {best.number}" if best else ""
    hunt.runtime.progress.report(f"trial {trial.number}: {ended}{so_far}  {' '.join(shown)}")
