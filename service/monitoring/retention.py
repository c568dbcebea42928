"""Retention: old forecasts are deleted in bounded steps, whatever the clock of this machine says."""

import logging
import time
from collections.abc import Callable
from typing import Any, Protocol

from service.store.erasure_marks import delete_marks
from service.store.forecasts import delete_forecasts
from service.store.log_entry import MICROSECONDS

logger = logging.getLogger("almanac")

DELETE_SECONDS = 3_600.0
"""How often old forecasts are deleted."""
BOUNDED_SECONDS = 86_400.0
"""When the next are deleted after a deletion that did not delete all."""
DELETED_SHARE = 0.1
"""Largest share of the forecasts that is deleted at once."""
DAY = 86_400 * MICROSECONDS


class Run(Protocol):
    """How work is done on the database."""

    async def __call__(self, work: Callable[..., Any], *arguments: Any) -> Any:  # noqa: ANN401 (what the work returns)
        """Return the result of `work(database, *arguments)`; raises DatabaseUnreachable."""


class Retention:
    """When forecasts are deleted, and how many.

    Args:
        days: Age at which forecasts are deleted.
        delete_all: Whether all of these are deleted at once; otherwise DELETED_SHARE of the forecasts a day at most.
        leads: Returns whether this process deletes them; one of several does.
    """

    def __init__(self, days: int, *, delete_all: bool = False, leads: Callable[[], bool] = lambda: True) -> None:
        """Have deleted nothing yet."""
        self._days = days
        self._share = 1.0 if delete_all else DELETED_SHARE
        self._leads = leads
        self._next = 0.0

    async def delete_old(self, run: Run) -> None:
        """Delete forecasts that are old, once an hour; if these are many, no more than a part, and no more for a day.

        By a wrong clock all forecasts may look old.
        """
        if time.monotonic() < self._next or not self._leads():
            return
        now = time.time_ns() // 1_000
        before = now - self._days * DAY
        await run(delete_marks, before)
        done = await run(delete_forecasts, before, self._share, now if self._share < 1 else None)
        left = done.old - done.deleted
        self._next = time.monotonic() + (BOUNDED_SECONDS if left else DELETE_SECONDS)
        if done.deleted:
            logger.info("forecast log: deleted %d forecasts older than %d days", done.deleted, self._days)
        if left:
            logger.warning(
                "forecast log: %d of %d forecasts are older than %d days by this machine's clock. At most %.0f %% a day are "
                "deleted. If the clock is right, ALMANAC_RETENTION_ALL=on deletes the other %d at once.",
                *(done.old, done.total, self._days, 100 * self._share, left),
            )
