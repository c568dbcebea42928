"""Following: what a person sees of a job while it runs, until it has ended."""

import time
from collections.abc import Callable
from typing import Any

from training.job_words import ENDED, describe_end, describe_progress, describe_step, state_of
from training.jobs import Jobs

LOOK_SECONDS = 1.0

Row = dict[str, Any]


def follow(jobs: Jobs, job_id: str, say: Callable[[str], None], *, pause: Callable[[float], None] = time.sleep) -> Row:
    """Say each step as it ends, and the progress of the one that runs, until the job has ended; return it then.

    Args:
        jobs: The queue.
        job_id: Of the job.
        say: Takes a line.
        pause: Waits so many seconds.

    Raises:
        JobUnknown: If there is no such job.
    """
    told, newest = 0, ""
    while True:
        row = jobs.job(job_id)
        for step in row["steps"][told:]:
            say(describe_step(step))
        told = len(row["steps"])
        if state_of(row) in ENDED:
            say(f"{job_id} has {_ended(state_of(row))}.")
            for line in describe_end(row):
                say(line)
            return row
        line = describe_progress(row["progress"]) if row["progress"] else f"{job_id} is {state_of(row)}"
        if line != newest:
            say(f"  {line}")
            newest = line
        pause(LOOK_SECONDS)


def _ended(state: str) -> str:
    return "been cancelled" if state == "cancelled" else state


def no_worker(jobs: Jobs) -> str | None:
    """Return what is said where no worker lives, None where one does."""
    if any(row["alive"] for row in jobs.workers()):
        return None
    return "No worker is running: jobs wait until one is started with almanac worker."
