"""Async database: runs database work in threads, opens the database in the background and watches that it answers."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import partial
from typing import Concatenate, ParamSpec, TypeVar

from models.errors import AlmanacError
from service.errors import DatabaseUnreachable, DatabaseUnusable
from service.store.database import Database
from service.thread_pool import ThreadPool

logger = logging.getLogger("almanac")

P = ParamSpec("P")
T = TypeVar("T")

THREADS = 8
OPEN_SECONDS = 4.0
"""The start of the service waits at most this long for the database, then goes on without it."""
FIRST_SECONDS = 30.0
"""A request for the database waits at most this long while it is being opened for the first time: migrations take long on a
busy machine. If the database does not answer, that is known sooner."""
CHECK_SECONDS = 2.0
CLOSE_SECONDS = 5.0
"""Closing waits at most this long for a running check, so that its connection is released first."""

NOT_OPEN = DatabaseUnreachable("The database is not open yet.", hint="Ask again soon.")


class AsyncDatabase:
    """A database that may be down: forecasts are served without it, other work raises DatabaseUnreachable."""

    def __init__(self, url: str, limit: int) -> None:
        """Open nothing yet; let at most `limit` requests wait for the database."""
        self.sync_database = Database(url)
        self.error: AlmanacError | None = NOT_OPEN
        self._opened = False
        self._workers = ThreadPool(limit, threads=THREADS, name="database")
        self._watcher = ThreadPoolExecutor(1, thread_name_prefix="database-watch")
        self._checks: set[Future[None]] = set()
        self._opening: asyncio.Task[None] | None = None

    async def run(self, work: Callable[Concatenate[Database, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call `work` with the database in a thread, and return its result.

        Raises:
            DatabaseUnreachable: If the database is not open, or does not answer.
            DatabaseUnusable: If a newer Almanac made it, or it is damaged.
            QueueFull: If too many requests wait already.
        """
        if self.error is NOT_OPEN and self._opening is not None:
            await asyncio.wait({self._opening}, timeout=FIRST_SECONDS)
        self.check()
        try:
            return await self._workers.run(work, self.sync_database, *args, **kwargs)
        except (DatabaseUnreachable, DatabaseUnusable) as error:
            self.set_error(error)
            raise

    def check(self) -> None:
        """Raise DatabaseUnreachable or DatabaseUnusable if the database has never been open."""
        if not self._opened and self.error is not None:
            raise type(self.error)(self.error.detail, hint=self.error.hint)

    async def open(self) -> None:
        """Migrate the database; after OPEN_SECONDS go on, while it is still being opened."""
        self._opening = opening = asyncio.create_task(self._check())
        await asyncio.wait({opening}, timeout=OPEN_SECONDS)
        if opening.done():
            opening.result()

    async def watch(self) -> None:
        """Open the database once it answers, and check it every CHECK_SECONDS, until cancelled."""
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            await self._check()

    def close(self) -> None:
        """Release connections and threads."""
        self._workers.close()
        self._watcher.shutdown(wait=False, cancel_futures=True)
        wait(self._checks, CLOSE_SECONDS)
        self.sync_database.close()

    async def _check(self) -> None:
        before = self.error
        ping = partial(self.sync_database.ping, writes=before is not None)
        check = self._watcher.submit(ping if self._opened else self.sync_database.migrate)
        self._checks = {check, *(one for one in self._checks if not one.done())}
        try:
            await asyncio.wrap_future(check)
        except AlmanacError as error:
            self.set_error(error)
            return
        self._opened = True
        if self.error is not before:  # a write failed meanwhile
            return
        if before is not None and before is not NOT_OPEN:
            logger.info("database: it answers again")
        self.error = None

    def set_error(self, error: AlmanacError) -> None:
        """Keep the error until a check writes without one; log the first."""
        if self.error is None or self.error is NOT_OPEN:
            logger.error("database: %s", error)
        self.error = error
