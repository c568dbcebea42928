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
from service.store import observations as store
from service.store.database import Database
from service.store.observations import Calendar, Observations, find_series, iterate_pages, list_series, upsert
from tests.service.home import ServiceHome

MONTHS = [f"{year}-{month:02d}" for year in (2022, 2023) for month in range(1, 13)]
VALUES = [float(place % 12) for place in range(24)]


def observe(client: TestClient, rows: Sequence[tuple[str, str, float | None]], **members: str) -> dict[str, Any]:
    """Post rows, and return the response."""
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


def test_observations_are_upserted(stored_client: TestClient) -> None:
    """The same twice changes nothing; another value replaces the stored one, and null makes a gap of it."""
    rows = [("b", "2024-01-31", 1.0), ("a", "2024-02-29", 2.0), ("a", "2024-01-31", 2.5)]

    first, second = observe(stored_client, rows), observe(stored_client, rows)
    observe(stored_client, [("a", "2024-01-31", 1.5), ("a", "2024-02-29", None)])

    assert first == second == {"accepted": 3, "refused": 0, "series": 2, "errors": []}
    assert exported(stored_client) == [
        ("a", "2024-01-31T00:00:00", 1.5),
        ("a", "2024-02-29T00:00:00", None),
        ("b", "2024-01-31T00:00:00", 1.0),
    ]


def test_wrong_rows_are_listed_and_the_others_stored(stored_client: TestClient) -> None:
    """200 if any row is valid, else 422, with all errors either way."""
    some = observe(stored_client, [("a", "2024-01-31", 1.0), ("a", "soon", 2.0)])
    none = stored_client.post("/observations", json={"observations": [{"id": "z", "timestamp": "soon", "value": 1}]})

    assert (some["accepted"], some["refused"], some["errors"][0]["pointer"]) == (1, 1, "/observations/1/timestamp")
    assert none.status_code == 422
    assert (none.json()["code"], none.json()["errors"][0]["id"]) == ("TIMESTAMP_INVALID", "z")
    assert exported(stored_client) == [("a", "2024-01-31T00:00:00", 1.0)]


def test_series_are_listed_page_by_page(stored_client: TestClient) -> None:
    """By id, each with its count and its ends; the `next` of the last page is null."""
    observe(
        stored_client,
        [("b", "2024-01-31", 1.0), ("b", "2024-03-31", 1.0), ("a/1", "2024-01-31", None), ("é", "2024", 1)],
    )

    first = stored_client.get("/series?limit=2").json()
    second = stored_client.get("/series", params={"limit": 2, "after": first["next"]}).json()

    assert [one["id"] for one in first["series"] + second["series"]] == ["a/1", "b", "é"]
    assert (first["next"], second["next"]) == ("b", None)
    b = {"id": "b", "frequency": None, "timezone": None, "observations": 2, "first": "2024-01-31", "last": "2024-03-31"}
    assert first["series"][1] == b
    assert stored_client.get("/series/a%2F1").json()["id"] == "a/1"


def test_a_series_shows_its_newest_observations(stored_client: TestClient) -> None:
    """The oldest of them first."""
    observe_two_years(stored_client)

    answer = stored_client.get("/series/a?limit=2").json()

    assert (answer["observations"], answer["frequency"]) == (24, "M")
    assert (answer["timestamps"], answer["values"]) == (["2023-11-01", "2023-12-01"], [10.0, 11.0])


def test_without_observations_there_is_no_series(stored_client: TestClient) -> None:
    """404 for any id, and the export is a Parquet file without rows."""
    for path in ("/series/nobody", "/series/nobody/forecast?horizon=1", "/series/%00", "/series/%ED%A0%80"):
        answer = stored_client.get(path)
        assert (answer.status_code, answer.json()["code"]) == (404, "SERIES_UNKNOWN")
    assert exported(stored_client) == []


