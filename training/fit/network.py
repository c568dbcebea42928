"""Network: one network fitted to a training set from new weights, calibrated and exported."""

import time
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from models.accuracy import mean_mase
from models.baselines import seasonal_naive
from models.calendar.zoned_grid import parse_frequency
from models.errors import DataInvalid
from models.networks.build import NetworkOptions, with_shape
from models.networks.learner import learner_for
from models.spec import ModelOptions
from training.config.fit import FitConfig
from training.data.window_sampling import Dataset, make_dataset
from training.fit import network_size
from training.fit.candidate import Candidate, TrainingSet
from training.fit.export import FitSummary, export_candidate, validate
from training.fit.loop import Clock, gradient_warnings
from training.fit.request import FitRequest
from training.fit.selection import (
    SelectedFit,
    SelectionContext,
    fit_all_data,
    recipe,
    restart,
    select_fit,
    time_warnings,
)
from training.fit.validation import Validation, evaluate

Floats = NDArray[np.float64]

NEARLY = 1.02
"""Times the least validation error that counts as nearly reached."""


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
    dataset = make_windows(training_set, options, config)
    config = config.for_points(dataset.points)
    context = SelectionContext(dataset, config, request.seed, request.on_epoch, clock)
    selected = select_fit(with_transforms(options, training_set, config), context)
    trial = selected.trial
    learner = learner_for(recipe(trial.options, config))
    restart(learner, dataset, request.seed)
    learner.network.set_weights(trial.weights)
    validation = validate(learner, dataset)
    figures, conformal = evaluate(validation)
    rest = context.ending_earlier(selected.finish_seconds)
    last, went_on = fit_all_data(trial, learner, rest, selected.history)
    history = (*selected.history, *last)
    chosen = ModelOptions(
        calendar=trial.options.calendar,
        synthetic_share=trial.synthetic,
        steps=trial.steps,
        last_steps=went_on,
        others={"last_steps": None},
    )
    forecaster = export_candidate(learner, dataset, request, FitSummary(chosen, figures, conformal.to_dict()))
    return Candidate(
        request.directory,
        forecaster,
        history,
        figures,
        clock.spent(),
        (*gradient_warnings(history), *time_warnings(selected, config, went_on=went_on)),
        validation,
        pace=_pace(selected, validation, training_set, learner.recipe.options.season_length),
        before=trial.weights,
    )


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


def make_windows(training_set: TrainingSet, options: NetworkOptions, config: FitConfig) -> Dataset:
    """Return the windows of a training set in the shape that a network needs; raises DataInvalid if there are none."""
    informed = options.past_covariates + options.future_covariates > 0
    return make_dataset(
        training_set.series,
        context_length=options.context_length,
        season_length=parse_frequency(training_set.frequency).season_length,
        horizon=options.horizon,
        steps=options.supervised_steps,
        origins=config.validation_origins,
        names=training_set.covariates if informed else None,
    )


def with_transforms(
    options: NetworkOptions, training_set: TrainingSet, config: FitConfig
) -> tuple[NetworkOptions, ...]:
    """Return the options with each transform to try: the configured one, or both if the data can be logged."""
    if config.transform != "auto":
        return (replace(options, transform=config.transform),)
    possible = network_size.could_be_logged(list(training_set.series)) and options.context_length > 1
    names = ("none", "log") if possible else ("none",)
    return tuple(replace(options, transform=name) for name in names)


def _pace(selected: SelectedFit, validation: Validation, training_set: TrainingSet, season: int) -> dict[str, float]:
    """Return the seconds until the validation error was as low as seasonal naive's, and as 1.02 times the selected one's.

    An error that was not reached has no entry.
    """
    horizon, trial = validation.targets.shape[1], selected.trial
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
        name: next((one.seconds for one in selected.history if one.validation_mase <= goal), None)
        for name, goal in goals.items()
    }
    return {name: seconds for name, seconds in reached.items() if seconds is not None}
