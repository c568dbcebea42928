"""Fit: one network learned from a training set, calibrated, exported and sealed."""

import time
from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models import artifact
from models.baselines import seasonal_naive
from models.calendar import parse_frequency
from models.errors import DataInvalid
from models.networks.build import NetworkOptions, serving_network, shaped
from models.networks.export import check_parity, export
from models.networks.learner import Learner, learner_for
from models.networks.memory import lag_gradients
from models.profile import Profile, features
from models.series import Series
from models.spec import ModelSpec
from training import sizing
from training.candidate import Candidate, TrainingSet
from training.choosing import Choice, Desk, choose, finish, recipe, restart, time_warnings
from training.config import FitConfig
from training.dataset import Dataset, make_dataset
from training.learning import Clock, Watch, gradient_warnings, mase_of
from training.validation import Validation, judge

Floats = NDArray[np.float64]

DESCRIBED_WINDOWS = 256
"""Windows that memory and profile are measured on."""

EPOCH = np.datetime64("1970-01-01", "us")
"""What the steps of dated series are counted from."""

NEARLY = 1.02
"""Times its least validation error, a training is nearly there."""


def train_candidate(  # noqa: PLR0913 - the contract of the pipeline, one argument a decision
    training_set: TrainingSet,
    *,
    architecture: str,
    name: str,
    seed: int,
    config: FitConfig,
    directory: Path,
    on_epoch: Watch,
) -> Candidate:
    """Return a network trained on everything in the training set, every choice made on its validation origins.

    In turn: try each transform that the data allow, and no calendar where the dates do harm, in schedules that grow while
    the validation error falls; calibrate the intervals on the best one's forecasts; go through its schedule again with
    nothing held out; export, check parity, seal.

    Args:
        training_set: Series up to the cutoff.
        architecture: `lstm`, `gru`, `simple_rnn` or `wavenet`.
        name: What the model will be registered as.
        seed: Of weights and windows; the same seed on the same data and machine gives the same weights.
        config: How to fit.
        directory: Where the artifact goes; made if missing.
        on_epoch: Called after every epoch.

    Raises:
        LossNotFinite: If a loss becomes NaN or infinite.
        NetworkError: If the network cannot be built or exported.
        DataInvalid: If there is nothing to learn from.
    """
    clock = Clock(time.perf_counter(), config.max_seconds)
    options = network_options(training_set, architecture, config)
    dataset = _dataset(training_set, options, config)
    desk = Desk(dataset, config, seed, on_epoch, clock)
    choice = choose(_transformed(training_set, options, config), desk)
    trial = choice.trial
    learner = learner_for(recipe(trial.options, config))
    restart(learner, dataset, seed)
    learner.network.set_weights(trial.weights)
    forecasts = _validate(learner, dataset, training_set.series)
    validation, conformal = judge(forecasts)
    last, went_on = finish(trial, learner, desk, choice.told)
    told = [*choice.told, *last]
    network = serving_network(learner.network, learner.recipe.options)
    directory.mkdir(parents=True, exist_ok=True)
    network.save(directory / artifact.WEIGHTS)
    export(network, directory / artifact.NETWORK)
    check_parity(network, directory / artifact.NETWORK, seed)
    spec = _describe(training_set, learner, dataset, name=name, seed=seed)
    found = {**spec.options, "calendar": trial.options.calendar, "steps": trial.steps, "last_steps": went_on}
    found["nonnegative"] = all(np.nanmin(one.values) >= 0 for one in training_set.series)
    spec = replace(spec, options=found, validation=validation, conformal=conformal.to_dict())
    forecaster = artifact.seal(directory, spec)
    warnings = (*gradient_warnings(told), *time_warnings(choice, config, went_on=went_on))
    seconds = clock.spent()
    pace = _pace(choice, forecasts, training_set, learner.recipe.options.season_length)
    return Candidate(directory, forecaster, tuple(told), validation, seconds, warnings, forecasts, pace=pace)


