"""Thread pool: runs large requests outside the event loop, and limits how many wait."""

import asyncio
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from traceback import clear_frames
from typing import ParamSpec, TypeVar

from models.errors import AlmanacError
from service.errors import QueueFull

P = ParamSpec("P")
T = TypeVar("T")


class ThreadPool:
    """Threads with a bounded queue. A small forecast is faster than a switch of threads, and does not use it."""

    def __init__(self, limit: int, *, threads: int | None = None, name: str = "forecast") -> None:
        """Start no thread yet; at most `limit` calls may run or wait, by default on a thread for each core."""
        self._count = threads or os.cpu_count() or 1
        self._threads = ThreadPoolExecutor(self._count, thread_name_prefix=name)
        self._limit = limit
        self._busy = 0

    @property
    def free(self) -> int:
        """Return how many threads would begin a call at once."""
        return max(0, self._count - self._busy)

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return the result of `work`, called in a thread; raises QueueFull if `limit` calls run or wait already."""
        if self._busy >= self._limit:
            raise QueueFull(f"{self._busy} large requests are waiting already.", hint="Try again in a second.")
        self._busy += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, lambda: _call(work, *args, **kwargs))
        finally:
            self._busy -= 1

    def discard(self, *held: Iterable[object]) -> None:
        """Free the items of what the callers hold in a thread, once their frames have ended: the last thing that they do.

        The objects of thousands of series would keep the event loop for milliseconds.
        """
        asyncio.get_running_loop().call_soon(self._free, [*held])

    def _free(self, held: list[Iterable[object]]) -> None:
        with suppress(RuntimeError):  # the threads are closed
            self._threads.submit(_free, held)

    def close(self) -> None:
        """Let the threads end after their current calls."""
        self._threads.shutdown(wait=False)


def _call(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Return the result of `work`; what the frames of an error of ours hold, such as a decoded body, is freed in this thread."""
    try:
        return work(*args, **kwargs)
    except AlmanacError as error:
        cause: BaseException | None = error
        while cause is not None:
            clear_frames(cause.__traceback__)
            cause = cause.__cause__ or cause.__context__
        if error.__suppress_context__ and error.__cause__ is None:
            error.__context__ = None  # pydantic's error has the whole input
        raise


def _free(held: list[Iterable[object]]) -> None:
    """Free items one by one: between two, other threads can run."""
    while held:
        items = [*held.pop()]
        while items:
            items.pop()
