import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from starlette.testclient import TestClient

from models.series import Series
from service.observations.parquet_export import Page, parquet_of
from service.store.database import Database
from service.store.observations import Calendar, Observations, find_series, iterate_pages, list_series, upsert
from tests.service.house import House

MONTHS = [f"{year}-{month:02d}" for year in (2022, 2023) for month in range(1, 13)]
VALUES = [float(place % 12) for place in range(24)]


def observe(client: TestClient, rows: Sequence[tuple[str, str, float | None]], **members: str) -> dict[str, Any]:
    """Post rows, and return the answer."""
    sent = [{"id": name, "timestamp": stamp, "value": value} for name, stamp, value in rows]
    answer: dict[str, Any] = client.post("/observations", json={"observations": sent, **members}).json()
    return answer


def observe_two_years(client: TestClient, name: str = "a") -> None:
    """Post two years of months."""
    observe(client, [(name, stamp, value) for stamp, value in zip(MONTHS, VALUES, strict=True)], frequency="M")


def exported(client: TestClient, query: str = "") -> list[tuple[str, str, float | None]]:
    """Return the export as plain rows."""
    content = client.get(f"/observations/export{query}").content
    table = pq.read_table(io.BytesIO(content))
    assert table.column_names == ["unique_id", "ds", "y"]
    return [(row["unique_id"], row["ds"].isoformat(), row["y"]) for row in table.to_pylist()]


def test_the_same_twice_changes_nothing(keeping: TestClient) -> None:
    """A client that did not hear the answer sends everything again."""
    rows = [("b", "2024-01-31", 1.0), ("a", "2024-02-29", None), ("a", "2024-01-31", 2.5)]

    first, second = observe(keeping, rows), observe(keeping, rows)

    assert first == second == {"accepted": 3, "refused": 0, "series": 2, "errors": []}
    assert exported(keeping) == [
        ("a", "2024-01-31T00:00:00", 2.5),
        ("a", "2024-02-29T00:00:00", None),
        ("b", "2024-01-31T00:00:00", 1.0),
    ]


def test_a_revision_takes_the_place_of_what_was_said(keeping: TestClient) -> None:
    """Upsert by series and timestamp; a null says that the value was none."""
    observe(keeping, [("a", "2024-01-31", 1.0), ("a", "2024-02-29", 2.0), ("b", "2024-01-31", 3.0)])

    observe(keeping, [("a", "2024-01-31", 1.5), ("a", "2024-02-29", None)])

    assert [row[2] for row in exported(keeping)] == [1.5, None, 3.0]


def test_bad_rows_are_named_and_the_good_ones_kept(keeping: TestClient) -> None:
    """200 while any is sound, 422 where none is, with all errors either way."""
    some = observe(keeping, [("a", "2024-01-31", 1.0), ("a", "soon", 2.0)])
    none = keeping.post("/observations", json={"observations": [{"id": "z", "timestamp": "soon", "value": 1}]})

    assert (some["accepted"], some["refused"], some["errors"][0]["pointer"]) == (1, 1, "/observations/1/timestamp")
    assert none.status_code == 422
    assert (none.json()["code"], none.json()["errors"][0]["id"]) == ("TIMESTAMP_INVALID", "z")
    assert exported(keeping) == [("a", "2024-01-31T00:00:00", 1.0)]


def test_series_are_listed_page_by_page(keeping: TestClient) -> None:
    """By id, each with its count and its ends; `next` leads on until there is none."""
    observe(
        keeping, [("b", "2024-01-31", 1.0), ("b", "2024-03-31", 1.0), ("a/1", "2024-01-31", None), ("é", "2024", 1)]
    )

    first = keeping.get("/series?limit=2").json()
    second = keeping.get("/series", params={"limit": 2, "after": first["next"]}).json()

    assert [one["id"] for one in first["series"] + second["series"]] == ["a/1", "b", "é"]
    assert (first["next"], second["next"]) == ("b", None)
    b = {"id": "b", "frequency": None, "timezone": None, "observations": 2, "first": "2024-01-31", "last": "2024-03-31"}
    assert first["series"][1] == b
    assert keeping.get("/series/a%2F1").json()["id"] == "a/1"


