"""Admission: how many forecast requests may wait, for how long, and which of them run on the event loop.

What takes longer than LOOP_SECONDS runs in a thread, so that health checks do not wait for it. Shorter requests run on the
event loop, one in each of its rounds: between two of them the loop answers whatever else has arrived.
"""

import asyncio
import math
import time
from collections import deque
from collections.abc import Hashable, Iterator
from contextlib import contextmanager, suppress

from service.errors import QueueFull
from service.thread_pool import ThreadPool

LOOP_SECONDS = 0.002
"""Longest work on the event loop, in CPU seconds."""
SERIES_SECONDS = 220e-6
"""CPU time to parse a series (measured: 170 to 220 µs)."""
BYTE_SECONDS = 0.055e-6
"""CPU time to parse a byte (measured: 0.035 µs of values, 0.055 µs of timestamps)."""

NEWEST_WEIGHT = 0.1
"""Weight of the newest measurement in a moving average."""
ALWAYS_ADMITTED = 8
"""So many requests are admitted whatever the expected wait: a single slow one does not close the lane."""
MOST_MODELS = 256


def parse_seconds(series: int, size: int) -> float:
    """Return about how many CPU seconds it takes to parse so many series in a body of so many bytes."""
    return series * SERIES_SECONDS + size * BYTE_SECONDS


class Lane:
    """Requests of similar size, with threads of their own; refuses a request that would wait for too long."""

    def __init__(self, threads: ThreadPool, limit: int, most_seconds: float) -> None:
        """Admit nothing yet.

        Args:
            threads: Where the requests' long parts run.
            limit: Requests that may be in progress.
            most_seconds: How long a new request may have to wait.
        """
        self.threads = threads
        self._limit = limit
        self._most_seconds = most_seconds
        self._pending = 0
        self._pace = 0.0
        self._ended = 0.0

    @property
    def expected_seconds(self) -> float:
        """Return how long a new request will probably wait: requests in progress times the time between two ends."""
        return self._pending * self._pace

    def check(self) -> None:
        """Raise QueueFull if a request would wait for too long."""
        is_slow = self._pending >= ALWAYS_ADMITTED and self.expected_seconds > self._most_seconds
        if is_slow or self._pending >= self._limit:
            seconds = max(1, math.ceil(self.expected_seconds - self._most_seconds))
            raise QueueFull(
                f"{self._pending} requests are in progress; another would wait for {self.expected_seconds:.1f} s.",
                hint=f"Try again in {seconds} s. ALMANAC_MAX_WAIT_SECONDS sets how long requests may wait.",
                retry_after=seconds,
            )

    @contextmanager
    def enter(self) -> Iterator[None]:
        """Count a request as long as it is in progress; raises QueueFull."""
        self.check()
        entered = time.monotonic()
        self._pending += 1
        try:
            yield
        finally:
            self._pending -= 1
            now = time.monotonic()
            self._pace += NEWEST_WEIGHT * (now - max(entered, self._ended) - self._pace)
            self._ended = now


class Turns:
    """Lets one request run in each round of the event loop, in the order of their arrival."""

    def __init__(self) -> None:
        """Let nobody wait."""
        self._is_taken = False
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def take(self) -> None:
        """Return when it is this request's turn, which ends by itself with the current round."""
        loop = asyncio.get_running_loop()
        if self._is_taken:
            turn = loop.create_future()
            self._waiting.append(turn)
            try:
                await turn
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():
                    self._pass_on()
                else:
                    with suppress(ValueError):
                        self._waiting.remove(turn)
                raise
        self._is_taken = True
        loop.call_soon(self._pass_on)

    def _pass_on(self) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._is_taken = False


class Costs:
    """CPU seconds of a forecast by model, learned from those that were made."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self._seconds: dict[Hashable, float] = {}

    def expect(self, model: Hashable, passes: int) -> float:
        """Return about how many CPU seconds a forecast of so many passes through the network takes; 0 if unknown."""
        return passes * self._seconds.get(model, 0.0)

    def learn(self, model: Hashable, passes: int, seconds: float) -> None:
        """Include the CPU seconds of a forecast in the average of its model."""
        one = seconds / max(passes, 1)
        if model not in self._seconds and len(self._seconds) >= MOST_MODELS:
            self._seconds.clear()
        self._seconds[model] = (1 - NEWEST_WEIGHT) * self._seconds.get(model, one) + NEWEST_WEIGHT * one
