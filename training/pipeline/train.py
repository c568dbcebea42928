"""Train: read, plan, fit, score, compare, refit, register and promote, in one process and logged to MLflow."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from models import artifact
from training.config.training import ENSEMBLE, TrainConfig
from training.data.holdout import describe_split
from training.evaluation.comparison import Comparison
from training.evaluation.promotion import PromotionDecision
from training.pipeline.candidates import baseline_processes, fit_candidates, score_candidates
from training.pipeline.champion import find_champion
from training.pipeline.compare import ComparisonOutcome, decide
from training.pipeline.plan import ComparisonPlan, plan_comparison, read_data
from training.pipeline.record import log_comparison, log_start
from training.pipeline.refit import refit
from training.pipeline.register import describe_served, keep_candidate, promote, upload
from training.pipeline.task import Runtime
from training.pipeline.tracking import children_of
from training.registry import runs
from training.registry.client import Registry


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a training.

    Attributes:
        compared: Candidates, baselines and the winner.
        name: Registered name.
        version: The winner's version.
        decision: Whether it became champion, and why.
        run_id: The run of the comparison.
        provenance: What is needed to do all of it again.
        left_out: By architecture, why it was no candidate.
        warnings: What a person should know about the registered network.
    """

    compared: ComparisonOutcome
    name: str
    version: str
    decision: PromotionDecision
    run_id: str
    provenance: Mapping[str, Any]
    left_out: Mapping[str, str]
    warnings: tuple[str, ...] = ()

    @property
    def comparison(self) -> Comparison:
        """Candidates and baselines."""
        return self.compared.comparison

    def to_dict(self) -> dict[str, Any]:
        """Return the outcome as `almanac train --json` prints it."""
        comparison, winner = self.comparison, self.compared.winner
        return {
            "name": self.name,
            "version": self.version,
            "winner": winner.name,
            "picked": bool(comparison.pick),
            "validation_winner": comparison.best.name,
            "beats_baselines": comparison.beats_baselines(winner),
            "models": self.compared.metrics(),
            "sample": comparison.samples(),
            **_ensemble_weights(comparison),
            "failed": {**self.left_out, **{failure.name: failure.cause for failure in comparison.failures}},
            "decision": self.decision.to_dict(),
            "run_id": self.run_id,
            "warnings": list(self.warnings),
            "provenance": dict(self.provenance),
        }


@dataclass(frozen=True, slots=True)
class ParentRun:
    """The run under which a comparison is logged: its experiment and its id."""

    experiment: str
    run_id: str


def train(config: TrainConfig, registry: Registry, runtime: Runtime, parent: ParentRun | None = None) -> Outcome:
    """Fit every candidate of a configuration, register the winner, and promote it if the evidence says so.

    Runs are in the experiment of the model's name, or under a parent in its experiment.

    The winner is chosen on validation origins before the cutoff, or picked by a person; the held-out blocks are reported
    and decide on the promotion.

    Raises:
        AlmanacError: If the data cannot be used, every candidate fails or the registry does not answer.
    """
    data = read_data(config, runtime.progress)
    found = find_champion(registry, config.name, runtime.scratch / "champion")
    plan = plan_comparison(config, data, found, runtime.scratch / "start")
    _report(plan, runtime)
    experiment, above = (parent.experiment, parent.run_id) if parent else (config.name, None)
    title = config.name if parent else f"compare {', '.join(config.architecture)}"
    with runs.tracked_run(registry, experiment, title, parent=above) as run_id:
        task, open_run = plan.task, children_of(registry, experiment, run_id)
        log_start(registry, run_id, task, runtime)
        with baseline_processes(task) as pool:
            fitted = fit_candidates(plan.candidates, task, runtime, open_run)
            comparison = score_candidates(task, fitted, runtime, pool)
        log_comparison(registry, fitted, comparison, task, runtime, open_run)
        compared = decide(comparison, task, found, plan.champion_state, plan.notes)
        winner = compared.winner
        keep_candidate(registry, winner.run_id, winner.candidate, task)
        served = refit(winner.name, winner.candidate, task, runtime) if config.refit else winner.candidate
        refitted = served is not winner.candidate
        artifact.update_spec(served.directory, **describe_served(winner, comparison, task, refitted=refitted))
        runs.log_winner(registry, run_id, winner, comparison, refitted=refitted)
        if refitted:
            runs.log_served(registry, winner.run_id, served)
        version = upload(registry, winner.run_id, served.directory, task, {})
        decision = promote(registry, config.name, version, compared.decision, found.version, config.retrain.live_scores)
        runs.log_decision(registry, config.name, (run_id, winner.run_id), decision, version)
    described = task.describe(runtime.environment)
    return Outcome(compared, config.name, version, decision, run_id, described, plan.left_out, tuple(served.warnings))


def _report(plan: ComparisonPlan, runtime: Runtime) -> None:
    """Report what is held out, and which architectures are not candidates."""
    runtime.progress.report_findings(describe_split(plan.task.cutoff))
    for note in plan.notes:
        runtime.progress.report(f"  {note}", "yellow")
    for name, why in plan.left_out.items():
        runtime.progress.report(f"{name} is left out: {why}", "yellow")


def _ensemble_weights(comparison: Comparison) -> dict[str, Any]:
    """Return the weights of every ensemble, and under `mixture` those of the ensemble of all networks or the first one."""
    found = {
        one.name: one.candidate.ensemble_weights.to_dict()
        for one in comparison.results
        if one.candidate.ensemble_weights
    }
    return {"mixture": found.get(ENSEMBLE, next(iter(found.values()))), "mixtures": found} if found else {}
