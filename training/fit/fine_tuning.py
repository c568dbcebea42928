"""Fine-tuning: a trained network goes on learning from the data at hand, without forgetting what it knows.

It learns at a low rate. The served network is the original, the mean of original and tuned weights, or the tuned one: each,
in this order, must gain half a per cent on the validation origins over the one before, and the gain on the original must be
clear (`training.fit.clear_gain`). The mean also decides how long to tune, because it errs less than the tuned weights if data
are few: the longest schedule that errs at most half a per cent more than the best one, since a longer one has learned more of the
data, and a difference as small as that is chance.

Measured with a starter of 198,000 weights: on Tourism, 300 steps at half took its MASE from 1.440 to 1.357 (33 steps 1.377,
100 steps 1.363), on station temperatures 300 steps whole from .732 to .719.

Source: Wortsman et al. (2022), Robust fine-tuning of zero-shot models, CVPR: the mean of weights before and after keeps
what tuning alone loses away from its data, at no cost in forecasting.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.accuracy import known_mean
from models.intervals import Conformal
from models.networks.build import NetworkOptions
from models.networks.learner import Learner, Weights, learner_for
from models.networks.pretrained_weights import blend_weights
from models.spec import ModelOptions
from training.config.fit import WORTHWHILE, FitConfig
from training.fit.candidate import Candidate, EpochRecord
from training.fit.clear_gain import evaluate_pretrained, groups_of, is_clear
from training.fit.export import FitSummary, export_candidate, validate
from training.fit.loop import WATCHED_ORIGINS, Clock, Trial, gradient_warnings, run_trial, scaled_errors_of
from training.fit.network import make_windows
from training.fit.request import FitRequest
from training.fit.seasonless import Seasonless
from training.fit.selection import (
    FINISH_SHARES,
    LEAST_GAIN,
    SelectedFit,
    SelectionContext,
    Variant,
    begin,
    first_steps,
    fit_all_data,
    has_time,
    pace_of,
    recipe,
    time_warnings,
)
from training.fit.validation import Validation, evaluate

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

TUNING_RATE = 0.3
"""Share of `fit.learning_rate` that tuning begins with: by default 9e-4."""

RUNGS = 2
"""Schedules that are tried, the shortest of those for a new network: by default 100 and 300 steps."""

HALF, WHOLE = 0.5, 1.0
"""Shares of the tuned weights that are tried beside the original ones."""


@dataclass(frozen=True, slots=True)
class Pretrained:
    """A network to tune.

    Attributes:
        weights: Weights that tuning begins with.
        transformed: Options of the network, once for each transform to try.
        may_stay: Whether the network may be served as it is.
        options: What the specification has beside what tuning chooses.
        warnings: Warnings of the candidate.
        conformal: Offsets of the network as it is, which count beside those of few origins if it stays so.
        seasonless: What it is blended with, tuned or not; None for the network alone.
    """

    weights: Weights
    transformed: tuple[NetworkOptions, ...]
    may_stay: bool = True
    options: ModelOptions = field(default_factory=lambda: ModelOptions(calendar=False))
    warnings: tuple[str, ...] = ()
    conformal: Mapping[str, Any] = field(default_factory=dict)
    seasonless: Seasonless | None = None


def calibrate(validation: Validation, known: Mapping[str, Any]) -> tuple[dict[str, float], Conformal]:
    """Return accuracy on validation origins, and conformal offsets, in part those that are known, if any are."""
    prior = Conformal.from_dict(known)
    return evaluate(validation) if prior is None else evaluate_pretrained(validation, prior)


@dataclass(frozen=True, slots=True)
class Blend:
    """A mean of original and tuned weights.

    Attributes:
        options: Of the network.
        weights: The mean.
        share: Of the tuned weights; 0 is the original network.
        error: Validation MASE.
        errors: Its parts, the MASE of each validation origin, shape (origins,).
        groups: Independent groups of these origins, shape (origins,), as `training.fit.clear_gain.groups_of` returns them.
    """

    options: NetworkOptions
    weights: Weights
    share: float
    error: float
    errors: Floats
    groups: Indices


@dataclass(frozen=True, slots=True)
class TunedTrial:
    """One schedule of tuning, and the validation MASE of the mean of original and tuned weights."""

    trial: Trial
    error: float


def tune(pretrained: Pretrained, request: FitRequest) -> Candidate:
    """Return a network tuned on everything in the training set, every choice made on its validation origins.

    Raises:
        LossNotFinite: If a loss becomes NaN or infinite.
        DataInvalid: If there is nothing to learn from.
    """
    config, transformed = request.config, pretrained.transformed
    clock = Clock(time.perf_counter(), config.max_seconds)
    dataset = make_windows(request.training_set, transformed[0], config)
    config = config.for_points(dataset.points)
    seasonless = pretrained.seasonless
    others = None if seasonless is None else seasonless.forecast(request.training_set, dataset)
    context = SelectionContext(
        dataset, tuning_config(config), request.seed, request.on_epoch, clock, pretrained.weights, others
    )
    selected = None if config.tuned_share == 0 else select_schedule(transformed, context)
    blend = choose_blend(_blends(transformed, selected, context, may_stay=pretrained.may_stay))
    learner = _learner(blend.options, context)
    learner.network.set_weights(blend.weights)
    validation = validate(learner, dataset)
    validation = validation if others is None else others.blend_validation(validation)
    figures, conformal = calibrate(validation, {} if blend.share else pretrained.conformal)
    if seasonless is not None:
        offsets = calibrate(validation, {} if blend.share else seasonless.conformal)[1]
        seasonless = replace(seasonless, conformal=offsets.to_dict())
    history: list[EpochRecord] = list(selected.history) if selected else []
    options = replace(pretrained.options, tuned_share=blend.share, others={"steps": None, "last_steps": None})
    time_left: list[str] = []
    if selected and blend.share:
        rest = context.ending_earlier(selected.finish_seconds)
        last, went_on = fit_all_data(selected.trial, learner, rest, history)
        learner.network.set_weights(blend_weights(pretrained.weights, learner.network.get_weights(), blend.share))
        history += last
        options = replace(options, steps=selected.trial.steps, last_steps=went_on)
        time_left = time_warnings(selected, config, went_on=went_on)
    summary = FitSummary(options, figures, conformal.to_dict(), seasonless)
    forecaster = export_candidate(learner, dataset, request, summary)
    warnings = (*gradient_warnings(history), *pretrained.warnings, *time_left)
    return Candidate(
        request.directory,
        forecaster,
        tuple(history),
        figures,
        clock.spent(),
        warnings,
        validation,
        before=blend.weights,
    )


def tuning_config(config: FitConfig) -> FitConfig:
    """Return a configuration with the lower learning rate of tuning."""
    return replace(config, learning_rate=TUNING_RATE * config.learning_rate)


def select_schedule(transformed: Sequence[NetworkOptions], context: SelectionContext) -> SelectedFit:
    """Return the longest of the schedules whose blend errs about as little as the best one's.

    A logarithm must show its gain in the first schedule; longer ones are tried with the better transform alone. All but
    the very first are tried while the clock allows for them and for going through them again on all data.
    """
    history: list[EpochRecord] = []
    first, *longer = context.config.schedules[:RUNGS]
    pace = pace_of(Variant(transformed[0], 0.0), context)
    finish = FINISH_SHARES[context.config.compiled] * pace.compile_seconds
    context = context.ending_earlier(finish)
    steps = first_steps(first, pace, context.clock)
    plain = kept = _try(transformed[0], steps, context, history)
    if plain.trial.steps < first:
        return SelectedFit(plain.trial, tuple(history), cut_short=True, finish_seconds=finish)
    cut_short = False
    for options in transformed[1:]:
        cut_short = _affordable(plain, context) < first or not has_time(first, pace, context.clock)
        if cut_short:
            break
        tried = _try(options, first, context, history)
        if tried.error < (1.0 - LEAST_GAIN) * kept.error:
            kept = tried
    rungs = [kept]
    for steps in longer:
        last = rungs[-1].trial
        if _about_best(rungs)[-1] is not rungs[-1]:
            break
        affordable = _affordable(rungs[-1], context)
        cut_short = affordable < steps
        if affordable < WORTHWHILE * last.steps:
            break
        rungs.append(_try(last.options, min(steps, affordable), context, history))
        cut_short |= rungs[-1].trial.steps < min(steps, affordable)
    return SelectedFit(_about_best(rungs)[-1].trial, tuple(history), cut_short, finish)


def choose_blend(blends: Sequence[Blend]) -> Blend:
    """Return the first blend, or a later one that gains half a per cent on the one kept so far.

    The gain on the original network must be clear too. If that may not stay, the first blend is a tuned one, which is not
    safer than the others.
    """
    first = kept = blends[0]
    for blend in blends[1:]:
        gains = blend.error < (1.0 - LEAST_GAIN) * kept.error
        if gains and (first.share > 0 or is_clear(first.errors, blend.errors, first.groups)):
            kept = blend
    return kept


def _try(options: NetworkOptions, steps: int, context: SelectionContext, history: list[EpochRecord]) -> TunedTrial:
    """Return one schedule of tuning; its epochs are added to the history."""
    trial = run_trial(_learner(options, context), context.dataset, context.schedule(history), steps=steps)
    history += trial.history
    weights = blend_weights(context.weights or [], trial.weights, HALF)
    return TunedTrial(trial, _evaluated(options, weights, HALF, context).error)


def _affordable(tried: TunedTrial, context: SelectionContext) -> int:
    """Return how many steps there is time for, gone through twice, at the pace of a trial."""
    return int(max(context.clock.left(), 0.0) * tried.trial.steps_per_second / 2)


def _about_best(rungs: Sequence[TunedTrial]) -> list[TunedTrial]:
    """Return the trials that err at most half a per cent more than the best one."""
    least = min(one.error for one in rungs)
    return [one for one in rungs if one.error <= (1.0 + LEAST_GAIN) * least]


def _blends(
    transformed: Sequence[NetworkOptions], selected: SelectedFit | None, context: SelectionContext, *, may_stay: bool
) -> list[Blend]:
    """Return the blends to choose from, the most cautious first; only what the configuration leaves open."""
    asked, weights = context.config.tuned_share, context.weights or []
    stays = asked == 0 or (asked is None and may_stay)
    blends = [_evaluated(options, weights, 0.0, context) for options in transformed] if stays else []
    if selected is not None:
        trial = selected.trial
        shares = (HALF, WHOLE) if asked is None else (asked,)
        blends += [
            _evaluated(trial.options, blend_weights(weights, trial.weights, one), one, context) for one in shares
        ]
    return blends


def _evaluated(options: NetworkOptions, weights: Weights, share: float, context: SelectionContext) -> Blend:
    """Return a blend with its error on the validation origins that trials are validated on."""
    learner, dataset = _learner(options, context), context.dataset
    learner.network.set_weights(weights)
    batch, scales = dataset.origins(WATCHED_ORIGINS)
    kept, quantiles = dataset.watched(WATCHED_ORIGINS), learner.predict(batch.contexts)
    if context.seasonless is not None:
        quantiles = context.seasonless.blend(quantiles, kept)
    errors = scaled_errors_of(quantiles, batch, scales)
    groups = groups_of(dataset.rows[kept], dataset.cutoffs[kept], dataset.horizon)
    return Blend(options, weights, share, known_mean(errors), errors, groups)


def _learner(options: NetworkOptions, context: SelectionContext) -> Learner:
    """Return the learner of a network with the weights that trials begin with."""
    learner = learner_for(recipe(options, context.config))
    begin(learner, context.dataset, context)
    return learner
