"""Reproduce: a run is trained again from its own record in MLflow, and the results are compared."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from models import artifact
from models.baselines import BASELINES
from models.errors import DataInvalid, RegistryError, TrainingError
from training.config.toml import merge
from training.config.training import ENSEMBLE, WARM_START, TrainConfig, train_config
from training.data.series_set import SeriesSet
from training.evaluation.comparison import Comparison, Result, describe_failures
from training.evaluation.rolling_origins import last_origins
from training.fit.auto import make_auto
from training.fit.candidate import Candidate
from training.fit.ensemble import Combine
from training.fit.ensemble_weights import EnsembleWeights
from training.fit.request import Fit, FitRequest
from training.pipeline.candidates import STARTED_FROM, candidate_names, fit_candidates, score_candidates
from training.pipeline.champion import choose_warm_start, fetch_champion
from training.pipeline.plan import read_data
from training.pipeline.record import log_comparison, log_start
from training.pipeline.refit import refit
from training.pipeline.task import Runtime, TrainingTask
from training.pipeline.tracking import children_of
from training.registry import runs
from training.registry.client import Registry
from training.registry.location import Run
from training.registry.provenance import CHOICES, FILE, SERVED_CHOICES, RunEnvironment, weights_digest

EXACT = 1e-9
"""Relative difference below which two figures are equal: sums in another order differ by less."""

Choices = Mapping[tuple[str, int], Mapping[str, Any]]
"""What each network chose, by architecture and seed."""

UNHURRIED_SECONDS = 24 * 3600.0
"""Wall time of a fit that is made again: how long it may take was decided the first time."""

UNCHOSEN = {"synthetic_share": 0.0}
"""Choices of a run that does not record them: an older Almanac made it, which did not have them."""

REPEATABLE = ("backtest.", "validation.")
"""Beginnings of the figures that the same training gives again; seconds are not among them."""


@dataclass(frozen=True, slots=True)
class Reproduction:
    """What a run recorded, and the results of making it again.

    Attributes:
        run_id: The run that was read.
        new_run_id: The run of the second training.
        figures: By name, as recorded and as found now.
        weights: Digests of the weights as recorded and as found now: `backtested`, and `served` if the winner was fitted
            again on all data.
        differences: How the environment differs.
    """

    run_id: str
    new_run_id: str
    figures: Mapping[str, tuple[float, float]]
    weights: Mapping[str, tuple[str, str]]
    differences: tuple[str, ...] = ()

    @property
    def same_weights(self) -> bool:
        """Whether every weight is the same, bit by bit."""
        return all(then == now for then, now in self.weights.values())

    @property
    def same_figures(self) -> bool:
        """Whether every figure is the same except for rounding."""
        return all(math.isclose(then, now, rel_tol=EXACT, abs_tol=EXACT) for then, now in self.figures.values())

    def to_dict(self) -> dict[str, Any]:
        """Return the reproduction as `almanac reproduce --json` prints it."""
        return {
            "run_id": self.run_id,
            "new_run_id": self.new_run_id,
            "same_figures": self.same_figures,
            "same_weights": self.same_weights,
            "figures": {name: {"recorded": then, "now": now} for name, (then, now) in self.figures.items()},
            "weights": {name: {"recorded": then, "now": now} for name, (then, now) in self.weights.items()},
            "differences": list(self.differences),
        }


def reproduce(run_id: str, registry: Registry, runtime: Runtime, *, data: Path | None = None) -> Reproduction:
    """Train again what a run trained, from its record in MLflow; nothing is registered or promoted.

    The run of one network trains that network; the run of an ensemble or of a comparison trains all candidates, and the
    ensemble or the winner is compared.

    Raises:
        RegistryError: If there is no such run, or it does not record how it was made, or is not about one network.
        DataInvalid: If the data is not what the run was trained on.
        AlmanacError: If the training fails.
    """
    past = registry.run(run_id)
    recorded = read_provenance(run_id, registry)
    _compared_name(past)  # raises before anything is trained
    config = recorded_config(recorded, data)
    series = read_data(config, runtime.progress)
    check_same_data(recorded, series)
    before = RunEnvironment(**{key: recorded[key] for key in ("command", "commit", "packages", "python", "machine")})
    differences = tuple(runtime.environment.differences(before))
    for sentence in differences:
        runtime.progress.report(f"  {sentence}", "yellow")
    season, origins = series.frequency.season_length, recorded.get("origins", 1)
    splits = last_origins(series.series, config.horizon, season_length=season, count=origins)
    task = TrainingTask(replace(config, baselines=tuple(BASELINES)), series, splits)
    return _train_again(past, task, registry, runtime, differences)


def _train_again(
    past: Run, task: TrainingTask, registry: Registry, runtime: Runtime, differences: tuple[str, ...]
) -> Reproduction:
    """Return the results of a comparison that is made again with the recorded choices."""
    name, task = task.config.name, _with_warm_start(past, task, registry, runtime)
    chosen = recorded_choices(past, registry)
    again = replace(runtime, fit=fit_as_chosen(runtime.fit, chosen, runtime.combine))
    served = served_choices(past, registry, chosen)
    with runs.tracked_run(registry, name, f"reproduce {past.run_id[:8]}") as new_run_id:
        open_run = children_of(registry, name, new_run_id)
        log_start(registry, new_run_id, task, runtime)
        fitted = fit_candidates(candidate_names(task.config, {}), task, again, open_run)
        comparison = score_candidates(task, fitted, again)
        log_comparison(registry, fitted, comparison, task, again, open_run)
        result = _find(past, comparison)
        now = comparison.summary_metrics(result)
        names = [name for name in now if name in past.metrics and name.startswith(REPEATABLE)]
        figures = {name: (past.metrics[name], now[name]) for name in names}
        refitting = replace(runtime, fit=fit_as_chosen(runtime.fit, served, runtime.combine))
        weights = _weights(past, result, task, registry, refitting)
        found = Reproduction(past.run_id, new_run_id, figures, weights, differences)
        runs.log_reproduction(registry, new_run_id, found.to_dict())
    return found


def read_provenance(run_id: str, registry: Registry) -> Mapping[str, Any]:
    """Return how a run was made; raises RegistryError if it does not record it."""
    recorded = registry.read_json(run_id, FILE)
    if recorded is None:
        raise RegistryError(
            f"Run {run_id} has no {FILE}, which records how a run was made.",
            hint="Name the run of a comparison or of a network; almanac ui lists them.",
        )
    return recorded


def recorded_config(recorded: Mapping[str, Any], data: Path | None = None) -> TrainConfig:
    """Return the configuration of a run; that of a candidate's run has this candidate alone."""
    settings = merge(recorded["config"], {"data": str(data) if data else None})
    if "architecture" in recorded:
        settings |= {"architecture": [recorded["architecture"]], "seed": recorded["seed"], "seeds": 1, "pick": ""}
    return train_config(settings)


