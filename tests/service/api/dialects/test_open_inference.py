"""Open Inference Protocol and KServe's time series: forecasts as tensors, with the ids of their records."""

import json
import struct
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

SEASON = [float(month % 12) for month in range(48)]
INFER = "/v2/models/temperatures/infer"


def tensor(name: str, data: list[Any], datatype: str = "FP64", **fields: Any) -> dict[str, Any]:  # noqa: ANN401 (any JSON)
    """Return an input of one dimension."""
    return {"name": name, "datatype": datatype, "shape": [len(data)], "data": data} | fields


def sent(*inputs: dict[str, Any], **fields: Any) -> dict[str, Any]:  # noqa: ANN401 (any JSON)
    """Return a request for three steps of a clean season."""
    parameters = {"horizon": 3, "frequency": "MS", "start": "2020-01"} | fields.pop("parameters", {})
    return {"inputs": [*inputs] or [tensor("values", SEASON)], "parameters": parameters} | fields


def outputs(response: Any) -> dict[str, Any]:  # noqa: ANN401 (httpx's)
    """Return the outputs of a response by name."""
    assert response.status_code == 200, response.text
    return {one["name"]: one for one in response.json()["outputs"]}


def test_a_forecast_is_recorded_under_its_ids(dialects: TestClient) -> None:
    """And has the dates, quantiles and levels of /forecast."""
    found = outputs(dialects.post(INFER, json=sent(tensor("values", SEASON), tensor("ids", ["a"], "BYTES"))))

    assert found["median"] == {"name": "median", "datatype": "FP64", "shape": [1, 3], "data": [0.0, 1.0, 2.0]}
    assert found["timestamps"]["data"] == ["2024-01", "2024-02", "2024-03"]
    assert found["quantiles"]["shape"] == [1, 3, 9]
    record = dialects.get(f"/forecasts/{found['forecast_ids']['data'][0]}").json()
    assert (record["id"], record["median"]) == ("a", [0.0, 1.0, 2.0])


def test_rows_are_series_and_options_may_be_tensors(dialects: TestClient) -> None:
    """A null is a gap; levels, covariates and dates of each series."""
    values = [[*SEASON[:-1], None], SEASON]
    request = sent(
        {"name": "values", "datatype": "FP64", "shape": [2, 48], "data": values},
        tensor("levels", [80, 95]),
        tensor("past_covariates.price", [0.0] * 96, shape=[2, 48]),
        tensor("future_covariates.price", [1.0, 2.0, 3.0, 0.0, 0.0, 0.0], shape=[2, 3]),
        parameters={"frequency": "D", "start": "2024-01-01"},
        outputs=[{"name": "median"}, {"name": "lower"}],
    )

    found = outputs(dialects.post("/v2/models/sales/infer", json=request))

    assert list(found) == ["median", "lower"]
    assert found["lower"]["shape"] == [2, 3, 2]
    median = np.array(found["median"]["data"]).reshape(2, 3)
    assert (median[0] - median[1]).tolist() == [1.0, 2.0, 3.0]


