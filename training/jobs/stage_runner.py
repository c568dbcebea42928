"""Child: the process in which the stages of one job run, with limits, and whose progress comes back as lines."""

import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import IO, Any, Self

from models.errors import AlmanacError
from models.jobs.errors import MemoryExceeded, StageFailed, TimeExceeded

COMMAND = (sys.executable, "-P", "-m", "training.retraining.stage_process")
"""What runs stages: a fresh Python, never a fork of the worker's threads."""

LOOK_SECONDS = 0.25
"""How often limits are looked at."""

LAST_LINES, LONGEST_TAIL = 3, 600
"""Of a child's log, told when it ends without an answer."""

MEGABYTE = 1_000_000

Answer = dict[str, Any]
Tell = Callable[[dict[str, Any]], None]


class Stopped(Exception):
    """The worker ends: the stage is broken off, and nothing is recorded of it."""


class Refused(AlmanacError):
    """An error that the stage raised in its child, under the code it had there."""

    def __init__(self, code: str, detail: str, hint: str, *, mendable: bool) -> None:
        """Keep what the child said, and whether the same stage may succeed when it is tried again."""
        super().__init__(detail, hint=hint)
        self.code = code  # type: ignore[misc]  # each error brings its own
        self.mendable = mendable


@dataclass(frozen=True, slots=True)
class Limits:
    """What a stage may use.

    Attributes:
        seconds: Wall time.
        megabytes: Resident memory of the child and of the processes it starts, in 10⁶ bytes; None for no limit.
    """

    seconds: float
    megabytes: int | None = None


@dataclass(frozen=True, slots=True)
class Task:
    """One stage of one job.

    Attributes:
        stage: Name of the function in training/retraining/stages.py.
        job: Id of the job.
        folder: Of the job: its files, and the log of its children.
        arguments: Of the stage, after its desk.
    """

    stage: str
    job: str
    folder: Path
    arguments: Sequence[Any]


def _nothing() -> None:
    """Do nothing."""


class Child:
    """A process that runs stages of one job, one after another, so that TensorFlow and MLflow are loaded once for all of them.

    It is started when it is first needed, and anew after a stage that failed. It ends itself, with all it started, when its
    standard input ends: so it dies with this process however that dies. It holds a lock on the job's folder, which a rerun
    waits for. The memory limit is enforced by looking at the resident memory four times a second, since TensorFlow reserves
    address space that it never uses.
    """

    def __init__(self, stop: Event, command: Sequence[str] = COMMAND) -> None:
        """Nothing is started yet.

        Args:
            stop: Set when the worker ends.
            command: What runs stages.
        """
        self._stop = stop
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Return this."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the process."""
        self.end()

    def run(self, task: Task, limits: Limits, tell: Tell, pulse: Callable[[], None] = _nothing) -> Answer:
        """Run a stage and return its answer; where it raises, the process is gone.

        Args:
            task: The stage.
            limits: What it may use.
            tell: Called with whatever the stage tells.
            pulse: Called some times a second all along; what it raises ends the stage.

        Raises:
            Refused: What the stage raised.
            StageFailed: If the process ended without an answer.
            TimeExceeded: If it took too long.
            MemoryExceeded: If it took too much memory.
            Stopped: If the worker ends.
        """
        task.folder.mkdir(parents=True, exist_ok=True)
        log = task.folder / "log.txt"
        if self._process is None:
            with log.open("ab") as output:
                self._process = _start(self._command, output)
        try:
            _send(self._process, task)
            return _Watch(self._process, task, limits, self._stop, pulse).listen(tell, log)
        except BaseException:
            self.end()
            raise

    def end(self) -> None:
        """End the process and all that it started, if there is one."""
        process, self._process = self._process, None
        if process is not None:
            _end(process)


