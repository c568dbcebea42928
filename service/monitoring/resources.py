"""Resources: whether a process is short of open files or of memory, or its clock was set, for /health/ready and gauges."""

import os
import resource
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

FILES, MEMORY = "files", "memory"
LEAST_FILES = 16
"""The process is short of files if it can open fewer: new connections are refused then, open ones are answered."""
SHORT_SECONDS = 60.0
"""The process is short of memory for so long after a request that did not get any."""
DESCRIPTORS = "/dev/fd"
LEAST_JUMP = 60.0
"""Seconds by which a clock was set that are worth a word; time servers correct less, and gradually."""
CLOCK_SECONDS = 3600.0
"""How long a clock that was set shows, unless it is set right again."""


class Resources(Collector):
    """Whether the processes of a service are short of something; they answer on, but not every request.

    Attributes:
        pids: Returns the ids of all processes.
        other_memory: Returns whether each other process is short of memory.
        clock: Whether the clock was set.
    """

    def __init__(self) -> None:
        """Nothing is short yet, and this process is the only one."""
        self._failed: float | None = None
        self.pids: Callable[[], Sequence[int]] = lambda: [os.getpid()]
        self.other_memory: Callable[[], Iterable[bool]] = tuple
        self.clock = Clock()

    def note_memory(self) -> None:
        """Note that a request did not get the memory that it needed."""
        self._failed = time.monotonic()

    def are_short(self) -> Mapping[str, bool]:
        """Return whether any process is short of files, and of memory."""
        files = any(_are_files_short(pid) for pid in self.pids())
        return {FILES: files, MEMORY: self.is_memory_short() or any(self.other_memory())}

    def is_memory_short(self) -> bool:
        """Return whether a request to this process did not get its memory in the last minute."""
        return self._failed is not None and time.monotonic() - self._failed < SHORT_SECONDS

    def states(self) -> Mapping[str, str]:
        """Return in words: `files` and `memory` as `ok` or `short`, `clock` as `ok`, `set back` or `set forward`."""
        words = {name: "short" if is_short else "ok" for name, is_short in self.are_short().items()}
        jump = self.clock.jump()
        return {**words, "clock": "ok" if not jump else "set forward" if jump > 0 else "set back"}

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """Return the families without samples."""
        return [_family(), _clock_family()]

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Return 1 for what is short, 0 for what is not, and by how many seconds the clock was set."""
        family, clock = _family(), _clock_family()
        for name, is_short in self.are_short().items():
            family.add_metric([name], float(is_short))
        clock.add_metric([], self.clock.jump())
        return [family, clock]


class Clock:
    """The system's clock beside one that nobody can set."""

    def __init__(self) -> None:
        """The clock is right now."""
        self._right = _ahead()
        self._noticed: float | None = None

    def jump(self) -> float:
        """Return by how many seconds the clock was set in the last hour, or since the start; 0.0 if hardly.

        The hour begins with the first look after it.
        """
        found, now = _ahead() - self._right, time.monotonic()
        if abs(found) < LEAST_JUMP:
            self._noticed = None
            return 0.0
        self._noticed = now if self._noticed is None else self._noticed
        if now - self._noticed > CLOCK_SECONDS:
            self._right, self._noticed = _ahead(), None
            return 0.0
        return found


def _ahead() -> float:
    """Return the time since 1970 minus the time since the machine started, the time for which it slept included."""
    return time.time() - time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def _are_files_short(pid: int) -> bool:
    is_own = pid == os.getpid()
    if not is_own and sys.platform != "linux":
        return False  # each process knows its own
    try:
        most, _ = (
            resource.getrlimit(resource.RLIMIT_NOFILE) if is_own else resource.prlimit(pid, resource.RLIMIT_NOFILE)
        )
        if most == resource.RLIM_INFINITY:
            return False
        return most - len(os.listdir(DESCRIPTORS if is_own else f"/proc/{pid}/fd")) < LEAST_FILES  # noqa: PTH208 (only the number counts)
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return False  # the process has ended
    except OSError:
        return True  # listing them needs one


def _family() -> GaugeMetricFamily:
    return GaugeMetricFamily(
        "almanac_resource_short",
        "Whether a process can open only a few more files, or did not get memory for a request in the last minute.",
        labels=["resource"],
    )


def _clock_family() -> GaugeMetricFamily:
    return GaugeMetricFamily(
        "almanac_clock_jump_seconds", "By how much the system's clock was set in the last hour; negative: back."
    )
