"""The memory that a fitting process may use: a share of the machine's memory, or of its container's."""

from collections.abc import Mapping
from pathlib import Path

import psutil

from models.errors import ConfigInvalid

VARIABLE = "ALMANAC_JOB_MEMORY"
SHARE = 70.0
"""Per cent of the memory that all jobs of a worker may use together by default; the rest is the service's and the system's."""

OFF = ("off", "none", "0")
MEGABYTE = 1_000_000
LEAST_MEGABYTES = 200
"""Python with TensorFlow needs more."""

CGROUPS = Path("/sys/fs/cgroup")
OWN_CGROUP = Path("/proc/self/cgroup")


def memory_limit(environment: Mapping[str, str], jobs: int, total: float | None = None) -> int | None:
    """Return the memory of one fitting process, in 10⁶ bytes, or None for no limit.

    Args:
        environment: ALMANAC_JOB_MEMORY is read: megabytes of one job (`6000`), a share of the memory that all jobs of the
            worker have together (`70%`, the default), or `off`.
        jobs: Jobs that run at once.
        total: Memory of the machine or container, in 10⁶ bytes; None measures it.

    Raises:
        ConfigInvalid: If the variable is none of these, or the limit is too small to train anything.
    """
    text = (environment.get(VARIABLE) or f"{SHARE:g}%").strip().lower()
    if text in OFF:
        return None
    try:
        number = float(text.removesuffix("%"))
    except ValueError:
        number = -1.0
    is_share = text.endswith("%")
    megabytes = number / 100 * (total or total_megabytes()) / jobs if is_share else number
    if not LEAST_MEGABYTES <= megabytes < float("inf") or (is_share and number > 100):  # noqa: PLR2004 - per cent
        raise ConfigInvalid(
            f"{VARIABLE} must leave each of {jobs} jobs at least {LEAST_MEGABYTES} MB. Received: {text[:40]!r}.",
            hint="Use megabytes such as 6000, a share of the memory such as 70%, or off.",
        )
    return int(megabytes)


def total_megabytes() -> float:
    """Return the memory of the machine, or of the container if it has less, in 10⁶ bytes."""
    limits = [float(psutil.virtual_memory().total), *cgroup_limits(CGROUPS, OWN_CGROUP)]
    return min(limits) / MEGABYTE


def cgroup_limits(root: Path, own: Path) -> list[float]:
    """Return the memory limits of the process's control group and those above it, in bytes; none without Linux.

    Args:
        root: Where control groups are mounted.
        own: File that names the group of this process.
    """
    try:
        groups = [line.split(":", 2) for line in own.read_text(encoding="utf-8").splitlines()]
    except OSError:
        groups = []
    files = [root / "memory.max", root / "memory" / "memory.limit_in_bytes"]
    for _, controllers, path in (group for group in groups if len(group) == 3):  # noqa: PLR2004 - hierarchy, controllers, path
        base, name = (root, "memory.max") if not controllers else (root / "memory", "memory.limit_in_bytes")
        if not controllers or "memory" in controllers.split(","):
            folder = Path(path.lstrip("/"))
            files += [base / part / name for part in (folder, *folder.parents)]
    return [limit for file in dict.fromkeys(files) if (limit := _read(file)) is not None]


def _read(file: Path) -> float | None:
    """Return the bytes in a file, or None if it does not exist or has no limit."""
    try:
        return float(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # `max`
        return None
