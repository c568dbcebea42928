from datetime import UTC, datetime

import pytest

from training.jobs.recovery import newest_tick


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
