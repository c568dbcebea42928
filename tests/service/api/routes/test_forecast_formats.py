"""POST /forecast in Parquet, Arrow and NDJSON, and compressed."""

import io
import json
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from starlette.testclient import TestClient

from models.calendar.timestamps import to_instants
from service.observations.parquet_export import parquet_of

NDJSON, PARQUET, STREAM, FILE = (
    "application/x-ndjson",
    "application/vnd.apache.parquet",
    "application/vnd.apache.arrow.stream",
    "application/vnd.apache.arrow.file",
)
BERLIN = "Europe/Berlin"
BINARY = [PARQUET, STREAM, FILE]
MONTHS = np.arange("2019-01", "2024-01", dtype="M8[M]").astype("M8[us]")
WAVE = [float(value) for value in 10 + np.sin(np.arange(60) * np.pi / 6) * 3 + np.arange(60) / 20]
SERIES: dict[str, list[Any]] = {
    "a": WAVE,
    "b": [None if place == 20 else 2 * value for place, value in enumerate(WAVE)],
}


def frame(**changes: Any) -> pa.Table:  # noqa: ANN401 (a column)
    """Return both series as a long frame, rows out of order, ids as a dictionary."""
    ids, values = np.repeat(["a", "b"], 60), [*SERIES["a"], *SERIES["b"]]
    columns = {
        "unique_id": pa.array(ids).dictionary_encode(),
        "ds": pa.array(np.tile(MONTHS, 2)),
        "y": pa.array(values),
    }
    table = pa.table({**columns, **changes})
    if pa.types.is_string_view(table["unique_id"].type):  # pyarrow cannot take from it
        return table
    return table.take([*range(60, 120), *reversed(range(60))])


def packed(table: pa.Table, kind: str, compression: str | None = None) -> bytes:
    """Return a table in a binary format."""
    sink = io.BytesIO()
    if kind == PARQUET:
        pq.write_table(table, sink)
        return sink.getvalue()
    options = pa.ipc.IpcWriteOptions(compression=compression, unify_dictionaries=True)
    with (pa.ipc.new_file if kind == FILE else pa.ipc.new_stream)(sink, table.schema, options=options) as writer:
        writer.write_table(table)
    return sink.getvalue()


def unpacked(content: bytes, kind: str) -> pa.Table:
    """Return the table in a response."""
    if kind == PARQUET:
        return pq.read_table(io.BytesIO(content))
    return (pa.ipc.open_file if kind == FILE else pa.ipc.open_stream)(content).read_all()


def medians(client: TestClient) -> dict[str, list[float]]:
    """Return what JSON gives."""
    series = [
        {"id": name, "values": values, "timestamps": [str(month)[:10] for month in MONTHS]}
        for name, values in SERIES.items()
    ]
    answer = client.post("/forecast", json={"series": series, "horizon": 6, "levels": [80, 95]}).json()
    return {one["id"]: one["median"] for one in answer["forecasts"]}


def send(client: TestClient, body: bytes, kind: str, query: str = "horizon=6&levels=80,95", **headers: str) -> Any:  # noqa: ANN401
    """Return the response to a body."""
    return client.post(f"/forecast?{query}", content=body, headers={"content-type": kind, **headers})


@pytest.mark.parametrize("kind", BINARY)
def test_a_frame_gives_the_numbers_of_json(shared_client: TestClient, kind: str) -> None:
    """In the same format, with columns as in neuralforecast, and the rest of the response as metadata."""
    response = send(shared_client, packed(frame(), kind), kind)

    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == kind
    table = unpacked(response.content, kind)
    assert table.column_names[:7] == [
        "unique_id", "ds", "Almanac", "Almanac-lo-80", "Almanac-hi-80", "Almanac-lo-95", "Almanac-hi-95",
    ]  # fmt: skip
    assert "Almanac-q-0.1" in table.column_names
    for name, expected in medians(shared_client).items():
        rows = table.filter(pa.compute.equal(table["unique_id"], name))
        np.testing.assert_allclose(rows["Almanac"].to_numpy(), expected, rtol=1e-6)
        assert str(rows["ds"][0]) == "2024-01-01 00:00:00"
    about = json.loads(table.schema.metadata[b"almanac"])
    assert about["model"]["name"] == "temperatures"
    assert {one["id"]: one["repairs"] for one in about["forecasts"]}["b"]


