"""Weighing: a challenger beside the champion on the same origins, as evidence for the decision on the alias."""

from typing import TYPE_CHECKING

import numpy as np

from models import artifact
from models.errors import AlmanacError, ModelUnknown, RegistryUnreachable
from models.forecaster import Forecaster
from training.evaluation import backtest, promotion
from training.evaluation.comparison import Comparison, Result
from training.evaluation.leakage import FEWEST_UNSEEN, Seen, new_rows
from training.evaluation.rolling_origins import score_over
from training.pipeline.refit import empty_folder
from training.registry import runs
from training.registry.client import CHAMPION

if TYPE_CHECKING:
    from training.pipeline.task import Bench, Task

SEEN = "the block of {} of {} series and origins"


def decide(winner: Result, comparison: Comparison, task: "Task", bench: "Bench") -> promotion.Decision:
    """Return whether the winner becomes champion, by forecasts of the same origins from the same histories."""
    try:
        champion = bench.registry.resolve(f"{task.config.name}@{CHAMPION}")
    except ModelUnknown:
        return promotion.decide_first(beats_baselines=comparison.beats_baselines(winner)).with_figures(
            champion_version=None
        )
    try:
        forecaster = artifact.load(bench.registry.download(champion, empty_folder(bench.scratch / "champion")))
    except RegistryUnreachable:
        raise
    except AlmanacError as error:
        decision = promotion.decide_incomparable(str(error), force=task.config.promote)
    else:
        decision = weigh(winner, forecaster, task)
    return decision.with_figures(champion_version=champion.version)


def weigh(
    winner: Result, champion: Forecaster, task: "Task", *, seen: Seen | None = None, notes: tuple[str, ...] = ()
) -> promotion.Decision:
    """Return the decision between a winner and a champion in hand; one that cannot forecast the block is said so.

    Where the block is new to the champion for half the series and origins or more, the others are left out.

    Args:
        winner: With its errors over the task's origins.
        champion: What it is compared with.
        task: The comparison.
        seen: How far the champion has seen; None compares on all series and origins.
        notes: What else a reader of the decision should know.
    """
    try:
        scores, _ = score_over(champion, task.splits)
        latency = backtest.measure_latency(champion, task.newest)
    except AlmanacError as error:
        return promotion.decide_incomparable(str(error), force=task.config.promote)
    rows, told = _rows(champion, task, seen)
    return promotion.decide(
        _evidence(winner.scores.only(rows), winner.forecast_ms),
        _evidence(scores.only(rows), latency),
        force=task.config.promote,
        notes=(*notes, *told),
    )


def _rows(champion: Forecaster, task: "Task", seen: Seen | None) -> tuple[list[int], tuple[str, ...]]:
    """Return the rows that are compared, and a note where the champion has seen some of what was held out."""
    every = list(range(sum(len(one.scored) for one in task.splits)))
    if seen is None:
        return every, runs.seen_by_champion(champion.spec, task.split)
    new = np.concatenate([new_rows(one, seen) for one in task.splits])
    if new.all():
        return every, ()
    if new.mean() < FEWEST_UNSEEN:
        return every, (
            f"The champion was trained on {SEEN.format(int((~new).sum()), len(new))}, which can only favour it.",
        )
    return np.flatnonzero(new).tolist(), (
        f"Left out is {SEEN.format(int((~new).sum()), len(new))}: the champion has seen it.",
    )


def _evidence(scores: backtest.Scores, forecast_ms: float) -> promotion.Evidence:
    """Return scores and latency as the decision wants them."""
    return promotion.Evidence(scores.scaled_errors, float(scores.summary()["coverage_80"]), forecast_ms, scores.ids)
