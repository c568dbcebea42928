"""Reproduce: a run's own record read back from MLflow, trained again, and set beside what it says."""

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
from training.evaluation.baselines import BaselineWish
from training.evaluation.comparison import Comparison, Result, name_causes
from training.evaluation.rolling_origins import baselines_over, last_origins
from training.fit.auto import make_auto
from training.fit.candidate import Candidate
from training.fit.ensemble import Combine
from training.fit.ensemble_weights import Mixture
from training.fit.request import Fit, FitRequest
from training.pipeline import train
from training.pipeline.champion import STARTED_FROM, choose_start, fetch_reigning
from training.pipeline.refit import refit
from training.pipeline.task import Bench, Task
from training.registry import runs
from training.registry.location import Run
from training.registry.provenance import CHOICES, FILE, SERVED_CHOICES, Surroundings, weights_digest

EXACT = 1e-9
"""Relative difference below which two figures are one: sums in another order differ by less."""

Choices = Mapping[tuple[str, int], Mapping[str, Any]]
"""What each network chose, by architecture and seed."""

UNHURRIED_SECONDS = 24 * 3600.0
"""Wall time that a training done again may take: how long it is was decided the first time."""

UNCHOSEN = {"synthetic_share": 0.0}
"""What a run that does not say so had no choice about: it is of an Almanac from before there was one."""

REPEATABLE = ("backtest.", "validation.")
"""Beginnings of the figures that the same training gives again; seconds are not among them."""


