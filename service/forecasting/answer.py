"""Answer: the use case of POST /forecast and GET /series/{id}/forecast, from a request to its response."""

import asyncio
import os
import random
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from threading import Lock
from typing import ParamSpec, TypeVar

from starlette.responses import Response

from models.calendar.zoned_grid import Frequency
from models.errors import AlmanacError
from service.admission import BYTE_SECONDS, LOOP_SECONDS, Costs, CpuClock, Lane, Turns, parse_seconds
from service.callers import Caller, Clients
from service.errors import QueueFull
from service.forecasting.batches import Batches, Outcome, Waiting
from service.forecasting.blocks import map_blocks
from service.forecasting.canary import Canary, Run
from service.forecasting.entries import parse_series
from service.forecasting.predict import (
    Prediction,
    check_parts,
    check_size,
    count_passes,
    is_large,
    predict,
    predict_many,
)
from service.forecasting.request import ForecastQuery, parse_envelope, parse_typed, parse_untyped
from service.forecasting.response import ForecastResult, join_response, make_result, to_response, write_part
from service.forecasting.routing import Family, answer_family
from service.selector import SelectedModel
from service.settings import Settings
from service.thread_pool import ThreadPool

LOOP_BODY_BYTES = 49_152
"""Decoding this much JSON takes about a millisecond, and four on a slow machine with the series that it makes."""
LOOP_NAMES = 1_000
"""So many names, each of which can be unknown, are checked in a millisecond."""
LARGE_SECONDS = 0.006
"""Requests whose series take longer to parse are large."""
COUNTED_BYTES = int(LARGE_SECONDS / BYTE_SECONDS)
"""A longer body is large whatever is in it: counting what is in megabytes takes milliseconds."""
DATED = b'"timestamps"'
"""Occurs in a body once for each series that has them."""
NOTICED_BYTES = 4_096
"""A larger body is parsed one round of the event loop later: by then it is known whether its client has hung up meanwhile. A
wrong one is checked field by field in a thread: one name of 60,000 characters takes as long as a hundred forecasts."""
LARGE_WAIT = 10
"""How much longer a large request may wait."""
MOST_SMALL = 1024
REFUSAL_SECONDS = 1.0
REFUSAL_PAUSES = 4
"""After each of them it is checked whether the client is still there."""

P = ParamSpec("P")
T = TypeVar("T")
SelectModel = Callable[[str | None, Callable[[], Iterable[Frequency]]], Awaitable[SelectedModel]]
FindFamily = Callable[[str | None, Sequence[str]], Family | None]
RecordResult = Callable[[ForecastQuery, SelectedModel, ForecastResult], None]