def recorded_choices(past: Run, registry: Registry) -> Choices:
    """Return what each network of a run chose on its validation origins, by architecture and seed."""
    candidates = [past]
    if past.tags.get("almanac.kind") == "comparison":
        candidates = registry.children(past.run_id)
    elif past.tags.get("candidate") == ENSEMBLE:
        candidates = registry.children(past.tags["mlflow.parentRunId"])
    found: dict[tuple[str, int], Mapping[str, Any]] = {}
    for run in candidates:
        chosen, recorded = (registry.read_json(run.run_id, file) for file in (CHOICES, FILE))
        if chosen and recorded:
            found[recorded["architecture"], recorded["seed"]] = chosen
    return found


def served_choices(past: Run, registry: Registry, chosen: Choices) -> Choices:
    """Return the choices of the last training, on all data, which may have had more or less time.

    A run that does not record them is taken to have had enough time.
    """
    recorded = registry.read_json(past.tags.get("winner_run_id", past.run_id), SERVED_CHOICES)
    if recorded is None:
        return {key: {**one, "last_steps": None} for key, one in chosen.items()}
    return {(one["architecture"], one["seed"]): one["choices"] for one in recorded["networks"]}


def fit_as_chosen(fit: Fit, chosen: Choices, combine: Combine) -> Fit:
    """Return a fit that takes each candidate's recorded choices as given, whatever time that needs.

    An `auto` is made of the members that it had, each with its own choices.
    """

    def fit_again(request: FitRequest) -> Candidate:
        seed, config = request.seed, request.config
        known = chosen.get((request.architecture, seed), {})
        if not known:
            return fit(request)
        unhurried = replace(config, max_seconds=max(UNHURRIED_SECONDS, config.max_seconds))
        if "members" in known:
            members = {(name, seed): choices for name, choices in known["members"].items()}
            weights = EnsembleWeights.from_dict(known["mixture"])
            again = fit_as_chosen(fit, members, combine)
            return make_auto(replace(request, config=unhurried), fit=again, combine=combine, chosen=weights)
        return fit(replace(request, config=replace(unhurried, **{**UNCHOSEN, **known})))

    return fit_again


