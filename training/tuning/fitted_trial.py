"""Fitted trial: what a search keeps of the network of one trial, fitted here or in a worker."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models import artifact
from training.config.training import TrainConfig
from training.fit.candidate import Candidate, EpochRecord, TrainingSet
from training.fit.request import Fit, FitRequest, OnEpoch
from training.registry import provenance


@dataclass(frozen=True, slots=True)
class FittedTrial:
    """What is kept of a network.

    Attributes:
        validation_mase: Its validation error.
        train_seconds: Wall time of its training.
        weights_digest: SHA-256 of its weights.
        choices: Settings that it selected itself.
        epochs: In order; empty if they were reported while it was fitted.
    """

    validation_mase: float
    train_seconds: float
    weights_digest: str
    choices: Mapping[str, Any]
    epochs: Sequence[EpochRecord] = ()

    @classmethod
    def of(cls, candidate: Candidate, epochs: Sequence[EpochRecord] = ()) -> "FittedTrial":
        """Return what is kept of a candidate."""
        return cls(
            float(candidate.validation["mase"]),
            candidate.train_seconds,
            provenance.weights_digest(candidate.directory / artifact.NETWORK),
            provenance.choices(candidate.forecaster.spec),
            epochs,
        )


def request_of(config: TrainConfig, training_set: TrainingSet, directory: Path, on_epoch: OnEpoch) -> FitRequest:
    """Return what a trial asks of a fit."""
    return FitRequest(
        training_set=training_set,
        architecture=config.first_network,
        name=config.name,
        seed=config.seed,
        config=config.fit,
        directory=directory,
        on_epoch=on_epoch,
    )


class TrialFitter:
    """Fits trials in a worker.

    Args:
        training_set: What each network may see.
        fit: Fits one network.
    """

    def __init__(self, training_set: TrainingSet, fit: Fit) -> None:
        """Keep them; nothing is imported yet."""
        self._training_set, self._fit = training_set, fit

    def __call__(self, config: TrainConfig) -> FittedTrial:
        """Fit the network of a trial; raises AlmanacError if it cannot be fitted."""
        epochs = list[EpochRecord]()
        with tempfile.TemporaryDirectory(prefix="almanac-") as scratch:
            request = request_of(config, self._training_set, Path(scratch), epochs.append)
            return FittedTrial.of(self._fit(request), epochs)
