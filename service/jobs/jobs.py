"""Jobs: lists, finds, enqueues and cancels the jobs in the queue."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

from models.jobs.errors import JobUnknown
from models.jobs.names import QUEUE, WORKFLOW
from service.errors import FieldInvalid, JobEnded, KeyReused
from service.jobs.client import Client, Status
from service.json_input import describe_value

STATES: Mapping[str, tuple[str, ...]] = {
    "QUEUED": ("ENQUEUED", "DELAYED"),
    "RUNNING": ("PENDING",),
    "SUCCEEDED": ("SUCCESS",),
    "FAILED": ("ERROR", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"),
    "CANCELLED": ("CANCELLED",),
}
"""The states of a job, each with DBOS's names for it."""
ENDED = ("SUCCEEDED", "FAILED")

PAGE = 200
"""Jobs in one query when they are filtered by model, which the database cannot do."""
MAX_SCANNED = 2_000
"""Jobs that one request reads at most."""
MAX_ID_LENGTH = 256
CURSOR_DIGITS = 14
MICROSECONDS = 1_000


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Which jobs to list; None is any, and `after` is the cursor at the end of the previous page."""

    state: str | None = None
    name: str | None = None
    schedule: str | None = None
    after: str = ""
    limit: int = 50


@dataclass(frozen=True, slots=True)
class PageCursor:
    """A position in the list of jobs, newest first.

    Attributes:
        moment: When the last job before it was created, in milliseconds since 1970; None at the beginning.
        skip: How many jobs of exactly that moment come before it.
    """

    moment: int | None = None
    skip: int = 0

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the cursor that `str` wrote; raises FieldInvalid."""
        if not text:
            return cls()
        parts = text.split("-")
        if len(parts) != 2 or not all(_is_number(part) for part in parts):  # noqa: PLR2004 (moment and skip)
            raise FieldInvalid(
                f"`after` is {describe_value(text)}.", pointer="/after", hint="Send the `next` of the previous page."
            )
        return cls(*map(int, parts))

    def __str__(self) -> str:
        return f"{self.moment}-{self.skip}"

    def after(self, job: Status) -> "PageCursor":
        """Return the position after a job."""
        moment = job.created_at or 0
        return PageCursor(moment, self.skip + 1 if moment == self.moment else 1)

    def end_time(self) -> str | None:
        """Return the moment for DBOS, half a millisecond later because DBOS truncates."""
        if self.moment is None:
            return None
        return datetime.fromtimestamp((self.moment * MICROSECONDS + 500) / 1e6, UTC).isoformat()


def state_of(job: Status) -> str:
    """Return the state of a job."""
    return next(state for state, names in STATES.items() if job.status in names)


def request_of(job: Status) -> dict[str, Any]:
    """Return the request of a job: the second argument of its workflow."""
    arguments = job.input["args"] if isinstance(job.input, dict) else ()
    request = arguments[1] if len(arguments) > 1 else None
    return request if isinstance(request, dict) else {}


def list_jobs(client: Client, wanted: JobFilter) -> tuple[list[Status], str | None]:
    """Return a page of jobs, newest first, and the cursor of the next page, None after the last.

    A filter by model reads at most `MAX_SCANNED` jobs: a page may then be short and still have a next one.
    """
    found: list[Status] = []
    cursor, size = PageCursor.parse(wanted.after), PAGE if wanted.name else wanted.limit + 1
    for _ in range(0, MAX_SCANNED, size):
        page = _query(client, wanted, cursor, size)
        for job in page:
            if wanted.name in {None, request_of(job).get("name")}:
                if len(found) == wanted.limit:
                    return found, str(cursor)
                found.append(job)
            cursor = cursor.after(job)
        if len(page) < size:
            return found, None
    return found, str(cursor)


def find_job(client: Client, job_id: str) -> Status:
    """Return a job; raises JobUnknown."""
    is_valid = len(job_id) <= MAX_ID_LENGTH and job_id.isprintable()
    found = client.list_workflows(workflow_ids=[job_id], name=WORKFLOW) if is_valid else []
    if not found:
        raise unknown_job(job_id)
    return found[0]


def unknown_job(job_id: str) -> JobUnknown:
    """Return the error for a job that does not exist."""
    return JobUnknown(f"There is no job {describe_value(job_id)}.", hint="GET /jobs lists all jobs.")


def enqueue(client: Client, job_id: str, request: Mapping[str, Any], now: datetime) -> None:
    """Enqueue a job; the same request with the same id is the same job.

    Raises:
        KeyReused: If another request has the id.
    """
    options = {"workflow_name": WORKFLOW, "queue_name": QUEUE, "workflow_id": job_id}
    client.enqueue(options, now.isoformat(), dict(request))  # type: ignore[arg-type] # a TypedDict
    job = client.list_workflows(workflow_ids=[job_id])[0]
    if job.name != WORKFLOW or request_of(job) != request:
        raise KeyReused(
            f"The Idempotency-Key {job_id!r} belongs to another request.", hint="Send a new key with each new request."
        )


def cancel(client: Client, job_id: str) -> None:
    """Cancel a job, or do nothing if it is cancelled; raises JobUnknown, JobEnded."""
    if (state := state_of(find_job(client, job_id))) in ENDED:
        raise JobEnded(
            f"The job {job_id} has already {state.lower()}.", hint="Only a queued or running job can be cancelled."
        )
    client.cancel_workflow(job_id)


def _query(client: Client, wanted: JobFilter, cursor: PageCursor, size: int) -> list[Status]:
    return client.list_workflows(
        name=WORKFLOW,
        status=list(STATES[wanted.state]) if wanted.state else None,
        schedule_name=wanted.schedule,
        end_time=cursor.end_time(),
        offset=cursor.skip,
        limit=size,
        sort_desc=True,
    )


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= CURSOR_DIGITS
