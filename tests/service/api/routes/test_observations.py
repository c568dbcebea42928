import io
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from starlette.testclient import TestClient

from models.series import Series
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
    assert table.column_names == ["unique_id", "ds", "y", "timezone"]
    return [(row["unique_id"], row["ds"].isoformat(), row["y"]) for row in table.to_pylist()]


def test_observations_are_upserted(stored_client: TestClient) -> None:
    """The same twice changes nothing; another value replaces the stored one, and null removes it."""
    rows = [("b", "2024-01-31", 1.0), ("a", "2024-02-29", 2.0), ("a", "2024-01-31", 2.5)]

    first, second = observe(stored_client, rows), observe(stored_client, rows)
    observe(stored_client, [("a", "2024-01-31", 1.5), ("a", "2024-02-29", None)])

    assert first == second == {"accepted": 3, "refused": 0, "series": 2, "errors": [], "repairs": [], "warnings": []}
    assert exported(stored_client) == [("a", "2024-01-31T00:00:00", 1.5), ("b", "2024-01-31T00:00:00", 1.0)]


def test_wrong_rows_are_listed_and_the_others_stored(stored_client: TestClient) -> None:
    """200 if any row is valid, else 422, with all errors either way."""
    some = observe(stored_client, [("a", "2024-01-31", 1.0), ("a", "soon", 2.0)])
    none = stored_client.post("/observations", json={"observations": [{"id": "z", "timestamp": "soon", "value": 1}]})

    assert (some["accepted"], some["refused"], some["errors"][0]["pointer"]) == (1, 1, "/observations/1/timestamp")
    assert none.status_code == 422
    assert (none.json()["code"], none.json()["errors"][0]["id"]) == ("TIMESTAMP_INVALID", "z")
    assert exported(stored_client) == [("a", "2024-01-31T00:00:00", 1.0)]


def test_parameters_say_how_a_file_is_read(stored_client: TestClient) -> None:
    """Keys, numbers and dates as for a training; another format is refused by name."""
    body = "Filiale;Artikel;Datum;Menge;Preis\n01;7;02/03/2024;1.028;1,5\n"
    asked = {"id_column": "Filiale,Artikel", "value_column": "Menge", "thousands": ".", "date_format": "%d/%m/%Y"}
    kind = {"content-type": "text/csv"}

    refused = stored_client.post("/observations", content=body, headers=kind)
    accepted = stored_client.post("/observations", content=body, headers=kind, params={**asked, "time_column": "Datum"})
    zipped = stored_client.post("/observations", content=b"PK\x03\x04", headers=kind)

    assert (refused.status_code, accepted.status_code, zipped.status_code) == (422, 200, 415)
    assert "Excel" in zipped.json()["detail"]
    assert exported(stored_client) == [("01/7", "2024-03-02T00:00:00", 1028.0)]


def test_what_is_guessed_in_a_file_is_said(stored_client: TestClient) -> None:
    """As by POST /validate, with parameters of the URL in the hints."""
    body, kind = "id,date,value\na,13/02/2024,1.000\na,14/02/2024,1.001\n", {"content-type": "text/csv"}
    said = [stored_client.post(f"/{path}", content=body, headers=kind).json() for path in ("observations", "validate")]

    assert said[0]["accepted"] == 2
    assert said[0]["warnings"] == said[1]["findings"]
    assert "NUMBERS_READ" in [one["code"] for one in said[0]["warnings"]]


def test_an_export_can_be_posted_and_read_as_a_series(stored_client: TestClient) -> None:
    """An exported file can be posted again, and one series can be exported alone."""
    observe_two_years(stored_client)
    observe_two_years(stored_client, "b")
    content = stored_client.get("/observations/export").content

    kind = {"content-type": "application/vnd.apache.parquet"}
    again = stored_client.post("/observations", content=content, headers=kind).json()

    assert again["accepted"] == 48
    rows = exported(stored_client, "?series=b")
    assert {row[0] for row in rows} == {"b"}
    assert Series.make([row[2] for row in rows], timestamps=[row[1] for row in rows]).frequency is not None


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
    second = observe(stored_client, [rows[11], ("a", "2024-01-15", 9.0)])

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


def test_offsets_do_not_move_stored_local_times(stored_client: TestClient) -> None:
    """They are refused, null too, unless the request states a timezone: then the stored times are instants of it."""
    hours = [("a", f"2024-01-03T{hour:02d}:00", float(hour)) for hour in range(4)]
    observe(stored_client, hours, frequency="h")
    before = exported(stored_client)

    for late in ("2024-01-03T03:00:00+01:00", "2024-01-03T03:00:00Z"):
        refused = observe(stored_client, [("a", late, None), ("a", late, 7.0)])
        assert [one["code"] for one in refused["errors"]] == ["TIMESTAMP_INVALID"] * 2
    assert observe(stored_client, [("b", "2024-01-03", 1.0), ("b", "2024-01-04T00:00Z", 1.0)])["refused"] == 2
    assert exported(stored_client) == before
    given = observe(stored_client, [("a", "2024-01-03T04:00:00+01:00", 4.0)], timezone="Europe/Berlin")

    assert (given["accepted"], stored_client.get("/series/a").json()["timezone"]) == (1, "Europe/Berlin")
    stamps = ["2024-01-02T23:00:00", *(f"2024-01-03T{hour:02d}:00:00" for hour in range(4))]
    assert exported(stored_client) == [("a", stamp, float(value)) for value, stamp in enumerate(stamps)]


def test_a_timezone_without_a_stored_local_time_is_refused(stored_client: TestClient) -> None:
    """Nothing is stored then: the time would become that of another value."""
    observe(stored_client, [("a", f"2024-03-31T{hour:02d}:30", float(hour)) for hour in (1, 2, 3)], frequency="h")
    before = exported(stored_client)

    answer = observe(stored_client, [("a", "2024-03-31T04:30", 4.0)], timezone="Europe/Berlin")

    assert (answer["code"], answer["pointer"]) == ("TIMESTAMP_INVALID", "/timezone")
    assert exported(stored_client) == before


def test_a_time_that_clocks_skip_is_refused(stored_client: TestClient) -> None:
    """It would be read as the hour after it; a day without a midnight is valid."""
    hours = [("a", f"2024-03-31T{hour:02d}:30", float(hour)) for hour in (1, 2, 3)]

    answer = observe(stored_client, hours, timezone="Europe/Berlin")
    days = observe(stored_client, [("b", "2018-11-03", 1.0), ("b", "2018-11-04", 1.0)], timezone="America/Sao_Paulo")

    assert (answer["accepted"], answer["errors"][0]["pointer"]) == (2, "/observations/1/timestamp")
    assert answer["errors"][0]["code"] == "TIMESTAMP_INVALID"
    assert days["accepted"] == 2
