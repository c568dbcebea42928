"""Pipeline: read, hold out, train, backtest, compare, register, promote; the whole story, every step logged to MLflow."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from models import artifact
from models.errors import AlmanacError, LossNotFinite, RegistryError
from training.config.training import ENSEMBLE, Contender, TrainConfig
from training.data.holdout import tell_split
from training.data.series_set import SeriesSet, read_series
from training.evaluation import backtest, promotion
from training.evaluation.baselines import BaselineWish, backtest_baselines
from training.evaluation.comparison import Comparison, Failure, Result, name_causes
from training.evaluation.rolling_origins import score_over
from training.fit.candidate import Candidate, EpochRecord
from training.fit.ensemble import make_ensemble
from training.fit.request import FitRequest
from training.pipeline import champion_challenger, register
from training.pipeline.champion import seen_by
from training.pipeline.refit import empty_folder, refit
from training.pipeline.task import Baselines, Bench, Make, Task
from training.progress import Terminal, native_noise_hidden
from training.registry import runs


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a training.

    Attributes:
        comparison: Candidates and baselines.
        name: Registered name.
        version: The winner's version.
        decision: Whether it became champion, and why.
        run_id: The parent run.
        provenance: What is needed to do all of it again.
        warnings: What a person should know about the network that was registered.
    """

    comparison: Comparison
    name: str
    version: str
    decision: promotion.Decision
    run_id: str
    provenance: Mapping[str, Any]
    warnings: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the outcome as `almanac train --json` prints it."""
        comparison = self.comparison
        rows = {result.name: comparison.summary_metrics(result) for result in comparison.results}
        rows |= {name: comparison.baseline_metrics(name) for name in comparison.baselines}
        return {
            "name": self.name,
            "version": self.version,
            "winner": comparison.winner.name,
            "picked": bool(comparison.pick),
            "validation_winner": comparison.best.name,
            "beats_baselines": comparison.beats_baselines(comparison.winner),
            "models": rows,
            "sample": comparison.samples(),
            **_mixtures(comparison),
            "failed": {failure.name: failure.cause for failure in comparison.failures},
            "decision": self.decision.to_dict(),
            "run_id": self.run_id,
            "warnings": list(self.warnings),
            "provenance": dict(self.provenance),
        }


def fit_with_keras(request: FitRequest) -> Candidate:
    """Return the requested candidate; TensorFlow is imported only now, which takes ten seconds and more."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with native_noise_hidden():
        from training.fit.factory import make_candidate

    return make_candidate(request)


def train(config: TrainConfig, bench: Bench) -> Outcome:
    """Train every candidate of a configuration, register the winner and let the evidence decide on its alias.

    The winner is chosen on validation origins before the cutoff, or picked by hand; the held-out block is reported,
    never chosen by.

    Raises:
        AlmanacError: If the data cannot be used, every candidate fails or the registry does not answer.
    """
    data = read(config, bench.terminal)
    split = backtest.hold_out(data.series, config.horizon, season_length=data.frequency.season_length)
    bench.terminal.say_findings(tell_split(split))
    wish = BaselineWish(config.baselines, config.baseline_series, config.seed)
    baselines = backtest_baselines(split, wish, bench.terminal)
    with runs.tracked_run(bench.registry, config.name, f"compare {', '.join(config.architecture)}") as run_id:
        task = Task(config, data, split, run_id)
        told = task.describe(bench.surroundings)
        runs.log_provenance(bench.registry, run_id, told)
        runs.log_parent(bench.registry, run_id, data, split)
        comparison = compare(task, baselines, bench)
        winner = comparison.winner
        final = refit(winner.name, winner.candidate, task, bench) if config.refit else winner.candidate
        version = register.register(winner, final, comparison, task, bench)
        decision = champion_challenger.decide(winner, comparison, task, bench)
        decision = decision.with_figures(challenger_version=version, challenger_run_id=winner.run_id)
        if decision.promote:
            bench.registry.promote(config.name, version)
        runs.log_decision(bench.registry, (run_id, winner.run_id), decision, version)
    return Outcome(comparison, config.name, version, decision, run_id, told, tuple(final.warnings))


def compare(task: Task, baselines: Baselines, bench: Bench) -> Comparison:
    """Train every candidate and set it beside the baselines, each in a run of its own."""
    tried = [try_network(contender, task, baselines, bench) for contender in task.config.contenders]
    networks = [one for one in tried if isinstance(one, Result) and one.candidate.mixture is None]
    if len(networks) > 1:
        tried.append(try_ensemble(networks, task, baselines, bench))
    results = tuple(one for one in tried if isinstance(one, Result))
    failures = tuple(one for one in tried if isinstance(one, Failure))
    comparison = Comparison(results, baselines, failures, task.config.pick)
    for name in baselines:
        with runs.tracked_run(bench.registry, task.config.name, name, parent=task.run_id) as run_id:
            runs.log_baseline(bench.registry, run_id, name, comparison)
    if results and failures:
        bench.terminal.say(name_causes({one.name: one.cause for one in failures}), "red")
    return comparison


