"""Default model: keeps in the database which model answers requests that name none, so that a restart changes nothing."""

import asyncio
import time
from collections.abc import Callable

from models.errors import AlmanacError
from models.names import STARTER
from service.serving.catalog import WATCH_SECONDS, Catalog
from service.store.async_database import AsyncDatabase
from service.store.database import Database, read_state, write_state

NAME = "default model"


async def keep_default(catalog: Catalog, database: AsyncDatabase, leads: Callable[[], bool]) -> None:
    """Read which model was the default, and write it when it changes if this process leads, until cancelled."""
    is_known = False
    while True:
        try:
            if not is_known:
                catalog.remember(await database.run(read_state, NAME))
                is_known = True
            elif leads() and catalog.default not in {None, STARTER, catalog.remembered}:
                await database.run(_write, str(catalog.default))
                catalog.remembered = catalog.default
        except AlmanacError:
            pass  # the database's own check logs it, or too many requests wait for it; the next round tries again
        await asyncio.sleep(WATCH_SECONDS)


def _write(database: Database, name: str) -> None:
    with database.writing() as connection:
        write_state(connection, NAME, name, time.time_ns() // 1_000)
