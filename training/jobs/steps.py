"""Steps: a stage of a job, tried again where that may help, told to the terminal and to whoever looks."""

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
from training.jobs.stage_runner import Child, Limits, Refused, Stopped, Task

TRIES = 3
FIRST_WAIT_SECONDS, WAIT_FACTOR = 5.0, 4.0
"""A stage that failed is tried again after 5 s, and after 20 s more."""

TELL_SECONDS, PULSE_SECONDS = 1.0, 5.0
"""Progress is written down at most so often, each time being a commit; and at least so often, which also tells a job that
was cancelled, or that another worker has taken over, to end."""

CLOSING = {"fail": Limits(600.0)}
"""Limits of a stage that ends what a job has left: its own, not those that the job may have gone over."""

Answer = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Bench:
    """What a worker runs stages with.

    Attributes:
        home: ALMANAC_HOME: `jobs/ID` in it is a job's folder.
        stop: Set when the worker ends.
        say: Prints a line.
        first_wait: Seconds before a stage is tried again.
        now: The time.
    """

    home: Path
    stop: Event
    say: Callable[[str], None]
    first_wait: float = FIRST_WAIT_SECONDS
    now: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))


@dataclass(frozen=True, slots=True)
class Seat:
    """Where stages are run: of which job, in which process, under which limits, and who is told of their progress."""

    job: str
    child: Child
    limits: Limits
    write: Callable[[Mapping[str, Any]], None]


def limits_of(request: Mapping[str, Any]) -> Limits:
    """Return what a request lets a stage use; raises ConfigInvalid."""
    table = request.get("config", {}).get("retrain", {})
    config = RetrainConfig(**{key: table[key] for key in ("timeout_seconds", "memory_mb") if key in table})
    return Limits(float(config.timeout_seconds), config.memory_mb)


def run_stage(bench: Bench, seat: Seat, name: str, stage: str, arguments: Sequence[Any]) -> Answer:
    """Run a stage in a child, again where that may help, and return its answer.

    Args:
        bench: What the worker runs stages with.
        seat: The job.
        name: What people call the step.
        stage: The function's name.
        arguments: Of the stage.

    Raises:
        AlmanacError: What the stage raised, or why its child was ended, after as many tries as may help.
    """
    task = Task(stage, seat.job, folder_of(bench.home, seat.job), arguments)
    wait, limits = bench.first_wait, CLOSING.get(stage, seat.limits)
    for attempt in range(1, TRIES + 1):
        teller = _Teller(bench, seat, name, attempt)
        teller.begin()
        try:
            answer = seat.child.run(task, limits, teller.tell, teller.pulse)
        except Stopped:
            _never_return()
        except AlmanacError as error:
            if attempt == TRIES or not _is_mendable(error):
                bench.say(f"{seat.job}: {name} failed: {error}")
                raise
            bench.say(f"{seat.job}: {name} failed, and is tried again in {wait:g} s: {error}")
            teller.write({"text": f"failed, tried again in {wait:g} s: {error}"})
            if bench.stop.wait(wait):
                _never_return()
            wait *= WAIT_FACTOR
        else:
            bench.say(f"{seat.job}: {name} done in {teller.seconds:.1f} s")
            return answer
    raise StageFailed(f"Stage {stage} was not run.")


def folder_of(home: Path, job: str) -> Path:
    """Return a job's folder."""
    return home / "jobs" / job.replace("/", "-")


def _is_mendable(error: AlmanacError) -> bool:
    return isinstance(error, StageFailed) or (isinstance(error, Refused) and error.mendable)


def _never_return() -> NoReturn:
    """Wait for the end of the process: a step that returned or raised would be recorded as done."""
    while True:
        time.sleep(1.0)


@dataclass(slots=True)
class _Teller:
    """Passes on what a stage tells, as often as it does any good."""

    bench: Bench
    seat: Seat
    name: str
    attempt: int
    _began: float = field(default_factory=time.monotonic)
    _written: float = -TELL_SECONDS
    _newest: Mapping[str, Any] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """Return how long the stage has been running."""
        return time.monotonic() - self._began

    def begin(self) -> None:
        """Write down which step it is."""
        self.bench.say(f"{self.seat.job}: {self.name}{f', try {self.attempt}' if self.attempt > 1 else ''}")
        self.write({})

    def tell(self, told: Mapping[str, Any]) -> None:
        """Print what a stage tells, and write the newest of it down."""
        self.bench.say(f"{self.seat.job}: {describe(told)}")
        if time.monotonic() - self._written >= TELL_SECONDS:
            self.write(told)

    def pulse(self) -> None:
        """Write down how long it has been, now and then."""
        if time.monotonic() - self._written >= PULSE_SECONDS:
            self.write(self._newest)

    def write(self, told: Mapping[str, Any]) -> None:
        """Write down what is newest."""
        self._written, self._newest = time.monotonic(), told
        known = {"step": self.name, "attempt": self.attempt, "at": self.bench.now().isoformat(timespec="seconds")}
        self.seat.write({**told, **known, "seconds": round(self.seconds, 1)})


def describe(told: Mapping[str, Any]) -> str:
    """Return what a stage told as one line."""
    if "epoch" not in told:
        return str(told.get("text") or told)
    error = told.get("validation_mase")
    figure = "" if error is None else f"  validation MASE {error:.4f}"
    return f"{told.get('candidate', ''):<12} epoch {told['epoch']:>3}  step {told.get('step', 0):>5}{figure}  {told.get('seconds', 0):.1f} s"
