"""Shared metrics: counters that several server processes write to files, and the sum of their process metrics."""

import os
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from prometheus_client import CollectorRegistry, values
from prometheus_client.core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
"""Where prometheus-client writes what the processes count."""
LIMITS = {"process_start_time_seconds": min, "process_max_fds": min}
"""Process metrics that are not summed."""


def share_values(folder: Path, place: int) -> None:
    """Let all metrics of this process that are created from now on write to files in a folder.

    The files have the number of the process in their names, not its id: a process that replaces another continues its
    counters, so that these never decrease, and there are no more files than processes.
    """
    os.environ[FOLDER_VARIABLE] = str(folder)
    values.ValueClass = values.MultiProcessValue(lambda: place)  # type: ignore[no-untyped-call] # as in prometheus_client


def collect_shared(registry: CollectorRegistry, folder: Path) -> None:
    """Let a registry return what all processes count in a folder."""
    SharedCounts(registry, folder)


class SharedCounts(MultiProcessCollector):
    """What all processes count; if no file can be opened, what they had counted when one could."""

    def __init__(self, registry: CollectorRegistry, folder: Path) -> None:
        """Register for a folder."""
        self._last: list[Metric] = []
        super().__init__(registry, str(folder))  # type: ignore[no-untyped-call]

    def collect(self) -> Iterable[Metric]:
        """Return the sums."""
        try:
            found = list(super().collect())  # type: ignore[no-untyped-call]
        except OSError:
            found = []
        self._last = found or self._last
        return self._last


class ProcessSums(Collector):
    """Memory, CPU time and file descriptors of all server processes together."""

    def __init__(self, pids: Callable[[], Iterable[int]]) -> None:
        """Read the processes with these ids at each collection."""
        self._pids = pids

    def describe(self) -> Iterable[Metric]:
        """Return nothing, so that registering reads no process."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """Return the families of ProcessCollector, once."""
        found: dict[str, list[Metric]] = {}
        for pid in self._pids():
            for family in ProcessCollector(pid=partial(int, pid), registry=None).collect():
                found.setdefault(family.name, []).append(family)
        return [_merge(families) for families in found.values()]


def _merge(families: list[Metric]) -> Metric:
    """Return one family whose only sample is the sum, or the smallest, of those of all."""
    first = families[0]
    merge = LIMITS.get(first.name, sum)
    numbers = [sample.value for family in families for sample in family.samples]
    first.samples = [first.samples[0]._replace(value=merge(numbers))]
    return first
