"""Canary: a challenger answers a share of the requests; or it forecasts them in the shadow of the champion, to be scored only."""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal, Protocol

from starlette.requests import ClientDisconnect
from starlette.responses import Response

from models.errors import AlmanacError
from models.names import CHAMPION
from service.errors import DeadlinePassed, QueueFull
from service.forecasting.blocks import split
from service.forecasting.canary_check import Outcomes, find_fault
from service.forecasting.predict import predict
from service.forecasting.request import ForecastQuery
from service.forecasting.response import ForecastResult, make_result
from service.selector import SelectedModel
from service.thread_pool import ThreadPool

logger = logging.getLogger("almanac")

SHADOWS = 8
"""Shadow forecasts that may wait or run; further ones are left out, and counted."""
WATCH_SECONDS = 1.0
ERROR_SECONDS = 60.0
"""How often the errors of the forecasts that were scored are compared."""
FAILED = 400
"""Status from which on a response counts as a failure."""

NO_FAULT = (DeadlinePassed, QueueFull, ClientDisconnect)
"""Errors that are no fault of a model."""

Run = Callable[[SelectedModel], Awaitable[Response]]
Outcome = Literal["answered", "failed", "scored", "left out"]
Count = Callable[[Literal["canary", "shadow"], Outcome], None]
RecordShadow = Callable[[ForecastQuery, SelectedModel, ForecastResult], None]
FindErrorFault = Callable[[str, str, str, float], Awaitable[str]]
"""Returns why the scored forecasts of a name's challenger are worse than those of a champion since a time, "" if they are not."""


@dataclass(slots=True)
class Contest:
    """A challenger beside a champion.

    Attributes:
        challenger: Version.
        champion: Version.
        began: Seconds since 1970.
        ours: Outcomes of the challenger's requests.
        theirs: Outcomes of the champion's.
    """

    challenger: str
    champion: str
    began: float = field(default_factory=time.time)
    ours: Outcomes = field(default_factory=Outcomes)
    theirs: Outcomes = field(default_factory=Outcomes)


class Challengers(Protocol):
    """Where challengers are found."""

    def challenger(self, name: str) -> SelectedModel | None:
        """Return the challenger of a model if it is in memory and not the champion."""

    async def load_challenger(self, name: str) -> None:
        """Load the challenger of a model if there is one."""


class Canary:
    """What a challenger does with the requests that name no model: answer them (canary), or only forecast them (shadow)."""

    def __init__(  # noqa: PLR0913 (two shares, and what is done with forecasts)
        self,
        challengers: Challengers,
        *,
        canary: float,
        shadow: float,
        most_numbers: int,
        record: RecordShadow,
        count: Count,
        find_error_fault: FindErrorFault,
    ) -> None:
        """Compare nothing yet; `canary` and `shadow` are shares of the requests, from 0 to 1."""
        self._challengers = challengers
        self._canary = canary
        self._shadow = shadow
        self._most_numbers = most_numbers
        self._record = record
        self._count = count
        self._find_error_fault = find_error_fault
        self._threads = ThreadPool(SHADOWS, threads=1, name="shadow")
        self._names: set[str] = set()
        self._contests: dict[str, Contest] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.taken_back: dict[tuple[str, str], str] = {}

    async def answer(self, query: ForecastQuery, champion: SelectedModel, run: Run) -> Response:
        """Return the response to a request that names no model; a challenger that fails is replaced by the champion."""
        name = champion.model.name
        self._names.add(name)
        challenger = self._challengers.challenger(name) if champion.alias == CHAMPION else None
        if challenger is None:
            return await run(champion)
        contest = self._contest(name, challenger.model.version, champion.model.version)
        key = (name, contest.challenger)
        if key not in self.taken_back and random.random() < self._canary:  # noqa: S311 (no secret)
            response = await self._try(challenger, run, contest.ours)
            self._take_back(key, find_fault(contest.ours, contest.theirs))
            if response is not None:
                return response
        response = await self._measured(champion, run, contest.theirs)
        if query.record and random.random() < self._shadow:  # noqa: S311
            self._begin_shadow(query, challenger)
        return response

    async def watch(self) -> None:
        """Load the challengers of the models that answer, and compare the errors of their forecasts, until cancelled."""
        compared = time.monotonic()
        while True:
            for name in list(self._names):
                await self._challengers.load_challenger(name)
            if time.monotonic() - compared >= ERROR_SECONDS:
                compared = time.monotonic()
                with suppress(AlmanacError):  # the database's watch logs it
                    await self.compare_errors()
            await asyncio.sleep(WATCH_SECONDS)

    async def compare_errors(self) -> None:
        """End a canary whose scored forecasts are significantly worse than the champion's; raises DatabaseUnreachable."""
        if self._canary == 0:
            return
        for name, one in list(self._contests.items()):
            fault = await self._find_error_fault(name, one.challenger, one.champion, one.began)
            self._take_back((name, one.challenger), fault)

    def close(self) -> None:
        """Let the thread end after its current forecast."""
        self._threads.close()

    def _contest(self, name: str, challenger: str, champion: str) -> Contest:
        """Return the contest of two versions; what was found of others is of no use."""
        found = self._contests.get(name)
        if found is None or (found.challenger, found.champion) != (challenger, champion):
            found = self._contests[name] = Contest(challenger, champion)
        return found

    async def _try(self, challenger: SelectedModel, run: Run, ours: Outcomes) -> Response | None:
        """Return the challenger's response, or None if it has failed."""
        try:
            response = await self._measured(challenger, run, ours)
        except NO_FAULT:
            raise
        except Exception as error:
            if not isinstance(error, AlmanacError):
                logger.exception("the challenger failed; the champion answers")
            self._count("canary", "failed")
            return None
        self._count("canary", "answered" if response.status_code < FAILED else "failed")
        return response if response.status_code < FAILED else None

    async def _measured(self, selected: SelectedModel, run: Run, outcomes: Outcomes) -> Response:
        """Return the response; a request that is wrong fails with either model, and so counts as a failure of either."""
        began = time.perf_counter()
        try:
            response = await run(selected)
        except NO_FAULT:
            raise
        except Exception:
            outcomes.failures += 1
            raise
        if response.status_code < FAILED:
            outcomes.add(time.perf_counter() - began)
        else:
            outcomes.failures += 1
        return response

    def _take_back(self, key: tuple[str, str], fault: str) -> None:
        """End the canary of a version if something is wrong with it."""
        if fault and key not in self.taken_back:
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
