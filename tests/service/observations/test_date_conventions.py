"""Rows that write the periods of a stored series by other dates than it."""

import numpy as np
import orjson
import pytest
from starlette.testclient import TestClient

from service.observations.parse import BodyOptions, parse_observations
from service.store.known_series import KnownSeries
from service.store.observations import Calendar
from tests.service.api.routes.test_observations import exported, observe


def post(stored: str, frequency: str | None, zone: str | None, stamp: str) -> tuple[list[str], list[str]]:
    """Return where values are stored, and the codes of what is said of them or why they are refused."""
    ends = np.array(stored.split(), "M8[us]")
    known = {"a": KnownSeries(Calendar(frequency, zone), ends, ends)}
    body = orjson.dumps({"observations": [{"id": "a", "timestamp": one, "value": 9.0} for one in stamp.split()]})
    parsed = parse_observations(body, BodyOptions(), 10, lambda _: known)
    said = [one.code for one in parsed.repairs.get("a", ())] + [one.finding.code for one in parsed.faults]
    return [str(one)[:16] for one in parsed.observations.timestamps], said


MONTHS, ENDS = "2023-09-01 2023-10-01 2023-11-01 2023-12-01", "2023-01-31 2023-02-28 2023-03-31 2023-04-30"
QUARTERS = "2022-01-01 2022-04-01 2023-07-01 2023-10-01"
NOONS = "2024-01-01T12:00 2024-01-02T12:00 2024-01-19T12:00 2024-01-20T12:00"
BERLIN = "2023-12-31T23:00 2024-01-01T23:00 2024-07-01T22:00"
SAID = ["PERIODS_MATCHED"]


@pytest.mark.parametrize(
    ("stored", "frequency", "zone", "stamp", "at"),
    [
        (MONTHS, "M", None, "2023-10-31", "2023-10-01T00:00"),
        (ENDS, "M", None, "2023-02-01", "2023-02-28T00:00"),
        (MONTHS, "M", None, "2024-01-31", "2024-01-01T00:00"),
        (QUARTERS, "Q-DEC", None, "2023-12-31", "2023-10-01T00:00"),
        (QUARTERS, "Q-DEC", None, "2024-03-31", "2024-01-01T00:00"),
        ("2021-12-31 2022-12-31 2023-12-31", "Y-DEC", None, "2022-01-01", "2022-12-31T00:00"),
        (NOONS, None, None, "2024-01-20", "2024-01-20T12:00"),
        (NOONS, "D", None, "2024-01-21", "2024-01-21T12:00"),
        (
            "2022-11-30T23:00 2022-12-31T23:00 2023-01-31T23:00 2023-02-28T23:00",
            "M",
            "Europe/Berlin",
            "2023-02-28",
            "2023-01-31T23:00",
        ),
    ],
)
def test_another_date_of_a_stored_period_is_this_period(
    stored: str, frequency: str | None, zone: str | None, stamp: str, at: str
) -> None:
    """It revises the value, and the response says so."""
    assert post(stored, frequency, zone, stamp) == ([at], SAID)


@pytest.mark.parametrize(
    ("stored", "stamps"),
    [
        (MONTHS, "2023-12-31"),
        (ENDS, "2023-02-01"),
        (MONTHS, "2024-01-31"),
        (MONTHS, "2023-08-31"),
        (MONTHS, "2023-11-30 2023-12-31 2024-01-31 2024-02-29"),
        (MONTHS, "2024-01-01 2024-02-29"),
    ],
)
def test_without_a_frequency_the_other_end_of_a_stored_month_or_of_the_next_is_refused(
    stored: str, stamps: str
) -> None:
    """It may be an event of its own."""
    at, said = post(stored, None, None, stamps)
    refused = [one for one in stamps.split() if one[-2:] != "01" or stored == ENDS]
    assert (len(at), said) == (len(stamps.split()) - len(refused), ["TIMESTAMPS_OFF_CALENDAR"] * len(refused))


@pytest.mark.parametrize(
    ("stored", "stamp"), [(MONTHS, "2023-06-15"), (MONTHS, "2024-02-29"), (MONTHS, "2024-01-30"), (ENDS, "2023-05-01")]
)
def test_a_date_of_which_nobody_can_say_which_month_it_is_is_refused(stored: str, stamp: str) -> None:
    """If the frequency is known: a month between is missing, or the date is no end, or the first day after a last day."""
    assert post(stored, "M", None, stamp) == ([], ["TIMESTAMPS_OFF_CALENDAR"])


def test_months_that_follow_each_other_are_read_together() -> None:
    """Not beyond a month that is missing."""
    starts = ["2024-01-01T00:00", "2024-02-01T00:00", "2024-03-01T00:00"]

    assert post(MONTHS, "M", None, "2024-01-31 2024-02-29 2024-03-31") == (starts, SAID)
    assert post(MONTHS, "M", None, "2024-01-31 2024-03-31") == (starts[:1], [*SAID, "TIMESTAMPS_OFF_CALENDAR"])


