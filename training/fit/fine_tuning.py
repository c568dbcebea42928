"""Starting: the shipped starter as a candidate, as it is or tuned on the data at hand.

Tuning must not forget what the starter knows. It goes on from the starter's weights at a low rate, and what is served is
the starter's own weights, the mean of these and the tuned ones, or the tuned ones: in this order from the most cautious
on, each must gain half a per cent on the validation origins over the one before. How long to tune is decided by that mean,
which errs less than the tuned weights where data are few: the longest schedule that errs at most half a per cent more than
the best, since a longer one has learned more of the data, and a difference as small as that is chance.

Measured with a starter of 198,000 weights: on Tourism, 300 steps at half took its MASE from 1.440 to 1.357 (33 steps 1.377,
100 steps 1.363), on station temperatures 300 steps whole from .732 to .719.

Source: Wortsman et al. (2022), Robust fine-tuning of zero-shot models, CVPR: the mean of weights before and after keeps
what tuning alone loses away from its data, at no cost in forecasting.
"""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from models import artifact
from models.calendar.on_calendar import parse_frequency
from models.errors import DataInvalid
from models.networks.build import NetworkOptions
from models.networks.learner import Learner, Weights, learner_for
from models.networks.pretrained_weights import blend_weights, pretrained_options, pretrained_weights
from models.spec import ModelOptions, ModelSpec
from models.starters import folder_for
from models.windows import last_contexts
from training.config.fit import WORTHWHILE, FitConfig
from training.data.windows import Dataset, make_dataset
from training.fit.candidate import Candidate, EpochRecord, TrainingSet
from training.fit.export import DESCRIBED_WINDOWS, Learned, seal, validate
from training.fit.loop import WATCHED_ORIGINS, Clock, Trial, gradient_warnings, mean_scaled_error, try_out
from training.fit.network_size import could_be_logged
from training.fit.request import FitRequest
from training.fit.selection import LEAST_GAIN, Choice, Desk, begin, finish, recipe, time_warnings
from training.fit.validation import evaluate

TUNING_RATE = 0.3
"""Share of `fit.learning_rate` that tuning begins with: by default 9e-4."""

RUNGS = 2
"""Schedules that are tried, the shortest of those for a network from nothing: by default 100 and 300 steps."""

HALF, WHOLE = 0.5, 1.0
"""Shares of the tuned weights that are tried beside the starter's own."""


@dataclass(frozen=True, slots=True)
class Start:
    """The starter that a training begins with.

    Attributes:
        options: Of its network, for the horizon that is asked for.
        weights: Of that network.
        conformal: Offsets that it came with, as data; empty where there are none.
    """

    options: NetworkOptions
    weights: Weights
    conformal: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Tuning:
    """What is tuned, and into what.

    Attributes:
        weights: That tuning begins with.
        transformed: Options of its network, once for each transform to try.
        unchanged: Whether it may stay as it is.
        options: What its spec says beside what was chosen.
        warnings: What a person should know beforehand.
    """

    weights: Weights
    transformed: tuple[NetworkOptions, ...]
    unchanged: bool = True
    options: ModelOptions = field(default_factory=lambda: ModelOptions(calendar=False))
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Way:
    """One network that a tuned one may become.

    Attributes:
        options: Of the network.
        weights: What it forecasts the validation origins with.
        share: Of the tuned weights in them; 0 is the network as it was.
        error: Validation MASE.
    """

    options: NetworkOptions
    weights: Weights
    share: float
    error: float


def train_starter(request: FitRequest) -> Candidate:
    """Return the shipped starter of the data's frequency, for their horizon, its intervals calibrated on them.

    Where no series is long enough to be validated on, its intervals are those that it came with. Covariates are not read,
    nothing is drawn, and there are no epochs.

    Raises:
        ArtifactIncomplete, ArtifactMismatch: If there is no starter, or its files do not belong together.
        DataInvalid: If there is no series at all.
    """
    training_set, config = request.training_set, request.config
    clock = Clock(time.perf_counter(), config.max_seconds)
    start = take_starter(training_set)
    learner = learner_for(recipe(start.options, config))
    learner.restart(request.seed)
    learner.start_from(start.weights)
    try:
        dataset = _dataset(training_set, start.options, config)
    except DataInvalid as error:
        return _unvalidated(learner, request, start, why=str(error))
    forecasts = validate(learner, dataset)
    figures, conformal = evaluate(forecasts)
    contexts = dataset.origins(DESCRIBED_WINDOWS)[0].contexts
    learned = Learned(ModelOptions(calendar=False), figures, conformal.to_dict())
    forecaster = seal(learner, contexts, request, learned)
    return Candidate(request.directory, forecaster, (), figures, clock.spent(), (), forecasts, before=start.weights)


