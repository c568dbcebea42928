"""Contest: a job's candidates, baselines and champion on the same origins, each in its run, with a winner and a decision."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from models import artifact
from models.errors import AlmanacError, RegistryUnreachable
from models.forecaster import Forecaster
from training.evaluation import backtest, promotion
from training.evaluation.baselines import BaselineWish
from training.evaluation.comparison import BaselineResult, Comparison, Failure, Result, name_causes
from training.evaluation.leakage import Seen
from training.evaluation.rolling_origins import baselines_over
from training.fit.candidate_files import ARTIFACT
from training.pipeline.champion_challenger import weigh
from training.pipeline.register import BACKTESTED
from training.pipeline.task import Bench, Task
from training.registry import runs
from training.retraining import stage_context
from training.retraining.stage_context import JobDesk

AS_BEFORE = "The champion is compared as it was before its last training, since it has seen the held-out block and this has not."


@dataclass(frozen=True, slots=True)
class Contest:
    """What a comparison in a job is made with: the desk, what was read, the task and the bench."""

    desk: JobDesk
    read: Mapping[str, Any]
    task: Task
    bench: Bench


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of a contest.

    Attributes:
        comparison: Candidates and baselines.
        winner: The candidate that is registered.
        decision: Whether it becomes champion, and why.
        notes: What a reader should know of how the winner was chosen.
    """

    comparison: Comparison
    winner: Result
    decision: promotion.Decision
    notes: tuple[str, ...]

    def figures(self) -> dict[str, dict[str, float]]:
        """Return the figures of every candidate and baseline by name."""
        comparison = self.comparison
        rows = {one.name: comparison.summary_metrics(one) for one in comparison.results}
        return rows | {name: comparison.baseline_metrics(name) for name in comparison.baselines}


def hold_contest(contest: Contest, results: tuple[Result, ...], failures: tuple[Failure, ...]) -> Verdict:
    """Return who won, beside whom, and whether it becomes champion; all of it in MLflow.

    The winner has the least validation error among those that are no slower than promotion allows: a slower one could
    not become champion, however well it forecasts.

    Raises:
        TrainingError: If every candidate failed, or the one picked did.
        RegistryError: If MLflow does not answer.
    """
    desk, task, config = contest.desk, contest.task, contest.task.config
    comparison = Comparison(results, {}, failures, config.pick)
    _ = comparison.winner  # refuses before anything that takes time
    if failures:
        contest.bench.terminal.say(name_causes({one.name: one.cause for one in failures}), "red")
    wish = BaselineWish(config.baselines, config.baseline_series, config.seed)
    baselines = baselines_over(task.splits, wish, contest.bench.terminal)
    comparison = replace(comparison, baselines=baselines)
    for one in results:
        runs.log_candidate(desk.registry, one, comparison, task.newest, config.unit)
    _log_baselines(contest, baselines, comparison)
    if contest.read["champion"] is None:
        winner = comparison.winner
        first = promotion.decide_first(beats_baselines=comparison.beats_baselines(winner))
        return Verdict(comparison, winner, first, ())
    try:
        rival, seen = _rival(contest)
    except RegistryUnreachable:
        raise
    except AlmanacError as error:
        apart = promotion.decide_incomparable(str(error), force=config.promote)
        return Verdict(comparison, comparison.winner, apart, ())
    winner, notes = _choose(comparison, rival, task)
    said = (*contest.read["origins"]["notes"], *notes)
    known = (AS_BEFORE,) if contest.read["champion"]["as"] == BACKTESTED else ()
    return Verdict(comparison, winner, weigh(winner, rival, task, seen=seen, notes=(*known, *said)), notes)


def _rival(contest: Contest) -> tuple[Forecaster, Seen]:
    """Return the champion as it is compared, and how far it has seen; raises AlmanacError where it cannot be had."""
    reigning = stage_context.champion_of(contest.desk, contest.read)
    rival = contest.read["champion"]["as"]
    before = reigning.backtested if rival == BACKTESTED else None
    return artifact.load(before / ARTIFACT if before else reigning.served), reigning.seen(rival)


def _choose(comparison: Comparison, rival: Forecaster, task: Task) -> tuple[Result, tuple[str, ...]]:
    """Return the winner among the candidates that are quick enough, and a note where that is not the best of all."""
    best = comparison.winner
    try:
        milliseconds = backtest.measure_latency(rival, task.newest)
    except AlmanacError:  # it cannot forecast these series, as the decision will say
        return best, ()
    allowed = milliseconds * promotion.LATENCY_RATIO + promotion.LATENCY_SLACK_MS
    quick = tuple(one for one in comparison.results if one.forecast_ms <= allowed)
    if comparison.pick or best in quick or not quick:
        return best, ()
    taken = replace(comparison, results=quick).winner
    slow = f"{best.name} errs least on validation, but takes {best.forecast_ms:.2f} ms; the champion {milliseconds:.2f} ms."
    return taken, (slow,)


def _log_baselines(contest: Contest, baselines: Mapping[str, BaselineResult], comparison: Comparison) -> None:
    """Write each baseline's figures into a run of its own."""
    desk, read = contest.desk, contest.read
    for name in baselines:
        run_id = desk.begin(read["name"], name, name, parent=read["run_id"])
        runs.log_baseline(desk.registry, run_id, name, comparison)
        desk.registry.finish(run_id)
