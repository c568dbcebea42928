"""Stage process: runs the stages of one job, one after another; tasks in, JSON lines out.

{"stage": "fit", "job": "…", "folder": "…", "arguments": […]}     on standard input, which then stays open
{"event": {…}}                                                    progress, on standard output
{"result": {…}} or {"error": {"code": …, "detail": …, "hint": …, "retryable": …}} at the end of each stage
"""

import importlib
import json
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Any

from filelock import FileLock, Timeout

from models.errors import AlmanacError, RegistryUnreachable, ServiceUnreachable
from models.jobs.errors import StageFailed
from models.json_values import to_json_value
from training.retraining.stage_messages import OnEvent, Stage, WriteLine

ORPHAN_SECONDS = 60.0
"""How long the process of a worker that was killed may take to end."""

OUT_OF_MEMORY_SCORE = 500
"""The kernel, out of memory, kills this process before the worker or the service."""

LIVE_STAGES = {"assess", "read", "watch"}
"""Stages in training/retraining/live_stages.py; the others are in training/retraining/stages.py."""


def main(stages: Callable[[str], Stage], make_context: Callable[[str, Path, OnEvent], Any]) -> None:
    """Run the stages that standard input names, until it ends."""
    write = _lines_out()
    tasks: SimpleQueue[dict[str, Any]] = SimpleQueue()
    Thread(target=_take_tasks, args=(tasks,), daemon=True).start()
    _die_first_when_memory_ends()
    first = tasks.get()
    folder = Path(first["folder"])
    with _errors_written(write), locked(folder):
        task, context = first, None
        while True:
            with _errors_written(write):
                context = context or make_context(task["job"], folder, lambda event: write({"event": event}))
                write({"result": stages(task["stage"])(context, *task["arguments"])})
            task = tasks.get()


@contextmanager
def _errors_written(write: WriteLine) -> Iterator[None]:
    """Write an error that a stage raises as a line."""
    try:
        yield
    except AlmanacError as error:
        write(
            {
                "error": {
                    "code": error.code,
                    "detail": error.detail,
                    "hint": error.hint,
                    "retryable": is_retryable(error),
                }
            }
        )
    except Exception as error:  # noqa: BLE001 (the worker gets whatever it is, and the log has the traceback)
        traceback.print_exc()
        detail = f"{type(error).__name__}: {error}"
        write({"error": {"code": StageFailed.code, "detail": detail, "hint": "", "retryable": True}})


def find_stage(name: str) -> Stage:
    """Return the function of a stage."""
    module = "live_stages" if name in LIVE_STAGES else "stages"
    stage: Stage = getattr(importlib.import_module(f"training.retraining.{module}"), name)
    return stage


def make_context(job: str, folder: Path, on_event: OnEvent) -> Any:  # noqa: ANN401 (JobContext, imported late)
    """Return what a stage works with, as the environment says."""
    return importlib.import_module("training.retraining.live_stages").make_context(job, folder, on_event)


def is_retryable(error: AlmanacError) -> bool:
    """Return whether the same stage may succeed when it is tried again."""
    return isinstance(error, RegistryUnreachable | ServiceUnreachable | StageFailed)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the job's folder, so that two processes never work on one job.

    Raises:
        StageFailed: If another process holds it for ORPHAN_SECONDS.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / "lock", timeout=ORPHAN_SECONDS):
            yield
    except Timeout:
        raise StageFailed(f"{folder}: another process works there.", hint="Look who holds its lock.") from None


def _lines_out() -> WriteLine:
    """Return what writes a line to standard output; whatever libraries print goes to the log instead."""
    output = os.fdopen(os.dup(sys.stdout.fileno()), "wb", buffering=0)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    lock = Lock()

    def write(line: Mapping[str, Any]) -> None:
        with lock:
            output.write(json.dumps(to_json_value(line), allow_nan=False).encode() + b"\n")

    return write


def _take_tasks(tasks: "SimpleQueue[dict[str, Any]]") -> None:
    """Take tasks from standard input; when it ends, the worker has ended: kill this process and its children."""
    for line in sys.stdin.buffer:
        tasks.put(json.loads(line))
    os.killpg(os.getpgrp(), signal.SIGKILL)


def _die_first_when_memory_ends() -> None:
    try:
        Path("/proc/self/oom_score_adj").write_text(str(OUT_OF_MEMORY_SCORE), encoding="ascii")
    except OSError:
        return  # not Linux, or not allowed: the kernel chooses


if __name__ == "__main__":
    main(find_stage, make_context)