def network_options(training_set: TrainingSet, architecture: str, config: FitConfig) -> NetworkOptions:
    """Return the options of a network: what the configuration says, the rest from season and data."""
    if not training_set.series:
        raise DataInvalid("The training set holds no series.", hint="Check the file and its filters.")
    season = parse_frequency(training_set.frequency).season_length
    context = sizing.context_length(training_set, config)
    options = NetworkOptions(
        architecture=architecture,
        horizon=training_set.horizon,
        season_length=season,
        context_length=context,
        encoder_length=sizing.encoder_length(training_set, config),
        seasons=sizing.seasons(training_set, context),
        units=config.units,
        layers=config.layers,
        dilations=sizing.dilations(config, season),
        transform="log" if config.transform == "log" else "none",
        calendar=config.calendar is not False,
        past_covariates=len(training_set.covariates.past),
        future_covariates=len(training_set.covariates.future),
    )
    return shaped(options, config.shape)


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
    possible = sizing.could_be_logged(list(training_set.series)) and options.context_length > 1
    names = ("none", "log") if config.transform == "auto" and possible else (options.transform,)
    return [replace(options, transform=name) for name in names]


def _validate(learner: Learner, dataset: Dataset, series: Sequence[Series]) -> Validation:
    """Return the network's forecasts on every validation origin."""
    batch, scales = dataset.origins()
    return Validation(
        dataset.rows,
        dataset.cutoffs,
        batch.targets[:, -1],
        learner.predict(batch.contexts),
        scales,
        tuple(learner.recipe.options.quantile_levels),
        _times(dataset, series),
    )


def _times(dataset: Dataset, series: Sequence[Series]) -> NDArray[np.int64]:
    """Return when each validation origin was, in steps; series without dates are taken to end together."""
    stamps = [one.timestamps for one in series]
    steps = [(one[-1] - one[0]) / (len(one) - 1) for one in stamps if one is not None and len(one) > 1]
    step = np.median(np.array(steps, dtype="timedelta64[us]").astype(np.int64)) if steps else 1.0
    starts = np.array(
        [
            -len(one) if dates is None else round(float((dates[0] - EPOCH).astype(np.int64) / step))
            for one, dates in zip(series, stamps, strict=True)
        ]
    )
    return starts[dataset.rows] + dataset.cutoffs


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
        "seconds_to_seasonal_naive": mase_of(validation.targets, naive, validation.scales),
        "seconds_to_within_2_percent": NEARLY * trial.error,
    }
    reached = {
        name: next((one.seconds for one in choice.told if one.validation_mase <= goal), None)
        for name, goal in goals.items()
    }
    return {name: seconds for name, seconds in reached.items() if seconds is not None}


def _describe(training_set: TrainingSet, learner: Learner, dataset: Dataset, *, name: str, seed: int) -> ModelSpec:
    """Return the spec of a trained network, but for its accuracy."""
    options = learner.recipe.options
    batch, _ = dataset.origins(DESCRIBED_WINDOWS)
    gradients = lag_gradients(learner.network, *batch.contexts.inputs().values())
    dates = [stamp for one in training_set.series if one.timestamps is not None for stamp in one.timestamps[[0, -1]]]
    chosen = {"units": options.units, "layers": options.layers, "seasons": list(options.seasons)}
    if options.architecture == "wavenet":
        chosen = {"units": options.units, "dilations": list(options.used_dilations), "seasons": list(options.seasons)}
    return ModelSpec(
        name=name,
        architecture=options.architecture,
        shape=options.shape,
        frequency=training_set.frequency,
        season_length=options.season_length,
        context_length=options.context_length,
        encoder_length=options.encoder_length,
        horizon=options.horizon,
        quantile_levels=options.quantile_levels,
        transform=options.transform,
        receptive_field=options.receptive_field(),
        options=chosen,
        past_covariates=training_set.covariates.past,
        future_covariates=training_set.covariates.future,
        holidays=training_set.covariates.holidays,
        memory=tuple((gradients / max(gradients.sum(), 1e-300)).round(8).tolist()),
        trained_from=str(min(dates)) if dates else None,
        trained_to=str(max(dates)) if dates else None,
        series_count=len(training_set.series),
        observation_count=sum(one.observed for one in training_set.series),
        profile=Profile.fit(features(batch.contexts.context, options.season_length)).to_dict(),
        seed=seed,
        data_digest=training_set.digest,
        packages={one: version(one) for one in ("keras", "numpy", "onnxruntime", "tensorflow")},
        created=time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime()),
    )