@pytest.mark.parametrize("kind", BINARY)
def test_rows_after_the_last_value_are_left_out(shared_client: TestClient, kind: str) -> None:
    """Those of the whole frame, as in a training: a series that ends before the others is forecast from their end on."""
    later = np.concatenate([MONTHS, np.array(["2030-01", "2030-05"], "M8[M]").astype("M8[us]")])
    values = [*SERIES["a"], None, None, *SERIES["b"][:-1], None, None, None]
    table = pa.table({"unique_id": np.repeat(["a", "b"], 62), "ds": np.tile(later, 2), "y": pa.array(values)})

    answer = unpacked(send(shared_client, packed(table, kind), kind, "horizon=1").content, kind)

    assert [str(one)[:7] for one in answer["ds"].to_pylist()] == ["2024-01", "2024-01"]


@pytest.mark.parametrize("kind", [PARQUET, STREAM])
def test_a_frame_has_means_paths_and_sums_if_asked_for(shared_client: TestClient, kind: str) -> None:
    """Means and paths in columns of their own, sums in the metadata."""
    with_mean, usual = (
        unpacked(send(shared_client, packed(frame(), kind), kind, f"horizon=6{more}").content, kind)
        for more in ("&mean=true&paths=2&seed=1&sums=1-6,horizon", "")
    )

    new = set(with_mean.column_names) - set(usual.column_names)
    assert new == {"Almanac-mean", "Almanac-path-1", "Almanac-path-2"}
    np.testing.assert_allclose(with_mean["Almanac-mean"], with_mean["Almanac"], rtol=1e-6)  # normal errors
    assert (with_mean["Almanac-path-1"].to_numpy() != with_mean["Almanac-path-2"].to_numpy()).any()
    for one in json.loads(with_mean.schema.metadata[b"almanac"])["forecasts"]:
        assert not {"mean", "paths"} & one.keys()
        assert one["sums"]["1-6"] == one["sums"]["horizon"]


@pytest.mark.parametrize(
    "changes",
    [
        {"ds": pa.array([str(month)[:10] for month in np.tile(MONTHS, 2)])},
        {"ds": pa.array(np.tile(MONTHS, 2)).cast(pa.date32())},
        {
            "unique_id": pa.array(np.repeat(["b", "a"], 60)).cast(pa.string_view()),
            "y": pa.array(SERIES["b"] + SERIES["a"]),
        },
        {"unique_id": pa.array(np.repeat(["a", "b"], 60)).cast(pa.large_string())},
    ],
    ids=["text", "date32", "view", "large"],
)
@pytest.mark.parametrize("compression", [None, "zstd", "lz4"])
def test_types_of_columns_and_buffers_do_not_matter(
    shared_client: TestClient, changes: dict[str, Any], compression: str | None
) -> None:
    """Dates as text or days, ids as any kind of text, buffers compressed."""
    response = send(shared_client, packed(frame(**changes), STREAM, compression), STREAM, accept="application/json")

    assert response.status_code == 200, response.text
    found = {one["id"]: one["median"] for one in response.json()["forecasts"]}
    for name, expected in medians(shared_client).items():
        np.testing.assert_allclose(found[name], expected, rtol=1e-6)


def test_a_timezone_of_a_column_stays(shared_client: TestClient) -> None:
    """Instants in, instants out."""
    hours = np.arange("2024-03-28", "2024-04-02", dtype="M8[h]").astype("M8[us]")
    times = pa.array(hours).cast(pa.timestamp("us", "UTC")).cast(pa.timestamp("us", "Europe/Berlin"))
    table = pa.table({"ds": times, "y": pa.array(np.arange(len(hours)) % 24)})

    response = send(shared_client, packed(table, PARQUET), PARQUET, "horizon=2&model=starter")

    assert response.status_code == 200, response.text
    found = unpacked(response.content, PARQUET)
    assert found["ds"].type == pa.timestamp("us", "Europe/Berlin")
    assert str(found["ds"][0]) == "2024-04-02 02:00:00+02:00"