@dataclass(frozen=True, slots=True)
class Reproduction:
    """What a run says and what came of doing it again.

    Attributes:
        run_id: The run that was read.
        new_run_id: The run of the second training.
        figures: By name, as recorded and as found now.
        weights: Digests of the weights as recorded and as found now: `backtested`, and `served` where the winner was
            trained again on all data.
        differences: What of the surroundings is not as it was.
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
        """Whether every figure is the same but for rounding."""
        return all(math.isclose(then, now, rel_tol=EXACT, abs_tol=EXACT) for then, now in self.figures.values())

    def to_dict(self) -> dict[str, Any]:
        """Return it as `almanac reproduce --json` prints it."""
        return {
            "run_id": self.run_id,
            "new_run_id": self.new_run_id,
            "same_figures": self.same_figures,
            "same_weights": self.same_weights,
            "figures": {name: {"recorded": then, "now": now} for name, (then, now) in self.figures.items()},
            "weights": {name: {"recorded": then, "now": now} for name, (then, now) in self.weights.items()},
            "differences": list(self.differences),
        }


def reproduce(run_id: str, bench: Bench, *, data: Path | None = None) -> Reproduction:
    """Train again what a run trained, from what MLflow has of it; nothing is registered or promoted.

    Of a network's run that network alone is trained; of an ensemble's or a comparison's run all are, and the ensemble or
    the winner is looked at.

    Args:
        run_id: A candidate's run, or that of a whole comparison.
        bench: Where runs go, what a person sees and what trains.
        data: Where the data file is now; None where it was.

    Raises:
        RegistryError: If there is no such run, or it does not say how it was made, or is about no one network.
        DataInvalid: If the data is not what the run was trained on.
        AlmanacError: If the training fails.
    """
    past = bench.registry.run(run_id)
    told = read_provenance(run_id, bench)
    _wanted(past)  # refuses before anything is trained
    config = recorded_config(told, data)
    series = train.read(config, bench.terminal)
    refuse_other_data(told, series)
    chosen = recorded_choices(past, bench)
    served = replace(bench, fit=fit_as_chosen(bench.fit, served_choices(past, bench, chosen), bench.combine))
    bench = replace(bench, fit=fit_as_chosen(bench.fit, chosen, bench.combine))
    before = Surroundings(**{key: told[key] for key in ("command", "commit", "packages", "python", "machine")})
    differences = tuple(bench.surroundings.differences(before))
    for sentence in differences:
        bench.terminal.say(f"  {sentence}", "yellow")
    comparison = Again(past, config, series, told.get("origins", 1), differences)
    return _compare_with(comparison, bench, served)


def read_provenance(run_id: str, bench: Bench) -> Mapping[str, Any]:
    """Return how a run was made; raises RegistryError where it does not say."""
    told = bench.registry.read_json(run_id, FILE)
    if told is None:
        raise RegistryError(
            f"Run {run_id} has no {FILE}, so nobody can tell how it was made.",
            hint="Name the run of a comparison or of a network; almanac ui lists them.",
        )
    return told


def recorded_config(told: Mapping[str, Any], data: Path | None = None) -> TrainConfig:
    """Return the configuration of a run, for a candidate narrowed to it."""
    settings = merge(told["config"], {"data": str(data) if data else None})
    if "architecture" in told:
        settings |= {"architecture": [told["architecture"]], "seed": told["seed"], "seeds": 1, "pick": ""}
    return train_config(settings)


def recorded_choices(past: Run, bench: Bench) -> Choices:
    """Return what each network that a run stands on chose on its validation origins, by architecture and seed."""
    runs = [past]
    if past.tags.get("almanac.kind") == "comparison":
        runs = bench.registry.children(past.run_id)
    elif past.tags.get("candidate") == ENSEMBLE:
        runs = bench.registry.children(past.tags["mlflow.parentRunId"])
    found: dict[tuple[str, int], Mapping[str, Any]] = {}
    for run in runs:
        chosen, told = (bench.registry.read_json(run.run_id, file) for file in (CHOICES, FILE))
        if chosen and told:
            found[told["architecture"], told["seed"]] = chosen
    return found


def served_choices(past: Run, bench: Bench, chosen: Choices) -> Choices:
    """Return the same of the training on all data, which the clock may have let go on for longer, or less long.

    A run that does not say so is taken to have had the time.
    """
    told = bench.registry.read_json(past.tags.get("winner_run_id", past.run_id), SERVED_CHOICES)
    if told is None:
        return {key: {**one, "last_steps": None} for key, one in chosen.items()}
    return {(one["architecture"], one["seed"]): one["choices"] for one in told["networks"]}


def fit_as_chosen(fit: Fit, chosen: Choices, combine: Combine) -> Fit:
    """Return a training that takes each candidate's recorded choices as given, and is not hurried by the clock.

    An `auto` is made of the members that it was made of then, each with its own choices.
    """

    def train(request: FitRequest) -> Candidate:
        config, seed = request.config, request.seed
        known = chosen.get((request.architecture, seed), {})
        if not known:
            return fit(request)
        unhurried = replace(config, max_seconds=max(UNHURRIED_SECONDS, config.max_seconds))
        if "members" in known:
            members = {(name, seed): choices for name, choices in known["members"].items()}
            again, mixture = fit_as_chosen(fit, members, combine), Mixture.from_dict(known["mixture"])
            return make_auto(replace(request, config=unhurried), fit=again, combine=combine, mixture=mixture)
        return fit(replace(request, config=replace(unhurried, **{**UNCHOSEN, **known})))

    return train


def refuse_other_data(told: Mapping[str, Any], series: SeriesSet) -> None:
    """Raise DataInvalid if the data is not what it was."""
    if series.digest != told["data_digest"]:
        raise DataInvalid(
            f"{series.path} has digest {series.digest[:12]}; the run was made with {told['data_digest'][:12]}.",
            hint="Put the file back as it was, or say with --data where it is.",
        )


@dataclass(frozen=True, slots=True)
class Again:
    """What is done again: a run, its configuration and data, the origins that were held out, what is not as it was."""

    past: Run
    config: TrainConfig
    data: SeriesSet
    origins: int
    differences: tuple[str, ...]


def _compare_with(again: Again, bench: Bench, served: Bench) -> Reproduction:
    past, config, series = again.past, again.config, again.data
    season = series.frequency.season_length
    *later, oldest = last_origins(series.series, config.horizon, season_length=season, count=again.origins)
    baselines = baselines_over((*later, oldest), BaselineWish(tuple(BASELINES)), bench.terminal)
    with runs.tracked_run(bench.registry, config.name, f"reproduce {past.run_id[:8]}") as new_run_id:
        task = _start_again(past, Task(config, series, oldest, new_run_id, tuple(later)), bench)
        runs.log_provenance(bench.registry, new_run_id, task.describe(bench.surroundings))
        runs.log_parent(bench.registry, new_run_id, series, task.split)
        comparison = train.compare(task, baselines, bench)
        result = _find(past, comparison)
        now = comparison.summary_metrics(result)
        names = [name for name in now if name in past.metrics and name.startswith(REPEATABLE)]
        figures = {name: (past.metrics[name], now[name]) for name in names}
        weights = _weights(past, result, task, served)
        found = Reproduction(past.run_id, new_run_id, figures, weights, again.differences)
        runs.log_reproduction(bench.registry, new_run_id, found.to_dict())
    return found


def _start_again(past: Run, task: Task, bench: Bench) -> Task:
    """Return the task with what its warm start went on from then, whoever is champion now."""
    if WARM_START not in task.config.architecture:
        return task
    runs = [past, *bench.registry.children(past.tags.get("mlflow.parentRunId", past.run_id))]
    version = next((one.tags[STARTED_FROM] for one in runs if STARTED_FROM in one.tags), None)
    if version is None:
        return task
    there = bench.registry.resolve(f"{task.config.name}/{version}")
    champion = fetch_reigning(bench.registry, there, bench.scratch / "reigning")
    return replace(task, start=choose_start(champion, task, bench.scratch / "start"))


def _wanted(past: Run) -> str:
    """Return the name of the candidate that a run is about: its own, or the winner.

    Raises:
        RegistryError: If it is about none: a search's, a reproduction's or a comparison's that did not come to its end.
    """
    key = "winner" if past.tags.get("almanac.kind") == "comparison" else "candidate"
    name = past.tags.get(key, past.tags.get("architecture"))
    if name is None:
        raise RegistryError(
            f"Run {past.run_id} is about no one network that could be compared.",
            hint="Name the run of a network, or of a comparison that has a winner; almanac ui lists them.",
        )
    return name


def _find(past: Run, comparison: Comparison) -> Result:
    """Return the candidate that a run is about; a network is trained again alone, and may have another name then."""
    wanted = _wanted(past)
    alone = past.tags.get("almanac.kind") != "comparison" and wanted != ENSEMBLE
    if alone and comparison.results:
        return comparison.results[0]
    for result in comparison.results:
        if result.name == wanted:
            return result
    causes = name_causes({one.name: one.cause for one in comparison.failures})
    raise TrainingError(f"The run's network {wanted} could not be trained again. {causes}")


def _weights(past: Run, result: Result, task: Task, bench: Bench) -> dict[str, tuple[str, str]]:
    """Return the digests of the weights, then and now; a winner that was trained again on all data is so again."""
    winner = past.tags.get("winner_run_id")
    tags = bench.registry.run(winner).tags if winner else past.tags
    found = {}
    if then := tags.get("weights_digest"):
        found["backtested"] = (then, weights_digest(result.candidate.directory / artifact.NETWORK))
    if then := tags.get("served_weights_digest"):
        again = refit(result.name, result.candidate, task, bench)
        found["served"] = (then, weights_digest(again.directory / artifact.NETWORK))
    return found