def test_a_stored_series_is_forecast_like_a_posted_one(stored_client: TestClient) -> None:
    """GET /series/{id}/forecast and POST /forecast return the same, with gaps and levels."""
    observe_two_years(stored_client)
    observe(stored_client, [("a", "2022-05", None)])
    values = [None if place == 4 else value for place, value in enumerate(VALUES)]
    series = {"id": "a", "start": "2022-01-01", "frequency": "M", "values": values}
    sent = {"series": [series], "horizon": 3, "levels": [50, 90], "quantiles": [0.05]}

    answer = stored_client.get("/series/a/forecast?horizon=3&levels=50,90&quantiles=0.05&model=temperatures").json()
    expected = stored_client.post("/forecast", json=sent).json()

    for one in (answer, expected):
        one["forecasts"][0].pop("forecast_id")
    assert answer == expected
    assert answer["forecasts"][0]["timestamps"] == ["2024-01-01", "2024-02-01", "2024-03-01"]


def test_wrong_parameters_are_refused(stored_client: TestClient) -> None:
    """Invalid ones, and unknown ones."""
    observe_two_years(stored_client)
    forecast = "/series/a/forecast"
    unknown = ["/series?lmit=2", "/series/a?since=xx", f"{forecast}?horizon=1&level=80", "/observations/export?id=a"]

    for query in ("horizon=0", "horizon=2000", "horizon=3&levels=0", "horizon=3&levels=x", ""):
        assert stored_client.get(f"{forecast}?{query}").status_code == 422
    for path in unknown:
        answer = stored_client.get(path)
        assert (answer.status_code, answer.json()["code"]) == (422, "FIELD_UNKNOWN")


def test_days_of_a_timezone_go_on_after_a_clock_change(home: ServiceHome, start: Callable[..., TestClient]) -> None:
    """A daily series of Berlin has local midnights as its steps."""
    home.publish("shop", "1", frequency="D", season_length=7)
    client = start()
    stamps = [str(day) for day in np.arange("2024-03-20", "2024-04-03", dtype="M8[D]")]
    observe(client, [("s", one, 1.0) for one in stamps], timezone="Europe/Berlin")

    answer = client.get("/series/s/forecast?horizon=2").json()

    assert answer["forecasts"][0]["timestamps"] == ["2024-04-03", "2024-04-04"]
    assert answer["forecasts"][0]["repairs"] == []


def test_one_timestamp_needs_a_frequency(stored_client: TestClient) -> None:
    """Once posted, the frequency is stored."""
    observe(stored_client, [("a", "2024-01-31", 1.0)])

    refused = stored_client.get("/series/a/forecast?horizon=1")
    observe(stored_client, [("a", "2024-01-31", 1.0)], frequency="monthly")

    assert (refused.status_code, refused.json()["code"]) == (422, "FREQUENCY_NOT_INFERRED")
    assert stored_client.get("/series/a/forecast?horizon=1").json()["forecasts"][0]["timestamps"] == ["2024-02-29"]


def test_an_export_can_be_posted_and_read_as_a_series(stored_client: TestClient) -> None:
    """An exported file can be posted again, and one series can be exported alone."""
    observe_two_years(stored_client)
    observe_two_years(stored_client, "b")
    content = stored_client.get("/observations/export").content

    again = stored_client.post("/observations", content=content).json()

    assert again["accepted"] == 48
    rows = exported(stored_client, "?series=b")
    assert {row[0] for row in rows} == {"b"}
    assert Series.make([row[2] for row in rows], timestamps=[row[1] for row in rows]).frequency is not None


def test_an_export_reads_one_page_at_a_time(database_url: str) -> None:
    """Also within a series; each row is on one page."""
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


