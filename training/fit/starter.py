"""Starter: the shipped starter as a candidate, as it is or tuned on the data at hand."""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from models import artifact
from models.calendar.zoned_grid import parse_frequency
from models.errors import DataInvalid
from models.networks.build import NetworkOptions
from models.networks.learner import Learner, Weights, learner_for
from models.networks.pretrained_weights import pretrained_options, pretrained_weights
from models.spec import ModelOptions, ModelSpec
from models.starters import folder_for
from models.windows import last_contexts
from training.fit.candidate import Candidate, TrainingSet
from training.fit.export import DESCRIBED_WINDOWS, FitSummary, export_candidate, export_network, validate
from training.fit.fine_tuning import Pretrained, calibrate, tune
from training.fit.network import make_windows, with_transforms
from training.fit.request import FitRequest
from training.fit.seasonless import Seasonless
from training.fit.selection import recipe

OPTIONS = ModelOptions(calendar=False)
"""What the specification of a starter has beside what its network is built from."""


@dataclass(frozen=True, slots=True)
class Starter:
    """The shipped network for a frequency: its options for the requested horizon, weights, conformal offsets, and other part."""

    options: NetworkOptions
    weights: Weights
    conformal: Mapping[str, Any]
    seasonless: Seasonless | None


def train_starter(request: FitRequest) -> Candidate:
    """Return the shipped starter of the data's frequency, for their horizon, its intervals calibrated on them.

    It is blended with the starter without a season as the shipped one is (`models.starters.BLENDS`).
    If no series is long enough for validation, its own intervals stay. Covariates are not read, nothing is drawn, and
    there are no epochs.

    Raises:
        ArtifactIncomplete, ArtifactMismatch: If there is no starter, or its files do not belong together.
        DataInvalid: If there is no series at all.
    """
    began = time.perf_counter()
    starter = load_starter(request.training_set)
    learner = learner_for(recipe(starter.options, request.config))
    learner.restart(request.seed, starter.weights)
    try:
        dataset = make_windows(request.training_set, starter.options, request.config)
    except DataInvalid as error:
        return _unvalidated(learner, request, starter, cause=str(error))
    validation, seasonless = validate(learner, dataset), starter.seasonless
    if seasonless is not None:
        validation = seasonless.forecast(request.training_set, dataset).blend_validation(validation)
        seasonless = replace(seasonless, conformal=calibrate(validation, seasonless.conformal)[1].to_dict())
    figures, conformal = calibrate(validation, starter.conformal)
    summary = FitSummary(OPTIONS, figures, conformal.to_dict(), seasonless)
    forecaster = export_candidate(learner, dataset, request, summary)
    seconds = time.perf_counter() - began
    return Candidate(request.directory, forecaster, (), figures, seconds, (), validation, before=starter.weights)


def tune_starter(request: FitRequest) -> Candidate:
    """Return the starter tuned on everything in the training set, every choice made on its validation origins.

    Tuned or not, it is blended as the shipped one is. Covariates are not read.

    Raises:
        ArtifactIncomplete, ArtifactMismatch: If there is no starter, or its files do not belong together.
        LossNotFinite: If a loss becomes NaN or infinite.
        DataInvalid: If there is nothing to learn from.
    """
    starter = load_starter(request.training_set)
    transformed = with_transforms(starter.options, request.training_set, request.config)
    pretrained = Pretrained(starter.weights, transformed, conformal=starter.conformal, seasonless=starter.seasonless)
    return tune(pretrained, request)


def load_starter(training_set: TrainingSet) -> Starter:
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
    weights, seasonless = pretrained_weights(folder, spec, horizon), Seasonless.of(training_set)
    return Starter(pretrained_options(spec, horizon), weights, spec.conformal, seasonless)


def _unvalidated(learner: Learner, request: FitRequest, starter: Starter, *, cause: str) -> Candidate:
    """Return the starter as a candidate for series that are too short for validation."""
    began, training_set = time.perf_counter(), request.training_set
    season = parse_frequency(training_set.frequency).season_length
    newest = last_contexts(training_set.series[:DESCRIBED_WINDOWS], starter.options.context_length, season)
    forecaster = export_network(
        learner, newest, request, FitSummary(OPTIONS, {}, starter.conformal, starter.seasonless)
    )
    warning = f"The starter could not be validated and keeps its own intervals: {cause}"
    unknown = dict.fromkeys(("mase", "smape", "coverage_80"), math.nan) | {"origins": 0.0}
    return Candidate(request.directory, forecaster, (), unknown, time.perf_counter() - began, (warning,))
