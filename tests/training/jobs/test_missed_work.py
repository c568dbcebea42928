from datetime import UTC, datetime
from types import SimpleNamespace
from typing import cast

import pytest
from dbos import DBOSClient, WorkflowStatus

from models.jobs import names
from training.jobs.missed_work import close_cancelled_jobs, newest_tick


@pytest.mark.parametrize(
    ("cron", "fired", "now", "expected"),
    [
        ("0 3 * * *", "2026-03-01T03:00", "2026-03-01T12:00", None),
        ("0 3 * * *", "2026-02-01T03:00", "2026-03-01T12:00", "2026-03-01T03:00"),
        ("0 3 1 * *", "2023-01-01T03:00", "2026-03-01T02:59", "2026-02-01T03:00"),
        ("* * * * *", "2020-01-01T00:00", "2026-03-01T12:00:30", "2026-03-01T12:00"),
    ],
)
def test_the_newest_missed_tick_is_found(cron: str, fired: str, now: str, expected: str | None) -> None:
    """The pause may have any length."""
    found = newest_tick(cron, "UTC", *(datetime.fromisoformat(one).replace(tzinfo=UTC) for one in (fired, now)))

    assert (found and found.strftime("%Y-%m-%dT%H:%M")) == expected


class FakeClient:
    """A database with one cancelled job that had begun, and perhaps the workflow that closes its runs."""

    def __init__(self, *closings: tuple[str, str | None]) -> None:
        """Keep status and executor of the closing."""
        self.closings, self.queued = closings, 0

    def list_workflows(self, *, name: str | None = None, **_: object) -> list[WorkflowStatus]:
        """Return the job, or its closing."""
        found = [("CANCELLED", "a")] if name == names.WORKFLOW else self.closings
        job = {"workflow_id": "j1", "input": {"args": ["", {"name": "sales"}]}}
        return cast(
            "list[WorkflowStatus]", [SimpleNamespace(**job, status=status, executor_id=who) for status, who in found]
        )

    def get_event(self, *_: object) -> dict[str, str]:
        """Return the progress."""
        return {"step": "fit"}

    def delete_workflows(self, _ids: list[str]) -> None:
        """Delete the closing, so that its id is free."""
        self.closings = ()

    def enqueue(self, *_: object) -> None:
        """Count the new closing, which needs a free id."""
        assert not self.closings
        self.queued += 1


@pytest.mark.parametrize(
    ("closing", "queued"),
    [
        ([], 1),
        ([("ERROR", "a")], 1),
        ([("ENQUEUED", None)], 1),
        ([("PENDING", "a")], 1),
        ([("PENDING", "b")], 0),
        ([("SUCCESS", "a")], 0),
    ],
)
def test_a_closing_that_did_not_succeed_is_queued_anew(closing: list[tuple[str, str | None]], queued: int) -> None:
    """Its step may have failed for good before the worker ended; DBOS would only repeat that."""
    client = FakeClient(*closing)

    closed = close_cancelled_jobs(cast("DBOSClient", client), "a")

    assert (closed, client.queued) == (["j1"] * queued, queued)
