"""Candidate: one fitted network and the record of its training, without Keras."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from models.covariates import CovariateNames
from models.forecaster import Forecaster
from models.series import Series
from training.fit.ensemble_weights import EnsembleWeights
from training.fit.validation import Validation

ALL_DATA = "all data"
"""Stage in which nothing is held out."""


@dataclass(frozen=True, slots=True)
class EpochRecord:
    """One epoch.

    Attributes:
        epoch: Counted from 1.
        step: Optimizer steps taken so far.
        loss: Mean training loss of the epoch (scaled pinball).
        validation_mase: MASE on the validation origins after the epoch; NaN if nothing is held out.
        gradient_norms: L2 norm of the gradient, by layer, before clipping (mean over sampled steps of the epoch).
        seconds: Wall time since the fit of this candidate began.
        stage: What was trained: a trial, such as `log, 300 steps` or `none, no calendar, 100 steps`, or `all data`.
        stage_step: Optimizer steps taken in this stage; 0 in records of older versions.
    """

    epoch: int
    step: int
    loss: float
    validation_mase: float
    gradient_norms: Mapping[str, float]
    seconds: float
    stage: str = ""
    stage_step: int = 0


@dataclass(frozen=True, slots=True)
class Candidate:
    """A fitted network, ready to be backtested, compared and registered.

    Attributes:
        directory: Its artifact: network.onnx, network.keras, spec.json, golden.json.
        forecaster: The artifact, loaded (ONNX).
        history: Epochs in order.
        validation: Accuracy on the validation origins: `mase`, `smape`, `coverage_80`, `origins`, their number; of an
            ensemble also `spread`. NaN for a starter on series that are too short for validation.
        train_seconds: Wall time of choosing, fitting, calibrating and exporting.
        warnings: Sentences for the user, such as one on a layer whose gradient vanished.
        forecasts: Forecasts of the validation origins, from before it learned from them; None if they were not kept, and
            then it cannot join an ensemble.
        members: Candidates of an ensemble, by name; empty for a network.
        ensemble_weights: Weights of the members of an ensemble or an `auto`; None for a network.
        pace: Seconds until the validation error reached seasonal naive's, and until it came within 2 % of its own least,
            as far as it did: `seconds_to_seasonal_naive`, `seconds_to_within_2_percent`.
        before: Network weights from before it learned from the validation origins, which a later warm start begins with;
            None for an ensemble, whose members have theirs.
    """

    directory: Path
    forecaster: Forecaster
    history: Sequence[EpochRecord]
    validation: Mapping[str, float]
    train_seconds: float
    warnings: Sequence[str] = ()
    forecasts: Validation | None = None
    members: Mapping[str, "Candidate"] = field(default_factory=dict)
    ensemble_weights: EnsembleWeights | None = None
    pace: Mapping[str, float] = field(default_factory=dict)
    before: Sequence[NDArray[Any]] | None = None


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """What a candidate may see: series up to the cutoff, nothing after it.

    Attributes:
        series: Histories, all of one frequency.
        frequency: Canonical frequency name.
        horizon: Steps to forecast.
        digest: SHA-256 of the data.
        covariates: Which of the series' covariates a network may read.
        start: Folder of the champion that a warm start tunes, as `training.fit.candidate_files` saves it, or None.
    """

    series: Sequence[Series]
    frequency: str
    horizon: int
    digest: str
    covariates: CovariateNames = field(default_factory=CovariateNames)
    start: Path | None = None
