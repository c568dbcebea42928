"""What a comparison works on, and what it works with."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from training.config.training import TrainConfig
from training.data.holdout import Split
from training.data.series_set import SeriesSet
from training.fit.candidate import TrainingSet
from training.fit.ensemble import Combine, combine_with_keras
from training.fit.request import Fit
from training.progress import Progress
from training.registry import provenance
from training.registry.provenance import RunEnvironment


@dataclass(frozen=True, slots=True)
class Runtime:
    """What a comparison works with: how it reports, fits and combines, a scratch folder, and the environment to record."""

    progress: Progress
    fit: Fit
    scratch: Path
    environment: RunEnvironment = field(default_factory=RunEnvironment)
    combine: Combine = combine_with_keras

    def folder(self, *names: str) -> Path:
        """Return a new, empty folder in the scratch folder; raises FileExistsError if it exists."""
        path = self.scratch.joinpath(*names)
        path.mkdir(parents=True)
        return path


@dataclass(frozen=True, slots=True)
class WarmStart:
    """The champion's weights that a warm start begins with.

    Attributes:
        folder: A candidate as `training.fit.candidate_files` saves it.
        version: The champion's version.
    """

    folder: Path
    version: str


@dataclass(frozen=True, slots=True)
class TrainingTask:
    """One comparison: what is asked, on which data, at which origins.

    Attributes:
        config: The configuration.
        data: All series.
        splits: Every origin, the newest first. Candidates are fitted on what lies before the last one, the cutoff.
        warm_start: What a warm start begins with; None if there is nothing.
    """

    config: TrainConfig
    data: SeriesSet
    splits: tuple[Split, ...]
    warm_start: WarmStart | None = None

    @property
    def newest(self) -> Split:
        """The origin whose block ends with the data."""
        return self.splits[0]

    @property
    def cutoff(self) -> Split:
        """The oldest origin, at which training ends."""
        return self.splits[-1]

    def describe(
        self, environment: RunEnvironment, *, architecture: str = "", seed: int | None = None
    ) -> dict[str, Any]:
        """Return everything that is needed to make the comparison, or one candidate of it, again."""
        return provenance.describe(
            self.config, self.data, environment, architecture=architecture, seed=seed, origins=len(self.splits)
        )

    def training_set(self, *, whole: bool) -> TrainingSet:
        """Return what a candidate may see: the histories before the cutoff, or all data for the last training."""
        data = self.data
        return TrainingSet(
            data.series if whole else self.cutoff.histories,
            data.frequency.name,
            self.config.horizon,
            data.digest,
            data.covariates,
            start=None if self.warm_start is None else self.warm_start.folder,
        )
