"""One step of a job: runs a stage, retries it, and reports its progress."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import Any, NoReturn

from models.errors import AlmanacError
from models.jobs.errors import StageFailed
from training.config.retrain import RetrainConfig
from training.jobs.stage_runner import Limits, StageCall, StageError, StageProcess, StageResult, WorkerStopped

TRIES = 3
FIRST_WAIT_SECONDS, WAIT_FACTOR = 5.0, 4.0
"""A failed stage is retried after 5 s, and again after 20 s."""

FEWEST_SECONDS, MOST_SECONDS = 1.0, 5.0
"""Shortest and longest time between two writes of the progress. Each write is a commit; it also detects that the job was
cancelled or adopted by another worker, and then ends the stage."""

WORKER_MEMORY = "Train on fewer series or a smaller network, or set ALMANAC_JOB_MEMORY for the worker."

OWN_LIMITS = {"fail": Limits(600.0)}
"""Limits of stages that do not use those of the job, which it may have exceeded."""


@dataclass(frozen=True, slots=True)
class WorkerRuntime:
    """What a worker runs stages with; the folder of a job is `jobs/ID` in `home`."""

    home: Path
    stop: Event
    log: Callable[[str], None]
    first_wait: float = FIRST_WAIT_SECONDS
    now: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))


@dataclass(frozen=True, slots=True)
class StageRun:
    """How the stages of a job run: in which process, within which limits, and where their progress goes."""

    job: str
    process: StageProcess
    limits: Limits
    write: Callable[[Mapping[str, Any]], None]


def limits_of(request: Mapping[str, Any], memory_mb: int | None = None) -> Limits:
    """Return the limits of a job: those in its request, and the worker's memory limit if that is less.

    Args:
        request: The request.
        memory_mb: Memory that the worker gives to a job, in 10⁶ bytes; None for no limit.

    Raises:
        ConfigInvalid: If a limit is invalid.
    """
    table = request.get("config", {}).get("retrain", {})
    config = RetrainConfig(**{key: table[key] for key in ("timeout_seconds", "memory_mb") if key in table})
    own, seconds = config.memory_mb, float(config.timeout_seconds)
    if memory_mb is not None and (own is None or memory_mb < own):
        return Limits(seconds, memory_mb, WORKER_MEMORY)
    return Limits(seconds, own)


def run_stage(runtime: WorkerRuntime, run: StageRun, name: str, stage: str, arguments: Sequence[Any]) -> StageResult:
    """Run a stage, retry it where that may help, and return its result.

    Raises:
        AlmanacError: The error of the last try.
    """
    call = StageCall(stage, run.job, folder_of(runtime.home, run.job), arguments)
    wait, limits = runtime.first_wait, OWN_LIMITS.get(stage, run.limits)
    for attempt in range(1, TRIES + 1):
        progress = _ProgressWriter(runtime, run, name, attempt)
        progress.start()
        try:
            result = run.process.run(call, limits, progress.on_event, progress.on_tick)
        except WorkerStopped:
            _never_return()
        except AlmanacError as error:
            if attempt == TRIES or not _is_retryable(error):
                runtime.log(f"{run.job}: {name} failed: {error}")
                raise
            runtime.log(f"{run.job}: {name} failed; retry in {wait:g} s: {error}")
            progress.write({"text": f"failed; retry in {wait:g} s: {error}"})
            if runtime.stop.wait(wait):
                _never_return()
            wait *= WAIT_FACTOR
        else:
            runtime.log(f"{run.job}: {name} done in {progress.seconds:.1f} s")
            return result
    raise StageFailed(f"Stage {stage} was not run.")


def folder_of(home: Path, job: str) -> Path:
    """Return the folder of a job."""
    return home / "jobs" / job.replace("/", "-")


def _is_retryable(error: AlmanacError) -> bool:
    return isinstance(error, StageFailed) or (isinstance(error, StageError) and error.retryable)


def _never_return() -> NoReturn:
    """Wait for the end of the process: DBOS would record a step that returns or raises as done."""
    while True:
        time.sleep(1.0)


@dataclass(slots=True)
class _ProgressWriter:
    """Prints the progress of one try of a stage, and writes it to the database at limited intervals."""

    runtime: WorkerRuntime
    run: StageRun
    name: str
    attempt: int
    _began: float = field(default_factory=time.monotonic)
    _written: float = -FEWEST_SECONDS
    _latest: Mapping[str, Any] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """Return the seconds since the start."""
        return time.monotonic() - self._began

    def start(self) -> None:
        """Print and write which step begins."""
        self.runtime.log(f"{self.run.job}: {self.name}{f', try {self.attempt}' if self.attempt > 1 else ''}")
        self.write({})

    def on_event(self, event: Mapping[str, Any]) -> None:
        """Print an event of the stage, and write it unless the last write is too recent."""
        self.runtime.log(f"{self.run.job}: {describe_event(event)}")
        if time.monotonic() - self._written >= FEWEST_SECONDS:
            self.write(event)

    def on_tick(self) -> None:
        """Write the elapsed time if the last write is long ago."""
        if time.monotonic() - self._written >= MOST_SECONDS:
            self.write(self._latest)

    def write(self, event: Mapping[str, Any]) -> None:
        """Write an event with step, try and time."""
        self._written, self._latest = time.monotonic(), event
        known = {"step": self.name, "attempt": self.attempt, "at": self.runtime.now().isoformat(timespec="seconds")}
        self.run.write({**event, **known, "seconds": round(self.seconds, 1)})


def describe_event(event: Mapping[str, Any]) -> str:
    """Return a progress event as one line."""
    if "epoch" not in event:
        return str(event.get("text") or event)
    error = event.get("validation_mase")
    figure = "" if error is None else f"  validation MASE {error:.4f}"
    return f"{event.get('candidate', ''):<12} epoch {event['epoch']:>3}  step {event.get('step', 0):>5}{figure}  {event.get('seconds', 0):.1f} s"
