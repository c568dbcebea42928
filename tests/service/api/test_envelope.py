"""Requests that fail whole: each is a problem document with its status, code and pointer."""

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from starlette.requests import Request
from starlette.testclient import TestClient
from starlette.types import Message

from service.api.http import read_body
from service.errors import BodyTooSlow
from service.problems import PROBLEM_TYPE, problem
from tests.service.home import ServiceHome

SERIES = [{"values": [1, 2, 3]}]


def refusal(client: TestClient, method: str, path: str, **arguments: Any) -> tuple[int, str, str]:  # noqa: ANN401
    """Return status, code and pointer of a problem, checked for its form."""
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
def test_a_wrong_envelope_is_refused_whole(client: TestClient, body: object, expected: tuple[int, str, str]) -> None:
    """The pointer says which field."""
    assert refusal(client, "POST", "/forecast", content=json.dumps(body)) == expected


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b'{"horizon": 1} x', b"'series'", b'"\xed\xa0\x80"']
)
def test_a_body_that_is_no_json_is_400(client: TestClient, body: bytes) -> None:
    """Broken, nested without end or in another encoding: the client's mistake."""
    assert refusal(client, "POST", "/forecast", content=body) == (400, "JSON_INVALID", "")


@pytest.mark.parametrize(
    ("sent", "shown"), [("true", "true"), ("NaN", "NaN"), ('"12"', "'12'"), ("[1]", "a list of 1")]
)
def test_an_error_shows_what_was_sent_as_it_was_sent(client: TestClient, sent: str, shown: str) -> None:
    """In JSON's words, not in Python's."""
    response = client.post("/forecast", content=f'{{"series": [{{"values": [1]}}], "horizon": {sent}}}')

    assert response.json()["detail"] == f"`horizon` is {shown}."


def test_a_body_that_comes_too_slowly_is_408() -> None:
    """Not one byte after the time that the service waits for all of them; the connection is closed."""

    async def silence() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    request = Request({"type": "http", "method": "POST", "headers": []}, silence)

    with pytest.raises(BodyTooSlow) as slow:
        asyncio.run(read_body(request, 1000, 0.01))

    answer = problem(slow.value)
    assert (answer.status_code, answer.headers["connection"]) == (408, "close")
    assert "ALMANAC_BODY_TIMEOUT_SECONDS" in slow.value.hint


def test_a_slip_is_answered_with_the_field_that_was_meant(client: TestClient) -> None:
    """`level` suggests `levels`."""
    response = client.post("/forecast", json={"series": SERIES, "horizon": 1, "level": [80]})

    assert "`levels`" in response.json()["hint"]


def test_a_whole_float_is_a_horizon(client: TestClient) -> None:
    """JSON does not tell 3.0 from 3."""
    assert len(client.post("/forecast", json={"series": SERIES, "horizon": 3.0}).json()["forecasts"][0]["median"]) == 3


def test_a_path_that_is_not_there_is_404(client: TestClient) -> None:
    """The hint says where to look."""
    assert refusal(client, "GET", "/nothing/here") == (404, "NOT_FOUND", "")


def test_a_method_that_is_not_allowed_is_405(client: TestClient) -> None:
    """The answer names the method that is."""
    assert refusal(client, "GET", "/forecast") == (405, "METHOD_NOT_ALLOWED", "")
    assert client.get("/forecast").headers["allow"] == "POST"


def test_a_compressed_body_is_415(client: TestClient) -> None:
    """It is refused before it is read."""
    expected = (415, "ENCODING_UNSUPPORTED", "")
    assert refusal(client, "POST", "/forecast", content=b"x", headers={"content-encoding": "gzip"}) == expected


def test_a_body_is_read_as_json_whatever_it_is_called(client: TestClient) -> None:
    """`curl -d` calls everything a form."""
    form = {"content-type": "application/x-www-form-urlencoded"}

    response = client.post("/forecast", content=json.dumps({"series": SERIES, "horizon": 1}), headers=form)

    assert response.status_code == 200


def test_an_announced_body_that_is_too_large_is_413(home: ServiceHome, start: Callable[..., TestClient]) -> None:
    """One that has exactly the limit is read."""
    home.publish("temperatures", "1")
    body = json.dumps({"series": SERIES, "horizon": 1}).encode()
    client = start(max_body_bytes=len(body))

    assert client.post("/forecast", content=body).status_code == 200
    assert refusal(client, "POST", "/forecast", content=body + b" ") == (413, "BODY_TOO_LARGE", "")


def test_a_chunked_body_is_cut_off_at_the_limit(home: ServiceHome, start: Callable[..., TestClient]) -> None:
    """A body that announces nothing is read no further than the limit."""
    home.publish("temperatures", "1")
    client = start(max_body_bytes=1000)

    def chunks() -> Iterator[bytes]:
        for _ in range(100):
            yield b" " * 100

    assert refusal(client, "POST", "/forecast", content=chunks()) == (413, "BODY_TOO_LARGE", "")