@dataclass(frozen=True, slots=True)
class ForecastHandler:
    """Answers forecast requests; long work runs in threads, so that it does not delay others.

    Attributes:
        settings: Contains the limits of a request.
        small: Admits requests of some milliseconds.
        large: Admits larger ones, which small ones do not wait for.
        select_model: Returns the model for a request's `model` and the frequencies of its series.
        record: Is called with each result.
        observe_wait: Is called with the seconds from the body of each request to its run of the networks.
        canary: Lets a challenger take part, or None.
        find_family: Returns the family of models that a request means, by its `model` and segments; None for one model.
        clients: Who has requests in progress.
    """

    settings: Settings
    small: Lane
    large: Lane
    select_model: SelectModel
    record: RecordResult
    observe_wait: Callable[[float], None] = lambda _seconds: None
    canary: Canary | None = None
    find_family: FindFamily = lambda _model, _segments: None
    clients: Clients = field(default_factory=Clients)
    _turns: Turns = field(default_factory=Turns)
    _costs: Costs = field(default_factory=Costs)
    _clock: CpuClock = field(default_factory=CpuClock)
    _beginning: Lock = field(default_factory=Lock)
    _batches: Batches = field(init=False)

    def __post_init__(self) -> None:
        """Let no request wait yet."""
        object.__setattr__(self, "_batches", Batches(self._compute_batch, self._costs, self.small.threads))

    async def admit(self, announced: int, caller: Caller) -> None:
        """Return if a request with a body of so many bytes may wait for its turn; 0 bytes if unknown.

        Raises:
            QueueFull: If it would wait for too long; after about REFUSAL_SECONDS, so that clients that try again at once do
                not take the time of the others.
        """
        try:
            lane = self._lane(0, announced)
            waiting = self._turns.waiting if lane is self.small else 0
            lane.check(waiting, self.clients.share(caller.client), self._turns.expected)
        except QueueFull:
            pause = REFUSAL_SECONDS * random.uniform(0.5, 1.5) / REFUSAL_PAUSES  # noqa: S311 (so that they do not return together)
            for _ in range(REFUSAL_PAUSES):
                if caller.fault() is not None:
                    break  # nobody waits
                await asyncio.sleep(pause)
            raise

    async def take_turn(self, caller: Caller) -> int:
        """Return the round of the event loop in which a request can begin; raise ClientDisconnect if its client is gone."""
        found = await self._turns.take()
        caller.check()
        return found

    async def answer_body(self, body: bytes, caller: Caller | None = None, admitted: int | None = None) -> Response:
        """Return the response to a body of POST /forecast; raises an AlmanacError if the whole request is wrong.

        Args:
            body: The body.
            caller: Who sent it; from now on its deadline counts.
            admitted: What `take_turn` returned; if that round has ended, because the body came later, the request waits again.
        """
        is_long = len(body) > COUNTED_BYTES
        dated = 0 if is_long else body.count(DATED)
        lane = self.large if is_long else self._lane(body.count(b"{"), len(body), dated)
        caller = caller or Caller()
        caller.start(self.settings.deadline_seconds)
        with lane.enter(self.clients.share(caller.client, counted=1)):
            if len(body) > NOTICED_BYTES:
                await asyncio.sleep(0)
                caller.check()
            if lane is self.large or _is_long(body):
                query, entries = await lane.threads.run(begin, caller, parse_envelope, body, self.settings)
            else:
                if not self._turns.is_current(admitted):
                    await self._turns.take()
                    caller.check()
                started = self._clock.start()
                parsed = parse_typed(body, self.settings)
                if parsed is None and len(body) <= NOTICED_BYTES:
                    parsed = parse_untyped(body, self.settings)
                if parsed is not None and parse_seconds(len(parsed[1]), len(body), dated) <= LOOP_SECONDS:
                    parsed = parse_series(*parsed, self.settings), []
                if started is not None:
                    self._turns.learn(time.thread_time() - started)
                if parsed is None:
                    parsed = await lane.threads.run(begin, caller, parse_untyped, body, self.settings)
                query, entries = parsed
            if entries:
                query = await lane.threads.run(begin, caller, parse_series, query, entries, self.settings)
            try:
                return await self._answer(query, lane, caller)
            finally:
                if lane is self.large:
                    lane.threads.discard(query.series, query.faults)

    async def answer(self, query: ForecastQuery, caller: Caller) -> Response:
        """Return the response to a query of a caller whose time has started; raises an AlmanacError if the model cannot answer it."""
        with self.clients.enter(caller.client), self.small.enter(self.clients.share(caller.client, counted=1)):
            await self._turns.take()
            return await self._answer(query, self.small, caller)

    def close(self) -> None:
        """Let the threads end after their current work."""
        self.small.threads.close()
        self.large.threads.close()
        if self.canary is not None:
            self.canary.close()

    def _lane(self, series: int, size: int, dated: int = 0) -> Lane:
        return self.large if parse_seconds(series, size, dated) > LARGE_SECONDS else self.small

    async def _answer(self, query: ForecastQuery, lane: Lane, caller: Caller) -> Response:
        caller.parsed, caller.series = time.monotonic(), len(query.series)
        family = self.find_family(query.model, [*query.segments.values()])
        if family is None:
            response = await self.respond(query, partial(self._answer_with, query, lane, caller))
        else:
            response = await answer_family(self, query, family, lane.threads, caller)
        caller.ended = time.monotonic()
        return response

    async def respond(self, query: ForecastQuery, run: Run) -> Response:
        """Return what `run` returns for the model of a query; a challenger may take part in one that names none."""
        return await self.share(query, await self.select_model(query.model, query.frequencies), run)

    async def share(self, query: ForecastQuery, selected: SelectedModel, run: Run) -> Response:
        """Return what `run` returns for a selected model, or for its challenger if the query names no model."""
        if self.canary is None or query.model is not None:
            return await run(selected)
        return await self.canary.answer(query, selected, run)

    async def _answer_with(self, query: ForecastQuery, lane: Lane, caller: Caller, selected: SelectedModel) -> Response:
        caller.model = model_key(selected)
        check_size(query, selected, self.settings.max_numbers)
        passes = count_passes(query, selected)
        if is_large(query, passes):
            parts = await self.forecast_large(query, selected, lane.threads, write_part, caller)
            return await lane.threads.run(join_response, parts)
        return await self._batches.run(query, selected, passes, caller)

    async def forecast_model(
        self, query: ForecastQuery, model: str, threads: ThreadPool, caller: Caller
    ) -> list[ForecastResult]:
        """Return the results of a query to the champion of a model; raises as `forecast_large` and `select_model`."""
        selected = await self.select_model(model, query.frequencies)
        caller.model = model_key(selected)
        check_size(query, selected, self.settings.max_numbers)
        return await self.forecast_large(query, selected, threads, lambda result: result, caller)

    async def forecast_large(
        self,
        query: ForecastQuery,
        selected: SelectedModel,
        threads: ThreadPool,
        write: Callable[[ForecastResult], T],
        caller: Caller | None = None,
    ) -> list[T]:
        """Return what `write` makes of the results of a query, block by block; records them.

        Raises:
            HorizonInvalid, LevelInvalid: If the model supports no forecast of these steps or levels.
            BatchTooLarge: If the forecasts take too many numbers, those of closed hours included.
            DeadlinePassed: If it is too late for the first block, or much too late for the next.
            ClientDisconnect: If nobody waits for the next block.
        """
        caller = caller or Caller()
        await threads.run(begin, caller, check_parts, query, selected, self.settings.max_numbers)
        return await map_blocks(threads, lambda block: self._forecast_block(selected, write, block, caller), query)

    def begin_run(self, caller: Caller) -> None:
        """Note that the networks run for a request from now on, if they did not; called in the thread, raises as `Caller.check`."""
        with self._beginning:
            caller.check()
            if not caller.began:
                caller.began = time.monotonic()
                self.observe_wait(caller.began - caller.arrived)

    def forecast_block(self, query: ForecastQuery, selected: SelectedModel) -> ForecastResult:
        """Return the result of a query, computed and recorded in this thread; raises as `forecast_large`."""
        started = time.thread_time()
        result = make_result(selected, *predict(query, selected, self.settings.max_numbers))
        if query.series:
            self._costs.learn(model_key(selected), count_passes(query, selected), time.thread_time() - started)
        self.record(query, selected, result)
        return result

    def _forecast_block(
        self, selected: SelectedModel, write: Callable[[ForecastResult], T], query: ForecastQuery, caller: Caller
    ) -> T:
        self.begin_run(caller)
        written = write(self.forecast_block(query, selected))
        with self._beginning:
            caller.done += len(query.series)
        return written

    def _compute_batch(self, batch: Sequence[Waiting]) -> list[Outcome]:
        """Return the responses to requests to one model, or their errors; if one breaks the batch, each runs alone."""
        started, now = self._clock.start(always=not self._costs.knows(batch[0].key)), time.monotonic()
        for one in batch:
            one.caller.began = now
            self.observe_wait(now - one.caller.arrived)
        try:
            found = predict_many([(one.query, one.selected) for one in batch], self.settings.max_numbers)
        except Exception as error:  # noqa: BLE001 (each request gets its own)
            if len(batch) == 1:
                return [error]
            return [outcome for one in batch for outcome in self._compute_batch([one])]
        outcomes = [self._outcome(waiting, one) for waiting, one in zip(batch, found, strict=True)]
        if started is not None:
            self._costs.learn(batch[0].key, sum(one.passes for one in batch), time.thread_time() - started)
        return outcomes

    def _outcome(self, waiting: Waiting, found: Prediction | AlmanacError) -> Outcome:
        if isinstance(found, AlmanacError):
            return found
        try:
            return self._respond(waiting.query, waiting.selected, found)
        except Exception as error:  # noqa: BLE001 (the others have their answers, and are recorded)
            return error

    def _respond(self, query: ForecastQuery, selected: SelectedModel, found: Prediction) -> Response:
        result = make_result(selected, *found)
        self.record(query, selected, result)
        return to_response(result)


def _is_long(body: bytes) -> bool:
    """Return whether it takes milliseconds to decode a body, right or wrong."""
    return len(body) > LOOP_BODY_BYTES or (len(body) > NOTICED_BYTES and body.count(b'":') > LOOP_NAMES)


def begin(caller: Caller, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Return the result of `work`, called in a thread, unless the request has passed its deadline or its client is gone."""
    caller.check()
    return work(*args, **kwargs)


def make_lanes(settings: Settings) -> tuple[Lane, Lane]:
    """Return the lanes of small and of large requests."""
    small = ThreadPool(2 * MOST_SMALL, threads=1, name="small")
    threads = max(1, (os.cpu_count() or 1) // settings.workers)
    large = ThreadPool(2 * settings.max_queue + threads, threads=threads, name="large")  # the lane refuses before
    return (
        Lane(small, MOST_SMALL, settings.max_wait_seconds),
        Lane(large, settings.max_queue, LARGE_WAIT * settings.max_wait_seconds),
    )


def model_key(selected: SelectedModel) -> tuple[str, str]:
    """Return name and version of a model."""
    return selected.model.name, selected.model.version
