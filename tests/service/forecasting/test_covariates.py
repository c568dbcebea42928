"""Covariates on the wire: what is read, what is refused, and where an error points."""

from collections.abc import Callable
from typing import Any

import pytest
from starlette.testclient import TestClient

from models.covariates import CovariateNames
from tests.service.home import ServiceHome

MONTHS = [float(month) for month in range(1, 25)]
ZEROS = [0.0] * 24
SOUND: dict[str, Any] = {
    "start": "2015-01",
    "frequency": "M",
    "values": MONTHS,
    "past_covariates": {"visitors": [*ZEROS[:-1], 1000.0], "price": ZEROS},
    "future_covariates": {"price": [10.0, 20.0, 30.0]},
}


@pytest.fixture
def informed(home: ServiceHome, start: Callable[..., TestClient]) -> TestClient:
    """Return a client of a service whose only model adds its covariates, German holidays among them."""
    names = CovariateNames(("visitors",), ("price", "holidays_DE"), ("DE",))
    home.publish("sales", "1", names=names, context_length=24)
    return start()


def ask(client: TestClient, **changes: Any) -> Any:  # noqa: ANN401 (JSON)
    """Return the answer for the sound series with some fields changed; those of None are left out."""
    series = {name: value for name, value in {**SOUND, **changes}.items() if value is not None}
    return client.post("/forecast", json={"series": [series], "horizon": 3}).json()


def test_covariates_move_the_forecast(informed: TestClient) -> None:
    """The newest visitors, the price of each step, and the holidays of January to March 2017."""
    (forecast,) = ask(informed)["forecasts"]

    assert forecast["median"] == [13 + 1000 + 10 + 1, 14 + 1000 + 20, 15 + 1000 + 30]
    assert forecast["warnings"] == []


def test_a_future_list_may_hold_the_history_too(informed: TestClient) -> None:
    """Of values and horizon together; the forecast is the same."""
    whole = {"price": [*ZEROS, 10.0, 20.0, 30.0]}

    answer = ask(informed, past_covariates={"visitors": [*ZEROS[:-1], 1000.0]}, future_covariates=whole)

    assert answer["forecasts"][0]["median"] == ask(informed)["forecasts"][0]["median"]
    assert answer["forecasts"][0]["warnings"] == []


def test_what_is_unknown_is_forecast_without_and_said(informed: TestClient) -> None:
    """A null ahead and a history that was not sent are warnings that point into the request."""
    answer = ask(
        informed, past_covariates={"visitors": [None] * 24}, future_covariates={"price": [10.0, None, 30.0]}, start=None
    )

    (forecast,) = answer["forecasts"]
    assert forecast["median"] == [23.0, 14.0, 45.0]
    assert [(one["code"], one["pointer"]) for one in forecast["warnings"]] == [
        ("PHASE_UNKNOWN", "/series/0"),
        ("COVARIATE_HISTORY_MISSING", "/series/0/past_covariates/price"),
        ("COVARIATE_FUTURE_UNKNOWN", "/series/0/future_covariates/price"),
        ("HOLIDAYS_UNKNOWN", "/series/0"),
    ]


PAST, FUTURE = SOUND["past_covariates"], SOUND["future_covariates"]


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
def test_a_wrong_covariate_is_its_series_error(
    informed: TestClient, changes: dict[str, Any], code: str, pointer: str
) -> None:
    """With the place in the request and what to do; the other series are forecast."""
    answer = ask(informed, **changes)

    (error,) = answer["errors"]
    assert (error["code"], error["pointer"]) == (code, f"/series/0{pointer}")
    assert error["hint"]
    assert answer["status"] == 422


def test_one_wrong_covariate_never_kills_its_batch(informed: TestClient) -> None:
    """The sound series is answered."""
    request = {"series": [{**SOUND, "past_covariates": {}}, SOUND], "horizon": 3}

    answer = informed.post("/forecast", json=request).json()

    assert [one["id"] for one in answer["forecasts"]] == ["1"]
    assert [one["code"] for one in answer["errors"]] == ["COVARIATE_MISSING"]


def test_a_model_without_covariates_refuses_them(client: TestClient) -> None:
    """A column that nobody reads would be a promise nobody keeps."""
    (error,) = ask(client, future_covariates=None)["errors"]

    assert error["code"] == "COVARIATE_UNKNOWN"
    assert "has no past_covariates" in error["hint"]


def test_names_of_any_kind_and_length_are_borne(informed: TestClient) -> None:
    """Slashes are escaped, long names cut: no answer repeats a megabyte."""
    for name, token in (("a/b~c", "a~1b~0c"), ("x" * 100_000, "x" * 60), ("", "")):
        for values in (ZEROS, [1], "no"):
            answer = ask(informed, past_covariates={**PAST, name: values})

            assert answer["errors"][0]["pointer"].startswith(f"/series/0/past_covariates/{token}")
            assert len(str(answer)) < 2_000


def test_the_card_names_the_covariates(informed: TestClient) -> None:
    """So that a client can know what to send."""
    spec = informed.get("/models/sales").json()["spec"]

    assert spec["past_covariates"] == ["visitors"]
    assert spec["future_covariates"] == ["price", "holidays_DE"]
    assert spec["holidays"] == ["DE"]
