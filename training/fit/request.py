"""Fit request: everything that one fit is asked for, as one value."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from training.config.fit import FitConfig
from training.fit.candidate import Candidate, EpochRecord, TrainingSet

OnEpoch = Callable[[EpochRecord], None]


def ignore_epoch(_epoch: EpochRecord) -> None:
    """Do nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FitRequest:
    """What one candidate is fitted on, and how.

    Attributes:
        training_set: Series up to the cutoff.
        architecture: One of `training.config.training.CANDIDATES`.
        name: Name under which the model will be registered.
        seed: Of weights and windows: the same seed on the same data and machine gives the same weights.
        config: How to fit.
        directory: Where the artifact goes; made if missing.
        on_epoch: Called after every epoch.
    """

    training_set: TrainingSet
    architecture: str
    name: str
    seed: int
    config: FitConfig
    directory: Path
    on_epoch: OnEpoch = ignore_epoch


Fit = Callable[[FitRequest], Candidate]
"""`training.fit.factory.make_candidate`, or anything that returns a candidate as it does."""
