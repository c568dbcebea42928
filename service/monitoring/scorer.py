"""Scorer: scores what is due behind the answers, and keeps at hand the accuracy_figures that Prometheus reads."""

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Concatenate, ParamSpec, TypeVar

from models.errors import AlmanacError
from service.monitoring.accuracy import StepKey
from service.store.async_database import AsyncDatabase
from service.store.database import Database
from service.store.score_due import mark_missed, score_due
from service.store.score_sums import ScoreFilter, ScoreSums, count_due, sum_scores

logger = logging.getLogger("almanac")

P = ParamSpec("P")
T = TypeVar("T")

POLL_SECONDS = 5.0
"""How often a replica looks for what others have left; its own observations wake it at once."""
MISSED_SECONDS = 10.0
"""How often young forecasts are looked at for a truth that was there before the ledger was written."""
YOUNG_AGE_SECONDS = 30.0
"""How long before the last look they may have been made: the ledger marks those itself that it writes ten seconds late."""
FIRST_LOOK_SECONDS = 86_400.0
"""How far the first look of a process goes back."""
REFRESH_SECONDS = 60.0
"""How often the accuracy_figures are counted again where nothing was scored here."""
MIN_REFRESH_SECONDS = 10.0
"""How often at most where something was."""
SHARE = 20
"""Counting takes at most one part in so many of the time, however many scores there are."""
LAST_SECONDS = 5.0
"""How long the end of the service waits for a batch under way."""
DAY_SECONDS = 86_400
MICROSECONDS = 1_000_000


@dataclass(frozen=True, slots=True)
class LiveScores:
    """What the scores of the last days add up to.

    Attributes:
        steps: By model, version and step.
        due: Forecasts that wait to be scored.
        counted: When, seconds since 1970.
    """

    steps: tuple[tuple[StepKey, ScoreSums], ...]
    due: int
    counted: float


class Scorer:
    """The background task of one replica; `live` is what was counted last, `scored` how many forecasts it has scored.

    Args:
        records: The database.
        days: How far back the accuracy_figures go, by when a step was scored.
        clock: Returns the seconds since 1970.
    """

    def __init__(self, records: AsyncDatabase, days: int, clock: Callable[[], float] = time.time) -> None:
        """Nothing is scored or counted yet."""
        self._records = records
        self._days = days
        self._clock = clock
        self._woken = asyncio.Event()
        self._looked = clock() - FIRST_LOOK_SECONDS
        self._changed = True
        self._took = 0.0
        self.live: LiveScores | None = None
        self.scored = 0

    def wake(self) -> None:
        """Have it look at once: observations have come."""
        self._woken.set()

    async def run(self) -> None:
        """Score until cancelled; a database that does not answer is asked again."""
        while True:
            self._woken.clear()
            try:
                await self.work()
            except AlmanacError as error:
                logger.debug("scoring: %s", error)  # the database's own watch tells people
            except Exception:
                logger.exception("scoring failed; it is tried again")
            with suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), POLL_SECONDS)

    async def work(self) -> int:
        """Score all that is due, count where it is time to, and return how many forecasts were scored.

        Raises:
            DatabaseUnreachable: If the database does not answer.
            QueueFull: If too much else waits for it.
        """
        await self._look_at_young()
        total = 0
        while done := await self._ask(score_due, int(self._clock() * MICROSECONDS)):
            total += done
            self.scored += done
        self._changed = self._changed or total > 0
        since = MIN_REFRESH_SECONDS if self._changed else REFRESH_SECONDS
        if self.live is None or self._clock() - self.live.counted >= max(since, SHARE * self._took):
            await self.count()
        return total

    async def count(self) -> LiveScores:
        """Count the scores of the last days; raises as `work`."""
        now, started = self._clock(), time.perf_counter()
        self._changed = False
        self.live = await self._ask(_count, int((now - self._days * DAY_SECONDS) * MICROSECONDS), now)
        self._took = time.perf_counter() - started
        return self.live

    async def _ask(self, work: Callable[Concatenate[Database, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what `work` returns; one that is under way at the end gives its connection back before the pool closes."""
        asked = asyncio.ensure_future(self._records.run(work, *args, **kwargs))
        try:
            return await asyncio.shield(asked)
        except asyncio.CancelledError:
            with suppress(TimeoutError, AlmanacError):
                await asyncio.wait_for(asked, LAST_SECONDS)
            raise

    async def _look_at_young(self) -> None:
        now = self._clock()
        if now - self._looked >= MISSED_SECONDS:
            await self._ask(mark_missed, int((self._looked - YOUNG_AGE_SECONDS) * MICROSECONDS))
            self._looked = now


def _count(database: Database, since: int, now: float) -> LiveScores:
    rows = sum_scores(database, ScoreFilter(scored_since=since), ["model", "version", "step"])
    return LiveScores(
        tuple(((str(key[0]), str(key[1]), int(key[2])), one) for key, one in rows), count_due(database), now
    )
