"""Provenance: the data needed to reproduce a training run."""

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
"""Name of the MLflow artifact with the description of a run."""

CHOICES, SERVED_CHOICES = "choices.json", "served_choices.json"
"""Names of the MLflow artifacts with the settings of `[fit]` that a network selected on its validation origins."""

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
"""Packages whose version can change weights, forecasts or scores."""

CODE = (":(top)*.py", ":(top)*.toml", ":(top)*.lock")
"""Files whose changes make a commit dirty; changed documents do not."""


@dataclass(frozen=True, slots=True)
class RunEnvironment:
    """The environment of a training run; `commit` ends in `-dirty` if files were changed, and is None without a repository."""

    command: str = ""
    commit: str | None = None
    packages: Mapping[str, str] = field(default_factory=dict)
    python: str = ""
    machine: str = ""

    @classmethod
    def gather(cls, arguments: Sequence[str]) -> "RunEnvironment":
        """Return the environment of this process, started as `almanac` with these arguments."""
        return cls(
            shlex.join(["almanac", *arguments]),
            code_commit(Path(__file__)),
            _installed(),
            platform.python_version(),
            f"{processor()}, {os.cpu_count()} cores, {platform.system()}",
        )

    def differences(self, before: "RunEnvironment") -> list[str]:
        """Return a sentence for each difference that can change a result."""
        names = sorted({*self.packages, *before.packages})
        pairs = {name: (before.packages.get(name, "absent"), self.packages.get(name, "absent")) for name in names}
        pairs |= {name: (getattr(before, name), getattr(self, name)) for name in ("commit", "python", "machine")}
        return [f"{name} was {then}, is {now}." for name, (then, now) in pairs.items() if then != now]


def describe(  # noqa: PLR0913 - configuration, data, environment, and one candidate of them
    config: TrainConfig,
    data: SeriesSet,
    environment: RunEnvironment,
    *,
    architecture: str = "",
    seed: int | None = None,
    origins: int = 1,
) -> dict[str, Any]:
    """Return what `almanac reproduce` needs to repeat a comparison, or one candidate with its architecture and seed."""
    settings = {**asdict(config), "data": str(config.data.absolute())}
    candidate = {"architecture": architecture, "seed": seed} if architecture else {}
    return {**candidate, "config": settings, "origins": origins, "data_digest": data.digest, **asdict(environment)}


def choices(spec: ModelSpec) -> dict[str, Any]:
    """Return the settings of `[fit]` that a network selected on its validation origins.

    The number of steps depends on how long steps take, so the same configuration can select other settings on a busier
    machine; the same settings give the same weights.
    """
    fixed = with_choices(FitConfig(), spec)
    names = ("transform", "context_length", "encoder_length", "calendar", "steps", "tuned_share", "synthetic_share")
    return {name: getattr(fixed, name) for name in (*names, "jit_compile")} | {"last_steps": spec.options.last_steps}


def weights_digest(network: Path) -> str:
    """Return the SHA-256 of the tensors in an ONNX file, which does not depend on their names and order."""
    import onnx
    from onnx import numpy_helper

    tensors = onnx.load(str(network)).graph.initializer
    parts = sorted(hashlib.sha256(numpy_helper.to_array(one).tobytes()).digest() for one in tensors)
    return hashlib.sha256(b"".join(parts)).hexdigest()


def code_commit(file: Path) -> str | None:
    """Return the commit of the repository that tracks a file, or None without such a repository or without git."""
    git = ["git", "-C", str(file.parent)]
    try:
        subprocess.run([*git, "ls-files", "--error-unmatch", file.name], check=True, capture_output=True)  # noqa: S603 - git
        commit, changed = (
            subprocess.run([*git, *command], check=True, capture_output=True, text=True).stdout.strip()  # noqa: S603 - git
            for command in (["rev-parse", "HEAD"], ["status", "--porcelain", "--untracked-files=no", "--", *CODE])
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return f"{commit}-dirty" if changed else commit


def processor() -> str:
    """Return the processor's model name on Linux, elsewhere its architecture."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _installed() -> dict[str, str]:
    """Return the installed versions of `PACKAGES` and of the starters."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    with suppress(ArtifactIncomplete):
        found["starters"] = starters.version()
    return found
