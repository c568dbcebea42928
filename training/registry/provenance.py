"""Provenance: what must be known of a training to do it again."""

import hashlib
import os
import platform
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from models import starters
from models.errors import ArtifactIncomplete
from models.spec import ModelSpec
from training.config.fit import FitConfig, with_choices
from training.config.training import TrainConfig
from training.data.series_set import SeriesSet

FILE = "provenance.json"
"""Name of the artifact in an MLflow run."""

CHOICES, SERVED_CHOICES = "choices.json", "served_choices.json"
"""Name of the artifact with what a network chose on its validation origins, as settings of `[fit]`."""

PACKAGES = (
    "almanac-forecast",
    "keras",
    "numpy",
    "onnx",
    "onnxruntime",
    "pandas",
    "scipy",
    "statsforecast",
    "tensorflow",
)
"""Packages whose version can change a weight, a forecast or a score."""

CODE = (":(top)*.py", ":(top)*.toml", ":(top)*.lock")
"""What makes a commit dirty where it was changed: a page of results does not."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a training ran in.

    Attributes:
        command: The command line, as a shell takes it.
        commit: Git commit of the code, `-dirty` behind it where files were changed; None outside a repository.
        packages: Installed versions by name.
        python: Version of Python.
        machine: Processor, its cores and the system.
    """

    command: str = ""
    commit: str | None = None
    packages: Mapping[str, str] = field(default_factory=dict)
    python: str = ""
    machine: str = ""

    @classmethod
    def gather(cls, arguments: Sequence[str]) -> "Surroundings":
        """Return those of this process, started as `almanac` with these arguments."""
        return cls(
            shlex.join(["almanac", *arguments]),
            code_commit(Path(__file__)),
            _installed(),
            platform.python_version(),
            f"{processor()}, {os.cpu_count()} cores, {platform.system()}",
        )

    def differences(self, before: "Surroundings") -> list[str]:
        """Return a sentence for each thing that is not as it was before and may change a result."""
        names = sorted({*self.packages, *before.packages})
        found = [
            f"{name} was {before.packages.get(name, 'absent')}, is {self.packages.get(name, 'absent')}."
            for name in names
            if before.packages.get(name) != self.packages.get(name)
        ]
        for what in ("commit", "python", "machine"):
            then, now = getattr(before, what), getattr(self, what)
            if then != now:
                found.append(f"{what} was {then}, is {now}.")
        return found


def describe(  # noqa: PLR0913 - what is trained, on what, where, and which part of it
    config: TrainConfig,
    data: SeriesSet,
    surroundings: Surroundings,
    *,
    architecture: str = "",
    seed: int | None = None,
    origins: int = 1,
) -> dict[str, Any]:
    """Return all that a run needs to be done again, as plain data.

    Args:
        config: The whole configuration, `data` as an absolute path.
        data: What was read.
        surroundings: Command, code, packages and machine.
        architecture: Of one candidate; empty for a whole comparison.
        seed: Of one candidate; None for a whole comparison.
        origins: Rolling origins that were held out.
    """
    settings = {**asdict(config), "data": str(config.data.absolute())}
    one = {"architecture": architecture, "seed": seed} if architecture else {}
    return {**one, "config": settings, "origins": origins, "data_digest": data.digest, **asdict(surroundings)}


def choices(spec: ModelSpec) -> dict[str, Any]:
    """Return what a network chose, as settings of `[fit]`.

    How long schedules grow depends on the seconds that they took, so the same configuration may choose otherwise on a
    busier machine; the same choices give the same weights.
    """
    fixed = with_choices(FitConfig(), spec)
    names = ("transform", "context_length", "encoder_length", "calendar", "steps", "tuned_share", "synthetic_share")
    return {name: getattr(fixed, name) for name in names} | {"last_steps": spec.options.last_steps}


def weights_digest(network: Path) -> str:
    """Return SHA-256 over every tensor stored in an ONNX file, whatever their names and order."""
    import onnx
    from onnx import numpy_helper

    tensors = onnx.load(str(network)).graph.initializer
    parts = sorted(hashlib.sha256(numpy_helper.to_array(one).tobytes()).digest() for one in tensors)
    return hashlib.sha256(b"".join(parts)).hexdigest()


def code_commit(file: Path) -> str | None:
    """Return the commit of the repository that tracks a file, or None where there is none, or no git."""
    git = ["git", "-C", str(file.parent)]
    try:
        subprocess.run([*git, "ls-files", "--error-unmatch", file.name], check=True, capture_output=True)  # noqa: S603 - git
        commit, changed = (
            subprocess.run([*git, *ask], check=True, capture_output=True, text=True).stdout.strip()  # noqa: S603 - git
            for ask in (["rev-parse", "HEAD"], ["status", "--porcelain", "--untracked-files=no", "--", *CODE])
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return f"{commit}-dirty" if changed else commit


def processor() -> str:
    """Return the processor's name, as Linux tells it, or its kind."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _installed() -> dict[str, str]:
    """Return the versions of what a training is made with, the starters that would be used among it."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    with suppress(ArtifactIncomplete):
        found["starters"] = starters.version()
    return found