def test_lines_in_give_lines_out(shared_client: TestClient) -> None:
    """First the model, then forecasts and errors."""
    lines: list[dict[str, Any]] = [{"id": "c", "values": []}]
    for name, values in SERIES.items():
        lines.append({"id": name, "values": values, "start": "2019-01", "frequency": None})
    body = "\n".join(map(json.dumps, lines)).encode()

    response = send(shared_client, body, "application/jsonl", "horizon=6&frequency=M")

    assert response.headers["content-type"] == NDJSON
    head, *others = map(json.loads, response.text.splitlines())
    assert head["model"]["name"] == "temperatures"
    for name, expected in medians(shared_client).items():
        (found,) = (one["forecast"] for one in others if one.get("forecast", {}).get("id") == name)
        np.testing.assert_allclose(found["median"], expected, rtol=1e-6)
    assert [one["error"]["id"] for one in others if "error" in one] == ["c"]


def test_many_series_stream(shared_client: TestClient) -> None:
    """Each has its line, whatever the size of blocks."""
    series = [{"id": str(name), "values": WAVE} for name in range(150)]

    response = shared_client.post("/forecast", json={"series": series, "horizon": 1}, headers={"accept": NDJSON})

    assert [json.loads(line)["forecast"]["id"] for line in response.text.splitlines()[1:]] == [
        one["id"] for one in series
    ]


@pytest.mark.parametrize("kind", [*BINARY, NDJSON, "application/json"])
def test_errors_of_single_series_are_kept(shared_client: TestClient, kind: str) -> None:
    """As metadata of a frame; with a pointer to the wrong row."""
    values = [*SERIES["a"], *SERIES["b"]]
    values[70] = float("inf")

    response = send(shared_client, packed(frame(y=pa.array(values)), STREAM), STREAM, accept=kind)

    assert response.status_code == 200, response.text
    if kind in BINARY:
        errors = json.loads(unpacked(response.content, kind).schema.metadata[b"almanac"])["errors"]
    elif kind == NDJSON:
        errors = [found["error"] for found in map(json.loads, response.text.splitlines()) if "error" in found]
    else:
        errors = response.json()["errors"]
    assert [(one["id"], one["pointer"]) for one in errors] == [("b", "/rows/10/value")]


@pytest.mark.parametrize("accept", [*BINARY, NDJSON])
def test_nothing_to_forecast_is_a_problem(shared_client: TestClient, accept: str) -> None:
    """Whatever the format."""
    request = {"series": [{"id": "a", "values": []}], "horizon": 1}

    response = shared_client.post("/forecast", json=request, headers={"accept": accept})

    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["errors"][0]["id"] == "a"


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("horizon=0", "/horizon"),
        ("horizon=x", "/horizon"),
        ("", "/horizon"),
        ("horizon=1&levels=80,200", "/levels/1"),
        ("horizon=1&quantiles=a", "/quantiles/0"),
        ("horizon=1&record=maybe", "/record"),
        ("horizon=1&mean=maybe", "/mean"),
        ("horizon=1&paths=many", "/paths"),
        ("horizon=1&sums=1-2", "/sums/0"),
        ("horizon=1&outliers=x", "/outliers"),
        ("horizon=1&missing=x", "/missing"),
        ("horizon=1&minimum=x", "/bounds/minimum"),
        ("horizon=1&horizons=3", "/horizons"),
        ("horizon=1&id_column=nope", "/id"),
    ],
)
def test_wrong_parameters_are_named(shared_client: TestClient, query: str, pointer: str) -> None:
    """As the fields of a JSON request."""
    response = send(shared_client, packed(frame(), STREAM), STREAM, query)

    assert (response.status_code, response.json()["pointer"]) == (422, pointer)


@pytest.mark.parametrize("accept", [*BINARY, NDJSON, "application/json"])
def test_json_has_no_parameters(shared_client: TestClient, accept: str) -> None:
    """Its options are fields, whatever the response is."""
    request = {"series": [{"values": WAVE}], "horizon": 1}

    response = shared_client.post("/forecast?levels=80", json=request, headers={"accept": accept})

    assert (response.status_code, response.json()["code"], response.json()["pointer"]) == (
        422,
        "FIELD_UNKNOWN",
        "/levels",
    )


