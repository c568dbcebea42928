"""Facts: what one server process tells the others, so that each of them answers GET /metrics and /accuracy for all."""

import asyncio
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from service.jobs.counts import JobCounts
from service.monitoring.drift import Published
from service.monitoring.scorer import LiveScores
from service.processes.board import Board

logger = logging.getLogger("almanac")

PUBLISH_SECONDS = 2.0
"""How often a process publishes its facts: a few milliseconds of work."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What one process knows at one moment.

    Attributes:
        pid: Its process id.
        leads: Whether it scores forecasts and deletes old ones.
        is_database_up: Whether the database answered its last check.
        is_memory_short: Whether a request to it did not get its memory in the last minute.
        loaded: When each champion was loaded, seconds since 1970, by name and version.
        inputs: Its newest inputs, by name and version.
        live: The last count of live accuracy.
        jobs: The last count of jobs.
    """

    pid: int
    leads: bool
    is_database_up: bool
    loaded: Mapping[tuple[str, str], float]
    inputs: Published
    live: LiveScores | None = None
    jobs: JobCounts | None = None
    is_memory_short: bool = False


class SharedFacts:
    """The facts of all processes; without a board this process is the only one.

    Attributes:
        read_own: Returns those of this process; set once it is assembled.
    """

    def __init__(self, board: Board[Facts] | None) -> None:
        """Publish nothing yet."""
        self._board = board
        self.read_own: Callable[[], Facts] | None = None

    def others(self) -> Sequence[Facts]:
        """Return the facts of the other processes, at most some seconds old."""
        return self._board.others() if self._board else ()

    def leader(self) -> Facts | None:
        """Return the facts of the other process that leads, or None."""
        return next((one for one in self.others() if one.leads), None)

    def inputs(self) -> Sequence[Published]:
        """Return the newest inputs of the other processes."""
        return [one.inputs for one in self.others()]

    def pids(self) -> list[int]:
        """Return the ids of all processes."""
        return [os.getpid(), *(one.pid for one in self.others())]

    async def publish(self) -> None:
        """Publish the facts of this process every PUBLISH_SECONDS until cancelled."""
        while self._board is not None and self.read_own is not None:
            await asyncio.to_thread(_publish, self._board, self.read_own)
            await asyncio.sleep(PUBLISH_SECONDS)


def _publish(board: Board[Facts], read: Callable[[], Facts]) -> None:
    try:
        board.publish(read())
    except Exception:
        logger.exception("the facts of this process are not published; it is tried again")
