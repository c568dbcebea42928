"""Export: a network becomes an artifact: Keras and ONNX files that agree, and its specification."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import Any

import numpy as np

from models import artifact
from models.calendar.zoned_grid import parse_frequency
from models.covariates import CovariateNames
from models.forecaster import Forecaster
from models.networks.build import NetworkOptions, serving_network
from models.networks.lag_gradients import lag_gradients
from models.networks.learner import Learner
from models.networks.onnx_export.export import check_parity, export
from models.profile import Profile, features
from models.spec import ModelOptions, ModelSpec
from models.windows import Contexts
from training.data.window_sampling import Dataset
from training.fit.candidate import TrainingSet
from training.fit.request import FitRequest
from training.fit.seasonless import Seasonless
from training.fit.validation import Validation

DESCRIBED_WINDOWS = 256
"""Windows that memory and profile are measured on, at most."""


@dataclass(frozen=True, slots=True)
class FitSummary:
    """The part of a specification that only the fit knows.

    Attributes:
        options: Choices of the fit; `export_network` adds what the network is built from.
        validation: Accuracy on the validation origins.
        conformal: Conformal offsets as data.
        seasonless: The starter without a season that the network is blended with, calibrated; None for a network alone.
    """

    options: ModelOptions
    validation: Mapping[str, float]
    conformal: Mapping[str, Any]
    seasonless: Seasonless | None = None


def validate(learner: Learner, dataset: Dataset) -> Validation:
    """Return the network's forecasts on every validation origin."""
    batch, scales = dataset.origins()
    return Validation(
        dataset.rows,
        dataset.cutoffs,
        batch.targets[:, -1],
        learner.predict(batch.contexts),
        scales,
        tuple(learner.recipe.options.quantile_levels),
        dataset.times,
    )


def export_candidate(learner: Learner, dataset: Dataset, request: FitRequest, summary: FitSummary) -> Forecaster:
    """Write the artifact of a learner's network, described on the dataset's windows; raises as `export_network`."""
    return export_network(learner, dataset.origins(DESCRIBED_WINDOWS)[0].contexts, request, summary)


def export_network(learner: Learner, contexts: Contexts, request: FitRequest, summary: FitSummary) -> Forecaster:
    """Write the artifact of a learner's network with its present weights, and return its forecaster.

    Raises:
        NetworkError: If the network cannot be exported, or Keras and ONNX disagree.
    """
    network = serving_network(learner.network, learner.recipe.options)
    request.directory.mkdir(parents=True, exist_ok=True)
    network.save(request.directory / artifact.WEIGHTS)
    export(network, learner.recipe.options, request.directory / artifact.NETWORK)
    check_parity(network, request.directory / artifact.NETWORK, request.seed)
    spec = _describe(request, learner, contexts)
    chosen = replace(summary.options, jit_compile=learner.recipe.jit_compile)
    options = _options(chosen, learner.recipe.options, request.training_set)
    if summary.seasonless is not None:
        options = replace(options, blend=summary.seasonless.blend.to_dict())
    described = replace(spec, options=options, validation=summary.validation, conformal=summary.conformal)
    if summary.seasonless is not None:
        summary.seasonless.write(request.directory, described)
    return artifact.save(request.directory, described)


def _options(chosen: ModelOptions, built: NetworkOptions, training_set: TrainingSet) -> ModelOptions:
    """Return the choices of a fit with what its network is built from."""
    convolutional = built.architecture == "wavenet"
    return replace(
        chosen,
        units=built.units,
        layers=None if convolutional else built.layers,
        dilations=built.used_dilations if convolutional else None,
        seasons=built.seasons,
        nonnegative=all(bool(np.nanmin(one.values) >= 0) for one in training_set.series),
    )


def _describe(request: FitRequest, learner: Learner, contexts: Contexts) -> ModelSpec:
    """Return the spec of a network without its options and its accuracy."""
    options, training_set = learner.recipe.options, request.training_set
    known = training_set.covariates if options.past_covariates + options.future_covariates else CovariateNames()
    gradients = lag_gradients(learner.network, *learner.seen(contexts).inputs().values())
    season = parse_frequency(training_set.frequency).season_length
    dates = [stamp for one in training_set.series if one.timestamps is not None for stamp in one.timestamps[[0, -1]]]
    return ModelSpec(
        name=request.name,
        architecture=request.architecture,
        shape=options.shape,
        frequency=training_set.frequency,
        season_length=season,
        context_length=options.context_length,
        encoder_length=options.encoder_length,
        horizon=options.horizon,
        quantile_levels=options.quantile_levels,
        transform=options.transform,
        receptive_field=options.receptive_field(),
        past_covariates=known.past,
        future_covariates=known.future,
        holidays=known.holidays,
        memory=tuple((gradients / max(gradients.sum(), 1e-300)).round(8).tolist()),
        trained_from=str(min(dates)) if dates else None,
        trained_to=str(max(dates)) if dates else None,
        series_count=len(training_set.series),
        observation_count=sum(one.observed for one in training_set.series),
        profile=Profile.fit(features(contexts.context, season)).to_dict(),
        seed=request.seed,
        data_digest=training_set.digest,
        packages={one: version(one) for one in ("keras", "numpy", "onnxruntime", "tensorflow")},
        created=time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime()),
    )