def test_a_table_that_cannot_be_read_is_called_a_table(shared_client: TestClient) -> None:
    """With parameters of the URL as the remedy."""
    keys = pa.table({"date": ["2024-01-01", "2024-01-02"], "SKU": ["0042"] * 2, "qty": [1.0, 2.0]})

    answer = send(shared_client, packed(keys, PARQUET), PARQUET, "horizon=1").json()

    assert answer["detail"] == "The table has no id column, and column 'SKU' looks like one: it is '0042' in each row."
    assert "`?id_column=SKU`" in answer["hint"]


def test_a_row_without_an_id_is_an_error(shared_client: TestClient) -> None:
    """Of that row; the other series are forecast."""
    ids = pa.array([*np.repeat("a", 60), None, *np.repeat("b", 59)], pa.string())

    answer = send(
        shared_client, packed(frame(unique_id=ids), STREAM), STREAM, "horizon=1", accept="application/json"
    ).json()

    assert [one["id"] for one in answer["forecasts"]] == ["b", "a"]
    assert [(one["id"], one["pointer"]) for one in answer["errors"]] == [("", "/rows/0/id")]


def test_an_export_of_observations_keeps_its_timezones(shared_client: TestClient) -> None:
    """UTC in the file, for series with one; wall clocks for those without."""
    hours = np.arange("2024-03-28", "2024-04-02", dtype="M8[h]").astype("M8[us]")
    values = np.arange(len(hours)) % 24.0
    pages: Any = [
        ([name] * len(hours), hours, values, [zone] * len(hours)) for name, zone in (("a", BERLIN), ("b", None))
    ]

    response = send(
        shared_client, b"".join(parquet_of(pages)), PARQUET, "horizon=1&model=starter", accept="application/json"
    )

    assert [one["timestamps"] for one in response.json()["forecasts"]] == [
        ["2024-04-02T00:00:00Z"],
        ["2024-04-02T00:00:00"],
    ]


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/New_York", "Africa/Cairo"])
def test_days_of_an_export_are_local_dates(shared_client: TestClient, zone: str) -> None:
    """As in the stored series and in a training, also where clocks skip a midnight (Cairo, 26 April)."""
    days = np.arange("2024-03-01", "2024-05-01", dtype="M8[D]").astype("M8[us]")
    pages: Any = [(["a"] * len(days), to_instants(days, zone), np.arange(61) % 7.0, [zone] * len(days))]
    export = b"".join(parquet_of(pages))

    forecast = send(shared_client, export, PARQUET, "horizon=1&model=starter", accept="application/json").json()
    read = shared_client.post("/validate", content=export, headers={"content-type": PARQUET}).json()["series"][0]

    assert forecast["forecasts"][0]["timestamps"] == ["2024-05-01"]
    assert [read[name] for name in ("start", "end", "points", "frequency")] == ["2024-03-01", "2024-04-30", 61, "D"]


@pytest.mark.parametrize(
    ("accept", "status", "made"),
    [
        ("*/*", 200, STREAM),
        ("application/json;q=0.5, application/vnd.apache.parquet", 200, PARQUET),
        ("application/*;q=0.1, application/json;q=0", 200, STREAM),
        ("text/html", 406, "application/problem+json"),
        ("application/json;q=0", 406, "application/problem+json"),
    ],
)
def test_accept_decides(shared_client: TestClient, accept: str, status: int, made: str) -> None:
    """With weights; the format of the body among equals."""
    response = send(shared_client, packed(frame(), STREAM), STREAM, accept=accept)

    assert (response.status_code, response.headers["content-type"]) == (status, made)


@pytest.mark.parametrize("kind", ["text/csv", "application/octet-stream"])
def test_other_types_are_refused(shared_client: TestClient, kind: str) -> None:
    """With those that are read."""
    response = send(shared_client, b"a", kind)

    assert response.status_code == 415
    assert PARQUET in response.json()["hint"]
