"""AsyncDatabase: the database as the event loop sees it, opened behind the start and asked in threads of its own."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from typing import Concatenate, ParamSpec, TypeVar

from models.errors import AlmanacError
from service.errors import DatabaseUnreachable, DatabaseUnusable
from service.store.database import Database
from service.thread_pool import ThreadPool

logger = logging.getLogger("almanac")

P = ParamSpec("P")
T = TypeVar("T")

THREADS = 8
FIRST_SECONDS = 4.0
"""A start waits so long for the database, and then goes on without it."""
ASK_SECONDS = 2.0
CLOSE_SECONDS = 5.0
"""How long a look at the database that is under way may hold up the end; its connection is let go only then."""

NOT_OPEN = DatabaseUnreachable("The database is not open yet.", hint="Ask again soon.")


class AsyncDatabase:
    """A database that may be gone: forecasts go on without it, all else is told that it does not answer."""

    def __init__(self, url: str, limit: int) -> None:
        """Open nothing yet; let at most `limit` requests wait for it."""
        self.database = Database(url)
        self.error: AlmanacError | None = NOT_OPEN
        self._opened = False
        self._workers = ThreadPool(limit, threads=THREADS, name="database")
        self._watcher = ThreadPoolExecutor(1, thread_name_prefix="database-watch")
        self._checks: set[Future[None]] = set()

    async def run(self, work: Callable[Concatenate[Database, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what `work` returns, given the database, done in a thread.

        Raises:
            DatabaseUnreachable: If the database is not open, or does not answer.
            DatabaseUnusable: If a newer Almanac made it, or it is damaged.
            QueueFull: If too many wait already.
        """
        self.check()
        try:
            return await self._workers.run(work, self.database, *args, **kwargs)
        except (DatabaseUnreachable, DatabaseUnusable) as error:
            self._note(error)
            raise

    def check(self) -> None:
        """Raise DatabaseUnreachable or DatabaseUnusable if the database has never been open."""
        if not self._opened and self.error is not None:
            raise type(self.error)(self.error.detail, hint=self.error.hint)

    async def open(self) -> None:
        """Migrate, waiting a few seconds for it at most: `watch` tries again."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._try(), FIRST_SECONDS)

    async def watch(self) -> None:
        """Open the database as soon as it answers, and go on noticing whether it does, until cancelled."""
        while True:
            await asyncio.sleep(ASK_SECONDS)
            await self._try()

    def close(self) -> None:
        """Let connections and threads go."""
        self._workers.close()
        self._watcher.shutdown(wait=False, cancel_futures=True)
        wait(self._checks, CLOSE_SECONDS)
        self.database.close()

    async def _try(self) -> None:
        look = self._watcher.submit(self.database.ask if self._opened else self.database.migrate)
        self._checks = {look, *(one for one in self._checks if not one.done())}
        try:
            await asyncio.wrap_future(look)
        except AlmanacError as error:
            self._note(error)
            return
        if self.error is not None and self.error is not NOT_OPEN:
            logger.info("database: it answers again")
        self._opened, self.error = True, None

    def _note(self, error: AlmanacError) -> None:
        """Remember why the database does not answer, until it does again; log it where that is news."""
        if self.error is None or self.error is NOT_OPEN:
            logger.error("database: %s", error)
        self.error = error
