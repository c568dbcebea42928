"""Admission: how many forecast requests may wait, for how long, and which of them run on the event loop.

What takes longer than LOOP_SECONDS runs in a thread, so that health checks do not wait for it. Shorter requests run on the
event loop, a few in each of its rounds: between two rounds the loop answers whatever else has arrived.
"""

import asyncio
import math
import time
from collections import deque
from collections.abc import Hashable

from starlette.requests import ClientDisconnect

from service.callers import Share
from service.errors import DeadlinePassed, QueueFull
from service.thread_pool import ThreadPool

LOOP_SECONDS = 0.005
"""Longest work on the event loop, in CPU seconds: as long as a thread would keep the interpreter from it."""
ROUND_SECONDS = 0.005
"""Work on the event loop between two looks at what has arrived."""
SERIES_SECONDS = 40e-6
"""CPU time to parse a series with a start or without dates (measured: 17 to 30 µs)."""
DATED_SECONDS = 400e-6
"""CPU time to parse a series with timestamps of its own (measured: 70 to 490 µs)."""
BYTE_SECONDS = 0.055e-6
"""CPU time to parse a byte (measured: 0.035 µs of values, 0.055 µs of timestamps)."""

NEWEST_WEIGHT = 0.1
"""Weight of the newest measurement in a moving average."""
KEPT = 0.99
"""What each end leaves of the ends and the seconds before it: requests that ran together end together, up to some dozens."""
FIRST_ENDS = 10.0
"""Ends of no duration before the first, so that one slow request alone does not set the pace."""
ALWAYS_ADMITTED = 8
"""So many requests are admitted whatever the expected wait: a single slow one does not close the lane. So is the first request
of each of so many clients: others do not close it either."""
MOST_MODELS = 256
MEASURED_FIRST, MEASURED_EVERY = 64, 16


def parse_seconds(series: int, size: int, dated: int = 0) -> float:
    """Return about how many CPU seconds it takes to parse so many series in a body of so many bytes.

    Args:
        series: How many there are.
        size: Bytes of the body.
        dated: How many of them have timestamps.
    """
    return series * SERIES_SECONDS + dated * DATED_SECONDS + size * BYTE_SECONDS


ALONE = Share()
"""What a client has that is the only one."""


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
        self._ends = FIRST_ENDS
        self._seconds = 0.0
        self._ended = 0.0

    def check(self, waiting: int = 0, share: Share = ALONE, least: float = 0.0) -> None:
        """Raise QueueFull if a request would wait for too long: requests before it times the time between two ends.

        For a client that has less than its fair share there is twice the room, and its first request waits as long as it
        takes: the others cannot keep it out.

        Args:
            waiting: Requests that wait for their turn and are not in progress yet.
            share: What its client has of the requests in progress.
            least: Seconds that it will wait in any case.
        """
        before = self._pending + waiting
        if before < min(ALWAYS_ADMITTED, self._limit):  # the usual case: nothing below refuses it
            return
        expected = max(before * self._seconds / self._ends, least)
        room = 2 if self._is_owed(share) else 1
        is_late = expected > room * self._most_seconds and before >= ALWAYS_ADMITTED
        is_first = share.own == 0 and 1 < share.clients <= ALWAYS_ADMITTED
        if before >= room * self._limit or (is_late and not is_first):
            seconds = max(1, math.ceil(expected - self._most_seconds))
            raise QueueFull(
                f"{before} requests are in progress; another would wait for {expected:.1f} s.",
                hint=f"Try again in {seconds} s. ALMANAC_MAX_WAIT_SECONDS sets how long requests may wait.",
                retry_after=seconds,
            )

    def _is_owed(self, share: Share) -> bool:
        """Return whether a client has less than its fair share, of the places and of the time."""
        others = share.clients > 1
        place = share.own * share.clients
        return others and place < self._limit and place * self._seconds < self._most_seconds * self._ends

    def enter(self, share: Share = ALONE) -> "Place":
        """Count a request as long as it is in progress; raises QueueFull as `check`."""
        return Place(self, share)

    def begin(self, share: Share) -> float:
        """Count a request, and return the time; raises QueueFull as `check`."""
        self.check(share=share)
        self._pending += 1
        return time.monotonic()

    def end(self, entered: float, error: type[BaseException] | None) -> None:
        """Count a request no longer; one that ended without its work says nothing of the time between two ends."""
        self._pending -= 1
        if error is None or not issubclass(error, (ClientDisconnect, DeadlinePassed, QueueFull)):
            self._learn(entered)

    def _learn(self, entered: float) -> None:
        """Include the end of a request in the time between two ends."""
        now = time.monotonic()
        self._seconds = KEPT * self._seconds + now - max(entered, self._ended)
        self._ends = KEPT * self._ends + 1
        self._ended = now


