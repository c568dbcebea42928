"""Remote candidates: networks fitted by an engine, a task for each architecture, seed and origin."""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from models.errors import TrainingError
from training.config.training import ENSEMBLE
from training.engines.engine import Engine, Work
from training.evaluation.comparison import Failure
from training.fit.candidate_files import load_candidate, save_candidate
from training.fit.ensemble import Combine
from training.fit.request import Fit
from training.pipeline.candidates import SMALLEST_ENSEMBLE, FittedCandidate, candidate_names, fit_candidate, networks_of
from training.pipeline.task import Runtime, TrainingTask
from training.pipeline.tracking import untracked
from training.progress import Progress
from training.registry.provenance import RunEnvironment


@dataclass(frozen=True, slots=True)
class CandidateFiles:
    """What a worker made: the files of a candidate by their paths, or why there is none."""

    files: dict[str, bytes]
    failure: Failure | None = None


class CandidateFitter:
    """Fits candidates in a worker.

    Args:
        tasks: The comparison at each origin.
        fit: Fits one network.
        combine: Makes one graph of several.
        environment: To record.
    """

    def __init__(self, tasks: Sequence[TrainingTask], fit: Fit, combine: Combine, environment: RunEnvironment) -> None:
        """Keep them; nothing is imported yet."""
        self._tasks, self._fit, self._combine, self._environment = tasks, fit, combine, environment

    def __call__(self, wanted: tuple[int, str]) -> CandidateFiles:
        """Fit the candidate of an origin and a name; raises AlmanacError if it cannot be begun."""
        origin, name = wanted
        with tempfile.TemporaryDirectory(prefix="almanac-") as scratch:
            folder = Path(scratch)
            quiet = Progress(Console(quiet=True))
            runtime = Runtime(quiet, self._fit, folder / "fit", self._environment, self._combine)
            fitted = fit_candidate(name, self._tasks[origin], runtime, untracked, {})
            if fitted.candidate is None:
                return CandidateFiles({}, fitted.failure)
            saved = save_candidate(fitted.candidate, folder / "saved")
            paths = [path for path in sorted(saved.rglob("*")) if path.is_file()]
            return CandidateFiles({str(path.relative_to(saved)): path.read_bytes() for path in paths})


def fit_on(engine: Engine, tasks: Sequence[TrainingTask], runtime: Runtime) -> list[list[FittedCandidate]]:
    """Return the candidates of each origin, in the order of their names, as `fit_candidates` does.

    Every network is a task; ensembles are made here, of the networks of their origin.

    Raises:
        TrainingError: If a task cannot be carried out.
    """
    names = [candidate_names(task.config, {}) for task in tasks]
    wanted = [(origin, name) for origin, some in enumerate(names) for name in some if name != ENSEMBLE]
    work = Work(CandidateFitter, (tuple(tasks), runtime.fit, runtime.combine, runtime.environment))
    found = dict[tuple[int, str], FittedCandidate]()
    for done in engine.run(work, wanted):
        origin, name = wanted[done.at]
        if done.failure:
            raise TrainingError(f"{name} at origin {origin + 1}: {done.failure}")
        found[origin, name] = _unpack(name, done.value, runtime.scratch / "fitted" / str(done.at))
        runtime.progress.report(f"{name}, origin {origin + 1} of {len(tasks)}: {_said(found[origin, name])}")
    return [[*_with_ensemble(origin, some, found, tasks[origin], runtime)] for origin, some in enumerate(names)]


def _with_ensemble(
    origin: int,
    names: Sequence[str],
    found: dict[tuple[int, str], FittedCandidate],
    task: TrainingTask,
    runtime: Runtime,
) -> Iterator[FittedCandidate]:
    fitted = [found[origin, name] for name in names if name != ENSEMBLE]
    yield from fitted
    networks = networks_of(fitted)
    if ENSEMBLE in names and len(networks) >= SMALLEST_ENSEMBLE:
        scratch = runtime.scratch / str(origin)
        own = Runtime(runtime.progress, runtime.fit, scratch, runtime.environment, runtime.combine)
        yield fit_candidate(ENSEMBLE, task, own, untracked, networks)


def _unpack(name: str, made: CandidateFiles, folder: Path) -> FittedCandidate:
    if made.failure is not None:
        return FittedCandidate(name, "", failure=made.failure)
    for path, content in made.files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    return FittedCandidate(name, "", load_candidate(folder))


def _said(fitted: FittedCandidate) -> str:
    if fitted.candidate is None:
        return fitted.failure.cause if fitted.failure else "failed"
    return f"validation MASE {fitted.candidate.validation['mase']:.4f}"
