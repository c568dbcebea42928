"""Selection: successive halving over transforms, calendar, synthetic windows and lengths of schedule."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from models.networks.build import NetworkOptions
from models.networks.learner import Learner, Recipe, Weights, learner_for
from training.config.fit import WORTHWHILE, FitConfig
from training.data.augmentation import HALF, can_mix, is_small
from training.data.window_sampling import Dataset
from training.fit.candidate import EpochRecord
from training.fit.loop import Clock, TrainingSchedule, Trial, run_trial, train_on_all
from training.fit.pace import Pace, measure_pace
from training.fit.request import OnEpoch
from training.fit.seasonless import SeasonlessForecasts

LEAST_GAIN = 0.005
"""Share by which a logarithm, synthetic windows, or no calendar must lower the error on the validation origins."""

PRUNE_MARGIN = 1.02
"""A trial whose error is more than this many times the best one's is not tried in longer schedules."""

GO_ON_SHARE, GO_ON_RATE = 0.25, 0.3
"""Without time for a whole last schedule, the trial goes on for this share of its steps, at this share of the peak rate."""

TRIAL_SHARE = 1 / (1 + GO_ON_SHARE)
"""Share of the time left that a trial may take, so that a short last training follows."""

SHORTEST_MIXED = 150
"""Steps of the longest schedule from which synthetic windows are tried: in fewer, a network does not learn from them what the
starter has learned from thousands of steps, and drawing the series takes as long as the schedule."""

FEWEST_STEPS = 1
"""Steps of a trial for which there is no time: a network begins as a seasonal forecast, so that it is usable."""

FINISH_SHARES = {True: 0.35, False: 0.8}
"""Time for calibration and export, as a share of the time that compiling a network takes, with XLA and without it."""


@dataclass(frozen=True, slots=True)
class SelectionContext:
    """What all trials of a candidate have in common; `weights` of None are those of the seed.

    With `seasonless` what is chosen is the best blend with these forecasts; without it, the best network.
    """

    dataset: Dataset
    config: FitConfig
    seed: int
    on_epoch: OnEpoch
    clock: Clock
    weights: Weights | None = None
    seasonless: SeasonlessForecasts | None = None

    def ending_earlier(self, seconds: float) -> "SelectionContext":
        """Return the context with less time, so that calibration and export end with the clock."""
        return replace(self, clock=replace(self.clock, seconds=self.clock.seconds - seconds))

    def schedule(self, history: Sequence[EpochRecord], synthetic: float = 0.0) -> TrainingSchedule:
        """Return a schedule that counts on from the epochs so far, its windows drawn from the seed anew."""
        done = (history[-1].step, history[-1].epoch) if history else (0, 0)
        generator = np.random.default_rng(self.seed)
        return TrainingSchedule(self.config, generator, self.on_epoch, self.clock, done, synthetic, TRIAL_SHARE)


@dataclass(frozen=True, slots=True)
class Variant:
    """What a trial is of: a network, and the share of synthetic windows."""

    options: NetworkOptions
    synthetic: float


@dataclass(frozen=True, slots=True)
class SelectedFit:
    """The best trial, every epoch of all trials, whether the clock kept others from being tried, and the time to finish."""

    trial: Trial
    history: tuple[EpochRecord, ...]
    cut_short: bool
    finish_seconds: float = 0.0


def restart(learner: Learner, dataset: Dataset, seed: int) -> None:
    """Set a learner back to the seed's weights, repeatably; layers that normalize adapt to the training windows."""
    learner.restart(seed)
    if learner.recipe.options.context_length == 1:
        seen = dataset.seen.values
        learner.network.get_layer("normalize").adapt(seen[np.isfinite(seen)])
    if dataset.seen.covariates is not None:
        learner.network.get_layer("normalize_covariates").adapt(dataset.seen.covariates)


def begin(learner: Learner, dataset: Dataset, context: SelectionContext) -> None:
    """Set a learner back to the weights that trials begin with."""
    if context.weights is None:
        restart(learner, dataset, context.seed)
    else:
        learner.restart(context.seed, context.weights)