def test_observations_of_many_statements_are_stored(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every value, and the ends of each series."""
    monkeypatch.setattr(store, "INSERT_ROWS", 1_000)
    count, length = 30, 100
    days = np.datetime64("2000-01-01", "us") + np.arange(length) * np.timedelta64(1, "D")
    ids = [f"s{place:02d}" for place in range(count) for _ in range(length)]
    values = np.random.default_rng(0).normal(size=count * length)
    order = np.random.default_rng(1).permutation(len(ids))
    with closing(Database(database_url)) as database:
        database.migrate()
        shuffled = Observations.from_rows([ids[place] for place in order], np.tile(days, count)[order], values[order])

        upsert(database, shuffled, Calendar("D"), 5)

        stored = np.concatenate([page[2] for page in iterate_pages(database, rows=1_000)])
        known = list_series(database, limit=1_000)
        one = find_series(database, "s07")
    assert stored.tolist() == values.tolist()
    assert [(one.count, one.calendar.frequency) for one in known] == [(length, "D")] * count
    assert one is not None
    assert (one.first, one.last) == (days[0], days[-1])


def test_without_a_database_forecasts_are_served(home: ServiceHome, start: Callable[..., TestClient]) -> None:
    """Other requests return 503 with Retry-After, and a gauge shows it."""
    home.publish("temperatures", "1")
    client = start(database_url="postgresql://nobody@127.0.0.1:1/none")

    assert client.get("/health/ready").json()["database"] == "DATABASE_UNREACHABLE"
    assert client.post("/forecast", json={"series": [{"values": [1, 2, 3]}], "horizon": 2}).status_code == 200
    rows = {"observations": [{"id": "a", "timestamp": "2024-01-31", "value": 1}]}
    for answer in (client.post("/observations", json=rows), client.get("/series"), client.get("/observations/export")):
        assert (answer.status_code, answer.json()["code"]) == (503, "DATABASE_UNREACHABLE")
        assert answer.headers["retry-after"] == "5"
    assert "almanac_database_up 0.0" in client.get("/metrics").text


def test_a_row_off_the_calendar_is_refused_and_the_others_are_not(stored_client: TestClient) -> None:
    """In one body or in another; the hint has the steps beside it."""
    rows = [("a", f"2023-{month:02d}-01", float(month)) for month in range(1, 13)]

    first = observe(stored_client, [*rows[:11], ("a", "2023-12-31", 9.0)], frequency="M")
    second = observe(stored_client, [rows[11], ("a", "2024-01-31", 9.0)])

    assert (first["accepted"], first["refused"], second["accepted"], second["refused"]) == (11, 1, 1, 1)
    (error,) = first["errors"]
    assert (error["code"], error["pointer"]) == ("TIMESTAMPS_OFF_CALENDAR", "/observations/11/timestamp")
    assert "2023-12-01 and 2024-01-01" in error["hint"]
    answer = stored_client.get("/series/a/forecast?horizon=1&model=starter").json()
    assert answer["forecasts"][0]["timestamps"] == ["2024-01-01"]


def test_a_wrong_date_is_refused_wherever_it_stands(stored_client: TestClient) -> None:
    """First or last in a new series, or in a body of its own."""
    days = ["2024-01-29", "2024-01-30", "2024-01-31"]
    for place, (frequency, good, bad) in enumerate(
        [
            ("W-MON", ["2024-01-01", "2024-01-08", "2024-01-15"], "2024-01-17"),
            ("D", days, "0203-01-29"),
            ("D", days, "9023-01-29"),
            ("M", ["2024-02-29", "2024-03-31", "2024-04-30"], "0203-01-31"),
            ("B", ["2024-01-04", "2024-01-05", "2024-01-08"], "2024-01-06"),
            ("h", ["2024-01-04T05:00", "2024-01-04T06:00", "2024-01-05"], "2024-01-05T07:30"),
        ]
    ):
        for name, stamps in ((f"first {place}", [bad, *good]), (f"last {place}", [*good, bad])):
            answer = observe(stored_client, [(name, one, 1.0) for one in stamps], frequency=frequency)
            refused = [error["pointer"] for error in answer["errors"]]
            assert (answer["accepted"], refused) == (3, [f"/observations/{stamps.index(bad)}/timestamp"])
        assert observe(stored_client, [(f"last {place}", bad, 1.0)])["accepted"] == 0


def test_null_removes_a_wrong_row(stored_client: TestClient) -> None:
    """The hint lists the wrong timestamps of a series whose frequency was unknown; without them it is forecast."""
    observe(stored_client, [("a", f"2023-{month:02d}-01", float(month)) for month in range(1, 13)])
    observe(stored_client, [("a", "2023-12-31", 9.0), ("a", "9023-01-01", 1.0)])
    path = "/series/a/forecast?horizon=1&model=starter"
    observe(stored_client, [("a", "2023-06-01", None)], frequency="M")

    wrong = stored_client.get(path)
    observe(stored_client, [("a", "2023-12-31", None)])
    still = stored_client.get(path)
    observe(stored_client, [("a", "9023-01-01", None)])
    right = stored_client.get(path)

    assert (wrong.status_code, still.status_code, right.status_code) == (422, 422, 200)
    assert "2023-12-31" in wrong.json()["hint"]
    assert (still.json()["code"], "9023-01-01" in still.json()["hint"]) == ("SERIES_TOO_LONG", True)
    (given,) = right.json()["forecasts"]
    assert (given["timestamps"], given["repairs"]) == (["2024-01-01"], [{"code": "GAP_MASKED", "index": 5}])


def test_gaps_at_the_ends_of_a_series_are_left_out(stored_client: TestClient) -> None:
    """A forecast starts after the last value."""
    observe_two_years(stored_client)
    observe(stored_client, [("a", "2023-12", None), ("a", "2024-01", None), ("a", "2020-05", None)])

    (given,) = stored_client.get("/series/a/forecast?horizon=1").json()["forecasts"]

    assert (given["timestamps"], given["context_used"]) == (["2023-12-01"], 23)


def test_a_series_with_two_values_keeps_its_frequency(stored_client: TestClient) -> None:
    """Without them it takes another one."""
    days = [("a", f"2024-03-{day:02d}", 1.0) for day in range(1, 11)]
    observe(stored_client, [("a", "2024-01-01", 1.0), ("a", "2024-02-01", 1.0)], frequency="M")

    refused = observe(stored_client, days, frequency="D")
    observe(stored_client, [("a", "2024-01-01", None)], frequency="D")
    known = stored_client.get("/series/a").json()["frequency"]
    taken = observe(stored_client, days, frequency="D")

    assert (refused["code"], refused["refused"], known) == ("FREQUENCY_MISMATCH", 10, "M")
    assert (taken["accepted"], stored_client.get("/series/a").json()["frequency"]) == (10, "D")


def test_a_frequency_that_most_rows_do_not_have_is_refused(stored_client: TestClient) -> None:
    """No row is stored, so that the right frequency is accepted afterwards."""
    weeks = [("a", str(np.datetime64("2023-01-02") + 7 * week), 1.0) for week in range(60)]

    wrong, right = observe(stored_client, weeks, frequency="M"), observe(stored_client, weeks, frequency="W-MON")

    assert (wrong["code"], wrong["refused"]) == ("TIMESTAMPS_OFF_CALENDAR", 60)
    assert right["accepted"] == 60


def test_later_timestamps_are_read_in_the_stored_timezone(stored_client: TestClient) -> None:
    """Only another timezone replaces it; an offset does not."""
    observe(stored_client, [("a", "2024-07-01T10:00", 1.0), ("a", "2024-07-01T11:00", 2.0)], timezone="Europe/Berlin")

    observe(stored_client, [("a", "2024-07-01T12:00", 3.0), ("b", "2024-07-01T12:00", 3.0)])
    observe(stored_client, [("a", "2024-07-01T11:00Z", 4.0), ("a", "2024-07-01T14:00+02:00", 5.0)])

    hours = [f"2024-07-01T{hour:02d}:00:00" for hour in (8, 9, 10, 11, 12)]
    assert exported(stored_client) == [
        *(("a", stamp, float(value)) for value, stamp in enumerate(hours, 1)),
        ("b", "2024-07-01T12:00:00", 3.0),
    ]
    assert stored_client.get("/series/a").json()["timezone"] == "Europe/Berlin"
    observe(stored_client, [("a", "2024-07-01T16:00", 6.0)], timezone="Europe/Athens")
    assert stored_client.get("/series/a").json()["timezone"] == "Europe/Athens"


def test_a_time_that_clocks_skip_is_refused(stored_client: TestClient) -> None:
    """It would be read as the hour after it; a day without a midnight is valid."""
    hours = [("a", f"2024-03-31T{hour:02d}:30", float(hour)) for hour in (1, 2, 3)]

    answer = observe(stored_client, hours, timezone="Europe/Berlin")
    days = observe(stored_client, [("b", "2018-11-03", 1.0), ("b", "2018-11-04", 1.0)], timezone="America/Sao_Paulo")

    assert (answer["accepted"], answer["errors"][0]["pointer"]) == (2, "/observations/1/timestamp")
    assert answer["errors"][0]["code"] == "TIMESTAMP_INVALID"
    assert days["accepted"] == 2
