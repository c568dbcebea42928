"""Choosing: which transform, whether a calendar or synthetic windows, and how long a schedule, by validation errors."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from models.networks.build import NetworkOptions
from models.networks.learner import Learner, Recipe, Weights, learner_for
from training.config.fit import WORTHWHILE, FitConfig
from training.data.augmentation import HALF, can_mix, is_small
from training.data.windows import Dataset
from training.fit.candidate import EpochRecord
from training.fit.loop import Clock, Course, Trial, go_through, try_out
from training.fit.request import OnEpoch

LEAST_GAIN = 0.005
"""The gain that a logarithm, synthetic windows, or leaving the calendar out, must show on the validation origins."""

FALLEN_BEHIND = 1.02
"""What errs this many times as much as the best of its schedule is not tried in longer ones."""

GO_ON_SHARE, GO_ON_RATE = 0.25, 0.3
"""A last training that there is no time for becomes this share of its steps, from this share of the peak rate."""


@dataclass(frozen=True, slots=True)
class Desk:
    """What every stage of a candidate has at hand; `weights` are what it begins from, None being the seed's own."""

    dataset: Dataset
    config: FitConfig
    seed: int
    watch: OnEpoch
    clock: Clock
    weights: Weights | None = None

    def course(self, told: Sequence[EpochRecord], synthetic: float = 0.0) -> Course:
        """Return a stage that counts on from the epochs told so far, its windows drawn from the seed anew."""
        taken = (told[-1].step, told[-1].epoch) if told else (0, 0)
        return Course(self.config, np.random.default_rng(self.seed), self.watch, self.clock, taken, synthetic)


@dataclass(frozen=True, slots=True)
class Setting:
    """What a trial is of: a network, and the share of its windows that is synthetic."""

    options: NetworkOptions
    synthetic: float


@dataclass(frozen=True, slots=True)
class Choice:
    """The best trial, every epoch of all trials, and whether the clock kept others from being tried."""

    trial: Trial
    told: tuple[EpochRecord, ...]
    cut_short: bool


def restart(learner: Learner, dataset: Dataset, seed: int) -> None:
    """Begin a training anew, repeatably: weights, what is scaled by the training set, and the order of sums."""
    learner.restart(seed)
    if learner.recipe.options.context_length == 1:
        seen = dataset.seen.values
        learner.network.get_layer("normalize").adapt(seen[np.isfinite(seen)])
    if dataset.seen.covariates is not None:
        learner.network.get_layer("normalize_covariates").adapt(dataset.seen.covariates)


def begin(learner: Learner, dataset: Dataset, desk: Desk) -> None:
    """Begin a training anew from what the desk says: the seed's weights, or those that were given."""
    restart(learner, dataset, desk.seed)
    if desk.weights is not None:
        learner.start_from(desk.weights)


def choose(transformed: Sequence[NetworkOptions], desk: Desk) -> Choice:
    """Return the best trial on the validation origins, before the cutoff.

    The better transform is tried without a calendar too, if the network does better when it is not told the dates. Then
    schedules grow threefold while that lowers the error; what falls behind is tried no longer. If data are few, synthetic
    windows are tried beside the second schedule: half of a batch learns half as fast.
    """
    told: list[EpochRecord] = []
    first, *longer = desk.config.schedules
    share = desk.config.synthetic_share
    rung = [_try(Setting(options, share or 0.0), first, desk, told) for options in transformed]
    blind = (1.0 - LEAST_GAIN) * _leader(rung).error > _leader(rung).blind_error
    if desk.config.calendar is None and blind:
        plain = replace(_leader(rung).options, calendar=False)
        rung.append(_try(Setting(plain, share or 0.0), first, desk, told))
    mixed = Setting(_leader(rung).options, HALF)
    mixes = share is None and desk.weights is None and can_mix(mixed.options) and is_small(desk.dataset)
    hurried = mixes and not longer and _affordable(_leader(rung), 1, desk.clock) < first
    if mixes and not longer and not hurried:
        rung.append(_try(mixed, first, desk, told))
    best = _leader(rung)
    running = [_setting(one) for one in rung if _runs_on(one, best)] + [mixed] * mixes
    for steps in longer:
        affordable = _affordable(best, len(running), desk.clock)
        if affordable < steps:
            hurried |= len(running) > 1
            running = [_setting(best)]
            affordable = _affordable(best, 1, desk.clock)
        if affordable < WORTHWHILE * best.steps:
            return Choice(best, tuple(told), cut_short=True)
        rung = [_try(one, min(steps, affordable), desk, told) for one in running]
        if _leader(rung).error >= best.error:
            break
        best = _leader(rung)
        running = [_setting(one) for one in rung if _runs_on(one, best)]
        if affordable < steps:
            return Choice(best, tuple(told), cut_short=True)
    return Choice(best, tuple(told), cut_short=hurried)


