"""Rows that write the periods of a stored series by other dates than it."""

import numpy as np
import orjson
import pytest

from service.observations.parse import BodyOptions, parse_observations
from service.store.known_series import KnownSeries
from service.store.observations import Calendar


def post(stored: str, frequency: str | None, zone: str | None, stamp: str) -> tuple[list[str], list[str]]:
    """Return where a value is stored, and the codes of what is said of it or why it is refused."""
    known = {"a": KnownSeries(Calendar(frequency, zone), np.array(stored.split(), "M8[us]"))}
    body = orjson.dumps({"observations": [{"id": "a", "timestamp": stamp, "value": 9.0}]})
    parsed = parse_observations(body, BodyOptions(), 10, lambda _: known)
    said = [one.code for one in parsed.repairs.get("a", ())] + [one.finding.code for one in parsed.faults]
    return [str(one)[:16] for one in parsed.observations.timestamps], said


MONTHS, ENDS = "2023-01-01 2023-02-01 2023-11-01 2023-12-01", "2023-01-31 2023-02-28 2023-11-30 2023-12-31"
QUARTERS = "2022-01-01 2022-04-01 2023-07-01 2023-10-01"
NOONS = "2024-01-01T12:00 2024-01-02T12:00 2024-01-19T12:00 2024-01-20T12:00"
WEEKS = "2024-01-01 2024-01-08 2024-05-06 2024-05-13"
BERLIN = "2023-12-31T23:00 2024-01-01T23:00 2024-07-01T22:00"
SAID = ["PERIODS_MATCHED"]


@pytest.mark.parametrize(
    ("stored", "frequency", "zone", "stamp", "at"),
    [
        (MONTHS, None, None, "2023-12-31", "2023-12-01T00:00"),
        (MONTHS, "M", None, "2023-06-30", "2023-06-01T00:00"),
        (ENDS, None, None, "2023-12-01", "2023-12-31T00:00"),
        (QUARTERS, "Q-DEC", None, "2023-12-31", "2023-10-01T00:00"),
        ("2021-12-31 2022-12-31 2023-12-31", "Y-DEC", None, "2022-01-01", "2022-12-31T00:00"),
        (NOONS, None, None, "2024-01-20", "2024-01-20T12:00"),
        (NOONS, "D", None, "2024-01-21", "2024-01-21T12:00"),
        ("2022-12-31T23:00 2023-01-31T23:00 2023-02-28T23:00", None, "Europe/Berlin", "2023-02-28", "2023-01-31T23:00"),
    ],
)
def test_another_date_of_a_stored_period_is_this_period(
    stored: str, frequency: str | None, zone: str | None, stamp: str, at: str
) -> None:
    """It revises the value, and the response says so."""
    assert post(stored, frequency, zone, stamp) == ([at], SAID)


@pytest.mark.parametrize(
    ("stored", "frequency", "zone", "stamp"),
    [
        (MONTHS, None, None, "2024-01-31"),
        (MONTHS, "M", None, "2023-06-15"),
        (QUARTERS, None, None, "2023-12-31"),
        (WEEKS, None, None, "2024-05-19"),
        ("2024-01-01 2024-01-02 2024-01-03", None, None, "2024-01-03T07:00"),
        (BERLIN, None, "Europe/Berlin", "2024-07-02T07:00"),
    ],
)
def test_a_date_that_may_be_of_two_periods_is_refused(
    stored: str, frequency: str | None, zone: str | None, stamp: str
) -> None:
    """At once, and not only when the series is forecast."""
    assert post(stored, frequency, zone, stamp) == ([], ["TIMESTAMPS_OFF_CALENDAR"])


@pytest.mark.parametrize(
    ("stored", "zone", "stamp"),
    [
        (QUARTERS, None, "2023-11-01"),
        (MONTHS, None, "2024-01-01"),
        (WEEKS, None, "2024-05-20"),
        (BERLIN, "Europe/Berlin", "2024-01-03"),
        ("2024-01-01 2024-01-08 2024-01-15", None, "2024-01-17"),
        ("2024-01-01 2024-02-01", None, "2024-02-29"),
        ("2024-01-01T00:00 2024-01-01T01:00 2024-01-01T02:00", None, "2024-01-01T02:30"),
        ("2024-01-01T07:10 2024-01-02T06:50 2024-01-03T07:20", None, "2024-01-04T08:00"),
    ],
)
def test_other_dates_are_accepted(stored: str, zone: str | None, stamp: str) -> None:
    """Those of the same convention, and all where none is known."""
    assert (len(post(stored, None, zone, stamp)[0]), post(stored, None, zone, stamp)[1]) == (1, [])


def test_dates_of_another_timezone_are_not_matched() -> None:
    """The midnights of Berlin are evenings in New York, of which nobody can say which date they are."""
    known = {"a": KnownSeries(Calendar("D", "Europe/Berlin"), np.array(BERLIN.split(), "M8[us]"))}
    body = orjson.dumps({"observations": [{"id": "a", "timestamp": "2024-03-01", "value": 9.0}]})

    parsed = parse_observations(body, BodyOptions(timezone="America/New_York"), 10, lambda _: known)

    assert [one.finding.code for one in parsed.faults] == ["TIMESTAMPS_OFF_CALENDAR"]
