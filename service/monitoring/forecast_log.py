"""Forecast log: served forecasts wait in a bounded queue and are written in batches by a background task."""

import asyncio
import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from typing import Concatenate, ParamSpec, TypeVar

from models.errors import AlmanacError
from models.forecast import Forecast
from models.series import Series
from service.errors import DatabaseUnreachable, DatabaseUnusable
from service.monitoring.forecast_writer import ForecastWriter
from service.monitoring.metrics import Metrics
from service.monitoring.retention import Retention
from service.selector import SelectedModel
from service.store.async_database import AsyncDatabase
from service.store.database import Database
from service.store.log_entry import ServedForecast

logger = logging.getLogger("almanac")

P = ParamSpec("P")
T = TypeVar("T")

WRITE_SECONDS = 0.5
"""How often the queue is written."""
BATCH = 2_000
"""Forecasts in one transaction."""
ROOM_SECONDS, ROOM_CHECK_SECONDS = 0.25, 0.01
"""How long a thread of large requests waits at most for room in the queue, and how often it looks."""
WARN_SECONDS = 60.0
"""How often the log says that forecasts are lost."""
MAX_NUMBERS = 20_000_000
"""Numbers in the waiting forecasts and their histories: 160 MB."""
CLOSE_SECONDS = 10.0
"""How long a shutdown waits for the database."""

ServedForecasts = Iterable[tuple[str, Series, Forecast]]
"""Forecasts of one response: id, history, forecast."""