def test_a_series_shows_its_newest_observations(keeping: TestClient) -> None:
    """The oldest of them first."""
    observe_two_years(keeping)

    answer = keeping.get("/series/a?limit=2").json()

    assert (answer["observations"], answer["frequency"]) == (24, "M")
    assert (answer["timestamps"], answer["values"]) == (["2023-11-01", "2023-12-01"], [10.0, 11.0])


def test_a_series_that_nobody_observed_is_not_found(keeping: TestClient) -> None:
    """404, and the hint says where the others are."""
    for path in ("/series/nobody", "/series/nobody/forecast?horizon=1", "/series/%00", "/series/%ED%A0%80"):
        answer = keeping.get(path)
        assert (answer.status_code, answer.json()["code"]) == (404, "SERIES_UNKNOWN")


def test_a_known_series_is_forecast_as_if_it_were_sent(keeping: TestClient) -> None:
    """GET /series/{id}/forecast and POST /forecast say the same, gaps and levels included."""
    observe_two_years(keeping)
    observe(keeping, [("a", "2022-05", None)])
    values = [None if place == 4 else value for place, value in enumerate(VALUES)]
    series = {"id": "a", "start": "2022-01-01", "frequency": "M", "values": values}
    sent = {"series": [series], "horizon": 3, "levels": [50, 90], "quantiles": [0.05]}

    answer = keeping.get("/series/a/forecast?horizon=3&levels=50,90&quantiles=0.05&model=temperatures").json()
    expected = keeping.post("/forecast", json=sent).json()

    for one in (answer, expected):
        one["forecasts"][0].pop("forecast_id")
    assert answer == expected
    assert answer["forecasts"][0]["timestamps"] == ["2024-01-01", "2024-02-01", "2024-03-01"]


@pytest.mark.parametrize("query", ["horizon=0", "horizon=2000", "horizon=3&levels=0", "horizon=3&levels=x", ""])
def test_a_wrong_question_about_a_known_series_is_refused(keeping: TestClient, query: str) -> None:
    """422, as in POST /forecast."""
    observe_two_years(keeping)

    assert keeping.get(f"/series/a/forecast?{query}").status_code == 422


@pytest.mark.parametrize(
    "path",
    ["/series?lmit=2", "/series/a?since=xx", "/series/a/forecast?horizon=1&level=80", "/observations/export?id=a"],
)
def test_a_parameter_that_nobody_reads_is_refused(keeping: TestClient, path: str) -> None:
    """A slip is no question about everything."""
    observe_two_years(keeping)

    answer = keeping.get(path)

    assert (answer.status_code, answer.json()["code"]) == (422, "FIELD_UNKNOWN")


def test_days_of_a_local_calendar_survive_a_clock_change(house: House, start: Callable[..., TestClient]) -> None:
    """A daily series of Berlin goes on at local midnights, whatever UTC says."""
    house.publish("shop", "1", frequency="D", season_length=7)
    client = start()
    stamps = [str(day) for day in np.arange("2024-03-20", "2024-04-03", dtype="M8[D]")]
    observe(client, [("s", one, 1.0) for one in stamps], timezone="Europe/Berlin")

    answer = client.get("/series/s/forecast?horizon=2").json()

    assert answer["forecasts"][0]["timestamps"] == ["2024-04-03", "2024-04-04"]
    assert answer["forecasts"][0]["repairs"] == []


