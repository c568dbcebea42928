"""POST /validate: how series are understood, from JSON and from files."""

import io
from typing import Any

import jsonschema
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from service.api.examples.validate import VALIDATE_REQUESTS, VALIDATED

CSV = "text/csv"
MONTHS = "month,sales\n2024-01,35\n2024-02,40\n2024-04,38\n"


def post(client: TestClient, body: str | bytes, media_type: str = CSV, query: str = "values=true") -> Response:
    """Send a file."""
    content = body.encode() if isinstance(body, str) else body
    return client.post(f"/validate?{query}", content=content, headers={"content-type": media_type})


def test_the_answer_has_gaps_repairs_and_errors(shared_client: TestClient) -> None:
    """As the example shows, and as the OpenAPI document describes."""
    answer = shared_client.post("/validate", json=VALIDATE_REQUESTS["gap"]["value"]).json()

    assert {**answer, "model": {**answer["model"], "run_id": None}} == VALIDATED
    document = shared_client.get("/openapi.json").json()
    schema = {"$ref": "#/components/schemas/ValidationResponse", "components": document["components"]}
    jsonschema.Draft202012Validator(schema).validate(answer)


def test_rows_after_the_last_value_of_a_file_are_left_out(shared_client: TestClient) -> None:
    """As in a training."""
    one = post(shared_client, MONTHS + "2030-01,\n2030-05,\n").json()["series"][0]

    assert (one["end"], one["points"]) == ("2024-04-01", 4)


def test_an_export_that_another_program_saved_keeps_its_local_dates(shared_client: TestClient) -> None:
    """In a body as in a file; posted as observations, it is stored so."""
    rows = "".join(f"saved,2024-01-{day:02d} 15:00:00,{day},Asia/Tokyo\n" for day in range(1, 29))
    body = f"unique_id,ds,y,timezone\n{rows}"

    answer = post(shared_client, body).json()
    shared_client.post("/observations?frequency=D", content=body, headers={"content-type": CSV})

    (one,) = answer["series"]
    assert (one["timezone"], one["start"], one["frequency"]) == ("Asia/Tokyo", "2024-01-02", "D")
    stored = next(one for one in shared_client.get("/series?limit=1000").json()["series"] if one["id"] == "saved")
    assert (stored["timezone"], stored["first"], stored["last"]) == ("Asia/Tokyo", "2024-01-02", "2024-01-29")


@pytest.mark.parametrize("model", [{}, {"model": "temperatures"}])
def test_a_model_refuses_what_it_would_not_forecast(shared_client: TestClient, model: dict[str, str]) -> None:
    """The errors and warnings of a forecast are those of the validation, also without `model`."""
    series = [
        {"id": "daily", "start": "2024-01-01", "frequency": "D", "values": [1, 2, 3]},
        {"id": "short", "start": "2024-01", "frequency": "M", "values": [1, 2, 3]},
    ]
    body = {"series": series, "horizon": 12, **model}

    answer = shared_client.post("/validate", json=body).json()

    forecast = shared_client.post("/forecast", json={**body, "record": False}).json()
    assert answer["errors"] == forecast["errors"]
    assert answer["series"][0]["warnings"] == forecast["forecasts"][0]["warnings"]
    assert answer["model"] == forecast["model"]


@pytest.mark.parametrize("options", [{}, {"outliers": "mask"}])
@pytest.mark.parametrize(
    ("number", "shift", "code"), [(-9999.0, 0, "VALUES_IMPLAUSIBLE"), (0.0, 1000, "ZEROS_DOUBTFUL")]
)
def test_implausible_values_are_named(
    shared_client: TestClient, options: dict[str, str], number: float, shift: float, code: str
) -> None:
    """As the warnings of a forecast name them, and what it reads in their place."""
    values = [float(place % 12) + shift for place in range(60)]
    values[30] = number

    body = {"series": [{"values": values, "start": "2019-01", "frequency": "M"}], "horizon": 2, **options}

    (found,) = shared_client.post("/validate", json=body).json()["series"][0]["warnings"]

    assert found["code"] == code
    assert found in shared_client.post("/forecast", json={**body, "record": False}).json()["forecasts"][0]["warnings"]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (MONTHS, [("sales", "M", [35.0, 40.0, None, 38.0])]),
        ("datum\tumsatz\n01.02.2024\t3,5\n01.03.2024\t4,5\n01.04.2024\t1,5\n", [("umsatz", "M", [3.5, 4.5, 1.5])]),
        (
            "d,y\n2024-01-01,5\n2024-01-02,\n2024-01-03,6\n2024-01-04,\n2024-01-05,7\n",
            [("y", "D", [5.0, None, 6.0, None, 7.0])],
        ),
        ("d;b;a\n2024-01-01;1;2\n2024-01-02;3;\n2024-01-03;5;6\n", [("b", "D", [1.0, 3.0, 5.0])]),
        (
            "id,ds,y\nz,2024-01-03,3\na,2024-01-01,7\nz,2024-01-01,1\nz,2024-01-02,2\na,2024-01-02,8\na,2024-01-03,9\n",
            [("z", "D", [1.0, 2.0, 3.0]), ("a", "D", [7.0, 8.0, 9.0])],
        ),
        ('values\n"3,5"\n""\n"4,25"\n', [("values", None, [3.5, None, 4.25])]),
        (
            "ds,y\n2024-01-01T00:00+01:00,1\n2024-01-01T01:00+01:00,2\n2024-01-01T02:00+01:00,3\n",
            [("y", "h", [1, 2, 3])],
        ),
    ],
    ids=["gap", "tabs and decimal commas", "empty cells", "wide", "long, unordered", "one column", "offsets"],
)
def test_a_file_is_read_as_for_a_training(
    shared_client: TestClient, body: str, expected: list[tuple[str, str | None, list[float | None]]]
) -> None:
    """Long or wide, in any usual way of writing; a column of numbers is a series without dates."""
    answer = post(shared_client, body).json()

    assert [(one["id"], one["frequency"], one["values"]) for one in answer["series"]][: len(expected)] == expected


