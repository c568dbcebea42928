from datetime import UTC, datetime

import pytest

from models.jobs.cron import check_cron, check_timezone, count_fires, next_fires
from models.jobs.errors import ScheduleInvalid

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "line",
    ["0 3 1 * *", "*/15 * * * mon-fri", "*/2 * * * * *", "@monthly", "0 0 L * *", "0 0 1 jan,mar *", "0 3 * * 7"],
)
def test_a_sound_line_is_taken_as_it_is(line: str) -> None:
    """Five fields, six with seconds first, names, and the usual words."""
    assert check_cron(line) == line


def test_spaces_do_not_matter() -> None:
    """A line copied from a table is the same line."""
    assert check_cron("  0\t3  1 * * ") == "0 3 1 * *"


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ("61 3 1 * *", "minute of the cron line is '61'"),
        ("0 24 1 * *", "hour of the cron line is '24'"),
        ("0 3 32 * *", "day of the month of the cron line is '32'"),
        ("0 3 1 13 *", "month of the cron line is '13'"),
        ("0 3 1 * 8", "day of the week of the cron line is '8'"),
        ("0 3 1 * noday", "day of the week of the cron line is 'noday'"),
        ("99 0 3 1 * *", "second of the cron line is '99'"),
        ("*/0 3 1 * *", "minute of the cron line is '*/0'"),
        ("R 3 1 * *", "minute of the cron line is 'R'"),
        ("0 H(0-5) 1 * *", "hour of the cron line is 'H(0-5)'"),
        ("0 3 1", "of 3 fields"),
        ("0 3 1 * * 2026 7", "of 7 fields"),
        ("", "of 0 fields"),
        ("@often", "of 1 fields"),
        ("0 0 31 2 *", "never fires"),
        ("1," * 500 + "1 * * * *", "of "),
    ],
)
def test_what_is_wrong_with_a_line_is_named(line: str, field: str) -> None:
    """The field and what stands in it; a random field would fire at other times in every worker."""
    with pytest.raises(ScheduleInvalid) as caught:
        check_cron(line)

    assert field in caught.value.detail
    assert caught.value.pointer == "/cron"


@pytest.mark.parametrize("name", ["Mars/Olympus", "", "../../etc/passwd", "/etc/passwd", "Europe/Berlin\0"])
def test_a_time_zone_that_nobody_knows_is_refused(name: str) -> None:
    """Neither is a path one."""
    with pytest.raises(ScheduleInvalid, match="no time zone"):
        check_timezone(name)


def test_a_schedule_goes_by_the_clocks_of_its_zone() -> None:
    """Three in the morning stays three in the morning when the clocks change."""
    fires = next_fires("0 3 1 * *", "Europe/Berlin", datetime(2026, 2, 15, tzinfo=UTC), 3)

    assert [one.isoformat() for one in fires] == [
        "2026-03-01T03:00:00+01:00",
        "2026-04-01T03:00:00+02:00",
        "2026-05-01T03:00:00+02:00",
    ]


def test_the_moment_itself_is_not_the_next() -> None:
    """Asked at a tick, the next one is told."""
    assert next_fires("0 12 * * *", "UTC", NOON)[0].isoformat() == "2026-11-23T12:00:00+00:00"


def test_ticks_between_two_moments_are_counted_up_to_a_limit() -> None:
    """Neither end counts; who asks for very many is told no more than that."""
    start, end = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 5, tzinfo=UTC)

    assert count_fires("0 0 * * *", "UTC", start, end, 100) == 3
    assert count_fires("* * * * * *", "UTC", start, end, 100) == 100
    assert count_fires("0 0 * * *", "UTC", end, start, 100) == 0


def test_clocks_that_go_back_show_a_time_twice_and_those_that_go_forward_skip_one() -> None:
    """As docs/retraining.md says: two ticks on one day, or one at the end of the gap."""
    autumn = next_fires("30 2 * * *", "Europe/Berlin", datetime(2026, 10, 24, 12, tzinfo=UTC), 3)
    spring = next_fires("30 2 * * *", "Europe/Berlin", datetime(2027, 3, 27, 12, tzinfo=UTC), 2)

    assert [one.isoformat() for one in autumn] == [
        "2026-10-25T02:30:00+02:00",
        "2026-10-25T02:30:00+01:00",
        "2026-10-26T02:30:00+01:00",
    ]
    assert [one.isoformat() for one in spring] == ["2027-03-28T03:00:00+02:00", "2027-03-29T02:30:00+02:00"]
