"""MLflow's scoring API: the frame that the pyfunc of the same model returns."""

import io
import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal
from starlette.testclient import TestClient

from models import artifact
from models.pyfunc import PyfuncForecaster
from service.observations.columns import MAX_COLUMNS
from tests.service.home import Artifacts

JSON = "application/json"


def frame() -> pd.DataFrame:
    """Return two monthly series, one with a gap, whose ids are numbers as text."""
    dates = pd.date_range("2020-01-01", periods=48, freq="MS")
    one = pd.DataFrame({"unique_id": "007", "ds": dates, "y": np.arange(48.0) % 12})
    return pd.concat([one, one.assign(unique_id="b", y=one["y"] * 2).drop(index=5)], ignore_index=True)


def texts() -> pd.DataFrame:
    """Return the frame with its dates as JSON has them."""
    return frame().assign(ds=frame()["ds"].dt.strftime("%Y-%m-%d"))


def since_1970(divisor: float) -> tuple[str, Any]:
    """Return the frame with its dates as pandas' `to_json` writes them, in multiples of a microsecond."""
    dates = (frame()["ds"].astype("int64") / divisor).astype("int64")
    return JSON, {"dataframe_split": frame().assign(ds=dates).to_dict(orient="split")}


def parquet() -> bytes:
    """Return the frame as a file."""
    file = io.BytesIO()
    frame().to_parquet(file)
    return file.getvalue()


BODIES: Mapping[str, Callable[[], tuple[str, Any]]] = {
    "dataframe_split": lambda: (JSON, {"dataframe_split": texts().to_dict(orient="split")}),
    "dataframe_records": lambda: (JSON, {"dataframe_records": texts().to_dict(orient="records")}),
    "instances": lambda: (JSON, {"instances": texts().to_dict(orient="records")}),
    "inputs": lambda: (JSON, {"inputs": texts().to_dict(orient="list")}),
    **{unit: partial(since_1970, divisor) for unit, divisor in (("s", 10**6), ("ms", 1000), ("us", 1), ("ns", 1e-3))},
    "csv with semicolons": lambda: ("text/csv", frame().to_csv(index=False, sep=";").encode()),
    "csv": lambda: ("text/csv", frame().to_csv(index=False).encode()),
    "csv in UTF-16": lambda: ("text/csv", frame().to_csv(index=False).encode("utf-16")),
    "csv in Latin-1": lambda: (
        "text/csv; charset=latin-1",
        frame().assign(note="é").to_csv(index=False).encode("latin-1"),
    ),
    "parquet": lambda: ("application/vnd.apache.parquet", parquet()),
}


def ask(client: TestClient, media: str, body: Any, path: str = "/endpoints/temperatures/invocations") -> Any:  # noqa: ANN401
    """Return a response."""
    sent = {"json": body} if media == JSON else {"content": body}
    return client.post(path, headers={"content-type": media}, **sent)


def predicted(artifacts: Artifacts, params: dict[str, Any] | None = None) -> pd.DataFrame:
    """Return what the pyfunc of the same model returns."""
    return PyfuncForecaster(artifact.load(artifacts.get(name="temperatures"))).predict(frame(), params)


def read(response: Any) -> pd.DataFrame:  # noqa: ANN401 (httpx's)
    """Return the frame in a response."""
    assert response.status_code == 200, response.text
    found = pd.DataFrame(response.json()["predictions"])
    return found.assign(ds=pd.to_datetime(found["ds"])) if "ds" in found else found


@pytest.mark.parametrize("body", BODIES)
def test_every_form_of_a_frame_has_the_answer_of_pyfunc(dialects: TestClient, artifacts: Artifacts, body: str) -> None:
    """In the order of the series, with the same columns."""
    found = read(ask(dialects, *BODIES[body]()))

    assert_frame_equal(found, predicted(artifacts), check_dtype=False, rtol=1e-6)


@pytest.mark.parametrize(
    "params",
    [
        {"horizon": 3, "levels": [50, 95], "mean": True},
        {"horizon": 15, "paths": 4, "seed": 3},
        {"horizon": 4, "sums": ["1-2", "horizon"]},
    ],
)
def test_params_mean_what_they_mean_to_pyfunc(
    dialects: TestClient, artifacts: Artifacts, params: dict[str, Any]
) -> None:
    """Horizon, levels, means, paths and sums; the model may be a parameter as well."""
    body = {"dataframe_records": texts().to_dict(orient="records"), "params": params | {"model": "temperatures"}}

    assert_frame_equal(
        read(ask(dialects, JSON, body, "/invocations")), predicted(artifacts, params), check_dtype=False, rtol=1e-6
    )


def test_the_starter_finds_the_frequency_of_each_series(dialects: TestClient) -> None:
    """Its horizon without params is the shortest."""
    monthly = texts().assign(unique_id="m").head(48)
    daily = monthly.assign(unique_id="d", ds=pd.date_range("2024-01-01", periods=48).strftime("%Y-%m-%d"))
    body = {"dataframe_records": [*monthly.to_dict(orient="records"), *daily.to_dict(orient="records")]}

    found = read(ask(dialects, JSON, body, "/invocations"))

    assert found.groupby("unique_id").size().to_dict() == {"m": 24, "d": 24}
    assert found["ds"].iloc[[0, 24]].dt.strftime("%Y-%m-%d").tolist() == ["2024-01-01", "2024-02-18"]