def test_one_timestamp_needs_a_frequency(keeping: TestClient) -> None:
    """The hint says how it is told; then it is remembered."""
    observe(keeping, [("a", "2024-01-31", 1.0)])

    refused = keeping.get("/series/a/forecast?horizon=1")
    observe(keeping, [("a", "2024-01-31", 1.0)], frequency="monthly")

    assert (refused.status_code, refused.json()["code"]) == (422, "FREQUENCY_NOT_INFERRED")
    assert keeping.get("/series/a/forecast?horizon=1").json()["forecasts"][0]["timestamps"] == ["2024-02-29"]


def test_an_export_can_be_posted_and_read_as_a_series(keeping: TestClient) -> None:
    """What comes out goes in again, and one series can be had alone."""
    observe_two_years(keeping)
    observe_two_years(keeping, "b")
    content = keeping.get("/observations/export").content

    again = keeping.post("/observations", content=content).json()

    assert again["accepted"] == 48
    rows = exported(keeping, "?series=b")
    assert {row[0] for row in rows} == {"b"}
    assert Series.make([row[2] for row in rows], timestamps=[row[1] for row in rows]).frequency is not None


def test_an_empty_service_exports_an_empty_file(keeping: TestClient) -> None:
    """A Parquet file with its columns and no row."""
    assert exported(keeping) == []


def test_an_export_reads_a_page_only_when_it_is_wanted(database_url: str) -> None:
    """Memory holds a page, not the table; iterate_pages leave nothing out and nothing twice, also within a series."""
    days = np.arange("2000-01-01", "2000-04-10", dtype="M8[D]").astype("M8[us]")
    rows = Observations.from_rows(["a"] * 100 + ["b"] * 100, np.tile(days, 2), np.arange(200.0))
    with closing(Database(database_url)) as database:
        database.migrate()
        upsert(database, rows, Calendar(), 0)
        read: list[int] = []

        def watched() -> Iterator[Page]:
            for page in iterate_pages(database, rows=30):
                read.append(len(page[0]))
                yield page

        parts = parquet_of(watched())
        next(parts)
        first = list(read)
        rest = b"".join(parts)

    assert first == [30]
    assert read == [30] * 6 + [20]
    assert rest.endswith(b"PAR1")


def test_everything_that_was_posted_is_there(database_url: str) -> None:
    """Many series, several statements: sums by series agree, and the series' ends are theirs."""
    count, length = 300, 400
    days = np.datetime64("2000-01-01", "us") + np.arange(length) * np.timedelta64(1, "D")
    ids = [f"s{place:03d}" for place in range(count) for _ in range(length)]
    values = np.random.default_rng(0).normal(size=count * length)
    order = np.random.default_rng(1).permutation(len(ids))
    with closing(Database(database_url)) as database:
        database.migrate()
        shuffled = Observations.from_rows([ids[place] for place in order], np.tile(days, count)[order], values[order])

        upsert(database, shuffled, Calendar("D"), 5)

        stored = np.concatenate([page[2] for page in iterate_pages(database)])
        known = list_series(database, limit=1_000)
        one = find_series(database, "s007")
    assert stored.tolist() == values.tolist()
    assert [(one.count, one.calendar.frequency) for one in known] == [(length, "D")] * count
    assert one is not None
    assert (one.first, one.last) == (days[0], days[-1])


def test_a_database_that_is_gone_leaves_forecasts_answered(house: House, start: Callable[..., TestClient]) -> None:
    """Ready, forecasting, and frank about what it cannot do: 503 with Retry-After, and a gauge that says so."""
    house.publish("temperatures", "1")
    client = start(database_url="postgresql://nobody@127.0.0.1:1/none")

    assert client.get("/health/ready").json()["database"] == "DATABASE_UNREACHABLE"
    assert client.post("/forecast", json={"series": [{"values": [1, 2, 3]}], "horizon": 2}).status_code == 200
    rows = {"observations": [{"id": "a", "timestamp": "2024-01-31", "value": 1}]}
    for answer in (client.post("/observations", json=rows), client.get("/series"), client.get("/observations/export")):
        assert (answer.status_code, answer.json()["code"]) == (503, "DATABASE_UNREACHABLE")
        assert answer.headers["retry-after"] == "5"
    assert "almanac_database_up 0.0" in client.get("/metrics").text


