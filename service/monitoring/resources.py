"""Resources: whether the process is short of open files or of memory, for /health/ready and a gauge."""

import os
import resource
import time
from collections.abc import Iterable, Mapping

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

FILES, MEMORY = "files", "memory"
LEAST_FILES = 16
"""The process is short of files if it can open fewer: new connections are refused then, open ones are answered."""
SHORT_SECONDS = 60.0
"""The process is short of memory for so long after a request that did not get any."""
DESCRIPTORS = "/dev/fd"


class Resources(Collector):
    """Whether the process is short of something; it answers on, but not every request."""

    def __init__(self) -> None:
        """Nothing is short yet."""
        self._failed: float | None = None

    def note_memory(self) -> None:
        """Note that a request did not get the memory that it needed."""
        self._failed = time.monotonic()

    def are_short(self) -> Mapping[str, bool]:
        """Return whether the process is short of files, and of memory."""
        return {FILES: _are_files_short(), MEMORY: self._is_memory_short()}

    def states(self) -> Mapping[str, str]:
        """Return the same in words: `ok` or `short`."""
        return {name: "short" if is_short else "ok" for name, is_short in self.are_short().items()}

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """Return the family without samples."""
        return [_family()]

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Return 1 for what is short, 0 for what is not."""
        family = _family()
        for name, is_short in self.are_short().items():
            family.add_metric([name], float(is_short))
        return [family]

    def _is_memory_short(self) -> bool:
        return self._failed is not None and time.monotonic() - self._failed < SHORT_SECONDS


def _are_files_short() -> bool:
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most == resource.RLIM_INFINITY:
        return False
    try:
        return most - len(os.listdir(DESCRIPTORS)) < LEAST_FILES  # noqa: PTH208 (only the number counts)
    except OSError:
        return True  # listing them needs one


def _family() -> GaugeMetricFamily:
    return GaugeMetricFamily(
        "almanac_resource_short",
        "Whether the process can open only a few more files, or did not get memory for a request in the last minute.",
        labels=["resource"],
    )
