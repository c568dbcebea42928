"""Covariates over REST: forecasts, warnings and errors."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from models.covariates import CovariateNames
from tests.service.home import Artifacts, ServiceHome, serving

MONTHS = [float(month) for month in range(1, 25)]
ZEROS = [0.0] * 24
SERIES: dict[str, Any] = {
    "start": "2015-01",
    "frequency": "M",
    "values": MONTHS,
    "past_covariates": {"visitors": [*ZEROS[:-1], 1000.0], "price": ZEROS},
    "future_covariates": {"price": [10.0, 20.0, 30.0]},
}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory, artifacts: Artifacts, migrated: Path) -> Iterator[TestClient]:
    """Return a client of one service for all tests; its only model adds its covariates, with German holidays."""
    home = ServiceHome(tmp_path_factory.mktemp("covariates"), artifacts)
    names = CovariateNames(("visitors",), ("price", "holidays_DE"), ("DE",))
    home.publish("sales", "1", names=names, context_length=24)
    with serving(home, migrated) as client:
        yield client


def forecast(client: TestClient, **changes: Any) -> Any:  # noqa: ANN401 (JSON)
    """Return the response for the series with some fields changed; None leaves a field out."""
    series = {name: value for name, value in {**SERIES, **changes}.items() if value is not None}
    return client.post("/forecast", json={"series": [series], "horizon": 3}).json()


def test_covariates_change_the_forecast(client: TestClient) -> None:
    """Here the newest visitors, the price of each step, and the holidays of January to March 2017."""
    (found,) = forecast(client)["forecasts"]

    assert found["median"] == [13 + 1000 + 10 + 1, 14 + 1000 + 20, 15 + 1000 + 30]
    assert found["warnings"] == []


def test_future_covariates_can_contain_the_history(client: TestClient) -> None:
    """The forecast is the same."""
    whole = {"price": [*ZEROS, 10.0, 20.0, 30.0]}

    answer = forecast(client, past_covariates={"visitors": [*ZEROS[:-1], 1000.0]}, future_covariates=whole)

    assert answer["forecasts"][0]["median"] == forecast(client)["forecasts"][0]["median"]
    assert answer["forecasts"][0]["warnings"] == []


def test_unknown_covariates_are_warnings(client: TestClient) -> None:
    """Of a null ahead, or of a missing history, with a pointer."""
    answer = forecast(
        client, past_covariates={"visitors": [None] * 24}, future_covariates={"price": [10.0, None, 30.0]}, start=None
    )

    (found,) = answer["forecasts"]
    assert found["median"] == [23.0, 14.0, 45.0]
    assert [(one["code"], one["pointer"]) for one in found["warnings"]] == [
        ("PHASE_UNKNOWN", "/series/0"),
        ("COVARIATE_HISTORY_MISSING", "/series/0/past_covariates/price"),
        ("COVARIATE_FUTURE_UNKNOWN", "/series/0/future_covariates/price"),
        ("HOLIDAYS_UNKNOWN", "/series/0"),
    ]


PAST, FUTURE = SERIES["past_covariates"], SERIES["future_covariates"]


@pytest.mark.parametrize(
    ("changes", "code", "pointer"),
    [
        ({"past_covariates": {**PAST, "prices": ZEROS}}, "COVARIATE_UNKNOWN", "/past_covariates/prices"),
        ({"future_covariates": {"visitors": [1, 2, 3]}}, "COVARIATE_UNKNOWN", "/future_covariates/visitors"),
        ({"past_covariates": {"price": ZEROS}}, "COVARIATE_MISSING", "/past_covariates/visitors"),
        ({"past_covariates": None}, "COVARIATE_MISSING", "/past_covariates/visitors"),
        ({"future_covariates": None}, "COVARIATE_MISSING", "/future_covariates/price"),
        ({"past_covariates": {**PAST, "price": ZEROS[1:]}}, "COVARIATE_LENGTH", "/past_covariates/price"),
        ({"future_covariates": {"price": [1, 2]}}, "COVARIATE_LENGTH", "/future_covariates/price"),
        ({"future_covariates": {"price": [1, "2", 3]}}, "COVARIATE_NOT_NUMERIC", "/future_covariates/price/1"),
        ({"future_covariates": {"price": [1, True, 3]}}, "COVARIATE_NOT_NUMERIC", "/future_covariates/price/1"),
        ({"future_covariates": {"price": None}}, "COVARIATE_NOT_NUMERIC", "/future_covariates/price"),
        ({"future_covariates": {"price": 10**400}}, "COVARIATE_NOT_NUMERIC", "/future_covariates/price"),
        ({"future_covariates": {"price": [1, 10**400, 3]}}, "COVARIATE_NOT_NUMERIC", "/future_covariates/price/1"),
        ({"past_covariates": [1, 2]}, "FIELD_INVALID", "/past_covariates"),
        ({"future_covariate": {}}, "FIELD_UNKNOWN", "/future_covariate"),
    ],
)
def test_a_wrong_covariate_is_an_error_of_its_series(
    client: TestClient, changes: dict[str, Any], code: str, pointer: str
) -> None:
    """With a pointer and a hint."""
    answer = forecast(client, **changes)

    (error,) = answer["errors"]
    assert (error["code"], error["pointer"]) == (code, f"/series/0{pointer}")
    assert error["hint"]
    assert answer["status"] == 422


def test_a_wrong_covariate_does_not_fail_the_batch(client: TestClient) -> None:
    """The valid series is forecast."""
    request = {"series": [{**SERIES, "past_covariates": {}}, SERIES], "horizon": 3}

    answer = client.post("/forecast", json=request).json()

    assert [one["id"] for one in answer["forecasts"]] == ["1"]
    assert [one["code"] for one in answer["errors"]] == ["COVARIATE_MISSING"]


def test_covariates_for_a_model_without_any_are_an_error(shared_client: TestClient) -> None:
    """They would be ignored."""
    (error,) = forecast(shared_client, future_covariates=None)["errors"]

    assert error["code"] == "COVARIATE_UNKNOWN"


def test_unusual_names_have_a_valid_pointer(client: TestClient) -> None:
    """Slashes are escaped, and long names are cut."""
    for name, token in (("a/b~c", "a~1b~0c"), ("x" * 100_000, "x" * 60), ("", "")):
        for values in (ZEROS, [1], "no"):
            answer = forecast(client, past_covariates={**PAST, name: values})

            assert answer["errors"][0]["pointer"].startswith(f"/series/0/past_covariates/{token}")
            assert len(str(answer)) < 2_000


def test_the_card_lists_the_covariates(client: TestClient) -> None:
    """For clients that build requests."""
    spec = client.get("/models/sales").json()["spec"]

    assert spec["past_covariates"] == ["visitors"]
    assert spec["future_covariates"] == ["price", "holidays_DE"]
    assert spec["holidays"] == ["DE"]
