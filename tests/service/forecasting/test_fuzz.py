"""Fuzz: any request gets one of the responses in the docs."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from models.covariates import CovariateNames
from tests.service.home import Artifacts, ServiceHome, serving
from tests.service.schema_values import ANYTHING

NUMBERS = st.lists(st.one_of(st.floats(), st.integers(-(10**6), 10**6), st.none()), max_size=80)
DATES = st.datetimes().map(lambda moment: moment.isoformat()) | st.dates().map(str)
COLUMNS = st.dictionaries(
    st.sampled_from(["visitors", "price", "holidays_DE", "a/b~c"]), NUMBERS | ANYTHING, max_size=3
)
SERIES = st.fixed_dictionaries(
    {"values": NUMBERS | ANYTHING},
    optional={
        "id": st.text(max_size=8) | ANYTHING,
        "start": DATES | ANYTHING,
        "frequency": st.sampled_from(["M", "ME", "MS", "D", "h", "W-SUN", "B", "Q", "Y", "15min", "monthly", "7s"])
        | ANYTHING,
        "timestamps": st.lists(DATES, max_size=80) | ANYTHING,
        "timezone": st.sampled_from(["UTC", "Europe/Berlin", "Mars/Olympus"]) | ANYTHING,
        **dict.fromkeys(("past_covariates", "future_covariates"), COLUMNS | ANYTHING),
    },
)
REQUESTS = st.fixed_dictionaries(
    {"series": st.lists(SERIES | ANYTHING, max_size=4) | ANYTHING, "horizon": st.integers(1, 40) | ANYTHING},
    optional={
        "levels": st.lists(st.floats(0, 100), max_size=3) | ANYTHING,
        "quantiles": st.lists(st.floats(0, 1), max_size=3) | ANYTHING,
        "model": st.sampled_from(["temperatures", "temperatures@champion", "temperatures/1", "sales", "starter"])
        | ANYTHING,
    },
)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory, artifacts: Artifacts) -> Iterator[TestClient]:
    """Return a client of one service for all examples; a bug raises instead of becoming a 500."""
    home = ServiceHome(tmp_path_factory.mktemp("fuzz"), artifacts)
    home.publish("temperatures", "1")
    names = CovariateNames(("visitors",), ("price", "holidays_DE"), ("DE",))
    home.publish("sales", "1", names=names, context_length=24)
    with serving(home) as client:
        yield client


def check(client: TestClient, body: bytes) -> None:
    """Post a body, and check that the response is one of those in the docs."""
    response = client.post("/forecast", content=body)
    answer: dict[str, Any] = response.json()
    assert response.status_code in {200, 400, 413, 422}, (response.text, body)
    if response.status_code == 200:
        assert answer["forecasts"]
        for forecast in answer["forecasts"]:
            numbers = [forecast["median"], *forecast["quantiles"].values()]
            numbers += [side for interval in forecast["intervals"].values() for side in interval.values()]
            assert all(isinstance(number, int | float) for column in numbers for number in column)
    else:
        assert answer["code"]
        assert answer["detail"]
    for error in answer.get("errors", []):
        assert error["pointer"].startswith("/series/")
        assert {"id", "code", "detail", "pointer", "hint"} == set(error)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(request=REQUESTS)
def test_any_request_gets_forecasts_or_errors(client: TestClient, request: Any) -> None:  # noqa: ANN401
    """Never a 500, and never a null as a number."""
    check(client, json.dumps(request).encode())


@st.composite
def covered(draw: st.DrawFn) -> dict[str, Any]:
    """Return a request with covariates of the right lengths, so that numbers of any size reach the network."""
    count, horizon = draw(st.integers(1, 30)), draw(st.integers(1, 40))
    column = st.floats(allow_nan=False, allow_infinity=False) | st.none()
    history, ahead = (st.lists(column, min_size=one, max_size=one) for one in (count, horizon))
    series = {
        "values": draw(history),
        "start": draw(st.dates()).isoformat()[:7],
        "frequency": "M",
        "past_covariates": {name: draw(history) for name in ("visitors", "price")},
        "future_covariates": {"price": draw(ahead)},
    }
    return {"series": [series], "horizon": horizon, "model": "sales"}


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(request=covered())
def test_any_covariates_get_forecasts_or_errors(client: TestClient, request: Any) -> None:  # noqa: ANN401
    """With any numbers, and holidays of any year."""
    check(client, json.dumps(request).encode())
