"""Rounds: trials of a search that are drawn together and fitted by an engine, each as a task of its own."""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from models.errors import TrainingError
from training.engines.engine import Done, Engine, Work
from training.fit.request import OnEpoch
from training.tuning.fitted_trial import FittedTrial, TrialFitter
from training.tuning.search import RunningSearch, draw_trial, end_trial

if TYPE_CHECKING:
    from optuna import Trial

ROUND = 8
"""Trials of a round: the sampler learns from the rounds before it. The first is as large as the random trials with which
every search begins, so its settings are those of a search without an engine."""


def run_round(running: RunningSearch, trials: Sequence["Trial"], engine: Engine) -> None:
    """Fit the networks of all trials, and end the trials in the order of their numbers, whichever is fitted first.

    A trial that a search without an engine would end early is fitted to its end, then counted as pruned all the same.

    Raises:
        RegistryError: If MLflow cannot be reached.
        WorkerLost: If a worker ended and the engine cannot replace it.
    """
    drawn = [draw_trial(running, one) for one in trials]
    work = Work(TrialFitter, (running.task.training_set(whole=False), running.runtime.fit))
    ready, ended = dict[int, Done](), 0
    for done in engine.run(work, [config for config, _ in drawn]):
        ready[done.at] = done
        while ended in ready:
            end_trial(running, trials[ended], *drawn[ended], partial(_replay, ready.pop(ended)))
            ended += 1


def _replay(done: Done, on_epoch: OnEpoch) -> FittedTrial:
    """Report the epochs of a fitted trial, and return it; raises TrainingError if it failed."""
    if done.failure:
        raise TrainingError(done.failure)
    fitted: FittedTrial = done.value
    for epoch in fitted.epochs:
        on_epoch(epoch)
    return fitted