def test_a_row_off_the_calendar_is_refused_and_the_good_ones_stay(keeping: TestClient) -> None:
    """In one body, or long after the others; the hint names the steps beside it, and the series is forecast."""
    rows = [("a", f"2023-{month:02d}-01", float(month)) for month in range(1, 13)]

    first = observe(keeping, [*rows[:11], ("a", "2023-12-31", 9.0)], frequency="M")
    second = observe(keeping, [rows[11], ("a", "2024-01-31", 9.0)])

    assert (first["accepted"], first["refused"], second["accepted"], second["refused"]) == (11, 1, 1, 1)
    (error,) = first["errors"]
    assert (error["code"], error["pointer"]) == ("TIMESTAMPS_OFF_CALENDAR", "/observations/11/timestamp")
    assert error["hint"] == "The steps beside it are 2023-12-01 and 2024-01-01."
    answer = keeping.get("/series/a/forecast?horizon=1&model=starter").json()
    assert answer["forecasts"][0]["timestamps"] == ["2024-01-01"]


@pytest.mark.parametrize(
    ("frequency", "good", "bad"),
    [
        ("W-MON", ["2024-01-01", "2024-01-08", "2024-01-15"], "2024-01-17"),
        ("D", ["2024-01-29", "2024-01-30", "2024-01-31"], "0203-01-29"),
        ("D", ["2024-01-29", "2024-01-30", "2024-01-31"], "9023-01-29"),
        ("M", ["2024-02-29", "2024-03-31", "2024-04-30"], "0203-01-31"),
        ("B", ["2024-01-04", "2024-01-05", "2024-01-08"], "2024-01-06"),
        ("h", ["2024-01-04T05:00", "2024-01-04T06:00", "2024-01-05"], "2024-01-05T07:30"),
    ],
)
def test_a_slip_of_a_date_is_refused_wherever_it_stands(
    keeping: TestClient, frequency: str, good: list[str], bad: str
) -> None:
    """First or last in a new series, or in a body of its own."""
    for name, stamps in (("first", [bad, *good]), ("last", [*good, bad])):
        answer = observe(keeping, [(name, one, 1.0) for one in stamps], frequency=frequency)
        assert (answer["accepted"], [one["pointer"].split("/")[2] for one in answer["errors"]]) == (
            3,
            [str(stamps.index(bad))],
        )
    assert observe(keeping, [("last", bad, 1.0)]).get("accepted") == 0


def test_null_takes_a_wrong_row_out(keeping: TestClient) -> None:
    """A series that was spoiled before its frequency was known says where, and is forecast again after that."""
    observe(keeping, [("a", f"2023-{month:02d}-01", float(month)) for month in range(1, 13)])
    observe(keeping, [("a", "2023-12-31", 9.0), ("a", "9023-01-01", 1.0)])
    path = "/series/a/forecast?horizon=1&model=starter"
    observe(keeping, [("a", "2023-06-01", None)], frequency="M")

    wrong = keeping.get(path)
    observe(keeping, [("a", "2023-12-31", None)])
    still = keeping.get(path)
    observe(keeping, [("a", "9023-01-01", None)])
    right = keeping.get(path)

    assert (wrong.status_code, still.status_code, right.status_code) == (422, 422, 200)
    assert "Post null at 2023-12-31 " in wrong.json()["hint"]
    assert (still.json()["code"], "Post null at 9023-01-01 " in still.json()["hint"]) == ("SERIES_TOO_LONG", True)
    (given,) = right.json()["forecasts"]
    assert (given["timestamps"], given["repairs"]) == (["2024-01-01"], [{"code": "GAP_MASKED", "index": 5}])


