"""Fuzz: any body of POST /forecast gets a forecast or a typed error, never a 500."""

import http.client
import itertools
import json
import math
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from tests.prove.cases import bodies
from tests.prove.figures import record
from training.processes import ChildProcess

ALLOWED = {200, 400, 413, 415, 422}


def numbers(value: Any) -> Iterator[float]:  # noqa: ANN401 any JSON
    """Yield every number in a JSON value."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from numbers(item)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield value


def check_forecast(forecast: dict[str, Any]) -> None:
    """Assert that a forecast has as many timestamps as steps, and quantiles that do not cross."""
    quantiles = [forecast["quantiles"][level] for level in sorted(forecast["quantiles"], key=float)]
    steps = len(forecast["median"])

    assert steps >= 1
    assert forecast["timestamps"] is None or len(forecast["timestamps"]) == steps
    for lower, upper in itertools.pairwise(quantiles):
        assert all(a <= b for a, b in zip(lower, upper, strict=True))
    for interval in forecast["intervals"].values():
        assert all(a <= b for a, b in zip(interval["lower"], interval["upper"], strict=True))


def check_answer(status: int, content_type: str, body: bytes) -> str:
    """Assert that a response is a forecast or a typed error, and return its code, "" for a forecast."""
    answer = json.loads(body)
    assert status in ALLOWED, body[:500]
    assert b"Traceback" not in body
    assert all(math.isfinite(number) for number in numbers(answer))
    for error in answer.get("errors") or []:
        assert error["code"].isupper()
        assert error["pointer"].startswith("/series/")
    if status == 200:
        assert answer["forecasts"]
        for forecast in answer["forecasts"]:
            check_forecast(forecast)
        return ""
    assert content_type == "application/problem+json"
    assert answer["detail"]
    return str(answer["code"])


@pytest.mark.timeout(3600)
def test_no_request_breaks_the_service(service: ChildProcess) -> None:
    """Every body gets a forecast or a typed error, and the service runs on."""
    statuses: Counter[int] = Counter()
    codes: Counter[str] = Counter()
    slowest, began = 0.0, time.monotonic()

    with closing(http.client.HTTPConnection(service.address.removeprefix("http://"), timeout=30)) as connection:
        for body in bodies(seed=2, count=10_000):
            asked = time.monotonic()
            connection.request("POST", "/forecast", body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            content = response.read()
            slowest = max(slowest, time.monotonic() - asked)
            statuses[response.status] += 1
            codes[check_answer(response.status, response.getheader("content-type", ""), content)] += 1

    service.check()
    assert statuses[200] > 0
    assert len(codes) > 10
    record(
        "Fuzz",
        "Odd, broken and hostile bodies are posted to `/forecast`; each gets a forecast or a typed error.",
        {
            "requests": sum(statuses.values()),
            "by status": ", ".join(f"{status}: {n}" for status, n in sorted(statuses.items())),
            "different error codes": len(codes) - 1,
            "answers with a 5xx, a traceback, or a number that is not finite": 0,
            "slowest answer": f"{1000 * slowest:.0f} ms",
            "in all": f"{time.monotonic() - began:.0f} s",
        },
    )
