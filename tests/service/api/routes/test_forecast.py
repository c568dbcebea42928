"""POST /forecast: what is answered."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from service.api.examples.forecast import FORECAST_REQUESTS
from tests.service.home import ServiceHome

MONTHS = [float(month) for month in range(1, 61)]


def post(client: TestClient, **request: Any) -> Any:  # noqa: ANN401 (JSON)
    """Return the answer to a forecast request of one or more series, which must be 200."""
    response = client.post("/forecast", json=request)
    assert response.status_code == 200, response.text
    return response.json()


def test_the_bare_example_of_the_design_is_answered(client: TestClient) -> None:
    """Five values without dates get three finite steps, and warnings that say what is missing."""
    answer = post(client, series=[{"values": [35, 40, 38, 29, 19]}], horizon=3)

    (forecast,) = answer["forecasts"]
    assert np.isfinite(forecast["median"]).all()
    assert len(forecast["median"]) == 3
    assert forecast["context_used"] == 5
    assert forecast["timestamps"] is None
    assert {warning["code"] for warning in forecast["warnings"]} == {"CONTEXT_SHORT", "PHASE_UNKNOWN"}


def test_the_dated_example_of_the_design_is_answered_in_its_own_style(client: TestClient) -> None:
    """Months in, months out; the gap is a repair; levels and trained quantiles are named as they were asked for."""
    series = {"id": "nottingham", "start": "1939-01", "frequency": "M", "values": [39.4, 40.9, None, 42.4]}

    answer = post(client, series=[series], horizon=12, levels=[80, 97.5], quantiles=[0.05], model="temperatures")

    (forecast,) = answer["forecasts"]
    assert answer["model"] == {"name": "temperatures", "version": "1", "alias": "champion", "run_id": "run-1"}
    assert forecast["id"] == "nottingham"
    assert forecast["timestamps"][:2] == ["1939-05", "1939-06"]
    assert forecast["repairs"] == [{"code": "GAP_MASKED", "index": 2}]
    assert set(forecast["intervals"]) == {"80", "97.5"}
    assert set(forecast["quantiles"]) == {"0.05", *(f"0.{tenth}" for tenth in range(1, 10))}
    assert forecast["intervals"]["80"]["lower"] == forecast["quantiles"]["0.1"]


def test_a_whole_season_is_repeated_with_the_numbers_of_the_model(client: TestClient) -> None:
    """The answer carries the model's own numbers, step by step."""
    answer = post(client, series=[{"start": "2000-01", "frequency": "M", "values": MONTHS}], horizon=12)

    assert answer["forecasts"][0]["median"] == MONTHS[-12:]


def test_one_bad_series_never_kills_its_batch(client: TestClient) -> None:
    """The sound series are answered in order, each broken one has an error that points at it."""
    series = [{"values": MONTHS}, {"values": [1, "two"]}, {"values": MONTHS, "frequency": "D"}, {"values": MONTHS}, 7]

    answer = post(client, series=series, horizon=2)

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
def test_each_fault_of_a_series_has_its_code_and_pointer(
    client: TestClient, series: dict[str, Any], code: str, pointer: str
) -> None:
    """A series that cannot be forecast says why and where; as the only one it makes the status 422."""
    response = client.post("/forecast", json={"series": [series], "horizon": 2})

    assert response.status_code == 422
    problem = response.json()
    (error,) = problem["errors"]
    assert (error["code"], error["pointer"]) == (code, f"/series/0{pointer}")
    assert (problem["code"], problem["pointer"]) == (code, f"/series/0{pointer}")
    assert error["hint"]


def test_an_id_that_stands_twice_is_the_second_series_fault(client: TestClient) -> None:
    """The first keeps the name."""
    answer = post(client, series=[{"id": "a", "values": [1]}, {"id": "a", "values": [2]}], horizon=1)

    assert [forecast["id"] for forecast in answer["forecasts"]] == ["a"]
    assert answer["errors"][0]["code"] == "SERIES_DUPLICATED"
    assert answer["errors"][0]["pointer"] == "/series/1/id"


@pytest.mark.parametrize(
    ("series", "duplicate"),
    [
        ([{"id": "a", "values": [1]}, {"id": "b", "values": [1]}, {"id": "a", "values": [2]}], 2),
        ([{"id": "1", "values": [1]}, {"values": [2]}], 1),
        ([{"values": [1]}, {"id": "0", "values": [2]}], 1),
        ([{"id": "a", "values": []}, {"id": "a", "values": [2]}], 1),
        ([{"id": "", "values": [1]}, {"id": "", "values": [2]}], 1),
    ],
)
def test_the_later_of_two_ids_is_the_one_at_fault(
    client: TestClient, series: list[dict[str, Any]], duplicate: int
) -> None:
    """Given twice, given as what another one's index makes, or that of a series with a fault of its own."""
    answer = client.post("/forecast", json={"series": series, "horizon": 1}).json()

    duplicates = [one["pointer"] for one in answer["errors"] if one["code"] == "SERIES_DUPLICATED"]
    assert duplicates == [f"/series/{duplicate}/id"]
    assert len(answer["forecasts"]) + len(answer["errors"]) == len(series)