def select_fit(transformed: Sequence[NetworkOptions], context: SelectionContext) -> SelectedFit:
    """Return the best trial on the validation origins, before the cutoff.

    The better transform is tried without a calendar too, if the network does better without dates. Then schedules grow
    threefold while that lowers the error; variants that are not close to the best are pruned. If data are few, synthetic
    windows are tried beside the second schedule: half of a batch learns half as fast.
    """
    share = context.config.synthetic_share or 0.0
    pace = pace_of(Variant(transformed[0], share), context)
    finish = FINISH_SHARES[context.config.compiled] * pace.compile_seconds
    selected = _select([Variant(one, share) for one in transformed], context.ending_earlier(finish), pace)
    return replace(selected, finish_seconds=finish)


def _select(variants: Sequence[Variant], context: SelectionContext, pace: Pace) -> SelectedFit:
    history: list[EpochRecord] = []
    first, *longer = context.config.schedules
    share = context.config.synthetic_share
    rung, dropped = _first_rung(variants, context, pace, history)
    if rung[0].steps < first:
        return SelectedFit(rung[0], tuple(history), cut_short=True)
    mixed = Variant(_leader(rung).options, HALF)
    mixes = share is None and context.weights is None and can_mix(mixed.options) and is_small(context.dataset)
    mixes &= context.config.schedules[-1] >= SHORTEST_MIXED
    hurried = dropped or (mixes and not longer and _affordable(_leader(rung), 1, context.clock) < first)
    if mixes and not longer and not hurried:
        rung.append(_try(mixed, first, context, history))
    best = _leader(rung)
    running = [_variant(one) for one in rung if _goes_on(one, best)] + [mixed] * mixes
    for steps in longer:
        affordable = _affordable(best, len(running), context.clock)
        if affordable < steps:
            hurried |= len(running) > 1
            running = [_variant(best)]
            affordable = _affordable(best, 1, context.clock)
        if affordable < WORTHWHILE * best.steps:
            return SelectedFit(best, tuple(history), cut_short=True)
        rung = [_try(one, min(steps, affordable), context, history) for one in running]
        hurried |= any(one.steps < min(steps, affordable) for one in rung)
        if _leader(rung).error >= best.error:
            break
        best = _leader(rung)
        running = [_variant(one) for one in rung if _goes_on(one, best)]
        if affordable < steps:
            return SelectedFit(best, tuple(history), cut_short=True)
    return SelectedFit(best, tuple(history), cut_short=hurried)


def _first_rung(
    variants: Sequence[Variant], context: SelectionContext, pace: Pace, history: list[EpochRecord]
) -> tuple[list[Trial], bool]:
    """Return the trials of the shortest schedule, and whether one was dropped because there was no time to compile it."""
    first = context.config.schedules[0]
    steps = first_steps(first, pace, context.clock)
    rung = [_try(variants[0], steps, context, history)]
    if rung[0].steps < first:
        return rung, True
    dropped = False

    def add(variant: Variant) -> None:
        nonlocal dropped
        if has_time(first, pace, context.clock):
            rung.append(_try(variant, first, context, history))
            dropped |= rung[-1].steps < first
        else:
            dropped = True

    for variant in variants[1:]:
        add(variant)
    if context.config.calendar is None and _is_better_undated(_leader(rung)):
        add(Variant(replace(_leader(rung).options, calendar=False), variants[0].synthetic))
    return rung, dropped


def first_steps(steps: int, pace: Pace, clock: Clock) -> int:
    """Return the steps of the first schedule: all, or as many as leave time for a short last training."""
    return min(steps, max(FEWEST_STEPS, pace.steps_in(clock.left() / (1 + GO_ON_SHARE))))


def has_time(steps: int, pace: Pace, clock: Clock) -> bool:
    """Return whether another network can be compiled and tried, and a short last training follow."""
    return pace.steps_in(clock.left() - pace.compile_seconds) >= (1 + GO_ON_SHARE) * steps


def pace_of(variant: Variant, context: SelectionContext) -> Pace:
    """Return how long a variant takes to compile, and how fast it learns."""
    learner = learner_for(recipe(variant.options, context.config))
    begin(learner, context.dataset, context)
    return measure_pace(learner, context.dataset, context.schedule((), variant.synthetic))


