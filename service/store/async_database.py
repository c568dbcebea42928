"""Records: the database as the event loop sees it, opened behind the start and asked in threads of its own."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from typing import Concatenate, ParamSpec, TypeVar

from models.errors import AlmanacError
from service.errors import DatabaseUnreachable, DatabaseUnusable
from service.store.database import Database
from service.thread_pool import Workers

logger = logging.getLogger("almanac")

P = ParamSpec("P")
T = TypeVar("T")

THREADS = 8
FIRST_SECONDS = 4.0
"""A start waits so long for the database, and then goes on without it."""
ASK_SECONDS = 2.0
CLOSE_SECONDS = 5.0
"""How long a look at the database that is under way may hold up the end; its connection is let go only then."""

NOT_YET = DatabaseUnreachable("The database is not open yet.", hint="Ask again soon.")


class Records:
    """A database that may be gone: forecasts go on without it, all else is told that it does not answer."""

    def __init__(self, url: str, limit: int) -> None:
        """Open nothing yet; let at most `limit` requests wait for it."""
        self.database = Database(url)
        self.why_not: AlmanacError | None = NOT_YET
        self._opened = False
        self._workers = Workers(limit, threads=THREADS, name="database")
        self._watcher = ThreadPoolExecutor(1, thread_name_prefix="database-watch")
        self._looks: set[Future[None]] = set()

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
        if not self._opened and self.why_not is not None:
            raise type(self.why_not)(self.why_not.detail, hint=self.why_not.hint)

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
        wait(self._looks, CLOSE_SECONDS)
        self.database.close()

    async def _try(self) -> None:
        look = self._watcher.submit(self.database.ask if self._opened else self.database.migrate)
        self._looks = {look, *(one for one in self._looks if not one.done())}
        try:
            await asyncio.wrap_future(look)
        except AlmanacError as error:
            self._note(error)
            return
        if self.why_not is not None and self.why_not is not NOT_YET:
            logger.info("database: it answers again")
        self._opened, self.why_not = True, None

    def _note(self, error: AlmanacError) -> None:
        """Remember why the database does not answer, until it does again; log it where that is news."""
        if self.why_not is None or self.why_not is NOT_YET:
            logger.error("database: %s", error)
        self.why_not = error