def tune_starter(request: FitRequest) -> Candidate:
    """Return the starter tuned on everything in the training set, every choice made on its validation origins.

    Covariates are not read. The learning rate is a share of the configured one; the schedules are the shortest configured.

    Raises:
        ArtifactIncomplete, ArtifactMismatch: If there is no starter, or its files do not belong together.
        LossNotFinite: If a loss becomes NaN or infinite.
        DataInvalid: If there is nothing to learn from.
    """
    training_set, config = request.training_set, request.config
    start = take_starter(training_set)
    transformed = tuple(replace(start.options, transform=one) for one in _transforms(training_set, config))
    return tune_from(Tuning(start.weights, transformed), request)


def tune_from(what: Tuning, request: FitRequest) -> Candidate:
    """Return a trained network tuned on everything in the training set, every choice made on its validation origins.

    Raises:
        LossNotFinite: If a loss becomes NaN or infinite.
        DataInvalid: If there is nothing to learn from.
    """
    training_set, config, transformed = request.training_set, request.config, what.transformed
    clock = Clock(time.perf_counter(), config.max_seconds)
    dataset = _dataset(training_set, transformed[0], config)
    desk = Desk(dataset, slowly(config), request.seed, request.on_epoch, clock, what.weights)
    choice = None if config.tuned_share == 0 else tune(transformed, desk)
    way = most_cautious(_ways(transformed, choice, desk, unchanged=what.unchanged))
    learner = _learner(way.options, desk)
    learner.network.set_weights(way.weights)
    forecasts = validate(learner, dataset)
    figures, conformal = evaluate(forecasts)
    told: list[EpochRecord] = list(choice.told) if choice else []
    found = replace(what.options, tuned_share=way.share, others={"steps": None, "last_steps": None})
    warnings: list[str] = list(what.warnings)
    if choice and way.share:
        last, went_on = finish(choice.trial, learner, desk, told)
        learner.network.set_weights(blend_weights(what.weights, learner.network.get_weights(), way.share))
        told += last
        found = replace(found, steps=choice.trial.steps, last_steps=went_on)
        warnings += time_warnings(choice, config, went_on=went_on)
    contexts = dataset.origins(DESCRIBED_WINDOWS)[0].contexts
    forecaster = seal(learner, contexts, request, Learned(found, figures, conformal.to_dict()))
    warnings = [*gradient_warnings(told), *warnings]
    return Candidate(
        request.directory, forecaster, tuple(told), figures, clock.spent(), warnings, forecasts, before=way.weights
    )


def take_starter(training_set: TrainingSet) -> Start:
    """Return the starter for a training set's frequency and horizon.

    Raises:
        ArtifactIncomplete, ArtifactMismatch: If there is no starter, or its files do not belong together.
        DataInvalid: If the training set holds no series.
    """
    if not training_set.series:
        raise DataInvalid("The training set holds no series.", hint="Check the file and its filters.")
    folder = folder_for(parse_frequency(training_set.frequency))
    spec = ModelSpec.from_json((folder / artifact.SPEC).read_bytes())
    horizon = training_set.horizon
    return Start(pretrained_options(spec, horizon), pretrained_weights(folder, spec, horizon), spec.conformal)


def slowly(config: FitConfig) -> FitConfig:
    """Return how a network is tuned, where one is fitted from nothing as the configuration says."""
    return replace(config, learning_rate=TUNING_RATE * config.learning_rate)


def tune(transformed: Sequence[NetworkOptions], desk: Desk) -> Choice:
    """Return how far to tune: the longest of the schedules that err about as little as the best, at half.

    A logarithm must show its gain in the first schedule; the others are tried with the better transform alone. All but the
    very first are tried while the clock allows for them and for going through them again on all data.
    """
    told: list[EpochRecord] = []
    first, *longer = desk.config.schedules[:RUNGS]
    plain = kept = _climb(transformed[0], first, desk, told)
    cut_short = False
    for options in transformed[1:]:
        cut_short = _affordable(plain, desk) < first
        if cut_short:
            break
        one = _climb(options, first, desk, told)
        if one.error < (1.0 - LEAST_GAIN) * kept.error:
            kept = one
    rungs = [kept]
    for steps in longer:
        last = rungs[-1].trial
        if _about_best(rungs)[-1] is not rungs[-1]:
            break
        affordable = _affordable(rungs[-1], desk)
        cut_short = affordable < steps
        if affordable < WORTHWHILE * last.steps:
            break
        rungs.append(_climb(last.options, min(steps, affordable), desk, told))
    return Choice(_about_best(rungs)[-1].trial, tuple(told), cut_short)


