"""Tracking: what a comparison logs while it runs, in MLflow or nowhere."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

from training.evaluation.comparison import Failure
from training.fit.candidate import EpochRecord
from training.registry import runs
from training.registry.client import Registry


@dataclass(frozen=True, slots=True)
class RunLog:
    """The log of one MLflow run; without a registry it keeps nothing."""

    registry: Registry | None = None
    run_id: str = ""

    def provenance(self, described: Mapping[str, Any]) -> None:
        """Log how the candidate is made."""
        if self.registry is not None:
            runs.log_provenance(self.registry, self.run_id, described)

    def tags(self, tags: Mapping[str, object]) -> None:
        """Log tags."""
        if self.registry is not None:
            self.registry.log(self.run_id, tags=tags)

    def epoch(self, record: EpochRecord) -> None:
        """Log one epoch."""
        if self.registry is not None:
            runs.log_epoch(self.registry, self.run_id, record)

    def failure(self, failure: Failure) -> None:
        """Log why the candidate failed."""
        if self.registry is not None:
            runs.log_failure(self.registry, self.run_id, failure)


OpenRun = Callable[[str], AbstractContextManager[RunLog]]
"""Opens the run of a candidate or a baseline by its name, and ends it when the block ends."""


def children_of(registry: Registry, experiment: str, parent: str) -> OpenRun:
    """Return what opens the child runs of a comparison's run."""

    @contextmanager
    def open_run(name: str) -> Iterator[RunLog]:
        with runs.tracked_run(registry, experiment, name, parent=parent) as run_id:
            yield RunLog(registry, run_id)

    return open_run


@contextmanager
def untracked(_name: str) -> Iterator[RunLog]:
    """Open no run: `almanac backtest` leaves none."""
    yield RunLog()
