"""The process in which the stages of one job run: it has limits, and its output is JSON lines."""

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

import psutil

from models.errors import AlmanacError
from models.jobs.errors import MemoryExceeded, StageFailed, TimeExceeded

COMMAND = (sys.executable, "-P", "-m", "training.retraining.stage_process")
"""Command of a stage process: a new Python, never a fork of the worker with its threads."""

CHECK_SECONDS = 0.25
"""Interval at which the limits are checked."""

LAST_LINES, LONGEST_TAIL = 3, 600
"""Lines and characters of the log that an error repeats."""

MEGABYTE = 1_000_000

StageResult = dict[str, Any]
OnEvent = Callable[[dict[str, Any]], None]


class WorkerStopped(Exception):
    """The worker ends: the stage is interrupted, and nothing is recorded about it."""


class StageError(AlmanacError):
    """An error that a stage raised, with its own code."""

    def __init__(self, code: str, detail: str, hint: str, *, retryable: bool) -> None:
        """Keep the error, and whether the stage may succeed when it is retried."""
        super().__init__(detail, hint=hint)
        self.code = code  # type: ignore[misc]  # each error brings its own
        self.retryable = retryable


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of a stage.

    Attributes:
        seconds: Wall time.
        megabytes: Resident memory of the process and its children, in 10⁶ bytes; None for no limit.
        memory_hint: What to do if the memory is not enough.
    """

    seconds: float
    megabytes: int | None = None
    memory_hint: str = "Raise memory_mb under [retrain], or train on fewer series."


@dataclass(frozen=True, slots=True)
class StageCall:
    """One call of a stage in training/retraining: the job with its folder, and the arguments after the context."""

    stage: str
    job: str
    folder: Path
    arguments: Sequence[Any]


def _do_nothing() -> None:
    """Do nothing."""


class StageProcess:
    """A process that runs stages of one job, so that TensorFlow and MLflow are loaded once.

    It starts with the first stage, and again after a stage that failed. When its standard input ends, it kills itself and its
    children; so it ends with this process, even if this process is killed. It holds a lock on the job's folder. Memory is
    measured as resident memory, since TensorFlow reserves address space that it never uses.
    """

    def __init__(self, stop: Event, command: Sequence[str] = COMMAND) -> None:
        """Start nothing yet."""
        self._stop = stop
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def run(
        self, call: StageCall, limits: Limits, on_event: OnEvent, on_tick: Callable[[], None] = _do_nothing
    ) -> StageResult:
        """Run a stage and return its result; after an error the process has ended.

        Args:
            call: The stage.
            limits: Its limits.
            on_event: Called with each progress event of the stage.
            on_tick: Called a few times per second; an exception from it ends the stage.

        Raises:
            StageError: If the stage raised an error.
            StageFailed: If the process ended without a result.
            TimeExceeded: If the stage exceeded its time limit.
            MemoryExceeded: If the stage exceeded its memory limit.
            WorkerStopped: If the worker ends.
        """
        call.folder.mkdir(parents=True, exist_ok=True)
        log = call.folder / "log.txt"
        if self._process is None:
            with log.open("ab") as output:
                self._process = _start(self._command, output)
        try:
            _send(self._process, call)
            return _Monitor(self._process, call, limits, self._stop, on_tick).wait(on_event, log)
        except BaseException:
            self.end()
            raise

    def end(self) -> None:
        """Kill the process and its children, if it runs."""
        process, self._process = self._process, None
        if process is not None:
            _kill(process)


def _start(command: Sequence[str], output: IO[bytes]) -> "subprocess.Popen[bytes]":
    root = str(Path(__file__).parents[2])
    path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    return subprocess.Popen(  # noqa: S603 (our own program)
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=output,
        env={**os.environ, "PYTHONPATH": path},
        start_new_session=True,  # its own process group, which can be killed as a whole and does not get Ctrl-C
    )


def _send(process: "subprocess.Popen[bytes]", call: StageCall) -> None:
    """Write the call to standard input, and leave it open: its end would mean that the worker has ended."""
    line = {"stage": call.stage, "job": call.job, "folder": str(call.folder), "arguments": list(call.arguments)}
    with suppress(BrokenPipeError):  # the process has ended; its log says why
        assert process.stdin is not None  # noqa: S101 (a pipe was requested)
        process.stdin.write(json.dumps(line).encode() + b"\n")
        process.stdin.flush()


@dataclass(frozen=True, slots=True)
class _Monitor:
    """Reads the output of a stage process and checks its limits."""

    process: "subprocess.Popen[bytes]"
    call: StageCall
    limits: Limits
    stop: Event
    on_tick: Callable[[], None]

    def wait(self, on_event: OnEvent, log: Path) -> StageResult:
        """Return the result of the stage; pass its events on until then."""
        assert self.process.stdout is not None  # noqa: S101 (a pipe was requested)
        descriptor, rest = self.process.stdout.fileno(), b""
        deadline = time.monotonic() + self.limits.seconds
        with selectors.DefaultSelector() as selector:
            selector.register(descriptor, selectors.EVENT_READ)
            while True:
                self._check(deadline)
                self.on_tick()
                if not selector.select(CHECK_SECONDS):
                    continue
                chunk = os.read(descriptor, 1 << 16)
                if not chunk:
                    raise self._no_result(log)
                *lines, rest = (rest + chunk).split(b"\n")
                for message in map(json.loads, lines):
                    if "event" not in message:
                        return _result(message)
                    on_event(message["event"])

    def _check(self, deadline: float) -> None:
        if self.stop.is_set():
            raise WorkerStopped
        if time.monotonic() > deadline:
            raise TimeExceeded(
                f"Stage {self.call.stage} exceeded its time limit of {self.limits.seconds:g} s and was killed.",
                hint="Raise timeout_seconds under [retrain], or train a smaller network.",
            )
        limit = self.limits.megabytes
        if limit is not None and (used := resident_megabytes(self.process.pid)) > limit:
            raise MemoryExceeded(
                f"Stage {self.call.stage} used {used:.0f} MB, exceeded its memory limit of {limit} MB and was killed.",
                hint=self.limits.memory_hint,
            )

    def _no_result(self, log: Path) -> StageFailed:
        """Return the error for a process that ended without a result."""
        code = self.process.wait()
        how = f"by signal {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
        hint = (
            "If no person sent SIGKILL, the kernel did because memory was exhausted." if code == -signal.SIGKILL else ""
        )
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-LAST_LINES:]
        tail = " / ".join(line.strip() for line in lines)[-LONGEST_TAIL:]
        return StageFailed(
            f"Stage {self.call.stage} ended {how} and returned nothing.{f' End of its log: {tail}' if tail else ''}",
            hint=hint,
        )


def _result(message: Mapping[str, Any]) -> StageResult:
    if "error" in message:
        error = message["error"]
        raise StageError(error["code"], error["detail"], error["hint"], retryable=error["retryable"])
    result: StageResult = message["result"]
    return result


def _kill(process: "subprocess.Popen[bytes]") -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with suppress(BrokenPipeError):
                pipe.close()
    process.wait()


def resident_megabytes(group: int) -> float:
    """Return the resident memory of a process group, in 10⁶ bytes."""
    used = 0
    for pid in psutil.pids():
        with suppress(OSError, psutil.Error):  # the process has ended meanwhile
            if os.getpgid(pid) == group:
                used += psutil.Process(pid).memory_info().rss
    return used / MEGABYTE