def _mixtures(comparison: Comparison) -> dict[str, Any]:
    """Return how each average was weighed, and under `mixture` the ensemble's, or the first one's where there is none."""
    found = {one.name: one.candidate.mixture.to_dict() for one in comparison.results if one.candidate.mixture}
    return {"mixture": found.get(ENSEMBLE, next(iter(found.values()))), "mixtures": found} if found else {}


def read(config: TrainConfig, terminal: Terminal) -> SeriesSet:
    """Return the data, having said what it holds and what was noticed."""
    data = read_series(config.data, frequency=config.frequency, columns=config.columns, covariates=config.covariates)
    terminal.say(
        f"{data.path}: {len(data.series)} series, {data.observed} observations, frequency {data.frequency.name}, "
        f"{data.layout} layout, digest {data.digest[:12]}"
    )
    terminal.say_findings(data.findings)
    return data


def try_network(contender: Contender, task: Task, baselines: Baselines, bench: Bench) -> Result | Failure:
    """Train and backtest one network in a run of its own."""

    def make(run_id: str, epochs: list[EpochRecord]) -> Candidate:
        return make_network(contender, task, bench, run_id, epochs)

    return try_candidate(contender.name, make, task, baselines, bench)


def make_network(contender: Contender, task: Task, bench: Bench, run_id: str, epochs: list[EpochRecord]) -> Candidate:
    """Return one network, its run saying how it was made and every epoch as it comes."""
    architecture, seed = contender.architecture, contender.seed
    told = task.describe(bench.surroundings, architecture=architecture, seed=seed)
    runs.log_provenance(bench.registry, run_id, told)
    candidate = train_one(contender, task, bench, run_id, epochs)
    bench.terminal.say_choice(contender.name, candidate)
    return candidate


def try_ensemble(results: Sequence[Result], task: Task, baselines: Baselines, bench: Bench) -> Result | Failure:
    """Make one model of all networks and backtest it in a run of its own."""

    def make(run_id: str, _epochs: list[EpochRecord]) -> Candidate:
        return join_networks({one.name: one.candidate for one in results}, task, bench, run_id)

    return try_candidate(ENSEMBLE, make, task, baselines, bench)


def join_networks(candidates: Mapping[str, Candidate], task: Task, bench: Bench, run_id: str) -> Candidate:
    """Return one model of all networks, its run saying how it was made."""
    runs.log_provenance(bench.registry, run_id, task.describe(bench.surroundings))
    whole = make_ensemble(candidates, bench.scratch / ENSEMBLE, bench.combine)
    bench.terminal.say_choice(ENSEMBLE, whole)
    return whole


def try_candidate(name: str, make: Make, task: Task, baselines: Baselines, bench: Bench) -> Result | Failure:
    """Make and backtest a candidate in a run of its own; one that fails is recorded and the others go on."""
    epochs: list[EpochRecord] = []
    run_id = ""
    try:
        with runs.tracked_run(bench.registry, task.config.name, name, parent=task.run_id) as run_id:
            candidate = make(run_id, epochs)
            result = backtest_candidate(name, candidate, run_id, task.splits)
            runs.log_candidate(bench.registry, result, Comparison((result,), baselines), task.newest, task.config.unit)
    except RegistryError:
        raise
    except AlmanacError as error:
        failure = describe_failure(name, error, epochs)
        runs.log_failure(bench.registry, run_id, failure)
        bench.terminal.say(f"{name} failed at step {failure.step}.", "red")
        return failure
    for warning in candidate.warnings:
        bench.terminal.say(f"  {name}: {warning}", "yellow")
    return result


def describe_failure(name: str, error: AlmanacError, epochs: Sequence[EpochRecord]) -> Failure:
    """Return why a candidate came to nothing, and after how many steps."""
    reached = error.step if isinstance(error, LossNotFinite) else epochs[-1].step if epochs else 0
    return Failure(name, str(error), error.code, reached)


def train_one(contender: Contender, task: Task, bench: Bench, run_id: str, epochs: list[EpochRecord]) -> Candidate:
    """Train one network on what lies before the cutoff, every epoch shown and logged."""
    with bench.terminal.training(contender.name) as show:

        def on_epoch(epoch: EpochRecord) -> None:
            epochs.append(epoch)
            show(epoch)
            runs.log_epoch(bench.registry, run_id, epoch)

        request = FitRequest(
            training_set=seen_by(contender.architecture, task, bench, whole=False, run_id=run_id),
            architecture=contender.architecture,
            name=task.config.name,
            seed=contender.seed,
            config=task.config.fit,
            directory=empty_folder(bench.scratch / contender.name),
            on_epoch=on_epoch,
        )
        return bench.fit(request)


def backtest_candidate(name: str, candidate: Candidate, run_id: str, splits: Sequence[backtest.Split]) -> Result:
    """Return a candidate with its errors over all origins, its forecasts of the newest, and what serving it costs."""
    scores, predictions = score_over(candidate.forecaster, splits)
    latency = backtest.measure_latency(candidate.forecaster, splits[0])
    return Result(candidate, run_id, scores, predictions, latency, name, artifact.network_mb(candidate.directory))