def _is_better_undated(trial: Trial) -> bool:
    return (1.0 - LEAST_GAIN) * trial.error > trial.undated_error


def _goes_on(trial: Trial, best: Trial) -> bool:
    """Return whether a variant is tried in a longer schedule: the best one, and another that is close to it.

    The other one has another transform, or is the same network with another share of synthetic windows.
    """
    close = trial.error <= PRUNE_MARGIN * best.error
    other = trial.options == best.options or trial.options.transform != best.options.transform
    return _variant(trial) == _variant(best) or (close and other)


def _variant(trial: Trial) -> Variant:
    return Variant(trial.options, trial.synthetic)


def _affordable(best: Trial, trials: int, clock: Clock) -> int:
    """Return the steps of so many more trials that leave time to learn from all data.

    That is a short last training if they gain, and the best schedule so far once more if they do not.
    """
    steps = max(clock.left(), 0.0) * best.steps_per_second
    return max(0, int(min(steps / (trials + GO_ON_SHARE), (steps - best.steps) / trials)))


def fit_all_data(
    trial: Trial, learner: Learner, context: SelectionContext, history: Sequence[EpochRecord]
) -> tuple[list[EpochRecord], int | None]:
    """Train on the held-out origins too: by the trial's schedule from the start, or by going on at a lower rate.

    Returns:
        The epochs; and the steps for which the trial's network went on, because there was no time for the whole schedule
        or because the configuration says so, else None.
    """
    dataset, schedule = context.dataset.whole(), context.schedule(history, trial.synthetic)
    affordable = int(max(context.clock.left(), 0.0) * trial.steps_per_second)
    begin(learner, dataset, context)
    if context.config.last_steps is None and affordable >= trial.steps:
        history = train_on_all(learner, dataset, replace(schedule, share=1.0), trial.steps)
        taken = _taken(history, trial.steps)
        return history, None if taken == trial.steps else taken
    steps = context.config.last_steps or max(1, min(affordable, int(GO_ON_SHARE * trial.steps)))
    learner.network.set_weights(trial.weights)
    config = replace(context.config, learning_rate=GO_ON_RATE * context.config.learning_rate)
    share = 1.0 if context.config.last_steps is None else None
    history = train_on_all(learner, dataset, replace(schedule, config=config, share=share), steps)
    return history, _taken(history, steps)


def _taken(history: Sequence[EpochRecord], steps: int) -> int:
    """Return how many of the steps were taken in the time that there was."""
    return min(steps, history[-1].stage_step) if history else steps


def _try(variant: Variant, steps: int, context: SelectionContext, history: list[EpochRecord]) -> Trial:
    """Return one trial; its epochs are added to the history."""
    learner = learner_for(recipe(variant.options, context.config))
    begin(learner, context.dataset, context)
    trial = run_trial(learner, context.dataset, context.schedule(history, variant.synthetic), steps=steps)
    history += trial.history
    return trial


def recipe(options: NetworkOptions, config: FitConfig) -> Recipe:
    """Return what a network of these options is compiled from."""
    return Recipe(options, config.clip_norm, config.weight_decay, config.compiled)


def _leader(rung: Sequence[Trial]) -> Trial:
    """Return the first trial, or a later one that gains on the one kept so far."""
    kept = rung[0]
    for trial in rung[1:]:
        if trial.error < (1.0 - LEAST_GAIN) * kept.error:
            kept = trial
    return kept


def time_warnings(selected: SelectedFit, config: FitConfig, *, went_on: int | None) -> list[str]:
    """Return a warning if the clock decided on anything: then the seed alone does not determine the weights."""
    hurried = went_on is not None and config.last_steps is None
    if not hurried and not selected.cut_short:
        return []
    left = [f"for schedules of {selected.trial.steps} steps"]
    left += [f"for {went_on} steps on all data"] * hurried
    left += ["not for every trial that was due"] * selected.cut_short
    kept = f"fit.max_seconds ({config.max_seconds:g}) left time {', and '.join(left)}"
    return [f"{kept}; another run may get further. Lower fit.max_steps to repeat it."]
