"""Steps: a stage of a job, tried again where that may help, told to the terminal and to whoever looks."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import Any, NoReturn

from models.errors import AlmanacError
from models.job_errors import StageFailed
from training.jobs import child
from training.jobs.child import Limits, Refused, Stopped, Task
from training.retrain_config import RetrainConfig

TRIES = 3
FIRST_WAIT_SECONDS, WAIT_FACTOR = 5.0, 4.0
"""A stage that failed is tried again after 5 s, and after 20 s more."""

TELL_SECONDS = 1.0
"""Progress is written down at most this often: each time is a commit."""

Answer = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Desk:
    """What a worker runs stages with.

    Attributes:
        home: ALMANAC_HOME: `jobs/ID` in it is a job's folder.
        stop: Set when the worker ends.
        say: Prints a line.
        command: What runs a stage.
        first_wait: Seconds before a stage is tried again.
        now: The time.
    """

    home: Path
    stop: Event
    say: Callable[[str], None]
    command: Sequence[str] = child.COMMAND
    first_wait: float = FIRST_WAIT_SECONDS
    now: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))


@dataclass(frozen=True, slots=True)
class Place:
    """Where a stage is run: in which job, under which limits, and who is told of its progress."""

    job: str
    limits: Limits
    write: Callable[[Mapping[str, Any]], None]


def limits_of(request: Mapping[str, Any]) -> Limits:
    """Return what a request lets a stage use."""
    table = request.get("config", {}).get("retrain", {})
    seconds = table.get("timeout_seconds", RetrainConfig.timeout_seconds)
    return Limits(float(seconds), table.get("memory_mb", RetrainConfig.memory_mb))


def run_stage(desk: Desk, place: Place, name: str, stage: str, arguments: Sequence[Any]) -> Answer:
    """Run a stage in a child, again where that may help, and return its answer.

    Args:
        desk: What the worker runs stages with.
        place: The job.
        name: What people call the step.
        stage: The function's name.
        arguments: Of the stage.

    Raises:
        AlmanacError: What the stage raised, or why its child was ended, after as many tries as may help.
    """
    task = Task(stage, place.job, folder_of(desk.home, place.job), arguments)
    wait = desk.first_wait
    for attempt in range(1, TRIES + 1):
        teller = _Teller(desk, place, name, attempt)
        teller.begin()
        try:
            answer = child.run(task, place.limits, tell=teller.tell, stop=desk.stop, command=desk.command)
        except Stopped:
            _never_return()
        except AlmanacError as error:
            if attempt == TRIES or not _is_mendable(error):
                desk.say(f"{place.job}: {name} failed: {error}")
                raise
            desk.say(f"{place.job}: {name} failed, and is tried again in {wait:g} s: {error}")
            teller.tell({"text": f"failed, tried again in {wait:g} s: {error}"})
            if desk.stop.wait(wait):
                _never_return()
            wait *= WAIT_FACTOR
        else:
            desk.say(f"{place.job}: {name} done in {teller.seconds:.1f} s")
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

    desk: Desk
    place: Place
    name: str
    attempt: int
    _began: float = field(default_factory=time.monotonic)
    _written: float = -TELL_SECONDS

    @property
    def seconds(self) -> float:
        """Return how long the stage has been running."""
        return time.monotonic() - self._began

    def begin(self) -> None:
        """Write down which step it is."""
        self.desk.say(f"{self.place.job}: {self.name}{f', try {self.attempt}' if self.attempt > 1 else ''}")
        self._write({})

    def tell(self, told: Mapping[str, Any]) -> None:
        """Print what a stage tells, and write the newest of it down."""
        self.desk.say(f"{self.place.job}: {describe(told)}")
        if time.monotonic() - self._written >= TELL_SECONDS:
            self._write(told)

    def _write(self, told: Mapping[str, Any]) -> None:
        self._written = time.monotonic()
        known = {"step": self.name, "attempt": self.attempt, "at": self.desk.now().isoformat(timespec="seconds")}
        self.place.write({**told, **known, "seconds": round(self.seconds, 1)})


def describe(told: Mapping[str, Any]) -> str:
    """Return what a stage told as one line."""
    if "epoch" not in told:
        return str(told.get("text") or told)
    error = told.get("validation_mase")
    figure = "" if error is None else f"  validation MASE {error:.4f}"
    return f"{told.get('candidate', ''):<12} epoch {told['epoch']:>3}  step {told.get('step', 0):>5}{figure}  {told.get('seconds', 0):.1f} s"
