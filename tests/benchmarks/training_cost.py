"""Training cost: where the processor seconds of `almanac train` go, stage by stage, into docs/benchmarks.md.

make bench-training
"""

import importlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np

from tests.prove.figures import record

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "benchmarks.md"
WHOLE = "whole process"
POINTS = 150
HORIZON = 12

OTHER = "other"
IMPORT, TRACE, COMPILE, STEPS, PARITY, EXPORT, BASELINES = (
    "import", "trace", "compile", "steps", "parity", "export", "baselines",
)  # fmt: skip
VALIDATION, CALIBRATION, MLFLOW, FIGURES, BUILD = "validation", "calibration", "MLflow", "figures", "build"
STAGES = (
    IMPORT, BUILD, TRACE, COMPILE, STEPS, VALIDATION, CALIBRATION, EXPORT, PARITY, BASELINES, FIGURES, MLFLOW, OTHER,
)  # fmt: skip

IMPORTED = (
    "training.pipeline.train",
    "training.fit.factory",
    "mlflow",
    "matplotlib.figure",
    "models.networks.ensemble",
)
"""Modules that a training imports sooner or later, with everything that they need."""

FUNCTIONS: Mapping[str, tuple[str, ...]] = {
    BUILD: (
        "models.networks.learner.build",
        "models.networks.learner.Learner.__init__",
        "models.networks.pretrained_weights.build",
        "models.networks.pretrained_weights.load_network",
    ),
    TRACE: ("tensorflow.python.eager.polymorphic_function.tracing_compilation._maybe_define_function",),
    VALIDATION: ("models.networks.learner.Learner.predict", "training.pipeline.candidates.score"),
    CALIBRATION: ("training.fit.validation.Conformal.fit",),
    EXPORT: ("training.fit.export.export_network", "models.networks.ensemble.write_ensemble"),
    PARITY: ("training.fit.export.check_parity", "models.networks.ensemble.check_parity"),
    BASELINES: ("training.pipeline.candidates.baselines_over",),
    FIGURES: ("training.registry.runs._draw",),
}
"""Functions of each stage; a stage inside another one counts for itself."""


