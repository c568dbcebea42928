"""Working: large requests leave the event loop for a few threads, and queue for them only so far."""

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from service.errors import QueueFull

P = ParamSpec("P")
T = TypeVar("T")


class ThreadPool:
    """A thread for each core. A small forecast takes less than the way to a thread and back, and never comes here."""

    def __init__(self, limit: int, *, threads: int | None = None, name: str = "forecast") -> None:
        """Let at most `limit` requests be at work or waiting, in as many threads as there are cores or as are asked for."""
        self._threads = ThreadPoolExecutor(threads or os.cpu_count(), thread_name_prefix=name)
        self._limit = limit
        self._busy = 0

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what `work` returns, done in a thread.

        Raises:
            QueueFull: If too many wait already.
        """
        if self._busy >= self._limit:
            raise QueueFull(f"{self._busy} large requests are waiting already.", hint="Ask again in a second.")
        self._busy += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, lambda: work(*args, **kwargs))
        finally:
            self._busy -= 1

    def close(self) -> None:
        """Let the threads end once they are done."""
        self._threads.shutdown(wait=False)
