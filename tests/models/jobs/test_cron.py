from datetime import UTC, datetime

import pytest

from models.errors import ConfigInvalid
from models.jobs.cron import (
    LEAST_SECONDS,
    check_cron,
    check_interval,
    check_timezone,
    count_fires,
    least_interval,
    next_fires,
)
from models.jobs.errors import ScheduleInvalid

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "line",
    ["0 3 1 * *", "*/15 * * * mon-fri", "*/2 * * * * *", "@monthly", "0 0 L * *", "0 0 1 jan,mar *", "0 3 * * 7"],
)
def test_a_valid_line_is_returned_with_single_spaces(line: str) -> None:
    """Five fields, six with seconds first, names and words such as @monthly are valid."""
    assert check_cron(line) == line
    assert check_cron(line.replace(" ", " \t") + " ") == line


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ("61 3 1 * *", "minute"),
        ("0 24 1 * *", "hour"),
        ("0 3 32 * *", "day of the month"),
        ("0 3 1 13 *", "month"),
        ("0 3 1 * 8", "day of the week"),
        ("0 3 1 * noday", "day of the week"),
        ("99 0 3 1 * *", "second"),
        ("*/0 3 1 * *", "minute"),
        ("R 3 1 * *", "minute"),
        ("0 H(0-5) 1 * *", "hour"),
        ("0 3 1", "3 fields"),
        ("0 3 1 * * 2026 7", "7 fields"),
        ("", "0 fields"),
        ("@often", "1 fields"),
        ("0 0 31 2 *", "never fires"),
        ("1," * 500 + "1 * * * *", "fields"),
    ],
)
def test_an_invalid_line_is_refused_with_its_field(line: str, field: str) -> None:
    """Random fields are refused too, because they differ between workers."""
    with pytest.raises(ScheduleInvalid) as caught:
        check_cron(line)

    assert field in caught.value.detail
    assert caught.value.pointer == "/cron"


@pytest.mark.parametrize(
    ("line", "seconds"),
    [("* * * * * *", 1), ("0,59 0 3 1 * *", 59), ("* 0 3 1 * *", 1), ("*/2 * * * * *", 2), ("0-5 * 3 * * mon", 1)],
)
def test_runs_that_are_too_close_are_refused(line: str, seconds: int) -> None:
    """Also if they are close on one day of the month only; the interval can be set."""
    with pytest.raises(ScheduleInvalid, match=rf"are {seconds} s apart.*ALMANAC_MIN_SCHEDULE_SECONDS"):
        check_interval(line, LEAST_SECONDS)

    assert check_interval(line, least_interval({"ALMANAC_MIN_SCHEDULE_SECONDS": "0.5"})) == line


@pytest.mark.parametrize("line", ["* * * * *", "30 0 3 1 * *", "@yearly", "0 0 29 2 *"])
def test_runs_that_are_a_minute_apart_are_accepted(line: str) -> None:
    """Seconds may say when within a minute."""
    assert check_interval(line, least_interval({})) == line


@pytest.mark.parametrize("text", ["0", "-1", "nan", "often", "1e9"])
def test_an_interval_that_is_none_is_refused(text: str) -> None:
    """It is a number of seconds, up to a day."""
    with pytest.raises(ConfigInvalid, match="ALMANAC_MIN_SCHEDULE_SECONDS"):
        least_interval({"ALMANAC_MIN_SCHEDULE_SECONDS": text})


@pytest.mark.parametrize("name", ["Mars/Olympus", "", "../../etc/passwd", "/etc/passwd", "Europe/Berlin\0"])
def test_an_unknown_timezone_is_refused(name: str) -> None:
    """A path is not a timezone."""
    with pytest.raises(ScheduleInvalid):
        check_timezone(name)


def test_a_schedule_fires_at_local_times() -> None:
    """Three in the morning stays three in the morning after a clock change."""
    fires = next_fires("0 3 1 * *", "Europe/Berlin", datetime(2026, 2, 15, tzinfo=UTC), 3)

    assert [one.isoformat() for one in fires] == [
        "2026-03-01T03:00:00+01:00",
        "2026-04-01T03:00:00+02:00",
        "2026-05-01T03:00:00+02:00",
    ]


def test_a_tick_now_is_not_the_next() -> None:
    """The time itself is excluded."""
    assert next_fires("0 12 * * *", "UTC", NOON)[0].isoformat() == "2026-11-23T12:00:00+00:00"


def test_ticks_between_two_times_are_counted_up_to_a_limit() -> None:
    """Both ends are excluded."""
    start, end = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 5, tzinfo=UTC)

    assert count_fires("0 0 * * *", "UTC", start, end, 100) == 3
    assert count_fires("* * * * * *", "UTC", start, end, 100) == 100
    assert count_fires("0 0 * * *", "UTC", end, start, 100) == 0


def test_a_clock_change_repeats_or_moves_a_tick() -> None:
    """As in docs/retraining.md: two ticks on one day in autumn, one at the end of the gap in spring."""
    autumn = next_fires("30 2 * * *", "Europe/Berlin", datetime(2026, 10, 24, 12, tzinfo=UTC), 3)
    spring = next_fires("30 2 * * *", "Europe/Berlin", datetime(2027, 3, 27, 12, tzinfo=UTC), 2)

    assert [one.isoformat() for one in autumn] == [
        "2026-10-25T02:30:00+02:00",
        "2026-10-25T02:30:00+01:00",
        "2026-10-26T02:30:00+01:00",
    ]
    assert [one.isoformat() for one in spring] == ["2027-03-28T03:00:00+02:00", "2027-03-29T02:30:00+02:00"]