def test_binary_data_are_read_and_written(dialects: TestClient) -> None:
    """As in the binary tensor extension: the header has the length of the JSON."""
    content, text = np.array(SEASON, dtype="<f4").tobytes(), b"2020-01"
    values = {"name": "values", "datatype": "FP32", "shape": [48], "parameters": {"binary_data_size": len(content)}}
    start = {"name": "start", "datatype": "BYTES", "shape": [1], "parameters": {"binary_data_size": 11}}
    head = json.dumps(sent(values, start, parameters={"binary_data_output": True, "start": None})).encode()
    header = "inference-header-content-length"

    body = head + content + struct.pack("<I", len(text)) + text
    response = dialects.post(INFER, content=body, headers={header: str(len(head))})

    length = int(response.headers[header])
    described = json.loads(response.content[:length])["outputs"]
    assert described[0]["parameters"] == {"binary_data_size": 24}
    assert np.frombuffer(response.content[length : length + 24], "<f8").tolist() == [0.0, 1.0, 2.0]


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (sent(tensor("values", ["1"])), "FIELD_INVALID"),
        (sent(tensor("values", [10**400])), "FIELD_INVALID"),
        (sent(tensor("values", SEASON, "FP128")), "FIELD_INVALID"),
        (sent(tensor("values", SEASON, shape=[47])), "FIELD_INVALID"),
        (sent(tensor("values", SEASON, shape=[2**62, 2**62])), "FIELD_INVALID"),
        (sent(tensor("values", SEASON), tensor("other", [1])), "FIELD_UNKNOWN"),
        (sent(tensor("other", [1])), "FIELD_UNKNOWN"),
        (sent(tensor("horizon", [1])), "FIELD_MISSING"),
        (sent(parameters={"binary": 3}), "FIELD_UNKNOWN"),
        (sent(parameters={"horizon": "3"}), "HORIZON_INVALID"),
        (sent(tensor("values", SEASON), tensor("ids", ["a", "b"], "BYTES")), "FIELD_INVALID"),
        (sent(outputs=[{"name": "mean"}]), "FIELD_INVALID"),
        (sent({**tensor("values", []), "data": None}), "FIELD_MISSING"),
        (sent({**tensor("values", []), "parameters": {"binary_data_size": 8}}), "FIELD_INVALID"),
        (sent(parameters={"frequency": "D"}), "FREQUENCY_MISMATCH"),
        (sent(tensor("values", SEASON, shape=[-1])), "FIELD_INVALID"),
        (sent(tensor("values", [0.5], "INT32")), "FIELD_INVALID"),
        (sent(tensor("values", [256], "UINT8")), "FIELD_INVALID"),
        (sent(tensor("values", SEASON), tensor("values", SEASON)), "FIELD_INVALID"),
        (sent(outputs=[{"name": "median"}, {"name": "median"}]), "FIELD_INVALID"),
        (sent(outputs=[{"name": "median", "parameters": {"classification": 2}}]), "NOT_SUPPORTED"),
        (sent(tensor("values", SEASON, parameters={"shared_memory_region": "a"})), "NOT_SUPPORTED"),
    ],
)
def test_a_wrong_tensor_is_named(dialects: TestClient, request_: dict[str, Any], code: str) -> None:
    """With a 422 whose `error` is the text."""
    response = dialects.post(INFER, json=request_)

    assert (response.status_code, response.json()["code"]) == (422, code), response.text
    assert response.json()["error"]


@pytest.mark.parametrize("length", ["-1", "x", "9999999"])
def test_a_wrong_length_of_the_json_is_an_error(dialects: TestClient, length: str) -> None:
    """It must be a part of the body."""
    response = dialects.post(INFER, json=sent(), headers={"inference-header-content-length": length})

    assert response.status_code == 422


def test_bytes_behind_the_last_input_are_an_error(dialects: TestClient) -> None:
    """They belong to nothing."""
    head = json.dumps(sent()).encode()
    headers = {"inference-header-content-length": str(len(head)), "content-type": "application/octet-stream"}

    response = dialects.post(INFER, content=head + b"xx", headers=headers)

    assert (response.status_code, "2 bytes follow" in response.json()["error"]) == (422, True)


@pytest.mark.parametrize(
    "path", ["starter/versions/{starter}", "temperatures/versions/1", "default/versions/{starter}"]
)
def test_a_version_may_be_a_part_of_the_path(dialects: TestClient, path: str) -> None:
    """As the metadata list it, that of the starter too."""
    version = dialects.get("/v2/models/starter").json()["versions"][0]

    assert outputs(dialects.post(f"/v2/models/{path.format(starter=version)}/infer", json=sent()))["median"]
    assert dialects.post("/v2/models/starter/versions/nothing/infer", json=sent()).status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "models/stats",
        "models/starter/versions/1/stats",
        "models/starter/config",
        "systemsharedmemory/status",
        "trace/setting",
    ],
)
def test_what_triton_has_beside_inference_is_refused_by_name(dialects: TestClient, path: str) -> None:
    """With where Almanac has it."""
    response = dialects.post(f"/v2/{path}", content=b"{}")

    assert (response.status_code, response.json()["code"]) == (422, "NOT_SUPPORTED")
    assert f"'/v2/{path}'. " in response.json()["error"]


