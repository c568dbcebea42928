"""Local engine: tasks in worker processes of this machine."""

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from training.engines.engine import LOCAL, QUEUED, Done, Work, WorkerLost, attempt

_here: dict[str, Callable[[Any], Any]] = {}
"""In a worker process: what it does."""


class LocalEngine:
    """Tasks in spawned processes; a single worker is this process itself.

    Args:
        workers: Processes; None takes one for each core.
    """

    name = LOCAL

    def __init__(self, workers: int | None = None) -> None:
        """Keep the number of workers."""
        self.workers = workers or len(os.sched_getaffinity(0))

    def run(self, work: Work, tasks: Sequence[Any]) -> Iterator[Done]:
        """Yield the result of each task, in the order in which they end; raises WorkerLost."""
        count = min(self.workers // work.threads or 1, len(tasks))
        if count > 1:
            yield from _run_in_processes(work, tasks, count)
        elif tasks:
            run = work.make(*work.arguments)
            yield from (attempt(run, at, task) for at, task in enumerate(tasks))


def _run_in_processes(work: Work, tasks: Sequence[Any], count: int) -> Iterator[Done]:
    context = multiprocessing.get_context("spawn")  # a fork beside the threads of onnxruntime can hang
    pool = ProcessPoolExecutor(count, context, _begin, (work,))
    waiting: set[Future[Done]] = set()
    left = enumerate(tasks)
    try:
        while True:
            for at, task in left:
                waiting.add(pool.submit(_run, at, task))
                if len(waiting) >= QUEUED * count:
                    break
            if not waiting:
                return
            ended, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            for one in ended:
                yield one.result()
    except BrokenProcessPool as error:
        raise WorkerLost(
            "A worker process ended in the middle of a task; it may have been killed for its memory.",
            hint="Run the same command with fewer --workers.",
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _begin(work: Work) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the parent, which ends the workers
    _here["run"] = work.make(*work.arguments)


def _run(at: int, task: object) -> Done:
    return attempt(_here["run"], at, task)
