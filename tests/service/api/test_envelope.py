"""Requests that fail as a whole: status, code and pointer of the problem document."""

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from starlette.requests import Request
from starlette.testclient import TestClient
from starlette.types import Message

from models.errors import AlmanacError, ArtifactIncomplete
from service.api.http import read_body
from service.errors import BodyTooSlow
from service.problems import PROBLEM_TYPE, problem
from tests.service.home import ServiceHome

SERIES = [{"values": [1, 2, 3]}]


def refusal(client: TestClient, method: str, path: str, **arguments: Any) -> tuple[int, str, str]:  # noqa: ANN401
    """Return status, code and pointer of a problem, after checking its format."""
    response = client.request(method, path, **arguments)
    problem = response.json()
    assert response.headers["content-type"] == PROBLEM_TYPE
    assert problem["status"] == response.status_code
    assert problem["type"] == "about:blank"
    assert problem["title"]
    assert problem["detail"]
    assert problem["hint"]
    assert response.headers["x-almanac-code"] == problem["code"]
    assert "Traceback" not in response.text
    return response.status_code, problem["code"], problem["pointer"]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"series": SERIES}, (422, "FIELD_MISSING", "/horizon")),
        ({"horizon": 1}, (422, "FIELD_MISSING", "/series")),
        ({"series": None, "horizon": 1}, (422, "FIELD_MISSING", "/series")),
        ({"series": [], "horizon": 1}, (422, "FIELD_INVALID", "/series")),
        ({"series": {}, "horizon": 1}, (422, "FIELD_INVALID", "/series")),
        ({"series": SERIES, "horizon": 0}, (422, "HORIZON_INVALID", "/horizon")),
        ({"series": SERIES, "horizon": -1}, (422, "HORIZON_INVALID", "/horizon")),
        ({"series": SERIES, "horizon": 1001}, (422, "HORIZON_INVALID", "/horizon")),
        ({"series": SERIES, "horizon": 1.5}, (422, "HORIZON_INVALID", "/horizon")),
        ({"series": SERIES, "horizon": True}, (422, "HORIZON_INVALID", "/horizon")),
        ({"series": SERIES, "horizon": "12"}, (422, "HORIZON_INVALID", "/horizon")),
        ({"series": SERIES, "horizon": 10**500}, (422, "HORIZON_INVALID", "/horizon")),
        ({"series": SERIES, "horizon": 1, "levels": 80}, (422, "LEVEL_INVALID", "/levels")),
        ({"series": SERIES, "horizon": 1, "levels": [80, 100]}, (422, "LEVEL_INVALID", "/levels/1")),
        ({"series": SERIES, "horizon": 1, "levels": [0]}, (422, "LEVEL_INVALID", "/levels/0")),
        ({"series": SERIES, "horizon": 1, "levels": [float("nan")]}, (422, "LEVEL_INVALID", "/levels/0")),
        ({"series": SERIES, "horizon": 1, "quantiles": [0.5, 1]}, (422, "LEVEL_INVALID", "/quantiles/1")),
        ({"series": SERIES, "horizon": 1, "quantiles": ["0.5"]}, (422, "LEVEL_INVALID", "/quantiles/0")),
        ({"series": SERIES, "horizon": 1, "quantiles": [0.5] * 101}, (422, "LEVEL_INVALID", "/quantiles")),
        ({"series": SERIES, "horizon": 1, "model": 7}, (422, "FIELD_INVALID", "/model")),
        ({"series": SERIES, "horizon": 1, "model": ""}, (422, "FIELD_INVALID", "/model")),
        ({"series": SERIES, "horizon": 1, "level": [80]}, (422, "FIELD_UNKNOWN", "/level")),
        ([1, 2], (422, "FIELD_INVALID", "")),
        (None, (422, "FIELD_INVALID", "")),
        ("text", (422, "FIELD_INVALID", "")),
    ],
)
def test_a_wrong_field_has_its_code_and_pointer(
    shared_client: TestClient, body: object, expected: tuple[int, str, str]
) -> None:
    """In the request itself, not in a series."""
    assert refusal(shared_client, "POST", "/forecast", content=json.dumps(body)) == expected


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b'{"horizon": 1} x', b"'series'", b'"\xed\xa0\x80"']
)
def test_a_body_that_is_not_json_is_400(shared_client: TestClient, body: bytes) -> None:
    """Broken, deeply nested or in another encoding."""
    assert refusal(shared_client, "POST", "/forecast", content=body) == (400, "JSON_INVALID", "")


