"""Weighing: a challenger beside the champion on the same origins, as evidence for the decision on the alias."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from models import artifact
from models.errors import AlmanacError, ModelUnknown, RegistryUnreachable
from models.forecaster import Forecaster
from training import backtest, promotion, record
from training.comparison import Comparison, Result
from training.origins import FEWEST_UNSEEN, new_rows, score_over
from training.refit import empty_folder
from training.registry import CHAMPION, Registry

if TYPE_CHECKING:
    from training.pipeline import Bench, Task


def decide(winner: Result, comparison: Comparison, task: "Task", bench: "Bench") -> promotion.Decision:
    """Return whether the winner becomes champion, by forecasts of the same origins from the same histories."""
    try:
        forecaster = fetch_champion(bench.registry, task.config.name, empty_folder(bench.scratch / "champion"))
    except RegistryUnreachable:
        raise
    except AlmanacError as error:
        return promotion.decide_incomparable(str(error), force=task.config.promote)
    if forecaster is None:
        return promotion.decide_first(beats_baselines=comparison.beats_baselines(winner))
    return weigh(winner, forecaster, task)


def fetch_champion(registry: Registry, name: str, folder: Path) -> Forecaster | None:
    """Return the champion of a name, its golden forecasts replayed, or None where there is none yet.

    Raises:
        RegistryError: If it cannot be fetched.
        ArtifactError: If it is not what it was.
    """
    try:
        champion = registry.resolve(f"{name}@{CHAMPION}")
    except ModelUnknown:
        return None
    return artifact.load(registry.download(champion, folder))


def weigh(winner: Result, champion: Forecaster, task: "Task", notes: tuple[str, ...] = ()) -> promotion.Decision:
    """Return the decision between a winner and a champion in hand; one that cannot forecast the block is said so.

    Where the block is new to the champion for half the series or more, the others are left out of the comparison.

    Args:
        winner: With its errors over the task's origins.
        champion: What it is compared with.
        task: The comparison.
        notes: What else a reader of the decision should know.
    """
    try:
        scores, _ = score_over(champion, task.splits)
        latency = backtest.measure_latency(champion, task.newest)
    except AlmanacError as error:
        return promotion.decide_incomparable(str(error), force=task.config.promote)
    rows, seen = _rows(champion, task)
    return promotion.decide(
        _evidence(winner.scores.only(rows), winner.forecast_ms),
        _evidence(scores.only(rows), latency),
        force=task.config.promote,
        notes=(*notes, *seen),
    )


def _rows(champion: Forecaster, task: "Task") -> tuple[list[int], tuple[str, ...]]:
    """Return the rows that are compared, and a note where the champion has seen what it is compared on."""
    trained_to = champion.spec.trained_to
    every = list(range(sum(len(one.scored) for one in task.splits)))
    if trained_to is None:
        return every, ()
    new = np.concatenate([new_rows(one, trained_to) for one in task.splits])
    if new.all() or new.mean() < FEWEST_UNSEEN:
        return every, record.seen_by_champion(champion.spec, task.split)
    told = f"{int((new == 0).sum())} of {len(new)} series and origins are left out: the champion was trained on their block."
    return np.flatnonzero(new).tolist(), (told,)


def _evidence(scores: backtest.Scores, forecast_ms: float) -> promotion.Evidence:
    """Return scores and latency as the decision wants them."""
    return promotion.Evidence(scores.scaled_errors, float(scores.summary()["coverage_80"]), forecast_ms, scores.ids)