def check_same_data(recorded: Mapping[str, Any], series: SeriesSet) -> None:
    """Raise DataInvalid if the data is not what the run was made with."""
    if series.digest != recorded["data_digest"]:
        raise DataInvalid(
            f"{series.path} has digest {series.digest[:12]}; the run was made with {recorded['data_digest'][:12]}.",
            hint="Restore the file, or give its new path with --data.",
        )


def _with_warm_start(past: Run, task: TrainingTask, registry: Registry, runtime: Runtime) -> TrainingTask:
    """Return the comparison with the weights that its warm start began with, whichever version is champion now."""
    if WARM_START not in task.config.architecture:
        return task
    candidates = [past, *registry.children(past.tags.get("mlflow.parentRunId", past.run_id))]
    version = next((one.tags[STARTED_FROM] for one in candidates if STARTED_FROM in one.tags), None)
    if version is None:
        return task
    found = fetch_champion(registry, task.config.name, version, runtime.scratch / "champion")
    return replace(task, warm_start=choose_warm_start(found, task, runtime.scratch / "start"))


def _compared_name(past: Run) -> str:
    """Return the name of the candidate that a run is about: its own, or the winner; raises RegistryError."""
    key = "winner" if past.tags.get("almanac.kind") == "comparison" else "candidate"
    name = past.tags.get(key, past.tags.get("architecture"))
    if name is None:
        raise RegistryError(
            f"Run {past.run_id} is not about one network that could be compared.",
            hint="Name the run of a network, or of a comparison that has a winner; almanac ui lists them.",
        )
    return name


def _find(past: Run, comparison: Comparison) -> Result:
    """Return the candidate that a run is about; a network that is trained alone may have another name."""
    wanted = _compared_name(past)
    alone = past.tags.get("almanac.kind") != "comparison" and wanted != ENSEMBLE
    for result in comparison.results:
        if alone or result.name == wanted:
            return result
    causes = describe_failures({one.name: one.cause for one in comparison.failures})
    raise TrainingError(f"The run's network {wanted} could not be trained again. {causes}")


def _weights(
    past: Run, result: Result, task: TrainingTask, registry: Registry, runtime: Runtime
) -> dict[str, tuple[str, str]]:
    """Return the digests of the weights then and now, also of a winner that was fitted again on all data."""
    winner = past.tags.get("winner_run_id")
    tags = registry.run(winner).tags if winner else past.tags
    found = {}
    if then := tags.get("weights_digest"):
        found["backtested"] = (then, weights_digest(result.candidate.directory / artifact.NETWORK))
    if then := tags.get("served_weights_digest"):
        again = refit(result.name, result.candidate, task, runtime)
        found["served"] = (then, weights_digest(again.directory / artifact.NETWORK))
    return found