@pytest.mark.parametrize(
    ("sent", "shown"), [("true", "true"), ("NaN", "NaN"), ('"12"', "'12'"), ("[1]", "a list of 1")]
)
def test_an_error_shows_the_value_as_json(shared_client: TestClient, sent: str, shown: str) -> None:
    """Not as Python would."""
    response = shared_client.post("/forecast", content=f'{{"series": [{{"values": [1]}}], "horizon": {sent}}}')

    assert shown in response.json()["detail"]


def test_a_body_that_is_not_received_in_time_is_408() -> None:
    """And the connection is closed."""

    async def silence() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    request = Request({"type": "http", "method": "POST", "headers": []}, silence)

    with pytest.raises(BodyTooSlow) as slow:
        asyncio.run(read_body(request, 1000, 0.01))

    answer = problem(slow.value)
    assert (answer.status_code, answer.headers["connection"]) == (408, "close")
    assert "ALMANAC_BODY_TIMEOUT_SECONDS" in slow.value.hint


def test_the_hint_for_a_typo_contains_the_right_field(shared_client: TestClient) -> None:
    """`level` suggests `levels`."""
    response = shared_client.post("/forecast", json={"series": SERIES, "horizon": 1, "level": [80]})

    assert "`levels`" in response.json()["hint"]


def test_a_whole_float_is_a_valid_horizon(shared_client: TestClient) -> None:
    """3.0 is 3 in JSON."""
    response = shared_client.post("/forecast", json={"series": SERIES, "horizon": 3.0})

    assert len(response.json()["forecasts"][0]["median"]) == 3


def test_errors_of_http_are_problem_documents(shared_client: TestClient) -> None:
    """An unknown path, a method that is not allowed, a compressed body."""
    compressed = refusal(shared_client, "POST", "/forecast", content=b"x", headers={"content-encoding": "br"})

    assert refusal(shared_client, "GET", "/nothing/here") == (404, "NOT_FOUND", "")
    assert refusal(shared_client, "GET", "/forecast") == (405, "METHOD_NOT_ALLOWED", "")
    assert shared_client.get("/forecast").headers["allow"] == "POST"
    assert compressed == (415, "ENCODING_UNSUPPORTED", "")


def test_an_announced_body_above_the_limit_is_413(home: ServiceHome, start: Callable[..., TestClient]) -> None:
    """A body of exactly the limit is read."""
    home.publish("temperatures", "1")
    body = json.dumps({"series": SERIES, "horizon": 1}).encode()
    client = start(max_body_bytes=len(body))

    assert client.post("/forecast", content=body).status_code == 200
    assert refusal(client, "POST", "/forecast", content=body + b" ") == (413, "BODY_TOO_LARGE", "")


def test_a_chunked_body_above_the_limit_is_413(home: ServiceHome, start: Callable[..., TestClient]) -> None:
    """It is read up to the limit."""
    home.publish("temperatures", "1")
    client = start(max_body_bytes=1000)

    def chunks() -> Iterator[bytes]:
        for _ in range(100):
            yield b" " * 100

    assert refusal(client, "POST", "/forecast", content=chunks()) == (413, "BODY_TOO_LARGE", "")


