"""GET /series, /series/{id} and /series/{id}/forecast, DELETE /series/{id}."""

import asyncio
import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select
from starlette.testclient import TestClient

from service.api.routes import series as series_routes
from service.store import erasure
from service.store.database import Database
from service.store.tables import erasures
from tests.service.api.routes.test_observations import VALUES, exported, observe, observe_two_years
from tests.service.forecast_log import log, make_forecast, make_history
from tests.service.home import ServiceHome
from tests.service.live_accuracy import get, scored, service_of


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
    assert [first["series"][0][name] for name in ("observations", "first", "last")] == [0, None, None]
    assert stored_client.get("/series/a%2F1").json()["id"] == "a/1"


def test_a_series_shows_its_newest_observations(stored_client: TestClient) -> None:
    """The oldest of them first."""
    observe_two_years(stored_client)

    answer = stored_client.get("/series/a?limit=2").json()

    assert (answer["observations"], answer["frequency"]) == (24, "M")
    assert (answer["timestamps"], answer["values"]) == (["2023-11-01", "2023-12-01"], [10.0, 11.0])


def test_nulls_beyond_the_values_are_no_observations(stored_client: TestClient) -> None:
    """The series, its export and its forecast begin and end with values; a gap between them remains."""
    observe_two_years(stored_client)
    given = [("a", "2001-01-01", None), ("a", "2022-05-01", None), ("a", "2030-01-01", None), ("a", "2030-05-01", None)]
    observe(stored_client, [*given, ("b", "2024-01-01", None)])

    rows = exported(stored_client)
    shown = stored_client.get("/series/a?limit=2").json()["timestamps"]

    assert [row[0] for row in rows] == ["a"] * 24
    assert (rows[0][1], rows[4][2], rows[-1][1]) == ("2022-01-01T00:00:00", None, "2023-12-01T00:00:00")
    assert shown == ["2023-11-01", "2023-12-01"]
    assert exported(stored_client, "?series=b") == stored_client.get("/series/b").json()["values"] == []
    observe(stored_client, [("a", "2030-06-01", 6.0)])
    assert [row[1][:7] for row in exported(stored_client)[-3:]] == ["2030-01", "2030-05", "2030-06"]


def test_an_address_names_a_series_however_its_id_is_written(stored_client: TestClient) -> None:
    """With blanks at its ends, and with decomposed letters; in queries too."""
    rows = [{"id": "Cafe\u0301 ", "timestamp": f"2024-{month:02d}", "value": month} for month in range(1, 13)]
    stored_client.post("/observations", json={"observations": rows, "frequency": "M"})
    names = ("Caf%C3%A9", "Cafe%CC%81", "%20Caf%C3%A9%20")

    found = [stored_client.get(f"/series/{name}").json()["id"] for name in names]
    forecasts = [stored_client.get(f"/series/{name}/forecast?horizon=1").json()["forecasts"][0]["id"] for name in names]

    assert set(found + forecasts) == {"Caf\xe9"}
    assert {stored_client.get(f"/observations/export?series={name}").status_code for name in names} == {200}
    assert {stored_client.get(f"/accuracy?series={name}").status_code for name in names} == {200}
    assert stored_client.delete(f"/series/{names[1]}").status_code == 204
    assert stored_client.get("/series").json()["series"] == []


def test_without_observations_there_is_no_series(stored_client: TestClient) -> None:
    """404 for any id, and the export is a Parquet file without rows."""
    for path in ("/series/nobody", "/series/nobody/forecast?horizon=1", "/series/%00", "/series/%ED%A0%80"):
        answer = stored_client.get(path)
        assert (answer.status_code, answer.json()["code"]) == (404, "SERIES_UNKNOWN")
    assert exported(stored_client) == []


@pytest.mark.parametrize("frequency", ["h", None])
def test_ends_of_hours_are_times(stored_client: TestClient, frequency: str | None) -> None:
    """Also at midnight, with and without a timezone; those of days are dates, also without a midnight."""
    hours = [f"2024-03-10T{hour:02d}:00" for hour in range(24)] + ["2024-03-11T00:00"]
    given = {} if frequency is None else {"frequency": frequency}
    observe(stored_client, [("a", one, 1.0) for one in hours], **given)
    observe(stored_client, [("b", one, 1.0) for one in hours], **given, timezone="Asia/Tokyo")
    days = [f"2024-09-{day:02d}" for day in range(1, 9)]
    observe(stored_client, [("c", one, 1.0) for one in days], timezone="America/Santiago")

    a, b, c = stored_client.get("/series").json()["series"]

    assert (a["first"], a["last"]) == ("2024-03-10T00:00:00", "2024-03-11T00:00:00")
    assert (b["first"], b["last"]) == ("2024-03-10T00:00:00+09:00", "2024-03-11T00:00:00+09:00")
    assert (c["first"], c["last"]) == ("2024-09-01", "2024-09-08")
    assert stored_client.get("/series/a?limit=1").json()["timestamps"] == ["2024-03-11T00:00:00"]


