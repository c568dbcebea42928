"""Training loop: one network goes through a schedule of optimizer steps, epoch after epoch."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models.accuracy import known_mean, row_means, scaled_errors
from models.errors import LossNotFinite
from models.networks.build import NetworkOptions
from models.networks.learner import Learner, Weights
from training.config.fit import FitConfig
from training.data.augmentation import mixed
from training.data.window_sampling import Batch, Dataset, Windows
from training.fit.candidate import ALL_DATA, EpochRecord
from training.fit.request import OnEpoch

Floats = NDArray[np.float64]

VANISHED, EXPLODED = 1e-6, 1e3
"""Mean gradient norm of an epoch below or above which a warning names the layer."""

WARM_UP, LAST_RATE = 0.05, 0.01
"""Share of the steps in which the rate rises, and the share of the peak that it falls to."""

WATCHED_ORIGINS = 1024
"""Validation windows that are forecast after each epoch."""

OVERRUN = 1.1
"""Times the steps that there is time for by which a schedule may be longer before it is cut: no two epochs take equally long."""


@dataclass(frozen=True, slots=True)
class Clock:
    """Wall time of one candidate: its start by `time.perf_counter()`, and the seconds that it may take."""

    started: float
    seconds: float

    def spent(self) -> float:
        """Return the seconds since the beginning."""
        return time.perf_counter() - self.started

    def left(self) -> float:
        """Return the seconds left."""
        return self.seconds - self.spent()


@dataclass(frozen=True, slots=True)
class Trial:
    """One whole schedule with the validation origins held out, and its result.

    Attributes:
        options: Of the network.
        steps: Optimizer steps of the schedule.
        error: Validation MASE of the averaged weights at the end.
        undated_error: The same if the network gets no dates.
        weights: The averaged weights at the end.
        history: Epochs in order.
        began: Seconds of the candidate's clock at the beginning.
        ended: Seconds at the end.
        synthetic: Share of synthetic windows.
    """

    options: NetworkOptions
    steps: int
    error: float
    undated_error: float
    weights: Weights
    history: tuple[EpochRecord, ...]
    began: float
    ended: float
    synthetic: float = 0.0

    @property
    def steps_per_second(self) -> float:
        """Speed after the first epoch, in which the step is compiled; with a single epoch, the speed of that."""
        first, last = self.history[0], self.history[-1]
        steps, seconds = last.step - first.step, last.seconds - first.seconds
        return steps / max(seconds, 1e-9) if steps else self.steps / max(self.ended - self.began, 1e-9)


@dataclass(frozen=True, slots=True)
class TrainingSchedule:
    """How a network goes through its steps.

    Attributes:
        config: Steps of an epoch, batch size and learning rate.
        generator: Draws the windows.
        on_epoch: Called after every epoch.
        clock: Of the candidate.
        done: Steps and epochs of earlier stages, so that a candidate's epochs count on.
        synthetic: Share of each batch that is synthetic.
        share: Share of the time left that the steps may take: a machine that becomes slower takes fewer. None for all steps.
    """

    config: FitConfig
    generator: np.random.Generator
    on_epoch: OnEpoch | None
    clock: Clock
    done: tuple[int, int] = (0, 0)
    synthetic: float = 0.0
    share: float | None = None


def run_trial(learner: Learner, dataset: Dataset, schedule: TrainingSchedule, *, steps: int) -> Trial:
    """Return what a restarted network reaches on the validation origins by a whole schedule of `steps`.

    Raises:
        LossNotFinite: If a loss becomes NaN or infinite.
    """
    began, options = schedule.clock.spent(), learner.recipe.options
    batch, scales = dataset.origins(WATCHED_ORIGINS)

    def validation_error(batch: Batch) -> float:
        with learner.averaged():
            return mean_scaled_error(learner, batch, scales)

    stage = _stage(options, steps, schedule.synthetic)
    history = _run_epochs(
        learner, dataset, schedule, steps=steps, validation_error=lambda: validation_error(batch), stage=stage
    )
    undated = replace(batch.contexts, phase=np.full_like(batch.contexts.phase, -1))
    return Trial(
        options,
        history[-1].stage_step,
        error=history[-1].validation_mase,
        undated_error=validation_error(replace(batch, contexts=undated)),
        weights=learner.averaged_weights(),
        history=tuple(history),
        began=began,
        ended=schedule.clock.spent(),
        synthetic=schedule.synthetic,
    )


def _stage(options: NetworkOptions, steps: int, synthetic: float) -> str:
    """Return the name of a trial: what it differs by, and its length."""
    features = "" if options.calendar else ", no calendar"
    mixed = f", {synthetic:.0%} synthetic" if synthetic else ""
    return f"{options.transform}{features}{mixed}, {steps} steps"


def train_on_all(learner: Learner, dataset: Dataset, schedule: TrainingSchedule, steps: int) -> list[EpochRecord]:
    """Take a restarted network through a whole schedule with nothing held out, and give it its averaged weights.

    Raises:
        LossNotFinite: If a loss becomes NaN or infinite.
    """
    history = _run_epochs(
        learner, dataset, schedule, steps=steps, validation_error=lambda: float("nan"), stage=ALL_DATA
    )
    learner.network.set_weights(learner.averaged_weights())
    return history


def _run_epochs(  # noqa: PLR0913 - a schedule and how it is validated
    learner: Learner,
    dataset: Dataset,
    schedule: TrainingSchedule,
    *,
    steps: int,
    validation_error: Callable[[], float],
    stage: str,
) -> list[EpochRecord]:
    """Take all steps of a schedule, or as many as there is time for, and return its epochs."""
    history: list[EpochRecord] = []
    windows = mixed(dataset, learner.recipe.options, schedule.synthetic)
    steps_before, epochs_before = schedule.done
    spent, taken = schedule.clock.spent, 0
    began = spent()
    ends = began + (schedule.share or 0.0) * schedule.clock.left()
    while taken < steps:
        count = min(schedule.config.steps_per_epoch, steps - taken)
        loss, norms = take_steps(learner, windows, schedule, first=taken, count=count, total=steps)
        taken += count
        number, step = epochs_before + len(history) + 1, steps_before + taken
        history.append(EpochRecord(number, step, loss, validation_error(), norms, spent(), stage, taken))
        if schedule.on_epoch:
            schedule.on_epoch(history[-1])
        if schedule.share is not None:
            steps = _steps_in_time(steps, history, ends)
    return history


def _steps_in_time(steps: int, history: Sequence[EpochRecord], ends: float) -> int:
    """Return the steps of a schedule: fewer if, at the pace of the newest epoch, the rest would take much longer than there is time.

    The first epoch may have compiled the step, so that its pace says nothing.
    """
    last = history[-1]
    if len(history) == 1:
        return steps if last.seconds < ends else last.stage_step
    before = history[-2]
    pace = (last.stage_step - before.stage_step) / max(last.seconds - before.seconds, 1e-9)
    affordable = max(0, int(pace * (ends - last.seconds)))
    return steps if steps - last.stage_step <= OVERRUN * affordable else last.stage_step + affordable


def take_steps(  # noqa: PLR0913 - the position of an epoch in its schedule
    learner: Learner, windows: Windows, schedule: TrainingSchedule, *, first: int, count: int, total: int
) -> tuple[float, dict[str, float]]:
    """Take some steps of a schedule; return the mean loss and each layer's mean gradient norm.

    Raises:
        LossNotFinite: If a loss or a gradient is not finite.
    """
    config, losses, norms = schedule.config, [], []
    for step, batch in enumerate(_drawn_ahead(windows, schedule, count), first):
        rate = learning_rate(step, total, config.learning_rate)
        loss, norm = learner.step(batch.contexts, batch.targets, rate=rate, total=total)
        losses.append(loss)
        norms.append(norm)
        if not (np.isfinite(loss) and np.isfinite(norm).all()):
            raise _not_finite(config, step + 1, loss, dict(zip(learner.layers, norm, strict=True)))
    means = np.stack(norms).mean(axis=0, dtype=np.float64)
    return float(np.mean(losses)), dict(zip(learner.layers, means.tolist(), strict=True))


def _drawn_ahead(windows: Windows, schedule: TrainingSchedule, count: int) -> Iterator[Batch]:
    """Yield so many batches, each of which is drawn while the step before it is taken."""
    with ThreadPoolExecutor(1) as thread:
        following = thread.submit(windows.draw, schedule.generator, schedule.config.batch)
        for left in range(count - 1, -1, -1):
            batch = following.result()
            if left:
                following = thread.submit(windows.draw, schedule.generator, schedule.config.batch)
            yield batch


def learning_rate(step: int, total: int, peak: float) -> float:
    """Return the rate of a step: a short linear rise, then a cosine from the peak to a hundredth of it.

    Source: Loshchilov & Hutter (2017), SGDR: stochastic gradient descent with warm restarts.
    """
    warm = max(1, int(WARM_UP * total))
    if step < warm:
        return peak * (step + 1) / warm
    share = (step - warm) / max(1, total - warm)
    return peak * (LAST_RATE + (1 - LAST_RATE) * 0.5 * (1 + float(np.cos(np.pi * share))))


def gradient_warnings(history: Sequence[EpochRecord]) -> list[str]:
    """Return a sentence for each layer whose gradient vanished or exploded in some epoch.

    Layers before one that begins at zero have no gradient in the first step of a schedule, which is left out.
    """
    found: dict[tuple[str, str], str] = {}
    before, stage = 0, ""
    for record in history:
        first_step = record.stage != stage and record.step - before == 1
        before, stage = record.step, record.stage
        for layer, norm in record.gradient_norms.items():
            vanished = norm < VANISHED and not first_step
            kind = "vanished" if vanished else "exploded" if norm > EXPLODED else ""
            if kind:
                text = f"The gradient of layer {layer} {kind}: norm {norm:.2g} in epoch {record.epoch}."
                found.setdefault((layer, kind), text)
    return list(found.values())


def mean_scaled_error(learner: Learner, batch: Batch, scales: Floats) -> float:
    """Return the MASE of the median over validation windows, each divided by its own in-sample scale."""
    return known_mean(scaled_errors_of(learner.predict(batch.contexts), batch, scales))


def scaled_errors_of(quantiles: Floats, batch: Batch, scales: Floats) -> Floats:
    """Return the MASE of the median of each validation window, shape (windows,), NaN without a target.

    Args:
        quantiles: Forecasts of the windows, shape (windows, horizon, levels).
        batch: The windows.
        scales: In-sample seasonal scale of each, shape (windows,).
    """
    return row_means(scaled_errors(batch.targets[:, -1], quantiles[..., quantiles.shape[-1] // 2], scales))


def _not_finite(config: FitConfig, step: int, loss: float, norms: Mapping[str, float]) -> LossNotFinite:
    """Return the error that ends a run, with its step and the likeliest cause."""
    broken = [layer for layer, norm in norms.items() if not np.isfinite(norm)]
    where = f"the gradient of {', '.join(broken)} is not finite" if broken else "the loss itself is not finite"
    clip = f"clipped at {config.clip_norm:g}" if config.clip_norm else "not clipped"
    return LossNotFinite(
        f"The loss became {loss} at step {step}: {where}; learning rate {config.learning_rate:g}, gradients {clip}.",
        step=step,
        hint="Lower fit.learning_rate, or set fit.clip_norm to 1.",
    )
