"""Trial: a challenger answers some requests (canary), or forecasts what the champion answers, to be scored only (shadow)."""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable
from typing import Literal, Protocol

from starlette.requests import ClientDisconnect
from starlette.responses import Response

from models.errors import AlmanacError
from models.names import CHAMPION
from service.errors import DeadlinePassed, QueueFull
from service.forecasting.blocks import split
from service.forecasting.comparison import Outcomes, find_fault
from service.forecasting.predict import predict
from service.forecasting.request import ForecastQuery
from service.forecasting.response import ForecastResult, make_result
from service.selector import SelectedModel
from service.thread_pool import ThreadPool

logger = logging.getLogger("almanac")

SHADOWS = 8
"""Forecasts in the shadow that may wait or run; further ones are left out, and counted."""
WATCH_SECONDS = 1.0
FAILED = 400
"""Status from which on a response counts as a failure."""

Run = Callable[[SelectedModel], Awaitable[Response]]
Outcome = Literal["answered", "failed", "scored", "left out"]
Count = Callable[[Literal["canary", "shadow"], Outcome], None]
RecordShadow = Callable[[ForecastQuery, SelectedModel, ForecastResult], None]


class Challengers(Protocol):
    """Where challengers are found."""

    def challenger(self, name: str) -> SelectedModel | None:
        """Return the challenger of a model if it is in memory and not the champion."""

    async def load_challenger(self, name: str) -> None:
        """Load the challenger of a model if there is one."""


class Trial:
    """The challenger's part of the requests that name no model."""

    def __init__(  # noqa: PLR0913 (two shares, and what is done with forecasts)
        self,
        challengers: Challengers,
        *,
        canary: float,
        shadow: float,
        most_numbers: int,
        record: RecordShadow,
        count: Count,
    ) -> None:
        """Compare nothing yet; `canary` and `shadow` are shares of the requests, from 0 to 1."""
        self._challengers = challengers
        self._canary = canary
        self._shadow = shadow
        self._most_numbers = most_numbers
        self._record = record
        self._count = count
        self._threads = ThreadPool(SHADOWS, threads=1, name="shadow")
        self._names: set[str] = set()
        self._outcomes: dict[tuple[str, str], tuple[Outcomes, Outcomes]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.taken_back: dict[tuple[str, str], str] = {}

    async def answer(self, query: ForecastQuery, champion: SelectedModel, run: Run) -> Response:
        """Return the response to a request that names no model; a challenger that fails is replaced by the champion."""
        name = champion.model.name
        self._names.add(name)
        challenger = self._challengers.challenger(name) if champion.alias == CHAMPION else None
        if challenger is None:
            return await run(champion)
        key = (name, challenger.model.version)
        if key not in self._outcomes:
            self._outcomes = {key: (Outcomes(), Outcomes())}  # those of former challengers are of no use
        ours, theirs = self._outcomes[key]
        if key not in self.taken_back and random.random() < self._canary:  # noqa: S311 (no secret)
            response = await self._try(challenger, run, ours)
            self._judge(key, ours, theirs)
            if response is not None:
                return response
        response = await self._measured(champion, run, theirs)
        if random.random() < self._shadow:  # noqa: S311
            self._begin_shadow(query, challenger)
        return response

    async def watch(self) -> None:
        """Load the challengers of the models that answer, until cancelled."""
        while True:
            for name in list(self._names):
                await self._challengers.load_challenger(name)
            await asyncio.sleep(WATCH_SECONDS)

    def close(self) -> None:
        """Let the thread end after its current forecast."""
        self._threads.close()

    async def _try(self, challenger: SelectedModel, run: Run, ours: Outcomes) -> Response | None:
        """Return the challenger's response, or None if it has failed."""
        try:
            response = await self._measured(challenger, run, ours)
        except (DeadlinePassed, QueueFull, ClientDisconnect):
            raise  # no fault of the model
        except Exception as error:
            if not isinstance(error, AlmanacError):
                logger.exception("the challenger failed; the champion answers")
            ours.failures += 1
            self._count("canary", "failed")
            return None
        self._count("canary", "answered" if response.status_code < FAILED else "failed")
        return response if response.status_code < FAILED else None

    async def _measured(self, selected: SelectedModel, run: Run, outcomes: Outcomes) -> Response:
        began = time.perf_counter()
        response = await run(selected)
        if response.status_code < FAILED:
            outcomes.add(time.perf_counter() - began)
        else:
            outcomes.failures += 1
        return response

    def _judge(self, key: tuple[str, str], ours: Outcomes, theirs: Outcomes) -> None:
        """End the canary if the challenger is significantly worse."""
        if (fault := find_fault(ours, theirs)) and key not in self.taken_back:
            self.taken_back[key] = fault
            logger.error("canary: %s/%s answers no more requests: %s", *key, fault)

    def _begin_shadow(self, query: ForecastQuery, challenger: SelectedModel) -> None:
        if len(self._tasks) >= SHADOWS:
            self._count("shadow", "left out")
            return
        task = asyncio.create_task(self._run_shadow(query, challenger))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run_shadow(self, query: ForecastQuery, challenger: SelectedModel) -> None:
        """Forecast with the challenger in a thread of its own, and store the forecasts to be scored."""
        try:
            await self._threads.run(self._forecast, query, challenger)
        except Exception as error:
            if not isinstance(error, AlmanacError):
                logger.exception("a forecast in the shadow failed")
            self._count("shadow", "failed")
        else:
            self._count("shadow", "scored")

    def _forecast(self, query: ForecastQuery, challenger: SelectedModel) -> None:
        for block in split(query):
            self._record(block, challenger, make_result(challenger, *predict(block, challenger, self._most_numbers)))
