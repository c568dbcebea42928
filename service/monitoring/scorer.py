"""Scorer: a background task that scores due forecasts, and counts the figures that Prometheus reads."""

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Concatenate, ParamSpec, TypeVar

from models.errors import AlmanacError
from service.monitoring.score_figures import StepKey
from service.store.async_database import AsyncDatabase
from service.store.database import Database
from service.store.scoring.counting import count_due
from service.store.scoring.rollups import DAY, ScoreSums
from service.store.scoring.score_due import BATCH, mark_missed, score_due
from service.store.scoring.score_filter import ScoreFilter
from service.store.scoring.score_sums import sum_scores

logger = logging.getLogger("almanac")

P = ParamSpec("P")
T = TypeVar("T")

POLL_SECONDS = 5.0
"""How often a replica looks for due forecasts; observations that it receives itself wake it at once."""
PAUSE_SECONDS = 0.1
"""Pause after a full batch: SQLite lets no other process or thread write by turns, and one that waits looks at least so often."""
MISSED_SECONDS = 10.0
"""How often to look for forecasts that were written after their observations."""
MISSED_AGE_SECONDS = 30.0
"""How long before the last look such a forecast may have been made; one that is written ten seconds late is due anyway."""
FIRST_LOOK_SECONDS = 86_400.0
"""How far back the first look of a process goes."""
REFRESH_SECONDS = 60.0
"""How often the figures are counted if this replica scored nothing."""
MIN_REFRESH_SECONDS = 10.0
"""How often they are counted at most."""
MIN_PAUSE = 20
"""Pause between two counts, as a multiple of the time that a count takes."""
CLOSE_SECONDS = 5.0
"""How long a shutdown waits for a running batch."""
DAY_SECONDS = 86_400
MICROSECONDS = 1_000_000


@dataclass(frozen=True, slots=True)
class LiveScores:
    """The sums of the scores of the last days.

    Attributes:
        steps: Sums by model, version and step.
        due: Forecasts that wait to be scored.
        counted: Time of the count, seconds since 1970.
    """

    steps: tuple[tuple[StepKey, ScoreSums], ...]
    due: int
    counted: float


class Scorer:
    """The background task of one replica; `live` is the last count, `scored` the number of forecasts scored here.

    Args:
        database: The database.
        days: Count scores of so many days, by the time of scoring.
        clock: Returns the seconds since 1970.
        on_scored: Is called with the number of forecasts of each batch.
        leads: Returns whether this process scores; one of several does.
        wake_leader: Wakes the process that does.
    """

    def __init__(  # noqa: PLR0913, PLR0917 (its parts)
        self,
        database: AsyncDatabase,
        days: int,
        clock: Callable[[], float] = time.time,
        on_scored: Callable[[int], None] = lambda _: None,
        leads: Callable[[], bool] = lambda: True,
        wake_leader: Callable[[], None] = lambda: None,
    ) -> None:
        """Nothing is scored or counted yet."""
        self._database = database
        self._days = days
        self._clock = clock
        self._on_scored = on_scored
        self._leads = leads
        self._wake_leader = wake_leader
        self._woken = asyncio.Event()
        self._looked = clock() - FIRST_LOOK_SECONDS
        self._changed = True
        self._took = 0.0
        self.live: LiveScores | None = None
        self.scored = 0

    def wake(self) -> None:
        """Start the next round now, in the process that scores: observations have arrived."""
        if self._leads():
            self._woken.set()
        else:
            self._wake_leader()

    async def run(self) -> None:
        """Score until cancelled; after an error try again in the next round."""
        while True:
            self._woken.clear()
            try:
                if self._leads():
                    await self.work()
            except AlmanacError as error:
                logger.debug("scoring: %s", error)  # the database's watch logs it as an error
            except Exception:
                logger.exception("scoring failed; it is tried again")
            # Python 3.11's wait_for loses a cancellation that meets the wake: the service would never end.
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS):
                    await self._woken.wait()

    async def work(self) -> int:
        """Score all due forecasts, count the figures if it is time, and return how many forecasts were scored.

        Raises:
            DatabaseUnreachable: If the database does not answer.
            QueueFull: If too many requests wait for the database.
        """
        await self._mark_missed()
        total = 0
        while done := await self._run(score_due, int(self._clock() * MICROSECONDS)):
            total += done
            self.scored += done
            self._on_scored(done)
            await asyncio.sleep(PAUSE_SECONDS if done >= BATCH else 0)
        self._changed = self._changed or total > 0
        pause = MIN_REFRESH_SECONDS if self._changed else REFRESH_SECONDS
        if self.live is None or self._clock() - self.live.counted >= max(pause, MIN_PAUSE * self._took):
            await self.count()
        return total

    async def count(self) -> LiveScores:
        """Count the scores of the last days, and return them; raises as `work`."""
        now, started = self._clock(), time.perf_counter()
        self._changed = False
        self.live = await self._run(_count, int((now - self._days * DAY_SECONDS) * MICROSECONDS), now)
        self._took = time.perf_counter() - started
        return self.live

    async def _run(self, work: Callable[Concatenate[Database, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return the result of `work`; if cancelled, wait until its connection is back in the pool."""
        running = asyncio.ensure_future(self._database.run(work, *args, **kwargs))
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            with suppress(TimeoutError, AlmanacError):
                async with asyncio.timeout(CLOSE_SECONDS):
                    await running
            raise

    async def _mark_missed(self) -> None:
        now = self._clock()
        if now - self._looked >= MISSED_SECONDS:
            await self._run(mark_missed, int((self._looked - MISSED_AGE_SECONDS) * MICROSECONDS))
            self._looked = now


def _count(database: Database, since: int, now: float) -> LiveScores:
    """Return the sums of what was scored since the start of a day, which the rollup has."""
    rows = sum_scores(database, ScoreFilter(scored_since=since // DAY * DAY), ["model", "version", "step"])
    steps = tuple(((str(key[0]), str(key[1]), int(key[2])), sums) for key, sums in rows)
    return LiveScores(steps, count_due(database), now)