@pytest.mark.parametrize(
    ("stored", "zone", "stamp"),
    [
        (MONTHS, None, "2024-02-29"),
        (ENDS, None, "2023-05-01"),
        (MONTHS, None, "2023-12-30"),
        (QUARTERS, None, "2023-10-31"),
        (MONTHS.removeprefix("2023-09-01 "), None, "2023-12-31"),
        ("2023-01-15 2023-02-15 2023-03-15 2023-04-15", None, "2023-04-30"),
        (NOONS, None, "2024-01-20T00:00"),
        (NOONS, None, "2024-01-21"),
        (NOONS, None, "2024-01"),
        (BERLIN, "Europe/Berlin", "2024-01-03"),
    ],
)
def test_other_dates_are_values_of_their_own(stored: str, zone: str | None, stamp: str) -> None:
    """Without a frequency the series may have any steps."""
    at, said = post(stored, None, zone, stamp)
    assert (len(set(at) - {one[:16] for one in stored.split()}), said) == (1, [])


IRREGULAR = [
    "2024-01-01T00:00 2024-01-02T00:00 2024-01-03T00:00 2024-01-03T01:00 2024-01-03T02:00 2024-01-03T23:00",
    "2024-01-01T09:00 2024-01-02T09:00 2024-01-03T09:00 2024-01-03T09:40",
    "2024-01-01T09:00 2024-01-02T09:00 2024-01-03T09:00 2024-01-04T11:30",
    "2024-01-01T09:00 2024-01-02T09:00 2024-01-03T09:00 2024-01-04T09:00 2024-01-04T00:00",
    "1990-01-01 1990-03-01 1990-07-01 1990-07-09 1991-02-03",
    "2024-01-01 2024-02-01 2024-03-01 2024-03-02 2024-03-03 2024-03-31",
    "2024-01-01 2024-02-01 2024-02-15 2024-05-01 2024-06-01 2024-06-30",
    "2024-01-01 2024-01-08 2024-01-15 2024-01-22 2024-01-23",
]


@pytest.mark.parametrize("stamps", IRREGULAR)
def test_an_irregular_series_loses_nothing(stored_client: TestClient, stamps: str) -> None:
    """Rows that come one by one are all stored, and none replaces another, whatever the first ones look like."""
    said = [observe(stored_client, [("a", stamp, float(at))]) for at, stamp in enumerate(stamps.split())]

    assert {(one["refused"], *one["repairs"]) for one in said} == {(0,)}
    stored = {np.datetime64(stamp, "s"): value for _, stamp, value in exported(stored_client)}
    assert stored == {np.datetime64(stamp, "s"): float(at) for at, stamp in enumerate(stamps.split())}


def test_an_event_on_a_last_day_overwrites_no_month(stored_client: TestClient) -> None:
    """The request has to say what it is; days of one body are days."""
    observe(stored_client, [("a", f"2023-{month:02d}-01", 1.0) for month in range(1, 13)])

    refused = observe(stored_client, [("a", "2023-12-31", 2.0), ("a", "2024-01-01", 3.0)])
    days = observe(stored_client, [("a", f"2023-12-{day}", 4.0) for day in (30, 31)])

    assert ("M if it is the month, D if" in refused["errors"][0]["hint"], refused["refused"]) == (True, 1)
    assert (days["repairs"], days["accepted"]) == ([], 2)
    assert [value for *_, value in exported(stored_client)][-4:] == [1.0, 4.0, 4.0, 3.0]


@pytest.mark.parametrize(("frequency", "last"), [("M", [1.0, 2.0]), ("D", [1.0, 1.0, 2.0])])
def test_a_stated_frequency_says_what_a_last_day_is(
    stored_client: TestClient, frequency: str, last: list[float]
) -> None:
    """The month is revised; a day is a value of its own."""
    observe(stored_client, [("a", f"2023-{month:02d}-01", 1.0) for month in range(1, 13)])

    observe(stored_client, [("a", "2023-12-31", 2.0)], frequency=frequency)

    assert [value for *_, value in exported(stored_client)][-len(last) :] == last


def test_dates_of_another_timezone_are_not_matched() -> None:
    """The midnights of Berlin are evenings in New York, of which nobody can say which date they are."""
    known = {"a": KnownSeries(Calendar("D", "Europe/Berlin"), np.array(BERLIN.split(), "M8[us]"))}
    body = orjson.dumps({"observations": [{"id": "a", "timestamp": "2024-03-01", "value": 9.0}]})

    parsed = parse_observations(body, BodyOptions(timezone="America/New_York"), 10, lambda _: known)

    assert [one.finding.code for one in parsed.faults] == ["TIMESTAMPS_OFF_CALENDAR"]