class Place:
    """A request's place in a lane; a generator as context manager takes thrice as long."""

    __slots__ = ("_entered", "_lane", "_share")

    def __init__(self, lane: Lane, share: Share) -> None:
        """Take no place yet."""
        self._lane, self._share, self._entered = lane, share, 0.0

    def __enter__(self) -> None:
        """Take it."""
        self._entered = self._lane.begin(self._share)

    def __exit__(self, error: type[BaseException] | None, *_error: object) -> None:
        """Leave it."""
        self._lane.end(self._entered, error)


class Turns:
    """Lets requests run on the event loop in the order of their arrival, as many in each of its rounds as fit in ROUND_SECONDS."""

    def __init__(self) -> None:
        """Start with an empty queue."""
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._left: int | None = None
        self._seconds = ROUND_SECONDS
        self._number = 0
        self._began = 0.0
        self._pace = 0.0

    @property
    def waiting(self) -> int:
        """Return how many requests wait."""
        return len(self._waiting)

    @property
    def expected(self) -> float:
        """Return the seconds until it is the turn of a request that comes now, by the newest rounds."""
        return len(self._waiting) * self._pace

    def is_current(self, number: object) -> bool:
        """Return whether the round with a number is still in progress."""
        return self._left is not None and number == self._number

    async def take(self) -> int:
        """Return the number of the current round when it is this request's turn."""
        if self._left is None:
            self._left = self._begin_round()
        if self._left > 0 and not self._waiting:
            self._left -= 1
            return self._number
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        await turn
        return self._number

    def learn(self, seconds: float) -> None:
        """Include how long a request ran in the average."""
        self._seconds += NEWEST_WEIGHT * (seconds - self._seconds)

    def _begin_round(self) -> int:
        asyncio.get_running_loop().call_soon(self._end_round)
        self._began = time.monotonic()
        return max(1, int(ROUND_SECONDS / max(self._seconds, 1e-6)))

    def _end_round(self) -> None:
        """End the current round; let those run that waited longest, except if they have been cancelled."""
        self._number += 1
        began = self._began
        self._left = most = self._begin_round() if self._waiting else None
        if most is not None:  # some wait: this is how long a round takes, with all else that the loop does in it
            self._pace += NEWEST_WEIGHT * ((self._began - began) / most - self._pace)
        while self._waiting and self._left:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                self._left -= 1


class CpuClock:
    """Measures the CPU time of the first MEASURED_FIRST pieces of work, and of one in MEASURED_EVERY after them.

    To read the clock of a thread is a system call, and one at which Linux takes the processor from a thread that has had its
    share: on a busy machine a request that reads it four times loses milliseconds.
    """

    def __init__(self) -> None:
        """Nothing is measured yet."""
        self._count = 0

    def start(self, *, always: bool = False) -> float | None:
        """Return the time at which a piece of work begins, None if it is not to be measured."""
        self._count += 1
        if always or self._count <= MEASURED_FIRST or self._count % MEASURED_EVERY == 0:
            return time.thread_time()
        return None


class Costs:
    """CPU seconds of a forecast by model, learned from those that were made."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self._means: dict[Hashable, tuple[float, float]] = {}

    def knows(self, model: Hashable) -> bool:
        """Return whether a forecast of the model has been measured."""
        return model in self._means

    def expect(self, model: Hashable, passes: int) -> float:
        """Return about how many CPU seconds a forecast of so many passes through the network takes; 0 if unknown."""
        return passes * self._one_pass(model)

    def passes_within(self, model: Hashable, seconds: float, most: int) -> int:
        """Return how many passes take so many CPU seconds, up to `most`; a model that is not known yet runs one."""
        if model not in self._means:
            return 1
        one = self._one_pass(model)
        return most if one == 0 else min(most, int(seconds / one))

    def learn(self, model: Hashable, passes: int, seconds: float) -> None:
        """Include the CPU seconds of a forecast in the average of its model; a pass of a large one counts as one of a small one."""
        if model not in self._means and len(self._means) >= MOST_MODELS:
            self._means.clear()
        mean_passes, mean_seconds = self._means.get(model, (max(passes, 1), seconds))
        self._means[model] = (
            mean_passes + NEWEST_WEIGHT * (max(passes, 1) - mean_passes),
            mean_seconds + NEWEST_WEIGHT * (seconds - mean_seconds),
        )

    def _one_pass(self, model: Hashable) -> float:
        """Return the CPU seconds of a pass, 0 if unknown."""
        passes, seconds = self._means.get(model, (1, 0.0))
        return seconds / passes
