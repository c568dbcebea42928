"""Job records: jobs as the queue keeps them, asked, made and cancelled through its client."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from models.jobs.errors import JobUnknown
from models.jobs.names import QUEUE, WORKFLOW
from service.errors import FieldInvalid, JobEnded, KeyReused
from service.jobs.client import Client, Status
from service.json_input import shown

STATES: Mapping[str, tuple[str, ...]] = {
    "QUEUED": ("ENQUEUED", "DELAYED"),
    "RUNNING": ("PENDING",),
    "SUCCEEDED": ("SUCCESS",),
    "FAILED": ("ERROR", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"),
    "CANCELLED": ("CANCELLED",),
}
"""By our word, those of DBOS."""
ENDED = ("SUCCEEDED", "FAILED")

PAGE = 200
"""Jobs that are read at once where they must be looked into."""
MOST_READ = 2_000
"""Jobs that one request looks into at the most."""
LONGEST_ID = 256
MICROSECONDS = 1_000


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which jobs are meant.

    Attributes:
        state: One of `STATES`, or None for any.
        name: Of the model, or None for any.
        schedule: That made them, or None for any.
        after: Where the page before ended, "" for the first.
        limit: Jobs on a page.
    """

    state: str | None = None
    name: str | None = None
    schedule: str | None = None
    after: str = ""
    limit: int = 50


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the list of jobs, newest first.

    Attributes:
        moment: When the last one before it was made, milliseconds since 1970; None at the beginning.
        skip: How many of that very moment lie before it.
    """

    moment: int | None = None
    skip: int = 0

    @classmethod
    def read(cls, text: str) -> "Place":
        """Return the place that `write` wrote; raises FieldInvalid."""
        if not text:
            return cls()
        moment, _, skip = text.partition("-")
        if not all(part.isascii() and part.isdigit() and len(part) < 15 for part in (moment, skip)):  # noqa: PLR2004
            raise FieldInvalid(f"`after` is {shown(text)}.", pointer="/after", hint="Send the `next` of a page.")
        return cls(int(moment), int(skip))

    def write(self) -> str:
        """Return the place as text."""
        return f"{self.moment}-{self.skip}"

    def past(self, one: Status) -> "Place":
        """Return the place behind a job."""
        moment = one.created_at or 0
        return Place(moment, self.skip + 1 if moment == self.moment else 1)

    def until(self) -> str | None:
        """Return the moment as DBOS reads it, half a millisecond later, since it cuts what is left of one."""
        if self.moment is None:
            return None
        return datetime.fromtimestamp((self.moment * MICROSECONDS + 500) / 1e6, UTC).isoformat()


def state_of(one: Status) -> str:
    """Return the state of a job."""
    return next(state for state, words in STATES.items() if one.status in words)


def request_of(one: Status) -> dict[str, Any]:
    """Return what a job was asked to do."""
    arguments = one.input["args"] if isinstance(one.input, dict) else ()
    request = arguments[1] if len(arguments) > 1 else None
    return request if isinstance(request, dict) else {}


def list_jobs(client: Client, wanted: Wanted) -> tuple[list[Status], str | None]:
    """Return a page of jobs, newest first, and where the next one begins, None after the last.

    Jobs are looked into for the model's name, `MOST_READ` of them at the most: a page may then be short and yet have a next.
    """
    found: list[Status] = []
    place, size = Place.read(wanted.after), PAGE if wanted.name else wanted.limit + 1
    for _ in range(0, MOST_READ, size):
        page = _page(client, wanted, place, size)
        for one in page:
            if wanted.name in {None, request_of(one).get("name")}:
                if len(found) == wanted.limit:
                    return found, place.write()
                found.append(one)
            place = place.past(one)
        if len(page) < size:
            return found, None
    return found, place.write()


def find_job(client: Client, job_id: str) -> Status:
    """Return a job; raises JobUnknown."""
    found = client.list_workflows(workflow_ids=[job_id], name=WORKFLOW) if _may_be_id(job_id) else []
    if not found:
        raise unknown(job_id)
    return found[0]


def unknown(job_id: str) -> JobUnknown:
    """Return what is said of a job that is not there."""
    return JobUnknown(f"There is no job {shown(job_id)}.", hint="GET /jobs lists those there are.")


def enqueue(client: Client, job_id: str, request: Mapping[str, Any], now: datetime) -> None:
    """Queue a job; the same request under the same id is the same job.

    Raises:
        KeyReused: If another request has the id.
    """
    options = {"workflow_name": WORKFLOW, "queue_name": QUEUE, "workflow_id": job_id}
    client.enqueue(options, now.isoformat(), dict(request))  # type: ignore[arg-type] # a TypedDict
    held = client.list_workflows(workflow_ids=[job_id])[0]
    if held.name != WORKFLOW or request_of(held) != request:
        raise KeyReused(
            f"The Idempotency-Key {job_id!r} stood for another request.", hint="Send another key with another request."
        )


def cancel(client: Client, job_id: str) -> None:
    """Cancel a job; one that is cancelled stays so. Raises JobUnknown, JobEnded."""
    if (state := state_of(find_job(client, job_id))) in ENDED:
        raise JobEnded(
            f"The job {job_id} has {state.lower()} already.", hint="Only a job that waits or runs can be cancelled."
        )
    client.cancel_workflow(job_id)


def _page(client: Client, wanted: Wanted, place: Place, size: int) -> list[Status]:
    return client.list_workflows(
        name=WORKFLOW,
        status=list(STATES[wanted.state]) if wanted.state else None,
        schedule_name=wanted.schedule,
        end_time=place.until(),
        offset=place.skip,
        limit=size,
        sort_desc=True,
    )


def _may_be_id(job_id: str) -> bool:
    return len(job_id) <= LONGEST_ID and job_id.isprintable()
