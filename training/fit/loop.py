"""Learning: one network on its way through a schedule of steps, epoch after epoch."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models.accuracy import mean_mase
from models.errors import LossNotFinite
from models.networks.build import NetworkOptions
from models.networks.learner import Learner, Weights
from training.config.fit import FitConfig
from training.data.augmentation import mixed
from training.data.windows import Batch, Dataset, Windows
from training.fit.candidate import EpochRecord
from training.fit.request import OnEpoch

Floats = NDArray[np.float64]

VANISHED, EXPLODED = 1e-6, 1e3
"""Mean gradient norm of an epoch below or above which a layer is named."""

WARM_UP, LAST_RATE = 0.05, 0.01
"""Share of the steps in which the rate rises, and the share of the peak that it falls to."""

WATCHED_ORIGINS = 1024
"""Validation windows looked at each epoch."""

ALL_DATA = "all data"
"""Stage in which nothing is held out, so that there is no validation error."""


@dataclass(frozen=True, slots=True)
class Clock:
    """Wall time of one candidate: when it began and what it may take.

    Attributes:
        started: `time.perf_counter()` at its beginning.
        seconds: What it may take in all.
    """

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
    """One whole schedule with the validation origins held out, and what came of it.

    Attributes:
        options: Of the network that was tried.
        steps: Optimizer steps of the schedule.
        error: Validation MASE of the averaged weights at its end.
        blind_error: The same where the network is not told the dates.
        weights: The averaged weights at its end.
        history: Its epochs.
        began: Seconds of the candidate's clock at its beginning.
        ended: Seconds at its end.
        synthetic: Share of its windows that were synthetic.
    """

    options: NetworkOptions
    steps: int
    error: float
    blind_error: float
    weights: Weights
    history: tuple[EpochRecord, ...]
    began: float
    ended: float
    synthetic: float = 0.0

    @property
    def steps_per_second(self) -> float:
        """How fast it went once it ran: its first epoch, in which the step is compiled, counts only where there is no other."""
        first, last = self.history[0], self.history[-1]
        steps, seconds = last.step - first.step, last.seconds - first.seconds
        return steps / max(seconds, 1e-9) if steps else self.steps / max(self.ended - self.began, 1e-9)


@dataclass(frozen=True, slots=True)
class Course:
    """How a network is taken through its steps.

    Attributes:
        config: Steps of an epoch, batch and rate.
        generator: Of the windows.
        watch: Called after every epoch.
        clock: Of the candidate.
        taken: Steps and epochs that earlier stages took, so that a candidate's epochs count on.
        synthetic: Share of each batch that is synthetic.
    """

    config: FitConfig
    generator: np.random.Generator
    watch: OnEpoch | None
    clock: Clock
    taken: tuple[int, int] = (0, 0)
    synthetic: float = 0.0


def try_out(learner: Learner, dataset: Dataset, course: Course, *, steps: int) -> Trial:
    """Return what a restarted network reaches on the validation origins by a whole schedule of `steps`.

    Raises:
        LossNotFinite: If a loss becomes NaN or infinite.
    """
    began, options = course.clock.spent(), learner.recipe.options
    watched = dataset.origins(WATCHED_ORIGINS)

    def look() -> float:
        with learner.averaged():
            return mean_scaled_error(learner, *watched)

    history = _follow(learner, dataset, course, steps=steps, look=look, stage=_stage(options, steps, course.synthetic))
    weights = learner.averaged_weights()
    error, batch = history[-1].validation_mase, watched[0]
    undated = replace(batch.contexts, phase=np.full_like(batch.contexts.phase, -1))
    with learner.averaged():
        blind = mean_scaled_error(learner, replace(batch, contexts=undated), watched[1])
    ended = course.clock.spent()
    return Trial(options, steps, error, blind, weights, tuple(history), began, ended, course.synthetic)


def _stage(options: NetworkOptions, steps: int, synthetic: float) -> str:
    """Return the name of a trial: what it differs by, and how long it is."""
    features = "" if options.calendar else ", no calendar"
    mixed = f", {synthetic:.0%} synthetic" if synthetic else ""
    return f"{options.transform}{features}{mixed}, {steps} steps"


def go_through(learner: Learner, dataset: Dataset, course: Course, steps: int) -> list[EpochRecord]:
    """Take a restarted network through a whole schedule with nothing held out; it ends with its averaged weights.

    Raises:
        LossNotFinite: If a loss becomes NaN or infinite.
    """
    history = _follow(learner, dataset, course, steps=steps, look=lambda: float("nan"), stage=ALL_DATA)
    learner.network.set_weights(learner.averaged_weights())
    return history


def _follow(  # noqa: PLR0913 - a schedule and how it is watched
    learner: Learner, dataset: Dataset, course: Course, *, steps: int, look: Callable[[], float], stage: str
) -> list[EpochRecord]:
    """Take a whole schedule of steps, epoch after epoch, each looked at and told."""
    history: list[EpochRecord] = []
    windows = mixed(dataset, learner.recipe.options, course.synthetic)
    for first in range(0, steps, course.config.steps_per_epoch):
        count = min(course.config.steps_per_epoch, steps - first)
        loss, norms = take_steps(learner, windows, course, first=first, count=count, total=steps)
        before, epochs = course.taken
        number, step = epochs + len(history) + 1, before + first + count
        history.append(EpochRecord(number, step, loss, look(), norms, course.clock.spent(), stage))
        if course.watch:
            course.watch(history[-1])
    return history


def take_steps(  # noqa: PLR0913 - where an epoch stands in its schedule
    learner: Learner, windows: Windows, course: Course, *, first: int, count: int, total: int
) -> tuple[float, dict[str, float]]:
    """Take some steps of a schedule; return the mean loss and each layer's mean gradient norm.

    Raises:
        LossNotFinite: If a loss or a gradient is not finite.
    """
    config, losses, norms = course.config, [], []
    for step in range(first, first + count):
        batch = windows.draw(course.generator, config.batch_size)
        rate = learning_rate(step, total, config.learning_rate)
        loss, norm = learner.step(batch.contexts, batch.targets, rate=rate, total=total)
        losses.append(loss)
        norms.append(norm)
        if not (np.isfinite(loss) and np.isfinite(norm).all()):
            raise _not_finite(config, step + 1, loss, dict(zip(learner.layers, norm, strict=True)))
    means = np.stack(norms).mean(axis=0, dtype=np.float64)
    return float(np.mean(losses)), dict(zip(learner.layers, means.tolist(), strict=True))


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

    In the first step of a schedule, layers before one that begins at zero have no gradient: that step alone tells nothing.
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
    quantiles = learner.predict(batch.contexts)
    return mean_mase(batch.targets[:, -1], quantiles[..., quantiles.shape[-1] // 2], scales)


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
