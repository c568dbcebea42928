"""Counts: how many jobs wait and run, read in the background for the metrics."""

import asyncio
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from models.errors import AlmanacError
from models.jobs.names import WORKFLOW
from service.jobs.client import Client, JobsClient, Status
from service.jobs.jobs import ENDED, STATES, request_of, state_of

logger = logging.getLogger("almanac")

READ_SECONDS = 15.0
"""As often as Prometheus reads them."""
MOST_JOBS = 1_000
MOST_ENDED = 200
"""Ended jobs that are looked at, the newest first."""
FAILED_SECONDS = 7 * 86_400
"""How long the failure of a model's last job counts."""


@dataclass(frozen=True, slots=True)
class JobCounts:
    """The queue at one moment.

    Attributes:
        queued: Jobs that wait, at most MOST_JOBS.
        running: Jobs that run.
        workers: Workers that run them.
        oldest_queued: When the job that waits longest was requested, in seconds since 1970; 0 if none waits.
        failed: Whether the last job of each model failed, of those that ended within FAILED_SECONDS.
    """

    queued: int
    running: int
    workers: int
    oldest_queued: float
    failed: Mapping[str, bool] = field(default_factory=dict)


def count_jobs(client: Client, now: float) -> JobCounts:
    """Return the counts; `now` is seconds since 1970."""
    found = [
        client.list_workflows(name=WORKFLOW, status=list(STATES[state]), limit=MOST_JOBS, load_input=False)
        for state in ("QUEUED", "RUNNING")
    ]
    waiting, running = found
    oldest = min((job.created_at for job in waiting if job.created_at is not None), default=0)
    workers = len({job.executor_id for job in running})
    return JobCounts(len(waiting), len(running), workers, oldest / 1_000, _failed(client, now))


def _failed(client: Client, now: float) -> dict[str, bool]:
    """Return whether the last job of each model failed; a cancelled one is no failure, and hides none."""
    states = [name for state in ENDED for name in STATES[state]]
    ended = client.list_workflows(name=WORKFLOW, status=states, limit=MOST_ENDED, sort_desc=True, load_output=False)
    ended.sort(key=_end, reverse=True)
    found: dict[str, bool] = {}
    for job in ended:
        if _end(job) >= (now - FAILED_SECONDS) * 1_000:
            found.setdefault(str(request_of(job).get("name")), state_of(job) == "FAILED")
    return found


def _end(job: Status) -> int:
    """Return when a job ended, in milliseconds since 1970."""
    return job.completed_at or job.updated_at or 0


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
                self.newest = await self._jobs.run_or(None, count_jobs, time.time())
            except AlmanacError:
                self.newest = None  # the client has logged why
