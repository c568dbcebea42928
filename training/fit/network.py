"""Fit: one network learned from a training set, calibrated, exported and sealed."""

import time
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from models.accuracy import mean_mase
from models.baselines import seasonal_naive
from models.calendar.on_calendar import parse_frequency
from models.errors import DataInvalid
from models.networks.build import NetworkOptions, with_shape
from models.networks.learner import learner_for
from models.spec import ModelOptions
from training.config.fit import FitConfig
from training.data.windows import Dataset, make_dataset
from training.fit import network_size
from training.fit.candidate import Candidate, TrainingSet
from training.fit.export import DESCRIBED_WINDOWS, Learned, seal, validate
from training.fit.loop import Clock, gradient_warnings
from training.fit.request import FitRequest
from training.fit.selection import Choice, Desk, choose, finish, recipe, restart, time_warnings
from training.fit.validation import Validation, evaluate

Floats = NDArray[np.float64]

NEARLY = 1.02
"""Times its least validation error, a training is nearly there."""


def train_candidate(request: FitRequest) -> Candidate:
    """Return a network fitted on everything in the training set, every choice made on its validation origins.

    In turn: try each transform that the data allow, no calendar where dates do harm, and synthetic windows where data are
    few, in schedules that grow while the validation error falls; calibrate the intervals on the best one's forecasts; go
    through its schedule again with nothing held out; export and check that Keras and ONNX agree.

    Raises:
        LossNotFinite: If a loss becomes NaN or infinite.
        NetworkError: If the network cannot be built or exported.
        DataInvalid: If there is nothing to learn from.
    """
    training_set, config = request.training_set, request.config
    clock = Clock(time.perf_counter(), config.max_seconds)
    options = network_options(training_set, request.architecture, config)
    dataset = _dataset(training_set, options, config)
    desk = Desk(dataset, config, request.seed, request.on_epoch, clock)
    choice = choose(_transformed(training_set, options, config), desk)
    trial = choice.trial
    learner = learner_for(recipe(trial.options, config))
    restart(learner, dataset, request.seed)
    learner.network.set_weights(trial.weights)
    forecasts = validate(learner, dataset)
    validation, conformal = evaluate(forecasts)
    last, went_on = finish(trial, learner, desk, choice.told)
    told = [*choice.told, *last]
    batch, _ = dataset.origins(DESCRIBED_WINDOWS)
    chosen = ModelOptions(
        calendar=trial.options.calendar,
        synthetic_share=trial.synthetic,
        steps=trial.steps,
        last_steps=went_on,
        others={"last_steps": None},
    )
    learned = Learned(chosen, validation, conformal.to_dict())
    forecaster = seal(learner, batch.contexts, request, learned)
    warnings = (*gradient_warnings(told), *time_warnings(choice, config, went_on=went_on))
    seconds = clock.spent()
    pace = _pace(choice, forecasts, training_set, learner.recipe.options.season_length)
    found = (forecaster, tuple(told), validation, seconds, warnings, forecasts)
    return Candidate(request.directory, *found, pace=pace, before=trial.weights)


def network_options(training_set: TrainingSet, architecture: str, config: FitConfig) -> NetworkOptions:
    """Return the options of a network: what the configuration says, the rest from season and data."""
    if not training_set.series:
        raise DataInvalid("The training set holds no series.", hint="Check the file and its filters.")
    season = parse_frequency(training_set.frequency).season_length
    context = network_size.context_length(training_set, config)
    options = NetworkOptions(
        architecture=architecture,
        horizon=training_set.horizon,
        season_length=season,
        context_length=context,
        encoder_length=network_size.encoder_length(training_set, config),
        shape="many_to_many" if context > 1 else "one_to_many",
        seasons=network_size.seasons(training_set, context),
        units=config.units,
        layers=config.layers,
        dilations=network_size.dilations(config, season),
        transform="log" if config.transform == "log" else "none",
        calendar=config.calendar is not False,
        past_covariates=len(training_set.covariates.past),
        future_covariates=len(training_set.covariates.future),
    )
    return with_shape(options, config.shape)


def _dataset(training_set: TrainingSet, options: NetworkOptions, config: FitConfig) -> Dataset:
    """Return the windows of a training set in the shape that a network needs."""
    return make_dataset(
        training_set.series,
        context_length=options.context_length,
        season_length=options.season_length,
        horizon=options.horizon,
        steps=options.supervised_steps,
        origins=config.validation_origins,
        names=training_set.covariates,
    )


def _transformed(training_set: TrainingSet, options: NetworkOptions, config: FitConfig) -> list[NetworkOptions]:
    """Return the options with each transform to try: what is asked for, or both where the data can be logged."""
    possible = network_size.could_be_logged(list(training_set.series)) and options.context_length > 1
    names = ("none", "log") if config.transform == "auto" and possible else (options.transform,)
    return [replace(options, transform=name) for name in names]


def _pace(choice: Choice, validation: Validation, training_set: TrainingSet, season: int) -> dict[str, float]:
    """Return the seconds until a validation error as low as seasonal naive's, and as 1.02 times the chosen one's.

    An error that was not reached has no entry.
    """
    horizon, trial = validation.targets.shape[1], choice.trial
    naive = np.array(
        [
            seasonal_naive(training_set.series[row].before(int(cutoff)), horizon, season)
            for row, cutoff in zip(validation.rows, validation.cutoffs, strict=True)
        ]
    )
    goals = {
        "seconds_to_seasonal_naive": mean_mase(validation.targets, naive, validation.scales),
        "seconds_to_within_2_percent": NEARLY * trial.error,
    }
    reached = {
        name: next((one.seconds for one in choice.told if one.validation_mase <= goal), None)
        for name, goal in goals.items()
    }
    return {name: seconds for name, seconds in reached.items() if seconds is not None}
