"""Batches: requests that wait together for the same model run together, without waiting for others to come.

A batch is what has queued while the batch before it ran and its answers were sent, within a budget of CPU seconds. What ends
soon runs on the event loop; between two batches the loop answers whatever else has arrived. Slower batches run in a thread,
one for a model.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

from starlette.responses import Response

from service.admission import LOOP_SECONDS, Costs
from service.callers import Caller
from service.forecasting.request import ForecastQuery
from service.selector import SelectedModel
from service.thread_pool import ThreadPool

MOST_PASSES = 64
"""Passes of a batch in a thread: as many again save little, and its first request waits for all of them."""


@dataclass(frozen=True, slots=True, eq=False)
class Waiting:
    """A request that waits for its batch.

    Attributes:
        query: The request.
        selected: The version that answers it.
        passes: How many windows the networks compute for it.
        answer: Gets the response, or the error.
        caller: Who sent it.
    """

    query: ForecastQuery
    selected: SelectedModel
    passes: int
    answer: asyncio.Future[Response]
    caller: Caller

    def is_over(self) -> bool:
        """Return whether nobody waits for it any more, or its deadline has passed, which is its answer then."""
        if not self.answer.done() and (fault := self.caller.fault()) is not None:
            self.answer.set_exception(fault)
        return self.answer.done()

    @property
    def key(self) -> tuple[str, str]:
        """Return the name and the version of the model."""
        return self.selected.model.name, self.selected.model.version


Outcome = Response | Exception
Compute = Callable[[Sequence[Waiting]], Sequence[Outcome]]
"""Returns the response to each request of a batch, or its error; called on the event loop or in a thread."""


class Batches:
    """The waiting requests of each model."""

    def __init__(self, compute: Compute, costs: Costs, threads: ThreadPool) -> None:
        """Start with an empty queue.

        Args:
            compute: Answers a batch.
            costs: What a pass of each model takes.
            threads: Where batches run that take longer than LOOP_SECONDS.
        """
        self._compute = compute
        self._costs = costs
        self._threads = threads
        self._queues: dict[Hashable, deque[Waiting]] = {}

    async def run(
        self, query: ForecastQuery, selected: SelectedModel, passes: int, caller: Caller | None = None
    ) -> Response:
        """Return the response to a request, computed with the others that wait; raises its own error only."""
        loop = asyncio.get_running_loop()
        waiting = Waiting(query, selected, passes, loop.create_future(), caller or Caller())
        queue = self._queues.get(waiting.key)
        if queue is None:
            queue = self._queues[waiting.key] = deque()
            loop.call_soon(self._gather, waiting.key, 0)
        queue.append(waiting)
        return await waiting.answer

    def _gather(self, key: Hashable, before: int) -> None:
        """Run the next batch once a round of the event loop has brought no further request, or there are enough.

        In these rounds, which wait for nothing, the loop sends the answers of the batch before and reads what has arrived: one
        batch takes less time than two. The loop sends what is written in a round at its end; a batch in that round would delay it.
        """
        count = len(self._queues[key])
        if before < count < self._most(key):
            asyncio.get_running_loop().call_soon(self._gather, key, count)
        else:
            self._next(key)

    def _next(self, key: Hashable) -> None:
        """Run the next batch of a model, or forget the model if nothing waits."""
        queue = self._queues[key]
        while queue and queue[0].is_over():
            queue.popleft()
        if not queue:
            del self._queues[key]
            return
        if self._costs.expect(key, queue[0].passes) > LOOP_SECONDS:
            batch = _take(queue, MOST_PASSES)
            task = asyncio.ensure_future(self._threads.run(self._compute, batch))
            task.add_done_callback(lambda done: self._end_thread(key, batch, done))
        else:
            batch = _take(queue, self._most(key))
            self._end(key, batch, self._compute(batch))

    def _most(self, key: Hashable) -> int:
        """Return how many passes of a model run on the event loop at once."""
        return self._costs.passes_within(key, LOOP_SECONDS, MOST_PASSES)

    def _end_thread(self, key: Hashable, batch: Sequence[Waiting], done: asyncio.Future[Sequence[Outcome]]) -> None:
        """Give each request its answer, except at a shutdown, which cancels them."""
        if not done.cancelled():
            self._end(key, batch, done.exception() or done.result())

    def _end(self, key: Hashable, batch: Sequence[Waiting], outcomes: Sequence[Outcome] | BaseException) -> None:
        """Give each request its answer, and let the next batch run in the next round of the event loop."""
        found = [outcomes] * len(batch) if isinstance(outcomes, BaseException) else outcomes
        for waiting, outcome in zip(batch, found, strict=True):
            if waiting.answer.done():
                continue
            if isinstance(outcome, BaseException):
                waiting.answer.set_exception(outcome)
            else:
                waiting.answer.set_result(outcome)
        asyncio.get_running_loop().call_soon(self._gather, key, -1)


def _take(queue: deque[Waiting], passes: int) -> list[Waiting]:
    """Return the requests that waited longest, at least one and together of so many passes at most."""
    batch = [queue.popleft()]
    passes -= batch[0].passes
    while queue and queue[0].passes <= passes:
        waiting = queue.popleft()
        if not waiting.is_over():
            passes -= waiting.passes
            batch.append(waiting)
    return batch