class ForecastLog:
    """A bounded queue, and the task that writes it.

    Args:
        database: The database.
        metrics: Counts what is written, waits and is lost.
        limit: Most forecasts that may wait.
        retention: Deletes old ones.
    """

    def __init__(self, database: AsyncDatabase, metrics: Metrics, *, limit: int, retention: Retention) -> None:
        """Start with an empty queue."""
        self._database = database
        self._metrics = metrics
        self._limit = limit
        self._retention = retention
        self._waiting: deque[ServedForecast] = deque()
        self._batch: list[ServedForecast] = []
        self._numbers = 0
        self._left_out = Counter[str | None]()
        self._warn_next = 0.0
        self._lock = threading.Lock()
        self._flushing = asyncio.Lock()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="forecast-log")
        self._writer = ForecastWriter()

    def append(self, selected: SelectedModel, forecasts: ServedForecasts, *, from_store: bool = False) -> None:
        """Add forecasts to the queue, from any thread; count those that do not fit as lost.

        Args:
            selected: The version that made them.
            forecasts: The forecasts.
            from_store: Whether they were made from stored observations.
        """
        made_at, was_empty = time.time_ns() // 1_000, not self._waiting
        for forecast_id, series, forecast in forecasts:
            if series.id in self._left_out:
                self._metrics.forecasts_lost.labels("erased").inc()
                continue
            entry = ServedForecast(forecast_id, made_at, selected, series, forecast, from_store)
            size = entry.size
            with self._lock:
                full = len(self._waiting) >= self._limit or self._numbers + size > MAX_NUMBERS
                if not full:
                    self._numbers += size
                    self._waiting.append(entry)
            if full:
                self._metrics.forecasts_lost.labels("full").inc()
                self._show_waiting()
                self._warn()
        if was_empty:  # else `run` shows it soon: a gauge takes as long as all else here
            self._show_waiting()

    @contextmanager
    def without(self, ids: Iterable[str]) -> Iterator[None]:
        """Leave out forecasts of some series, which are being erased, until the block ends; they count as lost."""
        names = Counter[str | None](list(ids))
        self._left_out += names
        try:
            yield
        finally:
            self._left_out -= names

    def wait_for_room(self) -> None:
        """Wait for some time while the queue is half full: large requests are faster than a database.

        On the event loop, and while the database does not answer, nothing waits.
        """
        if len(self._waiting) <= self._limit // 2:
            return
        with suppress(RuntimeError):
            asyncio.get_running_loop()
            return
        deadline = time.monotonic() + ROOM_SECONDS
        while len(self._waiting) > self._limit // 2 and self._database.error is None and time.monotonic() < deadline:
            time.sleep(ROOM_CHECK_SECONDS)

    def _warn(self) -> None:
        """Say that forecasts are lost, now and then."""
        if time.monotonic() >= self._warn_next:
            self._warn_next = time.monotonic() + WARN_SECONDS
            logger.warning(
                "forecast log: more forecasts are served than the database takes; %d wait (ALMANAC_MAX_LEDGER), and further "
                "ones are not stored. almanac_ledger_lost_total counts them.",
                len(self._waiting),
            )

    def is_waiting(self, forecast_id: str) -> bool:
        """Return whether a forecast waits to be written."""
        with self._lock:
            waiting = [*self._batch, *self._waiting]
        return any(entry.forecast_id == forecast_id for entry in waiting)

    async def run(self) -> None:
        """Write the queue and delete old forecasts, again and again, until cancelled."""
        while True:
            await asyncio.sleep(WRITE_SECONDS)
            self._show_waiting()
            with suppress(AlmanacError):  # the database's watch logs it; the entries go on waiting
                await self.flush()
                await self._retention.delete_old(self._run)
            self._thread.submit(self._writer.end_if_idle)

    async def flush(self) -> None:
        """Write all that waits when this is called.

        Raises:
            DatabaseUnreachable: If the database does not answer; the entries go on waiting.
        """
        async with self._flushing:
            left = len(self._waiting) + len(self._batch)
            while left > 0:
                if not self._batch:
                    self._batch = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
                left -= len(self._batch)
                await self._write(self._batch)

    async def close(self) -> None:
        """Write what waits, for CLOSE_SECONDS at most; count and log what is lost."""
        with suppress(TimeoutError, AlmanacError):
            async with asyncio.timeout(CLOSE_SECONDS):
                await self.flush()
        lost = len(self._batch) + len(self._waiting)
        if lost:
            self._metrics.forecasts_lost.labels("closed").inc(lost)
            logger.error("forecast log: %d forecasts were not written before the shutdown", lost)
        self._thread.submit(self._writer.close)
        self._thread.shutdown(wait=False)

    async def _write(self, entries: list[ServedForecast]) -> None:
        """Write a batch; if that fails for another reason than the database, write each forecast alone."""
        try:
            erased = await self._run(self._writer.write, entries, time.time_ns() // 1_000)
        except AlmanacError:
            raise
        except Exception:
            if len(entries) == 1:
                logger.exception("forecast log: the forecast %s cannot be written", entries[0].forecast_id)
                self._metrics.forecasts_lost.labels("refused").inc()
                self._remove(entries)
                return
            for entry in entries:
                await self._write([entry])
        else:
            self._metrics.forecasts_written.inc(len(entries) - erased)
            self._metrics.forecasts_lost.labels("erased").inc(erased)
            self._remove(entries)

    def _remove(self, entries: list[ServedForecast]) -> None:
        """Take entries out of the batch, so that each is counted once whatever happens to the others."""
        if entries is self._batch:
            self._batch = []
        else:
            removed = {entry.forecast_id for entry in entries}
            self._batch = [entry for entry in self._batch if entry.forecast_id not in removed]
        self._show_waiting()
        self._thread.submit(self._release, entries)

    def _show_waiting(self) -> None:
        self._metrics.forecasts_waiting.set(len(self._waiting) + len(self._batch))

    async def _run(self, work: Callable[Concatenate[Database, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call `work` with the database in the log's own thread, and return its result."""
        self._database.check()
        call = partial(work, self._database.sync_database, *args, **kwargs)
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, call)
        except (DatabaseUnreachable, DatabaseUnusable) as error:
            self._database.set_error(error)
            raise

    def _release(self, entries: list[ServedForecast]) -> None:
        """Free entries one by one, in a thread: freeing 2,000 of them at once would keep the event loop for milliseconds."""
        while entries:
            size = entries.pop().size
            with self._lock:
                self._numbers -= size
