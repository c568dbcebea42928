"""Forecast log: served forecasts wait in a bounded queue and are written in batches by a background task."""

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
from models.forecast import Forecast
from models.series import Series
from service.errors import DatabaseUnreachable, DatabaseUnusable
from service.monitoring.forecast_writer import ForecastWriter
from service.monitoring.metrics import Metrics
from service.selector import SelectedModel
from service.store.async_database import AsyncDatabase
from service.store.database import Database
from service.store.erasure_marks import delete_marks
from service.store.forecasts import delete_forecasts
from service.store.log_entry import MICROSECONDS, ServedForecast

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
DELETE_SECONDS = 3_600.0
"""How often old forecasts are deleted."""
BOUNDED_SECONDS = 86_400.0
"""When the next are deleted after a deletion that did not delete all."""
DELETED_SHARE = 0.1
"""Largest share of the forecasts that is deleted at once."""
DAY = 86_400 * MICROSECONDS
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
        days: Age at which forecasts are deleted.
        delete_all: Whether all of these are deleted at once; otherwise DELETED_SHARE of the forecasts a day at most.
        leads: Returns whether this process deletes them; one of several does.
    """

    def __init__(  # noqa: PLR0913 (its settings, by name)
        self,
        database: AsyncDatabase,
        metrics: Metrics,
        *,
        limit: int,
        days: int,
        delete_all: bool = False,
        leads: Callable[[], bool] = lambda: True,
    ) -> None:
        """Start with an empty queue."""
        self._database = database
        self._metrics = metrics
        self._limit = limit
        self._days = days
        self._leads = leads
        self._waiting: deque[ServedForecast] = deque()
        self._batch: list[ServedForecast] = []
        self._numbers = 0
        self._share = 1.0 if delete_all else DELETED_SHARE
        self._delete_next = 0.0
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
        made_at = time.time_ns() // 1_000
        for forecast_id, series, forecast in forecasts:
            entry = ServedForecast(forecast_id, made_at, selected, series, forecast, from_store)
            with self._lock:
                full = len(self._waiting) >= self._limit or self._numbers + entry.size > MAX_NUMBERS
                if not full:
                    self._numbers += entry.size
                    self._waiting.append(entry)
            if full:
                self._metrics.forecasts_lost.labels("full").inc()
                self._warn()
        self._show_waiting()

    def wait_for_room(self) -> None:
        """Wait for some time while the queue is half full: large requests are faster than a database.

        On the event loop, and while the database does not answer, nothing waits.
        """
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
            with suppress(AlmanacError):  # the database's watch logs it; the entries go on waiting
                await self.flush()
                await self._delete_old()
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
        removed = {entry.forecast_id for entry in entries}
        with self._lock:
            self._numbers -= sum(entry.size for entry in entries)
        self._batch = [entry for entry in self._batch if entry.forecast_id not in removed]
        self._show_waiting()

    def _show_waiting(self) -> None:
        self._metrics.forecasts_waiting.set(len(self._waiting) + len(self._batch))

    async def _delete_old(self) -> None:
        """Delete forecasts that are old, once an hour; if these are many, no more than a part, and no more for a day.

        By a wrong clock all forecasts may look old.
        """
        if time.monotonic() < self._delete_next or not self._leads():
            return
        now = time.time_ns() // 1_000
        before = now - self._days * DAY
        await self._run(delete_marks, before)
        done = await self._run(delete_forecasts, before, self._share, now if self._share < 1 else None)
        left = done.old - done.deleted
        self._delete_next = time.monotonic() + (BOUNDED_SECONDS if left else DELETE_SECONDS)
        if done.deleted:
            logger.info("forecast log: deleted %d forecasts older than %d days", done.deleted, self._days)
        if left:
            logger.warning(
                "forecast log: %d of %d forecasts are older than %d days by this machine's clock. At most %.0f %% a day are "
                "deleted. If the clock is right, ALMANAC_RETENTION_ALL=on deletes the other %d at once.",
                *(done.old, done.total, self._days, 100 * self._share, left),
            )

    async def _run(self, work: Callable[Concatenate[Database, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call `work` with the database in the log's own thread, and return its result."""
        self._database.check()
        call = partial(work, self._database.sync_database, *args, **kwargs)
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, call)
        except (DatabaseUnreachable, DatabaseUnusable) as error:
            self._database.set_error(error)
            raise
