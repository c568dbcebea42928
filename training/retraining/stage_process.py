"""Job child: the process in which one stage of a job runs; a task in, lines of JSON out.

{"stage": "fit", "job": "…", "folder": "…", "arguments": […]}     on standard input, which then stays open
{"tells": {…}}                                                    on standard output, as often as the stage likes
{"answer": {…}} or {"error": {"code": …, "detail": …, "hint": …, "mendable": …}} at last
"""

import fcntl
import importlib
import json
import math
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Any

from models.errors import AlmanacError, RegistryUnreachable, ServiceUnreachable
from models.jobs.errors import StageFailed
from training.retraining.protocol import OnEvent, Stage, WriteLine

ORPHAN_SECONDS, ORPHAN_POLL_SECONDS = 60.0, 0.1
"""How long the child of a worker that was killed may take to notice and end."""

OUT_OF_MEMORY_SCORE = 500
"""The kernel, out of memory, ends the child rather than the worker or the service beside it."""

OWN_STAGES = {"judge", "read", "watch"}


def main(stages: Callable[[str], Stage], make_context: Callable[[str, Path, OnEvent], Any]) -> None:
    """Run the stages that standard input names, until it ends.

    Args:
        stages: Returns the function of a name.
        make_context: Makes what stages work with, of job id, folder and what they tell their progress to.
    """
    said = _lines_out()
    tasks: SimpleQueue[dict[str, Any]] = SimpleQueue()
    Thread(target=_take_tasks, args=(tasks,), daemon=True).start()
    _go_first_when_memory_ends()
    first = tasks.get()
    folder = Path(first["folder"])
    with _told(said), alone(folder):
        task, desk = first, None
        while True:
            with _told(said):
                desk = desk or make_context(task["job"], folder, lambda told: said({"tells": told}))
                said({"answer": stages(task["stage"])(desk, *task["arguments"])})
            task = tasks.get()


@contextmanager
def _told(said: WriteLine) -> Iterator[None]:
    """Pass on what a stage raises."""
    try:
        yield
    except AlmanacError as error:
        said(
            {"error": {"code": error.code, "detail": error.detail, "hint": error.hint, "mendable": is_mendable(error)}}
        )
    except Exception as error:  # noqa: BLE001 (whatever it is, the worker is told, and the log has the rest)
        traceback.print_exc()
        detail = f"{type(error).__name__}: {error}"
        said({"error": {"code": StageFailed.code, "detail": detail, "hint": "", "mendable": True}})


def find_stage(name: str) -> Stage:
    """Return a stage of training/retraining/live_stages.py, or else of training/retraining/stages.py."""
    ours = importlib.import_module("training.retraining.live_stages")
    module = ours if name in OWN_STAGES else importlib.import_module("training.retraining.stages")
    stage: Stage = getattr(module, name)
    return stage


def make_context(job: str, folder: Path, tell: OnEvent) -> Any:  # noqa: ANN401 (training.retraining.job_context.JobContext, imported late)
    """Return what a stage works with, as the environment says."""
    return importlib.import_module("training.retraining.live_stages").make_context(job, folder, tell)


def is_mendable(error: AlmanacError) -> bool:
    """Return whether the same stage may succeed when it is tried again."""
    return isinstance(error, RegistryUnreachable | ServiceUnreachable | StageFailed)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold the job's folder: a rerun does not work beside a child that has not yet noticed its worker's end.

    Raises:
        StageFailed: If another child holds it for ORPHAN_SECONDS.
    """
    folder.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + ORPHAN_SECONDS
    with (folder / "lock").open("ab") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise StageFailed(f"{folder}: another child works there.", hint="See who holds its lock.") from None
                time.sleep(ORPHAN_POLL_SECONDS)
        yield


def finite(value: Any) -> Any:  # noqa: ANN401 (any JSON)
    """Return a value with null for every number that JSON cannot carry."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {str(key): finite(one) for key, one in value.items()}
    return [finite(one) for one in value] if isinstance(value, list | tuple) else value


def _lines_out() -> WriteLine:
    """Return what writes a line to our output; whatever libraries print goes to the log instead."""
    output = os.fdopen(os.dup(sys.stdout.fileno()), "wb", buffering=0)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    lock = Lock()

    def said(line: Mapping[str, Any]) -> None:
        with lock:
            output.write(json.dumps(finite(line), allow_nan=False).encode() + b"\n")

    return said


def _take_tasks(tasks: "SimpleQueue[dict[str, Any]]") -> None:
    """Take tasks from standard input; at its end, which is the worker's, end this process and those it started."""
    for line in sys.stdin.buffer:
        tasks.put(json.loads(line))
    os.killpg(os.getpgrp(), signal.SIGKILL)


def _go_first_when_memory_ends() -> None:
    try:
        Path("/proc/self/oom_score_adj").write_text(str(OUT_OF_MEMORY_SCORE), encoding="ascii")
    except OSError:
        return  # not Linux, or not allowed: the kernel chooses for itself


if __name__ == "__main__":
    main(find_stage, make_context)
