"""Thread pool: runs large requests outside the event loop, and limits how many wait."""

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

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
            return await asyncio.get_running_loop().run_in_executor(self._threads, lambda: work(*args, **kwargs))
        finally:
            self._busy -= 1

    def close(self) -> None:
        """Let the threads end after their current calls."""
        self._threads.shutdown(wait=False)
