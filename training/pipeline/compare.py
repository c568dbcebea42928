"""Compare: the winner among the candidates, and whether it replaces the champion. This is the one promotion rule."""

from dataclasses import dataclass, replace

import numpy as np

from models.errors import AlmanacError
from models.forecaster import Forecaster
from training.evaluation import promotion
from training.evaluation.comparison import Comparison, Result
from training.evaluation.leakage import MIN_UNSEEN, SeenData, new_rows
from training.evaluation.promotion import LatencyGate, PromotionDecision
from training.evaluation.rolling_origins import score_over
from training.evaluation.scores import Scores, measure_latencies
from training.pipeline.champion import BACKTESTED, ChampionLookup
from training.pipeline.task import TrainingTask

AS_BACKTESTED = "The champion is compared as it was before its last training, which has seen the held-out block."


@dataclass(frozen=True, slots=True)
class ComparisonOutcome:
    """What came of a comparison; `notes` is what a reader should know about the choice of the winner."""

    comparison: Comparison
    winner: Result
    decision: PromotionDecision
    notes: tuple[str, ...] = ()

    def metrics(self) -> dict[str, dict[str, float]]:
        """Return the metrics of every candidate and baseline by name."""
        comparison = self.comparison
        rows = {one.name: comparison.summary_metrics(one) for one in comparison.results}
        return rows | {name: comparison.baseline_metrics(name) for name in comparison.baselines}


def decide(
    comparison: Comparison, task: TrainingTask, found: ChampionLookup, state: str, notes: tuple[str, ...] = ()
) -> ComparisonOutcome:
    """Return the winner, and whether it becomes champion.

    The winner has the least validation error among the candidates that are fast enough to be promoted, unless a person
    picked one. It is compared with the champion at the same origins; blocks that the champion has seen are left out.
    """
    outcome = _decide(comparison, task, found, state, notes)
    decision = outcome.decision.with_figures(champion_version=found.version, challenger_run_id=outcome.winner.run_id)
    return replace(outcome, decision=decision)


def _decide(
    comparison: Comparison, task: TrainingTask, found: ChampionLookup, state: str, notes: tuple[str, ...]
) -> ComparisonOutcome:
    winner, force = comparison.winner, task.config.promote
    if found.version is None:
        first = promotion.decide_first(beats_baselines=comparison.beats_baselines(winner))
        return ComparisonOutcome(comparison, winner, first)
    if found.champion is None:
        return ComparisonOutcome(comparison, winner, promotion.decide_incomparable(found.cause, force=force))
    try:
        forecaster = found.champion.load(state)
        scores, _ = score_over(forecaster, task.splits)
        comparison, latency = _in_turn(comparison, forecaster, task)
    except AlmanacError as error:
        return ComparisonOutcome(comparison, winner, promotion.decide_incomparable(str(error), force=force))
    limits = task.config.retrain
    gate = LatencyGate(limits.latency_margin, limits.latency_margin_ms, limits.latency_repeats)
    winner, slower = _fast_enough(comparison, latency, gate)
    rows, seen = _unseen_rows(forecaster, task, found.champion.seen(state))
    before = (AS_BACKTESTED,) if state == BACKTESTED else ()
    decision = promotion.decide(
        _evidence(winner.scores.only(rows), winner.forecast_ms),
        _evidence(scores.only(rows), latency),
        force=force,
        notes=(*before, *notes, *slower, *seen),
        gate=gate,
    )
    return ComparisonOutcome(comparison, winner, decision, slower)


def _in_turn(comparison: Comparison, champion: Forecaster, task: TrainingTask) -> tuple[Comparison, float]:
    """Return the comparison with latencies that were measured in turn with the champion's, and the champion's."""
    networks = [champion, *(one.candidate.forecaster for one in comparison.results)]
    champion_ms, *latencies = measure_latencies(networks, task.newest, task.config.retrain.latency_repeats)
    results = zip(comparison.results, latencies, strict=True)
    return replace(comparison, results=tuple(replace(one, forecast_ms=ms) for one, ms in results)), champion_ms


def _fast_enough(comparison: Comparison, champion_ms: float, gate: LatencyGate) -> tuple[Result, tuple[str, ...]]:
    """Return the winner among the candidates that are fast enough, and a note if a slower one is more accurate."""
    best = comparison.winner
    fast = tuple(one for one in comparison.results if one.forecast_ms <= gate.allowed(champion_ms))
    if comparison.pick or best in fast or not fast:
        return best, ()
    note = f"{best.name} has the least validation error, but is slow. {gate.describe(best.forecast_ms, champion_ms)}"
    return replace(comparison, results=fast).winner, (note,)


def _unseen_rows(champion: Forecaster, task: TrainingTask, seen: SeenData) -> tuple[list[int], tuple[str, ...]]:
    """Return the rows on which both are compared, and a note if the champion has seen some of what was held out.

    A champion that has seen more than half of the rows is compared on all of them.
    """
    new = np.concatenate([new_rows(one, seen) for one in task.splits])
    count, every = f"the blocks of {int((~new).sum())} of {len(new)} series and origins", range(len(new))
    if new.all():
        return [*every], ()
    if new.mean() < MIN_UNSEEN:
        until = f", up to {champion.spec.trained_to}" if champion.spec.trained_to else ""
        return [*every], (f"The champion was trained on {count}{until}; this can only favour it.",)
    return np.flatnonzero(new).tolist(), (f"Left out are {count}: the champion has seen them.",)


def _evidence(scores: Scores, forecast_ms: float) -> promotion.Evidence:
    """Return scores and latency as the decision takes them."""
    return promotion.Evidence(scores.scaled_errors, float(scores.summary()["coverage_80"]), forecast_ms, scores.ids)