def test_no_answer_holds_a_negative_zero(client: TestClient) -> None:
    """Zero is zero."""
    response = client.post("/forecast", json={"series": [{"values": [-0.0] * 24}], "horizon": 12, "levels": [50, 95]})

    assert response.status_code == 200
    assert "-0.0," not in response.text
    assert "-0.0]" not in response.text


def test_nan_is_a_gap_and_infinity_a_fault(client: TestClient) -> None:
    """Python clients send the words that JSON does not know."""
    body = b'{"series": [{"values": [1, NaN, 3]}, {"values": [1, Infinity]}, {"values": [-Infinity]}], "horizon": 1}'

    answer = client.post("/forecast", content=body).json()

    assert answer["forecasts"][0]["repairs"] == [{"code": "GAP_MASKED", "index": 1}]
    assert [error["code"] for error in answer["errors"]] == ["SERIES_INFINITE", "SERIES_INFINITE"]


def test_where_every_series_fails_alike_the_problem_has_their_code(client: TestClient) -> None:
    """A program may read either the problem or its list."""
    response = client.post("/forecast", json={"series": [{"values": []}, {"values": []}], "horizon": 1})

    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["code"] == "SERIES_EMPTY"
    assert len(response.json()["errors"]) == 2
    assert response.json()["forecasts"] == []


def test_values_that_overflow_are_a_fault_and_no_null(client: TestClient) -> None:
    """A mean of the largest floats is infinite: that series has no forecast, the other has."""
    series = [{"values": [1.7e308, 1.7e308]}, {"values": MONTHS}]

    answer = post(client, series=series, horizon=1)

    assert [forecast["id"] for forecast in answer["forecasts"]] == ["1"]
    assert answer["errors"][0]["code"] == "FORECAST_NOT_FINITE"


def test_a_horizon_beyond_the_trained_one_rolls_on_and_says_so(client: TestClient) -> None:
    """The warning points at the horizon of the request."""
    answer = post(client, series=[{"values": MONTHS}], horizon=30)

    (forecast,) = answer["forecasts"]
    assert len(forecast["median"]) == 30
    assert ("HORIZON_EXTENDED", "/horizon") in {(one["code"], one["pointer"]) for one in forecast["warnings"]}


@pytest.mark.parametrize("count", [1, 2_000])
def test_a_large_batch_is_answered_as_a_small_one_is(client: TestClient, count: int) -> None:
    """In a thread or on the event loop, each series gets the same numbers."""
    answer = post(client, series=[{"values": MONTHS} for _ in range(count)], horizon=12)

    assert len(answer["forecasts"]) == count
    assert answer["forecasts"][-1]["median"] == MONTHS[-12:]


def test_each_forecast_has_an_id_of_its_own(client: TestClient) -> None:
    """The ledger will know them apart."""
    answer = post(client, series=[{"values": MONTHS}, {"values": MONTHS}], horizon=1)

    assert len({forecast["forecast_id"] for forecast in answer["forecasts"]}) == 2


@pytest.mark.parametrize("name", FORECAST_REQUESTS)
def test_each_example_of_the_docs_is_answered(documented: TestClient, name: str) -> None:
    """What /docs shows works."""
    post(documented, **FORECAST_REQUESTS[name]["value"])


@pytest.mark.parametrize("selector", ["temperatures/2", "temperatures@challenger"])
def test_a_version_is_chosen_by_number_or_alias(
    home: ServiceHome, start: Callable[..., TestClient], selector: str
) -> None:
    """The answer names the version that made it, and the alias by which it was chosen."""
    home.publish("temperatures", "1")
    home.publish("temperatures", "2", alias="challenger", shift=100.0)

    answer = post(start(), series=[{"values": MONTHS}], horizon=1, model=selector)

    assert answer["model"]["version"] == "2"
    assert answer["model"]["alias"] == ("challenger" if "@" in selector else None)
    assert answer["forecasts"][0]["median"] == [MONTHS[-12] + 100.0]


def test_several_models_need_a_name(home: ServiceHome, start: Callable[..., TestClient]) -> None:
    """The refusal lists the names; ALMANAC_MODEL settles it."""
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
def test_an_unknown_model_is_the_requests_fault(client: TestClient, selector: str) -> None:
    """The hint lists what there is."""
    response = client.post("/forecast", json={"series": [{"values": MONTHS}], "horizon": 1, "model": selector})

    assert response.status_code == 422
    assert response.json()["code"] == "MODEL_UNKNOWN"
    assert response.json()["pointer"] == "/model"
    assert response.json()["hint"]
