"""POST /forecast: responses."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from tests.service.home import ServiceHome

MONTHS = [float(month) for month in range(1, 61)]


def post(client: TestClient, **request: Any) -> Any:  # noqa: ANN401 (JSON)
    """Return the response to a forecast request, which must be 200."""
    response = client.post("/forecast", json=request)
    assert response.status_code == 200, response.text
    return response.json()


def test_five_values_without_dates_are_forecast(shared_client: TestClient) -> None:
    """With warnings about what is missing."""
    answer = post(shared_client, series=[{"values": [35, 40, 38, 29, 19]}], horizon=3)

    (forecast,) = answer["forecasts"]
    assert np.isfinite(forecast["median"]).all()
    assert len(forecast["median"]) == 3
    assert forecast["context_used"] == 5
    assert forecast["timestamps"] is None
    assert {warning["code"] for warning in forecast["warnings"]} == {"CONTEXT_SHORT", "PHASE_UNKNOWN"}


def test_the_response_has_the_format_of_the_request(shared_client: TestClient) -> None:
    """Months as dates; the gap is a repair; levels and quantiles are keys."""
    series = {"id": "nottingham", "start": "1939-01", "frequency": "M", "values": [39.4, 40.9, None, 42.4]}

    answer = post(shared_client, series=[series], horizon=12, levels=[80, 97.5], quantiles=[0.05], model="temperatures")

    (forecast,) = answer["forecasts"]
    assert answer["model"] == {"name": "temperatures", "version": "1", "alias": "champion", "run_id": "run-1"}
    assert forecast["id"] == "nottingham"
    assert forecast["timestamps"][:2] == ["1939-05", "1939-06"]
    assert forecast["repairs"] == [{"code": "GAP_MASKED", "index": 2}]
    assert set(forecast["intervals"]) == {"80", "97.5"}
    assert set(forecast["quantiles"]) == {"0.05", *(f"0.{tenth}" for tenth in range(1, 10))}
    assert forecast["intervals"]["80"]["lower"] == forecast["quantiles"]["0.1"]


def test_every_quantile_is_answered_under_its_own_name(shared_client: TestClient) -> None:
    """However near to another level, to 0 or to 1 it is; sorted, without crossings."""
    wanted = [1e-12, 0.1 + 0.2, 0.10000000001, 0.9999999999999, 1e-300, 0.1]

    answer = post(shared_client, series=[{"values": [1, 2, 4, 3] * 9}], horizon=1, quantiles=wanted)

    found = {float(level): column[0] for level, column in answer["forecasts"][0]["quantiles"].items()}
    assert {str(level) for level in wanted} <= set(answer["forecasts"][0]["quantiles"])
    assert found[1e-300] < found[1e-12] < found[0.1] == found[0.10000000001] < found[0.9999999999999]
    assert list(found.values()) == sorted(found.values())


def test_one_wrong_series_does_not_fail_its_batch(shared_client: TestClient) -> None:
    """The valid series are forecast in order, and each wrong one has an error with a pointer."""
    series = [{"values": MONTHS}, {"values": [1, "two"]}, {"values": MONTHS, "frequency": "D"}, {"values": MONTHS}, 7]

    answer = post(shared_client, series=series, horizon=2)

    assert [forecast["id"] for forecast in answer["forecasts"]] == ["0", "3"]
    assert [(error["id"], error["code"], error["pointer"]) for error in answer["errors"]] == [
        ("1", "SERIES_NOT_NUMERIC", "/series/1/values/1"),
        ("2", "FREQUENCY_MISMATCH", "/series/2/frequency"),
        ("4", "FIELD_INVALID", "/series/4"),
    ]
    assert all(error["hint"] and error["detail"] for error in answer["errors"])


@pytest.mark.parametrize(
    ("series", "code", "pointer"),
    [
        ({}, "FIELD_MISSING", "/values"),
        ({"values": []}, "SERIES_EMPTY", "/values"),
        ({"values": {}}, "FIELD_INVALID", "/values"),
        ({"values": "1,2"}, "FIELD_INVALID", "/values"),
        ({"values": [None, None]}, "SERIES_ALL_MISSING", "/values"),
        ({"values": [1, True]}, "SERIES_NOT_NUMERIC", "/values/1"),
        ({"values": [1, [2]]}, "SERIES_NOT_NUMERIC", "/values/1"),
        ({"values": [1, 10**400]}, "SERIES_INFINITE", "/values/1"),
        ({"values": [1], "valeus": [1]}, "FIELD_UNKNOWN", "/valeus"),
        ({"values": [1], "a/b~c": 1}, "FIELD_UNKNOWN", "/a~1b~0c"),
        ({"values": [1], "id": 5}, "FIELD_INVALID", "/id"),
        ({"values": [1], "id": "x" * 257}, "FIELD_INVALID", "/id"),
        ({"values": [], "id": " \t"}, "SERIES_EMPTY", "/values"),
        ({"values": [1], "start": 1939, "frequency": "M"}, "FIELD_INVALID", "/start"),
        ({"values": [1], "start": "1939-01"}, "FREQUENCY_NOT_INFERRED", "/frequency"),
        ({"values": [1], "start": "yesterday", "frequency": "M"}, "TIMESTAMP_INVALID", "/start"),
        ({"values": [1], "frequency": "sometimes"}, "FREQUENCY_UNKNOWN", "/frequency"),
        ({"values": [1], "timestamps": "2024-01"}, "FIELD_INVALID", "/timestamps"),
        ({"values": [1, 2], "timestamps": ["2024-01", 5]}, "FIELD_INVALID", "/timestamps/1"),
        ({"values": [1, 2], "timestamps": ["2024-01"]}, "TIMESTAMPS_MISMATCHED", "/timestamps"),
        (
            {"values": [1, 2], "timestamps": ["2024-01", "2024-01"], "frequency": "M"},
            "TIMESTAMPS_DUPLICATED",
            "/timestamps/1",
        ),
        (
            {"values": [1, 2], "timestamps": ["2024-02", "2024-01"], "frequency": "M"},
            "TIMESTAMPS_OUT_OF_ORDER",
            "/timestamps/1",
        ),
    ],
)
def test_each_error_of_a_series_has_its_code_and_pointer(
    shared_client: TestClient, series: dict[str, Any], code: str, pointer: str
) -> None:
    """If it is the only series, the status is 422."""
    response = shared_client.post("/forecast", json={"series": [series], "horizon": 2})

    assert response.status_code == 422
    problem = response.json()
    (error,) = problem["errors"]
    assert (error["code"], error["pointer"]) == (code, f"/series/0{pointer}")
    assert (problem["code"], problem["pointer"]) == (code, f"/series/0{pointer}")
    assert error["hint"]


@pytest.mark.parametrize(
    ("series", "duplicate"),
    [
        ([{"id": "a", "values": [1]}, {"id": "b", "values": [1]}, {"id": "a", "values": [2]}], 2),
        ([{"id": "a", "values": []}, {"id": "a", "values": [2]}], 1),
        ([{"id": "e\u0301", "values": [1]}, {"id": " \xe9", "values": [2]}], 1),
    ],
)
def test_the_second_of_two_equal_ids_is_an_error(
    shared_client: TestClient, series: list[dict[str, Any]], duplicate: int
) -> None:
    """Also if the other id belongs to a wrong series."""
    answer = shared_client.post("/forecast", json={"series": series, "horizon": 1}).json()

    duplicates = [one["pointer"] for one in answer["errors"] if one["code"] == "SERIES_DUPLICATED"]
    assert duplicates == [f"/series/{duplicate}/id"]
    assert len(answer["forecasts"]) + len(answer["errors"]) == len(series)


@pytest.mark.parametrize(
    ("given", "answered"),
    [([None, None], ["0", "1"]), (["1", None], ["1", "#1"]), ([None, "0", "#0"], ["##0", "0", "#0"])],
)
def test_the_index_that_stands_for_an_id_is_no_other_id(
    shared_client: TestClient, given: list[str | None], answered: list[str]
) -> None:
    """Whichever comes first."""
    series = [{"id": one, "values": [1, 2]} for one in given]

    answer = shared_client.post("/forecast", json={"series": series, "horizon": 1}).json()

    assert ([one["id"] for one in answer["forecasts"]], answer["errors"]) == (answered, [])


def test_no_response_contains_a_negative_zero(shared_client: TestClient) -> None:
    """Zero is written without a sign."""
    response = shared_client.post(
        "/forecast", json={"series": [{"values": [-0.0] * 24}], "horizon": 12, "levels": [50, 95]}
    )

    assert response.status_code == 200
    assert "-0.0," not in response.text
    assert "-0.0]" not in response.text


def test_nan_is_a_gap_and_infinity_an_error(shared_client: TestClient) -> None:
    """Python clients send these words, which JSON does not have."""
    body = b'{"series": [{"values": [1, NaN, 3]}, {"values": [1, Infinity]}, {"values": [-Infinity]}], "horizon": 1}'

    answer = shared_client.post("/forecast", content=body).json()

    assert answer["forecasts"][0]["repairs"] == [{"code": "GAP_MASKED", "index": 1}]
    assert [error["code"] for error in answer["errors"]] == ["SERIES_INFINITE", "SERIES_INFINITE"]


def test_a_problem_has_the_common_code_of_all_series(shared_client: TestClient) -> None:
    """Besides the list of their errors."""
    response = shared_client.post("/forecast", json={"series": [{"values": []}, {"values": []}], "horizon": 1})

    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["code"] == "SERIES_EMPTY"
    assert len(response.json()["errors"]) == 2
    assert response.json()["forecasts"] == []


def test_a_forecast_that_overflows_is_an_error(shared_client: TestClient) -> None:
    """Of its series only."""
    series = [{"values": [1.7e308, 1.7e308]}, {"values": MONTHS}]

    answer = post(shared_client, series=series, horizon=1)

    assert [forecast["id"] for forecast in answer["forecasts"]] == ["1"]
    assert answer["errors"][0]["code"] == "FORECAST_NOT_FINITE"


def test_a_horizon_beyond_the_trained_one_has_a_warning(shared_client: TestClient) -> None:
    """It points to the horizon of the request."""
    answer = post(shared_client, series=[{"values": MONTHS}], horizon=30)

    (forecast,) = answer["forecasts"]
    assert len(forecast["median"]) == 30
    assert ("HORIZON_EXTENDED", "/horizon") in {(one["code"], one["pointer"]) for one in forecast["warnings"]}


@pytest.mark.parametrize("count", [1, 200])
def test_a_large_batch_is_forecast_like_a_small_one(shared_client: TestClient, count: int) -> None:
    """In a thread or on the event loop, with the numbers of the model."""
    answer = post(shared_client, series=[{"values": MONTHS} for _ in range(count)], horizon=12)

    assert len(answer["forecasts"]) == count
    assert answer["forecasts"][-1]["median"] == MONTHS[-12:]


def test_each_forecast_has_its_own_id(shared_client: TestClient) -> None:
    """For the forecast log."""
    answer = post(shared_client, series=[{"values": MONTHS}, {"values": MONTHS}], horizon=1)

    assert len({forecast["forecast_id"] for forecast in answer["forecasts"]}) == 2


def test_a_version_is_selected_by_number_or_alias(home: ServiceHome, start: Callable[..., TestClient]) -> None:
    """The response contains the version and the alias of the request."""
    home.publish("temperatures", "1")
    home.publish("temperatures", "2", alias="challenger", shift=100.0)
    client = start()

    for selector, alias in (("temperatures/2", None), ("temperatures@challenger", "challenger")):
        answer = post(client, series=[{"values": MONTHS}], horizon=1, model=selector)

        assert (answer["model"]["version"], answer["model"]["alias"]) == ("2", alias)
        assert answer["forecasts"][0]["median"] == [MONTHS[-12] + 100.0]


def test_with_several_models_a_request_needs_a_name(home: ServiceHome, start: Callable[..., TestClient]) -> None:
    """The error lists the names; ALMANAC_MODEL makes one the default."""
    home.publish("rain", "1")
    home.publish("temperatures", "1")
    request = {"series": [{"values": MONTHS}], "horizon": 1}

    refused = start().post("/forecast", json=request)
    settled = start(model="rain").post("/forecast", json=request)

    assert refused.status_code == 422
    assert refused.json()["code"] == "MODEL_REQUIRED"
    assert "rain, temperatures" in refused.json()["detail"]
    assert settled.json()["model"]["name"] == "rain"


@pytest.mark.parametrize("selector", ["weather", "temperatures@best", "temperatures/9", "/", "@", "temperatures/"])
def test_an_unknown_model_is_422(shared_client: TestClient, selector: str) -> None:
    """With a hint."""
    response = shared_client.post("/forecast", json={"series": [{"values": MONTHS}], "horizon": 1, "model": selector})

    assert response.status_code == 422
    assert response.json()["code"] == "MODEL_UNKNOWN"
    assert response.json()["pointer"] == "/model"
    assert response.json()["hint"]