def test_the_probes_answer(dialects: TestClient) -> None:
    """As MLflow's scoring server."""
    assert [dialects.get(path).status_code for path in ("/ping", "/health", "/version")] == [200] * 3
    assert dialects.get("/version").text[0].isdigit()


@pytest.mark.parametrize(
    ("media", "body", "code"),
    [
        (JSON, {}, "FIELD_MISSING"),
        (JSON, {"inputs": {}, "instances": []}, "FIELD_MISSING"),
        (JSON, {"data": []}, "FIELD_UNKNOWN"),
        (JSON, {"inputs": [[1, 2]]}, "FIELD_INVALID"),
        (JSON, {"inputs": {"y": [1], "ds": [1, 2]}}, "FIELD_INVALID"),
        (JSON, {"inputs": {"unique_id": ["a"], "ds": [{}], "y": [1]}}, "FIELD_INVALID"),
        (JSON, {"inputs": {"unique_id": ["a"], "ds": [None], "y": ["x"]}}, "SERIES_NOT_NUMERIC"),
        (JSON, {"inputs": {"unique_id": ["a"], "ds": [None], "y": [10**400]}}, "SERIES_NOT_NUMERIC"),
        (JSON, {"inputs": {"unique_id": ["a"], "ds": ["x"], "y": [1]}}, "TIMESTAMP_INVALID"),
        (JSON, {"inputs": {"unique_id": ["a"], "y": [1]}}, "REQUEST_INVALID"),
        (JSON, {"inputs": {"unique_id": [None], "ds": [None], "y": [1]}}, "REQUEST_INVALID"),
        (JSON, {"dataframe_split": {"columns": ["y", "y"], "data": [[1, 2]]}}, "FIELD_INVALID"),
        (JSON, {"dataframe_split": {"columns": "y", "data": 3}}, "FIELD_INVALID"),
        (JSON, {"dataframe_split": []}, "FIELD_INVALID"),
        (JSON, {"inputs": {"y": [1]}, "params": []}, "REQUEST_INVALID"),
        (JSON, {"inputs": {"y": [1]}, "params": {"steps": 3}}, "FIELD_UNKNOWN"),
        (JSON, {"inputs": {"unique_id": ["a"], "ds": [None], "y": [1]}, "params": {"horizon": "x"}}, "HORIZON_INVALID"),
        ("text/csv", b"", "FILE_INVALID"),
        ("text/csv", b"\xff\xfe\x00", "FILE_INVALID"),
        ("text/csv", b"unique_id,ds,y\n", "SERIES_EMPTY"),
        ("text/csv", b"unique_id,ds,y\na,2020-01-01,1,2\na,2020-02-01,3,4\n", "FILE_INVALID"),
        ("text/csv", b"," * MAX_COLUMNS + b"\n", "FILE_INVALID"),
        ("text/csv", b"y\n" + b"1" * 200_000, "FILE_INVALID"),
        (JSON, {"dataframe_records": [{f"k{number}": 1} for number in range(MAX_COLUMNS + 1)]}, "FIELD_INVALID"),
        (
            JSON,
            {"inputs": {f"k{one}": {str(10_000 * one + at): 1 for at in range(50)} for one in range(500)}},
            "FIELD_INVALID",
        ),
        (
            JSON,
            {"dataframe_split": {"columns": [f"k{one}" for one in range(MAX_COLUMNS + 1)], "data": []}},
            "FIELD_INVALID",
        ),
        ("application/vnd.apache.parquet", b"x", "FILE_INVALID"),
    ],
)
def test_a_wrong_body_is_named(dialects: TestClient, media: str, body: Any, code: str) -> None:  # noqa: ANN401
    """With the members of MLflow's errors."""
    response = ask(dialects, media, body)

    assert response.json()["error_code"] == code, response.text
    assert 400 <= response.status_code < 500
    assert response.json()["message"]


def test_json_may_begin_with_a_byte_order_mark(dialects: TestClient) -> None:
    """As some editors write it; UTF-16 is named."""
    body = json.dumps(BODIES["instances"]()[1]).encode()
    headers = {"content-type": JSON}

    marked = dialects.post("/invocations", content=b"\xef\xbb\xbf" + body, headers=headers)
    wide = dialects.post("/invocations", content=body.decode().encode("utf-16"), headers=headers)

    assert marked.status_code == 200
    assert "UTF-16. Send it in UTF-8." in wide.json()["message"]


def test_csv_that_is_not_utf8_is_named(dialects: TestClient) -> None:
    """With the header that says what it is."""
    response = ask(dialects, "text/csv", frame().assign(note="é").to_csv(index=False).encode("latin-1"))

    assert "charset=windows-1252" in response.json()["message"]


def test_a_deployment_client_finds_the_models(dialects: TestClient) -> None:
    """All of them, and one; another is 404."""
    listed = dialects.get("/api/2.0/endpoints/").json()["endpoints"]

    assert {"starter", "temperatures"} <= {one["name"] for one in listed}
    assert dialects.get("/api/2.0/endpoints/starter").json() == next(one for one in listed if one["name"] == "starter")
    assert dialects.get("/api/2.0/endpoints/unknown").status_code == 404