def most_cautious(ways: Sequence[Way]) -> Way:
    """Return the first way, unless a later one gains half a per cent on it, and so on."""
    kept = ways[0]
    for way in ways[1:]:
        if way.error < (1.0 - LEAST_GAIN) * kept.error:
            kept = way
    return kept


@dataclass(frozen=True, slots=True)
class _Rung:
    """One schedule of tuning, and the validation MASE of the mean of its weights and the starter's."""

    trial: Trial
    error: float


def _climb(options: NetworkOptions, steps: int, desk: Desk, told: list[EpochRecord]) -> _Rung:
    """Return one rung; its epochs are added to those told."""
    trial = try_out(_learner(options, desk), desk.dataset, desk.course(told), steps=steps)
    told += trial.history
    return _Rung(trial, _judged(options, blend_weights(desk.weights or [], trial.weights, HALF), HALF, desk).error)


def _affordable(rung: _Rung, desk: Desk) -> int:
    """Return how many steps there is time for, gone through twice, at the pace of a rung."""
    return int(max(desk.clock.left(), 0.0) * rung.trial.steps_per_second / 2)


def _about_best(rungs: Sequence[_Rung]) -> list[_Rung]:
    """Return the rungs that err at most half a per cent more than the best."""
    least = min(one.error for one in rungs)
    return [one for one in rungs if one.error <= (1.0 + LEAST_GAIN) * least]


def _unvalidated(learner: Learner, request: FitRequest, start: Start, *, why: str) -> Candidate:
    """Return the starter as a candidate of series that tell nothing of how well it does."""
    began, training_set = time.perf_counter(), request.training_set
    season = parse_frequency(training_set.frequency).season_length
    newest = last_contexts(training_set.series[:DESCRIBED_WINDOWS], start.options.context_length, season)
    forecaster = seal(learner, newest, request, Learned(ModelOptions(calendar=False), {}, start.conformal))
    warning = f"It could not be validated, and its intervals are those that it came with: {why}"
    unknown = dict.fromkeys(("mase", "smape", "coverage_80"), math.nan) | {"origins": 0.0}
    return Candidate(request.directory, forecaster, (), unknown, time.perf_counter() - began, (warning,))


def _ways(
    transformed: Sequence[NetworkOptions], choice: Choice | None, desk: Desk, *, unchanged: bool = True
) -> list[Way]:
    """Return what a network may become, the most cautious first; only what the configuration leaves open."""
    asked, weights = desk.config.tuned_share, desk.weights or []
    stays = asked == 0 or (asked is None and unchanged)
    ways = [_judged(options, weights, 0.0, desk) for options in transformed] if stays else []
    if choice is not None:
        trial = choice.trial
        shares = (HALF, WHOLE) if asked is None else (asked,)
        ways += [_judged(trial.options, blend_weights(weights, trial.weights, share), share, desk) for share in shares]
    return ways


def _judged(options: NetworkOptions, weights: Weights, share: float, desk: Desk) -> Way:
    """Return one way with its error on the validation origins that trials are watched on."""
    learner = _learner(options, desk)
    learner.network.set_weights(weights)
    return Way(options, weights, share, mean_scaled_error(learner, *desk.dataset.origins(WATCHED_ORIGINS)))


def _learner(options: NetworkOptions, desk: Desk) -> Learner:
    """Return the learner of a network, at the beginning of the desk's training."""
    learner = learner_for(recipe(options, desk.config))
    begin(learner, desk.dataset, desk)
    return learner


def _transforms(training_set: TrainingSet, config: FitConfig) -> tuple[str, ...]:
    """Return the transforms to try: what is asked for, or both where the data can be logged."""
    if config.transform != "auto":
        return (config.transform,)
    return ("none", "log") if could_be_logged(list(training_set.series)) else ("none",)


def _dataset(training_set: TrainingSet, options: NetworkOptions, config: FitConfig) -> Dataset:
    """Return the windows of a training set as long as a network's, its origins those of every other network."""
    informed = options.past_covariates + options.future_covariates > 0
    return make_dataset(
        training_set.series,
        context_length=options.context_length,
        season_length=parse_frequency(training_set.frequency).season_length,
        horizon=training_set.horizon,
        steps=options.supervised_steps,
        origins=config.validation_origins,
        names=training_set.covariates if informed else None,
    )
