"""Extreme series: each gets finite numbers or a typed error, from POST /forecast, POST /validate and a dialect."""

import json
import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from tests.service.home import ServiceHome
from tests.service.openapi_cases import strict

NAN, INFINITY = math.nan, math.inf
MONTHS = [f"{1990 + at // 12}-{at % 12 + 1:02d}" for at in range(48)]
SERIES: dict[str, dict[str, Any]] = {
    "a NaN": {"values": [1.0, NAN, 3.0] * 9},
    "only NaN": {"values": [NAN] * 9},
    "an infinite value": {"values": [1.0, 2.0, INFINITY, 3.0]},
    "a negative infinite value": {"values": [1.0, -INFINITY]},
    "1e308": {"values": [1e308, -1e308] * 20},
    "1e308 only": {"values": [1e308] * 40},
    "1e-308": {"values": [1e-308, 2e-308, 5e-324] * 12},
    "1e308 beside 1e-308": {"values": [1e308, 1e-308, 0.0] * 12},
    "a number of 400 digits": {"values": [10**400, 1]},
    "constant": {"values": [7.0] * 60},
    "zero": {"values": [0.0] * 60},
    "one point": {"values": [5.0]},
    "no point": {"values": []},
    "only gaps": {"values": [None] * 9},
    "a date twice": {"values": [1.0] * 48, "timestamps": [*MONTHS[:-1], MONTHS[-2]]},
    "one date only": {"values": [1.0] * 9, "timestamps": ["2024-01-01"] * 9},
    "mixed zones": {
        "values": [float(at) for at in range(24)],
        "timestamps": [f"2024-01-01T{at:02d}:00:00{'Z' if at % 2 else '+01:00'}" for at in range(24)],
        "frequency": "h",
    },
    "an hour twice, when summer time ends": {
        "values": [float(at) for at in range(7)],
        "timestamps": [f"2024-10-27T{at:02d}:00:00" for at in (0, 1, 2, 2, 3, 4, 5)],
        "timezone": "Europe/Berlin",
        "frequency": "h",
    },
    "an hour that is left out, when summer time begins": {
        "values": [float(at) for at in range(6)],
        "timestamps": [f"2024-03-31T{at:02d}:30:00" for at in (0, 1, 2, 3, 4, 5)],
        "timezone": "Europe/Berlin",
        "frequency": "h",
    },
    "the last year there is": {"values": [1.0] * 24, "start": "9999-01", "frequency": "M"},
    "the first year there is": {"values": [1.0] * 24, "start": "0001-01", "frequency": "M"},
}


@pytest.fixture
def longest(home: ServiceHome, start: Callable[..., TestClient]) -> TestClient:
    """Return a client of a service that makes forecasts of ten thousand steps, and accepts series of a million points."""
    home.publish("temperatures", "1")
    return start(max_horizon=10_000, max_points=1_000_000)


def check(client: TestClient, series: dict[str, Any], horizon: int) -> list[int]:
    """Assert that every path answers with finite numbers or a typed error, and return the statuses."""
    named = {"type": "univariate_time_series", "name": "a", "series": series.get("values"), "frequency": "month"}
    requests = {
        "/forecast": {"series": [series], "horizon": horizon},
        "/validate": {"series": [series], "horizon": horizon},
        "/v1/timeseries/forecast": {"model": "temperatures", "inputs": [named], "options": {"horizon": horizon}},
    }
    statuses = []
    for path, request in requests.items():
        response = client.post(path, content=json.dumps(request), headers={"content-type": "application/json"})
        found = strict(response.content)
        statuses.append(response.status_code)
        assert response.status_code == 200 or (400 <= response.status_code < 500 and found["code"]), response.text
        if path == "/forecast" and response.status_code == 200:
            assert all(one is not None for forecast in found["forecasts"] for one in forecast["median"])
    return statuses


@pytest.mark.parametrize("name", SERIES)
def test_an_extreme_series_gets_finite_numbers_or_an_error(shared_client: TestClient, name: str) -> None:
    """Short and long horizons."""
    check(shared_client, SERIES[name], 3)
    check(shared_client, SERIES[name], 1_000)


@pytest.mark.parametrize("name", ["1e308", "mixed zones"])
def test_ten_thousand_steps_are_forecast_or_refused(longest: TestClient, shared_client: TestClient, name: str) -> None:
    """By the limit of the service, which the refusal names."""
    assert set(check(longest, SERIES[name], 10_000)) <= {200, 422}
    assert 200 not in check(shared_client, SERIES[name], 10_000)[::2]


@pytest.mark.prove
def test_a_million_points_are_read_or_refused(longest: TestClient, shared_client: TestClient) -> None:
    """As one series; the limits are 100,000 points and 16 MB unless they are raised."""
    million = {"values": [float(at % 12) for at in range(1_000_000)]}

    assert check(longest, million, 12)[0] == 200
    assert 200 not in check(shared_client, million, 12)[:1]


VALUES = st.floats() | st.sampled_from([NAN, INFINITY, -INFINITY, 1e308, 1e-308, 5e-324, 0.0, 1.0, None])
STAMPS = st.datetimes().map(str) | st.sampled_from(
    ["2024-10-27T02:30:00", "2024-03-31T02:30:00", "2024-10-27T02:30:00+02:00", "2024-10-27T02:30:00+01:00", "2024-01-01"]
)  # fmt: skip
ANY = st.fixed_dictionaries(
    {"values": st.lists(VALUES, max_size=40) | st.builds(lambda one, n: [one] * n, VALUES, st.integers(1, 200))},
    optional={
        "timestamps": st.lists(STAMPS, max_size=40),
        "timezone": st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]),
        "frequency": st.sampled_from(["M", "MS", "D", "h", "15min", "W-SUN", "B", "Q", "Y"]),
    },
)


@pytest.mark.prove
@pytest.mark.timeout(1800)
@settings(max_examples=3_000, deadline=None, suppress_health_check=list(HealthCheck))
@given(series=ANY, horizon=st.sampled_from([1, 12, 1_000]))
def test_any_series_gets_finite_numbers_or_an_error(
    shared_client: TestClient, series: dict[str, Any], horizon: int
) -> None:
    """Any numbers, dates, zones and frequencies."""
    check(shared_client, series, horizon)