def test_the_limits_of_a_batch_are_settings(home: ServiceHome, start: Callable[..., TestClient]) -> None:
    """Too many series or steps fail the request, too many points only their series."""
    home.publish("temperatures", "1")
    client = start(max_series=2, max_steps=20, max_points=5, max_horizon=15)

    many = {"series": SERIES * 3, "horizon": 1}
    far = {"series": [{"values": [1]}, {"values": [2]}], "horizon": 15}
    long = {"series": [{"values": [1] * 6}], "horizon": 1}

    assert refusal(client, "POST", "/forecast", json=many) == (422, "BATCH_TOO_LARGE", "/series")
    assert refusal(client, "POST", "/forecast", json=far) == (422, "BATCH_TOO_LARGE", "/series")
    assert client.post("/forecast", json=long).json()["errors"][0]["code"] == "SERIES_TOO_LONG"
    assert refusal(client, "POST", "/forecast", json={**far, "horizon": 16}) == (422, "HORIZON_INVALID", "/horizon")


def test_the_numbers_of_a_response_are_limited(home: ServiceHome, start: Callable[..., TestClient]) -> None:
    """Two series, three steps, nine trained quantiles and one more, the median, two levels: 90 numbers."""
    home.publish("temperatures", "1")
    request = {
        "series": [{"values": [1, 2]}, {"values": [1, 2]}],
        "horizon": 3,
        "levels": [50, 90],
        "quantiles": [0.25, 0.5],
    }

    assert start(max_numbers=90).post("/forecast", json=request).status_code == 200
    assert refusal(start(max_numbers=89), "POST", "/forecast", json=request) == (422, "BATCH_TOO_LARGE", "/series")


@pytest.mark.parametrize(("name", "scale"), [("levels", 1.0), ("quantiles", 0.01)])
def test_a_request_has_at_most_99_levels(shared_client: TestClient, name: str, scale: float) -> None:
    """And as many quantiles: one for each per cent."""
    many = [scale * (index + 0.5) for index in range(100)]

    assert shared_client.post("/forecast", json={"series": SERIES, "horizon": 1, name: many[:99]}).status_code == 200
    assert refusal(shared_client, "POST", "/forecast", json={"series": SERIES, "horizon": 1, name: many}) == (
        422,
        "LEVEL_INVALID",
        f"/{name}",
    )


def test_a_full_queue_is_429(home: ServiceHome, start: Callable[..., TestClient]) -> None:
    """With Retry-After, for a large request; a small one does not wait in the queue."""
    home.publish("temperatures", "1")
    client = start(max_queue=1)
    client.app.state.service.forecasting.large._pending = 1  # type: ignore[attr-defined]

    large = {"series": [{"values": [1, 2, 3]} for _ in range(300)], "horizon": 1}

    assert refusal(client, "POST", "/forecast", json=large) == (429, "QUEUE_FULL", "")
    assert client.post("/forecast", json=large).headers["retry-after"] == "1"
    assert client.post("/forecast", json={"series": SERIES, "horizon": 1}).status_code == 200


def test_a_bug_is_a_500_without_details(shared_client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """The response contains the request's id, and the log the traceback."""

    def fail(*_: object) -> None:
        raise ZeroDivisionError("secret")

    monkeypatch.setattr("service.forecasting.answer.predict_many", fail)

    response = shared_client.post("/forecast", json={"series": SERIES, "horizon": 1}, headers={"x-request-id": "mine"})

    assert (response.status_code, response.json()["code"]) == (500, "INTERNAL_ERROR")
    assert "mine" in response.json()["detail"]
    assert "secret" not in response.text


def test_a_request_keeps_its_id_if_it_is_valid(shared_client: TestClient) -> None:
    """Else it gets a new one."""
    get = shared_client.get

    assert get("/health/live", headers={"x-request-id": "trace-1"}).headers["x-request-id"] == "trace-1"
    assert get("/health/live", headers={"x-request-id": "a b\tc" * 50}).headers["x-request-id"] != "a b\tc" * 50
    assert len(get("/health/live").headers["x-request-id"]) == 32


@pytest.mark.parametrize(("error", "lines"), [(ArtifactIncomplete("No network."), 1), (BodyTooSlow("Late."), 0)])
def test_an_error_that_no_request_should_meet_is_in_the_log(
    error: AlmanacError, lines: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Its client sees a 500, and whoever runs the service the cause."""
    response = problem(error)

    assert (response.status_code == 500) == bool(lines)
    assert [one.getMessage() for one in caplog.records if one.name == "almanac"] == [f"request failed: {error}"] * lines