def test_gaps_at_the_edges_of_a_series_hold_nothing(keeping: TestClient) -> None:
    """A forecast begins after the last value."""
    observe_two_years(keeping)
    observe(keeping, [("a", "2023-12", None), ("a", "2024-01", None), ("a", "2020-05", None)])

    (given,) = keeping.get("/series/a/forecast?horizon=1").json()["forecasts"]

    assert (given["timestamps"], given["context_used"]) == (["2023-12-01"], 23)


def test_another_frequency_is_refused_as_long_as_a_series_has_a_step(keeping: TestClient) -> None:
    """Days under the name of a monthly series would spoil it; what was emptied takes another frequency."""
    days = [("a", f"2024-03-{day:02d}", 1.0) for day in range(1, 11)]
    observe(keeping, [("a", "2024-01-01", 1.0), ("a", "2024-02-01", 1.0)], frequency="M")

    refused = observe(keeping, days, frequency="D")
    observe(keeping, [("a", "2024-01-01", None)], frequency="D")
    known = keeping.get("/series/a").json()["frequency"]
    taken = observe(keeping, days, frequency="D")

    assert (refused["code"], refused["refused"], known) == ("FREQUENCY_MISMATCH", 10, "M")
    assert (taken["accepted"], keeping.get("/series/a").json()["frequency"]) == (10, "D")


def test_a_frequency_that_most_rows_do_not_have_is_refused(keeping: TestClient) -> None:
    """So that a slip of the frequency leaves no rows behind that stand in the way of the right one."""
    weeks = [("a", str(np.datetime64("2023-01-02") + 7 * week), 1.0) for week in range(60)]

    wrong, right = observe(keeping, weeks, frequency="M"), observe(keeping, weeks, frequency="W-MON")

    assert (wrong["code"], wrong["refused"]) == ("TIMESTAMPS_OFF_CALENDAR", 60)
    assert right["accepted"] == 60


def test_a_remembered_timezone_reads_later_timestamps(keeping: TestClient) -> None:
    """Only a timezone that is said replaces it; an offset says a moment, and no zone."""
    observe(keeping, [("a", "2024-07-01T10:00", 1.0), ("a", "2024-07-01T11:00", 2.0)], timezone="Europe/Berlin")

    observe(keeping, [("a", "2024-07-01T12:00", 3.0), ("b", "2024-07-01T12:00", 3.0)])
    observe(keeping, [("a", "2024-07-01T11:00Z", 4.0), ("a", "2024-07-01T14:00+02:00", 5.0)])

    hours = [f"2024-07-01T{hour:02d}:00:00" for hour in (8, 9, 10, 11, 12)]
    assert exported(keeping) == [
        *(("a", stamp, float(value)) for value, stamp in enumerate(hours, 1)),
        ("b", "2024-07-01T12:00:00", 3.0),
    ]
    assert keeping.get("/series/a").json()["timezone"] == "Europe/Berlin"
    observe(keeping, [("a", "2024-07-01T16:00", 6.0)], timezone="Europe/Athens")
    assert keeping.get("/series/a").json()["timezone"] == "Europe/Athens"


def test_a_time_that_clocks_leave_out_is_refused(keeping: TestClient) -> None:
    """It would take the place of the hour after it; a day without a midnight is still a day."""
    hours = [("a", f"2024-03-31T{hour:02d}:30", float(hour)) for hour in (1, 2, 3)]

    answer = observe(keeping, hours, timezone="Europe/Berlin")
    days = observe(keeping, [("b", "2018-11-03", 1.0), ("b", "2018-11-04", 1.0)], timezone="America/Sao_Paulo")

    assert (answer["accepted"], answer["errors"][0]["pointer"]) == (2, "/observations/1/timestamp")
    assert "did not exist in Europe/Berlin" in answer["errors"][0]["detail"]
    assert days["accepted"] == 2