def test_an_erased_series_leaves_nothing(stored_client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    """Neither observations, forecasts, scores nor sums; the record has no id, and other series stay."""
    caplog.set_level("INFO", "almanac")
    for name in ("customer 7", "b"):
        observe_two_years(stored_client, name)
    asked = [stored_client.get(f"/series/{name}/forecast?horizon=2").json() for name in ("customer 7", "b")]
    ids = [one["forecasts"][0]["forecast_id"] for one in asked]
    for forecast_id in ids:
        assert stored_client.get(f"/forecasts/{forecast_id}").status_code == 200
    for name in ("customer 7", "b"):
        observe(stored_client, [(name, "2024-01", 1.0), (name, "2024-02", 2.0)])
    scored(stored_client)
    before = get(stored_client, by="series")["rows"]

    first, again = (stored_client.delete("/series/customer 7") for _ in range(2))

    assert [(row["series"], row["scores"]) for row in before] == [("b", 2), ("customer 7", 2)]
    assert (first.status_code, first.content) == (204, b"")
    assert (again.status_code, again.json()["code"]) == (404, "SERIES_UNKNOWN")
    assert [one["id"] for one in stored_client.get("/series").json()["series"]] == ["b"]
    assert [stored_client.get(f"/forecasts/{one}").status_code for one in ids] == [404, 200]
    assert [row["series"] for row in get(stored_client, by="series")["rows"]] == ["b"]
    assert get(stored_client)["rows"][0]["scores"] == 2
    digest = hashlib.sha256(b"customer 7").hexdigest()
    records = [one.getMessage() for one in caplog.records if digest in one.getMessage()]
    assert [text.partition(f"{digest}: ")[2] for text in records] == ["26 observations, 1 forecasts, 2 scores"]
    with service_of(stored_client).database.sync_database.reading() as connection:
        (row,) = connection.execute(select(erasures)).all()
    assert (row.series_sha256, row.observations, row.forecasts, row.scores) == (digest, 26, 1, 2)


def test_what_is_forecast_during_an_erasure_is_erased_too(
    stored_client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By another process until the last transaction, and by this one until the response; later ones are stored."""
    observe_two_years(stored_client)
    run = erasure._run
    body = {"series": [{"id": "a", "start": "2024-01", "frequency": "M", "values": VALUES}], "horizon": 2}
    asked: list[str] = []

    def ask() -> None:
        asked.append(stored_client.post("/forecast", json=body).json()["forecasts"][0]["forecast_id"])

    def run_and_log(database: Database, work: Callable[..., Any], *args: object) -> object:
        found = run(database, work, *args)
        if work is erasure._remove_sums:
            log(database, "late", make_forecast(make_history(0)), series_id="a")
        return found

    async def audit_and_ask(*_: object, **__: object) -> None:
        await asyncio.to_thread(ask)

    monkeypatch.setattr(erasure, "_run", run_and_log)
    monkeypatch.setattr(series_routes, "audit", audit_and_ask)

    assert stored_client.delete("/series/a").status_code == 204
    ask()

    assert [stored_client.get(f"/forecasts/{one}").status_code for one in ("late", *asked)] == [404, 404, 200]


def test_a_stored_series_is_forecast_like_a_posted_one(stored_client: TestClient) -> None:
    """GET /series/{id}/forecast and POST /forecast return the same, with gaps and levels."""
    observe_two_years(stored_client)
    observe(stored_client, [("a", "2022-05", None)])
    values = [None if place == 4 else value for place, value in enumerate(VALUES)]
    series = {"id": "a", "start": "2022-01-01", "frequency": "M", "values": values}
    sent = {"series": [series], "horizon": 3, "levels": [50, 90], "quantiles": [0.05], "mean": True}
    sent |= {"paths": 2, "seed": 3, "sums": ["1-2", "horizon"]}

    answer = stored_client.get(
        "/series/a/forecast?horizon=3&levels=50,90&quantiles=0.05&mean=true&paths=2&seed=3&sums=1-2,horizon"
        "&model=temperatures"
    ).json()
    expected = stored_client.post("/forecast", json=sent).json()

    for one in (answer, expected):
        one["forecasts"][0].pop("forecast_id")
    assert answer == expected
    assert len(answer["forecasts"][0]["mean"]) == 3
    assert [len(path) for path in answer["forecasts"][0]["paths"]] == [3, 3]
    assert answer["forecasts"][0]["timestamps"] == ["2024-01-01", "2024-02-01", "2024-03-01"]


def test_wrong_parameters_are_refused(stored_client: TestClient) -> None:
    """Invalid ones, and unknown ones."""
    observe_two_years(stored_client)
    forecast = "/series/a/forecast"
    unknown = ["/series?lmit=2", "/series/a?since=xx", f"{forecast}?horizon=1&level=80", "/observations/export?id=a"]

    for query in ("horizon=0", "horizon=2000", "horizon=3&levels=0", "horizon=3&levels=x", "horizon=3&mean=yes", ""):
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


def test_fiscal_months_are_told_what_helps(stored_client: TestClient) -> None:
    """A frequency that is stored would not; the first days of calendar months do."""
    ends = np.datetime64("2022-01-29") + np.cumsum([0, *[28, 35, 28] * 5])
    observe(stored_client, [("a", str(end), 1.0 + at) for at, end in enumerate(ends)])
    path = "/series/a/forecast?horizon=1&model=starter"

    hint = stored_client.get(path).json()["hint"]
    observe(stored_client, [("a", str(end), None) for end in ends])
    observe(stored_client, [("a", str(np.datetime64("2022-01") + at), 1.0 + at) for at in range(len(ends))])

    assert "first day of each calendar month" in hint
    assert stored_client.get(path).json()["forecasts"][0]["timestamps"] == ["2023-05-01"]


def test_null_removes_a_wrong_row(stored_client: TestClient) -> None:
    """A date off the steps is named in a warning, and gone after a null; a date far away is refused at once."""
    months = [("a", f"2023-{month:02d}-01", float(month)) for month in range(1, 13)]
    far = observe(stored_client, [("a", "9023-01-01", 1.0), *months, ("a", "2023-12-31", 9.0)])
    path = "/series/a/forecast?horizon=1&model=starter"
    observe(stored_client, [("a", "2023-06-01", None)], frequency="M")

    (wrong,) = stored_client.get(path).json()["forecasts"]
    observe(stored_client, [("a", "2023-12-31", None)])
    (right,) = stored_client.get(path).json()["forecasts"]

    assert [(error["code"], error["pointer"]) for error in far["errors"]] == [
        ("TIMESTAMP_INVALID", "/observations/0/timestamp")
    ]
    assert "2023-12-31" in next(one["detail"] for one in wrong["warnings"] if one["code"] == "DATE_OUTLIER")
    assert (wrong["timestamps"], right["timestamps"]) == (["2024-02-01"], ["2024-01-01"])
    assert right["repairs"] == [{"code": "GAP_MASKED", "index": 5}]


def test_gaps_at_the_ends_of_a_series_are_left_out(stored_client: TestClient) -> None:
    """A forecast starts after the last value."""
    observe_two_years(stored_client)
    observe(stored_client, [("a", "2023-12", None), ("a", "2024-01", None), ("a", "2020-05", None)])

    (given,) = stored_client.get("/series/a/forecast?horizon=1").json()["forecasts"]

    assert (given["timestamps"], given["context_used"]) == (["2023-12-01"], 23)


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/series/nobody", "SERIES_UNKNOWN"),
        ("/series/nobody/forecast?horizon=1", "SERIES_UNKNOWN"),
        ("/series/a/forecast?horizon=1&model=nobody", "MODEL_UNKNOWN"),
        ("/series/a/forecast?horizon=1&model=temperatures/99", "MODEL_UNKNOWN"),
        ("/observations/export?series=nobody", "SERIES_UNKNOWN"),
        ("/accuracy?series=nobody", "SERIES_UNKNOWN"),
        ("/accuracy?model=nobody", "MODEL_UNKNOWN"),
        ("/models/nobody", "MODEL_UNKNOWN"),
    ],
)
def test_what_a_url_names_and_does_not_exist_is_404(client: TestClient, path: str, code: str) -> None:
    """In the path as in the query."""
    rows = [{"id": "a", "timestamp": f"2024-{month:02d}", "value": month} for month in range(1, 13)]
    client.post("/observations", json={"observations": rows}).raise_for_status()

    response = client.get(path)

    assert (response.status_code, response.json()["code"]) == (404, code)


@pytest.mark.parametrize("is_empty", [True, False])
@pytest.mark.parametrize(
    ("path", "body", "kind"),
    [
        ("/validate?model=nope", "ds,y\n2024-01,1\n2024-02,2\n", "text/csv"),
        ("/forecast?horizon=1&model=nope", '{"values": [1, 2]}\n', "application/x-ndjson"),
        ("/series/a/forecast?horizon=1&model=nope", None, ""),
        ("/models/nope", None, ""),
    ],
)
def test_an_unknown_model_in_a_url_is_404(  # noqa: PLR0913 - the parts of a case
    home: ServiceHome, start: Callable[..., TestClient], path: str, body: str | None, kind: str, *, is_empty: bool
) -> None:
    """Whether a model is registered or not; in a body of JSON it is 422, and 503 where nothing is registered."""
    home.set_empty() if is_empty else home.publish("temperatures", "1")
    client = start()
    observe_two_years(client)

    response = client.request("POST" if body else "GET", path, content=body, headers={"content-type": kind})
    in_body = client.post("/forecast", json={"series": [{"values": [1, 2]}], "horizon": 1, "model": "nope"})

    assert (response.status_code, response.json()["code"]) == (404, "MODEL_UNKNOWN")
    assert in_body.status_code == (503 if is_empty else 422)