def test_what_is_read_forecasts_the_same_numbers(shared_client: TestClient) -> None:
    """Timestamps and values of the answer are a request of POST /forecast."""
    rows = [(f"20{10 + at // 12}-{at % 12 + 1:02d}", at % 12) for at in range(48) if at != 20]
    read = post(shared_client, "month,y\n" + "\n".join(f"{month},{value}" for month, value in rows)).json()["series"][0]
    entries = [
        {"timestamps": [f"{month}-01" for month, _ in rows], "values": [value for _, value in rows]},
        {name: read[name] for name in ("timestamps", "values", "frequency")},
    ]

    first, second = (
        shared_client.post("/forecast", json={"series": [one], "horizon": 6, "record": False}).json()["forecasts"][0]
        for one in entries
    )

    assert (first["median"], first["timestamps"]) == (second["median"], second["timestamps"])


def test_a_parquet_file_is_read(shared_client: TestClient) -> None:
    """By its first bytes, whatever the media type says."""
    sink = io.BytesIO()
    pq.write_table(pa.table({"ds": ["2024-01-01", "2024-01-02", "2024-01-04"], "y": [1.0, 2.0, 4.0]}), sink)

    answer = post(shared_client, sink.getvalue(), "application/octet-stream").json()

    assert answer["series"][0]["repair_counts"] == {"GAP_INSERTED": 1}


@pytest.mark.parametrize(
    ("body", "media_type", "query", "status", "text"),
    [
        ("y\n3\nx\n", CSV, "", 422, "Row 3, column 'y': 'x' is not a number."),
        ("a,b\n", CSV, "", 422, "holds no rows"),
        ("PK\x03\x04", CSV, "", 415, "Excel"),
        (MONTHS, CSV, "horizont=3", 422, "no field 'horizont'"),
        (MONTHS, CSV, "decimal=x", 422, "`?decimal` is 'x'"),
        (b"PAR1 no parquet", "application/vnd.apache.parquet", "", 400, "cannot be read"),
        ("[1, 2", "application/json", "", 400, "not valid JSON"),
        ('{"series": [{"values": [1]}]}', "application/json", "frequency=D", 422, "no field 'frequency'"),
    ],
)
def test_a_wrong_body_has_a_hint(  # noqa: PLR0913, PLR0917 - the parts of a case
    shared_client: TestClient, body: str | bytes, media_type: str, query: str, status: int, text: str
) -> None:
    """In the service's words, with the remedy."""
    answer = post(shared_client, body, media_type, query)

    assert answer.status_code == status
    problem: dict[str, Any] = answer.json()
    assert text in problem["detail"]
    assert problem["hint"]


def test_a_wrong_row_is_the_error_of_its_series(shared_client: TestClient) -> None:
    """The others are read."""
    rows = "id,ds,y\na,2024-01-01,x\n" + "".join(f"b,2024-01-0{day},{day}\n" for day in (1, 2, 3))

    answer = post(shared_client, rows).json()

    assert [one["id"] for one in answer["series"]] == ["b"]
    assert answer["errors"] == [
        {
            "id": "a",
            "code": "SERIES_NOT_NUMERIC",
            "detail": "Row 2: The value 'x' is not a number.",
            "pointer": "/rows/0/value",
            "hint": "Leave gaps empty, write decimals with a point.",
        }
    ]


def test_a_row_and_a_series_with_errors_are_both_named(shared_client: TestClient) -> None:
    """Even if the row has the number that the series has."""
    answer = post(shared_client, "date,a,b\n2024-01,35,3\n2024-02,36\n2024-03,38,4\n").json()

    assert [one["code"] for one in answer["errors"]] == ["FIELD_INVALID", *["FREQUENCY_NOT_INFERRED"] * 2]
    assert "The row has 2 cells" in answer["errors"][0]["detail"]


@pytest.mark.parametrize(("query", "found"), [("", ["TIMEZONE_FOUND"]), ("timezone=Europe/Berlin", [])])
def test_changing_offsets_of_a_file_are_those_of_a_timezone(
    shared_client: TestClient, query: str, found: list[str]
) -> None:
    """As a training reads them: a file with +02:00 and +01:00 is of Berlin, which is said unless it is stated."""
    hours = ["00:00:00+02:00", "01:00:00+02:00", "02:00:00+02:00", "02:00:00+01:00", "03:00:00+01:00"]

    answer = post(shared_client, "ds,y\n" + "".join(f"2024-10-27T{hour},1\n" for hour in hours), query=query).json()

    (series,) = answer["series"]
    assert [one["code"] for one in answer["findings"]] == found
    assert (series["timezone"], series["points"]) == ("Europe/Berlin", 5)
    assert (series["start"], series["end"]) == ("2024-10-27T00:00:00+02:00", "2024-10-27T03:00:00+01:00")