def test_a_prediction_of_the_older_protocol_is_a_forecast(dialects: TestClient) -> None:
    """Of each instance, a list of values or an entry of POST /forecast; without a horizon the trained one."""
    instances = [SEASON, {"id": "a", "values": SEASON, "start": "2020-01", "frequency": "M"}]

    found = dialects.post("/v1/models/temperatures:predict", json={"instances": instances, "horizon": 3}).json()
    trained = dialects.post("/v1/models/temperatures:predict", json={"instances": instances[1:]}).json()

    assert [one["median"] for one in found["predictions"]] == [[0.0, 1.0, 2.0]] * 2
    assert found["predictions"][1]["timestamps"] == trained["predictions"][0]["timestamps"][:3]
    assert "temperatures" in dialects.get("/v1/models").json()["models"]


@pytest.mark.parametrize(
    ("path", "body", "status", "text"),
    [
        ("temperatures:predict", {}, 422, "`instances` is missing"),
        ("temperatures:predict", {"instances": [1, 2]}, 422, "no list of series"),
        ("temperatures:predict", {"instances": [SEASON], "horizont": 3}, 422, "Did you mean `horizon`?"),
        ("unknown:predict", {"instances": [SEASON]}, 404, "'unknown'"),
        ("temperatures:explain", {}, 422, "temperatures:predict"),
    ],
)
def test_a_wrong_prediction_is_named(dialects: TestClient, path: str, body: Any, status: int, text: str) -> None:  # noqa: ANN401
    """In the `error` of KServe's server."""
    response = dialects.post(f"/v1/models/{path}", json=body)

    assert response.status_code == status
    assert text in response.json()["error"]


def test_the_root_is_live_for_kserve_and_the_page_for_others(dialects: TestClient) -> None:
    """Its client of the older protocol asks there, as httpx."""
    assert dialects.get("/", headers={"user-agent": "python-httpx/0.28.1"}).json() == {"status": "alive"}
    assert dialects.get("/").headers["content-type"].startswith("text/html")


def timeseries(**fields: Any) -> dict[str, Any]:  # noqa: ANN401 (any JSON)
    """Return a request of KServe's time series API."""
    series = {"type": "univariate_time_series", "name": "a", "series": SEASON, "frequency": "month"}
    one = series | {"start_timestamp": "2020-01-01T00:00:00"} | fields.pop("series", {})
    return {"model": "temperatures", "inputs": [one], "options": {"horizon": 3, "quantiles": [0.25]}} | fields


def test_time_series_have_means_and_the_quantiles_that_are_asked_for(dialects: TestClient) -> None:
    """And are recorded under their names."""
    found = dialects.post("/v1/timeseries/forecast", json=timeseries()).json()["outputs"][0]
    content = found["content"][0]

    assert content["mean_forecast"] == pytest.approx([0.0, 1.0, 2.0], abs=0.2)
    assert content["median_forecast"] == [0.0, 1.0, 2.0]
    assert list(content["quantiles"]) == ["0.25"]
    assert content["start_timestamp"] == "2024-01-01T00:00:00"
    assert dialects.get(f"/forecasts/{found['forecast_ids'][0]}").json()["id"] == "a"


@pytest.mark.parametrize(
    ("request_", "text"),
    [
        (timeseries(series={"type": "multivariate_time_series"}), "multivariate_time_series"),
        (timeseries(series={"frequency": "fortnight"}), "fortnight"),
        (timeseries(series={"series": ["a"]}), "Series 'a'"),
        (timeseries(options={"horizon": 3, "quantiles": [2]}), "quantiles"),
        (timeseries(model="unknown"), "unknown"),
        (timeseries(inputs=[]), "inputs"),
    ],
)
def test_a_wrong_time_series_is_named(dialects: TestClient, request_: dict[str, Any], text: str) -> None:
    """In the error object of KServe's types."""
    response = dialects.post("/v1/timeseries/forecast", json=request_)

    assert response.status_code == 422
    assert text in response.json()["error"]["message"]
    assert set(response.json()["error"]) == {"code", "message", "param", "type"}


@pytest.mark.parametrize("datatype", ["BOOL", "FP64"])
def test_truth_values_are_no_numbers(dialects: TestClient, datatype: str) -> None:
    """They are refused by name, not read as 0 and 1."""
    body = {"inputs": [tensor("values", [True, False] * 24, datatype)], "parameters": {"horizon": 3}}

    refused = dialects.post(INFER, json=body)

    assert refused.status_code == 422
    assert datatype in refused.json()["detail"]
