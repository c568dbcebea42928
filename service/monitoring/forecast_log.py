"""ForecastLog: what was served goes to the database behind the answers, in batches; what cannot go there is counted."""

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Concatenate, ParamSpec, TypeVar

from models.errors import AlmanacError
from models.series import Forecast, Series
from service.monitoring.metrics import Metrics
from service.selector import SelectedModel
from service.store.async_database import AsyncDatabase
from service.store.database import Database
from service.store.forecasts import MICROSECONDS, LogEntry, delete_forecasts, write_forecasts

logger = logging.getLogger("almanac")

P = ParamSpec("P")
T = TypeVar("T")

WRITE_SECONDS = 0.5
"""How often the ledger is written."""
BATCH = 500
"""Forecasts in one transaction."""
MOST_NUMBERS = 20_000_000
"""Numbers that waiting forecasts and their histories may hold: 160 MB."""
FORGET_SECONDS = 3_600.0
DAY = 86_400 * MICROSECONDS
CLOSE_SECONDS = 10.0
"""How long a shutdown waits for the database."""

Given = Iterable[tuple[str, Series, Forecast]]
"""Forecasts as an answer gave them out: id, history, forecast."""


class ForecastLog:
    """A bounded queue, and the one task that empties it.

    Args:
        records: The database.
        metrics: Where what is written, waits and is lost is counted.
        limit: Forecasts that may wait.
        days: Age at which forecasts are deleted.
    """

    def __init__(self, records: AsyncDatabase, metrics: Metrics, *, limit: int, days: int) -> None:
        """Nothing waits."""
        self._records = records
        self._metrics = metrics
        self._limit = limit
        self._days = days
        self._waiting: deque[LogEntry] = deque()
        self._held: list[LogEntry] = []
        self._numbers = 0
        self._forgotten = 0.0
        self._door = threading.Lock()
        self._turn = asyncio.Lock()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ledger")
        metrics.ledger_waiting.set_function(lambda: len(self._waiting) + len(self._held))

    def keep(self, choice: SelectedModel, given: Given) -> None:
        """Let forecasts wait to be written; costs a request an append, from any thread."""
        made_at = time.time_ns() // 1_000
        for forecast_id, series, forecast in given:
            entry = LogEntry(forecast_id, made_at, choice, series, forecast)
            with self._door:
                full = len(self._waiting) >= self._limit or self._numbers + entry.numbers > MOST_NUMBERS
                if not full:
                    self._numbers += entry.numbers
                    self._waiting.append(entry)
            if full:
                self._metrics.ledger_lost.labels("full").inc()

    def has(self, forecast_id: str) -> bool:
        """Return whether a forecast waits to be written."""
        with self._door:
            waiting = [*self._held, *self._waiting]
        return any(entry.forecast_id == forecast_id for entry in waiting)

    async def run(self) -> None:
        """Write what waits, again and again, and delete what is too old, until cancelled."""
        while True:
            await asyncio.sleep(WRITE_SECONDS)
            with suppress(AlmanacError):  # what the database says is logged by its own watch; the entries are held
                await self.flush()
                await self._forget()

    async def flush(self) -> None:
        """Return once all that waited when this began is written.

        Raises:
            DatabaseUnreachable: If the database does not answer; what waits goes on waiting.
        """
        async with self._turn:
            left = len(self._waiting) + len(self._held)
            while left > 0:
                if not self._held:
                    self._held = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
                left -= len(self._held)
                await self._write(self._held)

    async def close(self) -> None:
        """Write what waits, for some seconds at most; count and tell what is lost."""
        with suppress(TimeoutError, AlmanacError):
            await asyncio.wait_for(self.flush(), CLOSE_SECONDS)
        lost = len(self._held) + len(self._waiting)
        if lost:
            self._metrics.ledger_lost.labels("closed").inc(lost)
            logger.error("ledger: %d forecasts were not written before the end", lost)
        self._thread.shutdown(wait=False)

    async def _write(self, entries: list[LogEntry]) -> None:
        """Write a batch; where the database refuses it for what it holds, each forecast by itself."""
        try:
            await self._ask(write_forecasts, entries, time.time_ns() // 1_000)
        except AlmanacError:
            raise
        except Exception:
            if len(entries) == 1:
                logger.exception("ledger: the forecast %s cannot be written", entries[0].forecast_id)
                self._metrics.ledger_lost.labels("refused").inc()
                self._settle(entries)
                return
            for entry in entries:
                await self._write([entry])
        else:
            self._metrics.ledger_written.inc(len(entries))
            self._settle(entries)

    def _settle(self, entries: list[LogEntry]) -> None:
        """Hold entries no longer, so that what is written or refused is counted once however the rest fares."""
        settled = {entry.forecast_id for entry in entries}
        with self._door:
            self._numbers -= sum(entry.numbers for entry in entries)
        self._held = [entry for entry in self._held if entry.forecast_id not in settled]

    async def _forget(self) -> None:
        if time.monotonic() - self._forgotten < FORGET_SECONDS and self._forgotten:
            return
        gone = await self._ask(delete_forecasts, time.time_ns() // 1_000 - self._days * DAY)
        self._forgotten = time.monotonic()
        if gone:
            logger.info("ledger: %d forecasts older than %d days are deleted", gone, self._days)

    async def _ask(self, work: Callable[Concatenate[Database, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what `work` returns, given the database, done in the ledger's own thread."""
        self._records.check()
        call = partial(work, self._records.database, *args, **kwargs)
        return await asyncio.get_running_loop().run_in_executor(self._thread, call)
