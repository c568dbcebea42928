"""What a training works on: the task, and the tools that it uses."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from training.config.training import TrainConfig
from training.data.series_set import SeriesSet
from training.evaluation import backtest
from training.evaluation.comparison import BaselineResult
from training.fit.candidate import Candidate, EpochRecord, TrainingSet
from training.fit.ensemble import Combine, combine_with_keras
from training.fit.request import Fit
from training.progress import Terminal
from training.registry import provenance
from training.registry.client import Registry
from training.registry.provenance import Surroundings

Baselines = Mapping[str, BaselineResult]


Make = Callable[[str, list[EpochRecord]], Candidate]
"""Makes a candidate in the run of an id, its epochs added to the list."""


@dataclass(frozen=True, slots=True)
class Bench:
    """What a comparison works with.

    Attributes:
        registry: Where runs and models go.
        terminal: What a person sees.
        fit: Trains one candidate.
        scratch: An empty folder for artifacts that are not registered yet.
        surroundings: Command, code, packages and machine, for the record.
        combine: Writes the network of an ensemble.
    """

    registry: Registry
    terminal: Terminal
    fit: Fit
    scratch: Path
    surroundings: Surroundings = field(default_factory=Surroundings)
    combine: Combine = combine_with_keras


@dataclass(frozen=True, slots=True)
class Task:
    """One comparison as it is being made.

    Attributes:
        config: The question.
        data: All of it.
        split: The held-out block, of several origins the oldest: what lies before it is all that a candidate may see.
        run_id: The parent run.
        later: Further origins, the newest first.
        start: What a warm start goes on from, as `training.fit.candidate_files` lays it down; None where there is nothing.
    """

    config: TrainConfig
    data: SeriesSet
    split: backtest.Split
    run_id: str
    later: tuple[backtest.Split, ...] = ()
    start: Path | None = None

    @property
    def splits(self) -> tuple[backtest.Split, ...]:
        """Every origin, the newest first."""
        return (*self.later, self.split)

    @property
    def newest(self) -> backtest.Split:
        """The origin whose block ends with the data."""
        return self.splits[0]

    def describe(
        self, surroundings: Surroundings, *, architecture: str = "", seed: int | None = None
    ) -> dict[str, Any]:
        """Return all that is needed to do it again, or one candidate of it."""
        origins = len(self.splits)
        return provenance.describe(
            self.config, self.data, surroundings, architecture=architecture, seed=seed, origins=origins
        )

    def training_set(self, *, whole: bool) -> TrainingSet:
        """Return what a candidate may see: everything before the cutoff, or the whole data for the last training."""
        data = self.data
        series = data.series if whole else self.split.histories
        return TrainingSet(
            series, data.frequency.name, self.config.horizon, data.digest, data.covariates, start=self.start
        )
