"""Counts: how many jobs wait and run, read in the background for the metrics."""

import asyncio
import logging
from dataclasses import dataclass

from models.errors import AlmanacError
from models.jobs.names import WORKFLOW
from service.jobs.client import Client, JobsClient
from service.jobs.jobs import STATES

logger = logging.getLogger("almanac")

READ_SECONDS = 15.0
"""As often as Prometheus reads them."""
MOST_JOBS = 1_000


@dataclass(frozen=True, slots=True)
class JobCounts:
    """The queue at one moment.

    Attributes:
        queued: Jobs that wait, at most MOST_JOBS.
        running: Jobs that run.
        workers: Workers that run them.
        oldest_queued: When the job that waits longest was requested, in seconds since 1970; 0 if none waits.
    """

    queued: int
    running: int
    workers: int
    oldest_queued: float


def count_jobs(client: Client) -> JobCounts:
    """Return the counts of now."""
    found = [
        client.list_workflows(name=WORKFLOW, status=list(STATES[state]), limit=MOST_JOBS, load_input=False)
        for state in ("QUEUED", "RUNNING")
    ]
    waiting, running = found
    oldest = min((job.created_at for job in waiting if job.created_at is not None), default=0)
    return JobCounts(len(waiting), len(running), len({job.executor_id for job in running}), oldest / 1_000)


class JobCounter:
    """The counts that were read last."""

    def __init__(self, jobs: JobsClient) -> None:
        """Read nothing yet."""
        self._jobs = jobs
        self.newest: JobCounts | None = None

    async def watch(self) -> None:
        """Read the counts every READ_SECONDS until cancelled; while the queue does not answer there are none."""
        while True:
            await asyncio.sleep(READ_SECONDS)
            try:
                self.newest = await self._jobs.run_or(None, count_jobs)
            except AlmanacError:
                self.newest = None  # the client has logged why
