"""Tracking: what a comparison logs while it runs, in MLflow or nowhere."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from training.evaluation.comparison import Failure
from training.fit.candidate import EpochRecord
from training.registry import runs
from training.registry.client import Registry


class RunLog(Protocol):
    """The log of one run."""

    @property
    def run_id(self) -> str:
        """Id of the run; "" if nothing is tracked."""
        ...

    def provenance(self, described: Mapping[str, Any]) -> None:
        """Log how the candidate is made."""
        ...

    def tags(self, tags: Mapping[str, object]) -> None:
        """Log tags."""
        ...

    def epoch(self, record: EpochRecord) -> None:
        """Log one epoch."""
        ...

    def failure(self, failure: Failure) -> None:
        """Log why the candidate failed."""
        ...


@dataclass(frozen=True, slots=True)
class MlflowRun:
    """The log of one MLflow run."""

    registry: Registry
    run_id: str

    def provenance(self, described: Mapping[str, Any]) -> None:
        """Log how the candidate is made."""
        runs.log_provenance(self.registry, self.run_id, described)

    def tags(self, tags: Mapping[str, object]) -> None:
        """Log tags."""
        self.registry.log(self.run_id, tags=tags)

    def epoch(self, record: EpochRecord) -> None:
        """Log one epoch."""
        runs.log_epoch(self.registry, self.run_id, record)

    def failure(self, failure: Failure) -> None:
        """Log why the candidate failed."""
        runs.log_failure(self.registry, self.run_id, failure)


@dataclass(frozen=True, slots=True)
class Untracked:
    """A log that keeps nothing: `almanac backtest` leaves no runs."""

    run_id: str = ""

    def provenance(self, described: Mapping[str, Any]) -> None:
        """Do nothing."""

    def tags(self, tags: Mapping[str, object]) -> None:
        """Do nothing."""

    def epoch(self, record: EpochRecord) -> None:
        """Do nothing."""

    def failure(self, failure: Failure) -> None:
        """Do nothing."""


OpenRun = Callable[[str], AbstractContextManager[RunLog]]
"""Opens the run of a candidate or a baseline by its name, and ends it when the block ends."""


def children_of(registry: Registry, experiment: str, parent: str) -> OpenRun:
    """Return what opens the child runs of a comparison's run."""

    @contextmanager
    def open_run(name: str) -> Iterator[RunLog]:
        with runs.tracked_run(registry, experiment, name, parent=parent) as run_id:
            yield MlflowRun(registry, run_id)

    return open_run


@contextmanager
def untracked(_name: str) -> Iterator[RunLog]:
    """Open no run."""
    yield Untracked()