class Stages:
    """Processor and wall seconds by stage, without the stages inside; threads that a stage waits for count for it."""

    def __init__(self) -> None:
        """Begin with the stage `OTHER`, for the thread that makes this."""
        self.seconds = {name: [0.0, 0.0] for name in STAGES}
        self.running = [OTHER]
        self.marked = (time.process_time(), time.perf_counter())
        self.thread = threading.get_ident()

    def within(self, stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function, timed as a stage."""

        def timed(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401 any function
            if threading.get_ident() != self.thread:
                return self.elsewhere(stage, function, *arguments, **named)
            self.mark()
            self.running.append(stage)
            try:
                return function(*arguments, **named)
            finally:
                self.mark()
                self.running.pop()

        return timed

    def elsewhere(self, stage: str, function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:  # noqa: ANN401
        """Call a function in another thread, whose time is taken from the stage that waits for it."""
        began = (time.thread_time(), time.perf_counter())
        result = function(*arguments, **named)
        ended = (time.thread_time(), time.perf_counter())
        for at in range(2):
            self.seconds[stage][at] += ended[at] - began[at]
            self.seconds[self.running[-1]][at] -= ended[at] - began[at]
        return result

    def mark(self) -> None:
        """Add the time since the last mark to the stage that runs."""
        now = (time.process_time(), time.perf_counter())
        for at in range(2):
            self.seconds[self.running[-1]][at] += now[at] - self.marked[at]
        self.marked = now

    def steps_of(self, step: Callable[..., Any]) -> Callable[..., Any]:
        """Return a learner's step: the first one of a learner is `COMPILE`, the others are `STEPS`."""
        compiled: set[int] = set()

        def timed(learner: Any, *arguments: Any, **named: Any) -> Any:  # noqa: ANN401 a learner's step
            stage = STEPS if id(learner) in compiled else COMPILE
            compiled.add(id(learner))
            return self.within(stage, step)(learner, *arguments, **named)

        return timed


def wrap(stages: Stages, path: str, stage: str) -> None:
    """Replace a function by its path with one that is timed."""
    parts = path.split(".")
    for split in range(len(parts) - 1, 0, -1):
        try:
            owner = importlib.import_module(".".join(parts[:split]))
        except ModuleNotFoundError:
            continue
        break
    for name in parts[split:-1]:
        owner = getattr(owner, name)
    setattr(owner, parts[-1], stages.within(stage, getattr(owner, parts[-1])))


def profile(arguments: Iterable[str]) -> dict[str, list[float]]:
    """Run a command of `almanac` in this process and return processor and wall seconds by stage."""
    stages = Stages()
    stages.seconds[IMPORT][0] += time.process_time()
    for name in IMPORTED:
        stages.within(IMPORT, importlib.import_module)(name)
    for stage, paths in FUNCTIONS.items():
        for path in paths:
            wrap(stages, path, stage)
    learner: Any = importlib.import_module("models.networks.learner")
    learner.Learner.step = stages.steps_of(learner.Learner.step)
    client: Any = importlib.import_module("mlflow").MlflowClient
    for name in dir(client):
        if not name.startswith("_") and callable(getattr(client, name)):
            setattr(client, name, stages.within(MLFLOW, getattr(client, name)))
    main = importlib.import_module("almanac").main
    try:
        main(list(arguments))
    except SystemExit as ended:
        if ended.code:
            raise
    stages.mark()
    return stages.seconds


def one_series(path: Path) -> Path:
    """Write one monthly series of 150 points: a trend, a season, noise."""
    t, noise = np.arange(POINTS), np.random.default_rng(0).normal(0.0, 4.0, POINTS)
    values = 100 + 0.3 * t + 15 * np.sin(2 * np.pi * t / 12) + 6 * np.cos(4 * np.pi * t / 12) + noise
    months = np.arange("2010-01", POINTS, dtype="datetime64[M]")
    rows = [f"sales,{month}-01,{value:.2f}" for month, value in zip(months, values, strict=True)]
    path.write_text("\n".join(["unique_id,ds,y", *rows]) + "\n", encoding="utf-8")
    return path


RUNS = ("one series", "one series, auto", "demo --once")


@click.command(context_settings={"ignore_unknown_options": True})
@click.option(
    "--into", type=click.Path(path_type=Path), help="Write stages as JSON; the arguments are a command of almanac."
)
@click.option("--only", default=",".join(RUNS), show_default=True, help="Runs to measure, separated by commas.")
@click.option(
    "--results", type=click.Path(path_type=Path), default=ROOT / "build" / "training_cost.json", show_default=True
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def training_cost(into: Path | None, only: str, results: Path, arguments: tuple[str, ...]) -> None:
    """Measure the runs, keep them in a file and write the page."""
    if into is not None:
        into.write_text(json.dumps(profile(arguments)), encoding="utf-8")
        return
    found: dict[str, Any] = json.loads(results.read_text(encoding="utf-8")) if results.is_file() else {}
    for name in only.split(","):
        with tempfile.TemporaryDirectory() as scratch:
            found[name] = measure(name, Path(scratch))
        results.parent.mkdir(parents=True, exist_ok=True)
        results.write_text(json.dumps(found, indent=1), encoding="utf-8")
    write(found)
    click.echo(PAGE.read_text(encoding="utf-8"))


def measure(name: str, folder: Path) -> dict[str, list[float]]:
    """Return processor and wall seconds of one run by stage, in a new process and home."""
    data = one_series(folder / "sales.csv")
    train = ["train", "--data", str(data), "--horizon", str(HORIZON)]
    arguments = {
        "one series": train,
        "one series, auto": [*train, "--architecture", "auto"],
        "demo --once": ["train", str(ROOT / "training" / "configs" / "temperatures.toml")],
    }[name]
    into = folder / "stages.json"
    command = [sys.executable, "-m", "tests.benchmarks.training_cost", "--into", str(into), *arguments]
    environment = {**os.environ, "ALMANAC_HOME": str(folder / "home"), "PYTHONPATH": str(ROOT)}
    before, began = _children(), time.perf_counter()
    subprocess.run(command, cwd=ROOT, env=environment, check=True)  # noqa: S603 ours
    found: dict[str, list[float]] = json.loads(into.read_text(encoding="utf-8"))
    return found | {WHOLE: [_children() - before, time.perf_counter() - began]}


def _children() -> float:
    """Return the processor seconds of all ended child processes, theirs included."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def write(found: Mapping[str, Mapping[str, Sequence[float]]]) -> None:
    """Write the section of the page, a column for each run."""
    cells = {
        stage: tuple(" / ".join(f"{one:.1f}" for one in run[stage]) for run in found.values())
        for stage in (*STAGES, WHOLE)
    }
    record(
        "What a training costs",
        "Seconds of processor / on the clock of `almanac train` at its defaults on one series of 150 months, 12 ahead, of "
        "`--architecture auto` on the same, and of the training in `almanac demo --once`. Other programs ran beside it, so the "
        "processor seconds are the honest figure. Imports are of TensorFlow, MLflow, matplotlib and all else; *compile* is the "
        "first step of each network without its trace, with XLA where that pays; *validation* are forecasts of validation "
        "origins and held-out blocks. `make bench-training` measures it.",
        cells,
        PAGE,
        tuple(found),
    )


if __name__ == "__main__":
    training_cost()
