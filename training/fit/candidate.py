"""Candidate: one trained network and the record of its training, without Keras."""

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


@dataclass(frozen=True, slots=True)
class EpochRecord:
    """One epoch as it was seen.

    Attributes:
        epoch: Counted from 1.
        step: Optimizer steps taken so far.
        loss: Mean training loss of the epoch (scaled pinball).
        validation_mase: MASE on the validation origins after the epoch; NaN where nothing is held out.
        gradient_norms: L2 norm of the gradient, by layer, before clipping (mean over sampled steps of the epoch).
        seconds: Wall time since the training of this candidate began.
        stage: What was being trained: a trial, such as `log, 300 steps` or `none, no calendar, 100 steps`, or `all data`.
    """

    epoch: int
    step: int
    loss: float
    validation_mase: float
    gradient_norms: Mapping[str, float]
    seconds: float
    stage: str = ""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A trained network at rest, ready to be backtested, compared and registered.

    Attributes:
        directory: Its artifact: network.onnx, network.keras, spec.json, golden.json.
        forecaster: The artifact, loaded (ONNX).
        history: Its epochs in order.
        validation: Accuracy on the validation origins: `mase`, `smape`, `coverage_80`, `origins`, their number; of an
            ensemble also `spread`. NaN for a starter on series that nothing can be validated on.
        train_seconds: Wall time of choosing, fitting, calibrating and exporting.
        warnings: What a person should know, such as a layer whose gradient vanished.
        forecasts: Its forecasts on the validation origins, from before it learned from them, or None where they were
            not kept: such a candidate cannot join an ensemble.
        members: Of an ensemble, the candidates that it is made of, by name; empty for a network.
        ensemble_weights: Of an ensemble, the weights of its members.
        pace: Seconds that its training took to reach seasonal naive's error on the validation origins and to come within
            2 % of its own least, as far as it did: `seconds_to_seasonal_naive`, `seconds_to_within_2_percent`.
        before: Its network's weights from before it learned from the validation origins, which a later warm start begins
            with; None of an average, whose members have theirs.
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
        start: What a warm start goes on from, a folder as `training.fit.candidate_files` lays it down; None where there is none.
    """

    series: Sequence[Series]
    frequency: str
    horizon: int
    digest: str
    covariates: CovariateNames = field(default_factory=CovariateNames)
    start: Path | None = None