def _runs_on(trial: Trial, best: Trial) -> bool:
    """Return whether a longer schedule is worth its time: of the best trial, and of another that is close to it.

    That is one of another transform, or of the same network with another share of synthetic windows.
    """
    close = trial.error <= FALLEN_BEHIND * best.error
    other = trial.options == best.options or trial.options.transform != best.options.transform
    return _setting(trial) == _setting(best) or (close and other)


def _setting(trial: Trial) -> Setting:
    """Return what a trial was of."""
    return Setting(trial.options, trial.synthetic)


def _affordable(best: Trial, trials: int, clock: Clock) -> int:
    """Return the steps of so many more trials for which there is time, and then for learning from all data.

    That is a short last training if they gain, and the best schedule so far once more if they do not.
    """
    steps = max(clock.left(), 0.0) * best.steps_per_second
    return max(0, int(min(steps / (trials + GO_ON_SHARE), (steps - best.steps) / trials)))


def finish(
    trial: Trial, learner: Learner, desk: Desk, told: Sequence[EpochRecord]
) -> tuple[list[EpochRecord], int | None]:
    """Learn what was held out too: by the trial's schedule from the start, or by going on at a lower rate.

    Returns:
        The epochs; and for how many steps the trial's network went on, because there was no time for the whole schedule
        or because the configuration says so, else None.
    """
    dataset, course, asked = desk.dataset.whole(), desk.course(told, trial.synthetic), desk.config.last_steps
    affordable = int(max(desk.clock.left(), 0.0) * trial.steps_per_second)
    begin(learner, dataset, desk)
    if asked is None and affordable >= trial.steps:
        return go_through(learner, dataset, course, trial.steps), None
    steps = asked or max(1, min(affordable, int(GO_ON_SHARE * trial.steps)))
    learner.network.set_weights(trial.weights)
    slower = replace(course, config=replace(desk.config, learning_rate=GO_ON_RATE * desk.config.learning_rate))
    return go_through(learner, dataset, slower, steps), steps


def _try(setting: Setting, steps: int, desk: Desk, told: list[EpochRecord]) -> Trial:
    """Return one trial; its epochs are added to those told."""
    learner = learner_for(recipe(setting.options, desk.config))
    begin(learner, desk.dataset, desk)
    trial = try_out(learner, desk.dataset, desk.course(told, setting.synthetic), steps=steps)
    told += trial.history
    return trial


def recipe(options: NetworkOptions, config: FitConfig) -> Recipe:
    """Return what is compiled for a network of these options."""
    return Recipe(options, config.clip_norm, config.weight_decay)


def _leader(rung: Sequence[Trial]) -> Trial:
    """Return the first trial, unless a later one shows a gain on it, and so on."""
    kept = rung[0]
    for trial in rung[1:]:
        if trial.error < (1.0 - LEAST_GAIN) * kept.error:
            kept = trial
    return kept


def time_warnings(choice: Choice, config: FitConfig, *, went_on: int | None) -> list[str]:
    """Return a sentence if the clock decided on anything, since then the seed alone no longer fixes the weights."""
    hurried = went_on is not None and config.last_steps is None
    if not hurried and not choice.cut_short:
        return []
    left = [f"for schedules of {choice.trial.steps} steps"]
    left += [f"for {went_on} steps on all data"] * hurried
    left += ["not for every trial that was due"] * choice.cut_short
    kept = f"fit.max_seconds ({config.max_seconds:g}) left time {', and '.join(left)}"
    return [f"{kept}; another run may get further. Lower fit.max_steps to repeat it."]