def test_limits_of_a_batch_are_settings(home: ServiceHome, start: Callable[..., TestClient]) -> None:
    """Too many series or steps refuse the request, too many points only their series."""
    home.publish("temperatures", "1")
    client = start(max_series=2, max_steps=20, max_points=5, max_horizon=15)

    many = {"series": SERIES * 3, "horizon": 1}
    far = {"series": [{"values": [1]}, {"values": [2]}], "horizon": 15}
    long = {"series": [{"values": [1] * 6}], "horizon": 1}

    assert refusal(client, "POST", "/forecast", json=many) == (422, "BATCH_TOO_LARGE", "/series")
    assert refusal(client, "POST", "/forecast", json=far) == (422, "BATCH_TOO_LARGE", "/series")
    assert client.post("/forecast", json=long).json()["errors"][0]["code"] == "SERIES_TOO_LONG"
    assert refusal(client, "POST", "/forecast", json={**far, "horizon": 16}) == (422, "HORIZON_INVALID", "/horizon")


def test_a_short_request_cannot_ask_for_gigabytes(client: TestClient) -> None:
    """What counts is the numbers of the answer: steps times median, quantiles and two bounds for each level."""
    series = [{"values": [1]} for _ in range(249)]
    fine = [(place + 0.5) / 100 for place in range(99)]
    huge = {"series": series, "horizon": 1000, "levels": [100 * one for one in fine], "quantiles": fine}

    response = client.post("/forecast", json=huge)

    assert (response.status_code, response.json()["code"]) == (422, "BATCH_TOO_LARGE")
    assert "ALMANAC_MAX_NUMBERS" in response.json()["hint"]


def test_the_numbers_of_an_answer_are_counted_exactly(home: ServiceHome, start: Callable[..., TestClient]) -> None:
    """Two series, three steps, nine trained quantiles and one more, the median, two levels: 90 numbers."""
    home.publish("temperatures", "1")
    request = {
        "series": [{"values": [1, 2]}, {"values": [1, 2]}],
        "horizon": 3,
        "levels": [50, 90],
        "quantiles": [0.25, 0.5],
    }

    assert start(max_numbers=90).post("/forecast", json=request).status_code == 200
    assert start(max_numbers=89).post("/forecast", json=request).status_code == 422


@pytest.mark.parametrize(("name", "scale"), [("levels", 1.0), ("quantiles", 0.01)])
def test_levels_and_quantiles_are_99_at_most(client: TestClient, name: str, scale: float) -> None:
    """One for each per cent."""
    many = [scale * (place + 0.5) for place in range(100)]

    assert client.post("/forecast", json={"series": SERIES, "horizon": 1, name: many[:99]}).status_code == 200
    assert refusal(client, "POST", "/forecast", json={"series": SERIES, "horizon": 1, name: many}) == (
        422,
        "LEVEL_INVALID",
        f"/{name}",
    )


def test_a_full_queue_is_429(home: ServiceHome, start: Callable[..., TestClient]) -> None:
    """Beyond the limit a large request is asked to come back; a small one needs no queue."""
    home.publish("temperatures", "1")
    client = start(max_queue=1)
    client.app.state.service.forecasting.threads._busy = 1  # type: ignore[attr-defined]

    large = {"series": [{"values": [1, 2, 3]} for _ in range(100)], "horizon": 1}

    assert refusal(client, "POST", "/forecast", json=large) == (429, "QUEUE_FULL", "")
    assert client.post("/forecast", json=large).headers["retry-after"] == "1"
    assert client.post("/forecast", json={"series": SERIES, "horizon": 1}).status_code == 200


def test_a_defect_of_ours_is_a_500_without_its_cause(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer names the request's id, under which the log has the rest."""

    def defect(*_: object) -> None:
        raise ZeroDivisionError("secret")

    monkeypatch.setattr("service.forecasting.answer.predict", defect)

    response = client.post("/forecast", json={"series": SERIES, "horizon": 1}, headers={"x-request-id": "mine"})

    assert (response.status_code, response.json()["code"]) == (500, "INTERNAL_ERROR")
    assert "mine" in response.json()["detail"]
    assert "secret" not in response.text


def test_a_request_keeps_its_id_if_that_is_harmless(client: TestClient) -> None:
    """Others get one of ours."""
    assert client.get("/health/live", headers={"x-request-id": "trace-1"}).headers["x-request-id"] == "trace-1"
    assert client.get("/health/live", headers={"x-request-id": "a b\tc" * 50}).headers["x-request-id"] != "a b\tc" * 50
    assert len(client.get("/health/live").headers["x-request-id"]) == 32
