"""Input check: finds out which of the newest inputs the stored observations confirm, in the background."""

import asyncio
import logging
import time
from collections.abc import Callable, Collection

from models.errors import AlmanacError
from service.monitoring.drift import RecentInputs
from service.monitoring.recent_input import FIRST_CHECK_SECONDS
from service.selector import LoadedModel
from service.store.async_database import AsyncDatabase
from service.store.database import Database
from service.store.scoring.counting import confirm_inputs

logger = logging.getLogger("almanac")

LIMIT = 100
"""Inputs that are compared with observations in one round: some hundredths of a second of work."""


async def check_inputs(
    inputs: RecentInputs, database: AsyncDatabase, champions: Callable[[], Collection[LoadedModel]]
) -> None:
    """Check the inputs of the champions in a thread every FIRST_CHECK_SECONDS, until cancelled."""
    while True:
        await asyncio.sleep(FIRST_CHECK_SECONDS)
        try:
            await database.run(check_once, inputs, list(champions()), time.time())
        except AlmanacError:
            pass  # the database's own check logs it, or too many requests wait for it; the next round tries again
        except Exception:
            logger.exception("input drift: inputs are not compared with the observations; it is tried again")


def check_once(database: Database, inputs: RecentInputs, champions: Collection[LoadedModel], now: float) -> None:
    """Compare inputs that are not confirmed yet with the stored observations, LIMIT of known series at most.

    Raises:
        DatabaseUnreachable: If the database does not answer.
    """
    waiting = inputs.unconfirmed(champions, now)
    if waiting:
        names = [one.series_id for one in waiting]
        for place, stored in confirm_inputs(database, names, lambda place: waiting[place].read(), LIMIT).items():
            inputs.judge(waiting[place], stored, now)