def _start(command: Sequence[str], output: IO[bytes]) -> "subprocess.Popen[bytes]":
    house = str(Path(__file__).parents[2])
    path = os.pathsep.join(filter(None, [house, os.environ.get("PYTHONPATH")]))
    return subprocess.Popen(  # noqa: S603 (our own program)
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=output,
        env={**os.environ, "PYTHONPATH": path},
        start_new_session=True,  # a group of its own, to be ended whole; and Ctrl-C is for the worker
    )


def _send(process: "subprocess.Popen[bytes]", task: Task) -> None:
    """Write the task; standard input stays open, since its end would mean ours."""
    question = {"stage": task.stage, "job": task.job, "folder": str(task.folder), "arguments": list(task.arguments)}
    with suppress(BrokenPipeError):  # it has ended; its log says why
        assert process.stdin is not None  # noqa: S101 (a pipe was asked for)
        process.stdin.write(json.dumps(question).encode() + b"\n")
        process.stdin.flush()


@dataclass(frozen=True, slots=True)
class _Watch:
    """What is listened to and looked at while a child works."""

    process: "subprocess.Popen[bytes]"
    task: Task
    limits: Limits
    stop: Event
    pulse: Callable[[], None]

    def listen(self, tell: Tell, log: Path) -> Answer:
        """Return the child's answer, passing on what it tells before."""
        assert self.process.stdout is not None  # noqa: S101 (a pipe was asked for)
        descriptor, rest = self.process.stdout.fileno(), b""
        deadline = time.monotonic() + self.limits.seconds
        with selectors.DefaultSelector() as selector:
            selector.register(descriptor, selectors.EVENT_READ)
            while True:
                self._check(deadline)
                self.pulse()
                if not selector.select(LOOK_SECONDS):
                    continue
                chunk = os.read(descriptor, 1 << 16)
                if not chunk:
                    raise self._silent(log)
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    said = json.loads(line)
                    if "tells" in said:
                        tell(said["tells"])
                    else:
                        return _answer(said)

    def _check(self, deadline: float) -> None:
        if self.stop.is_set():
            raise Stopped
        if time.monotonic() > deadline:
            raise TimeExceeded(
                f"Stage {self.task.stage} took longer than {self.limits.seconds:g} s and was ended.",
                hint="Raise timeout_seconds under [retrain], or train a smaller network.",
            )
        most = self.limits.megabytes
        if most is not None and (used := resident_megabytes(self.process.pid)) > most:
            raise MemoryExceeded(
                f"Stage {self.task.stage} took {used:.0f} MB, of {most} MB that it may, and was ended.",
                hint="Raise memory_mb under [retrain], or train on fewer series.",
            )

    def _silent(self, log: Path) -> StageFailed:
        """Return what is said of a child that ended without an answer."""
        code = self.process.wait()
        how = f"by signal {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
        hint = "SIGKILL that nobody sent is the kernel's, out of memory." if code == -signal.SIGKILL else ""
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-LAST_LINES:]
        tail = " / ".join(line.strip() for line in lines)[-LONGEST_TAIL:]
        told = f" Its last words: {tail}" if tail else ""
        return StageFailed(f"Stage {self.task.stage} ended {how}, without an answer.{told}", hint=hint)


def _answer(said: Mapping[str, Any]) -> Answer:
    if "error" in said:
        error = said["error"]
        raise Refused(error["code"], error["detail"], error["hint"], mendable=error["mendable"])
    answer: Answer = said["answer"]
    return answer


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End the child and all that it started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with suppress(BrokenPipeError):
                pipe.close()
    process.wait()


def resident_megabytes(group: int) -> float:
    """Return the resident memory of a process group, as /proc tells it; 0 where there is no /proc."""
    page = os.sysconf("SC_PAGE_SIZE")
    pages = 0
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if os.getpgid(int(entry.name)) == group:
                pages += int((entry / "statm").read_text(encoding="ascii").split()[1])
        except (OSError, IndexError):
            continue  # it ended meanwhile
    return pages * page / MEGABYTE
