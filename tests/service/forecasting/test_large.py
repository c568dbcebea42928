"""Which requests run in threads: those whose answer takes longer than a turn of the event loop."""

import threading
from dataclasses import replace
from typing import Any

import orjson
import pytest
from starlette.testclient import TestClient

from service.forecasting.answer import COUNTED_BYTES, LOOP_NAMES, NOTICED_BYTES
from service.forecasting.batches import Batches
from service.forecasting.entries import parse_series
from service.forecasting.predict import LARGE_FAULTS, is_large
from service.forecasting.request import ForecastQuery, parse_envelope, parse_untyped
from service.settings import Settings

NOTHING: Any = None
ONE = ForecastQuery(((0, NOTHING),), 12, (80.0,), (), None)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, False),
        ({"faults": (NOTHING,) * LARGE_FAULTS}, False),
        ({"series": (), "faults": (NOTHING,) * (LARGE_FAULTS + 1)}, True),
        ({"horizon": 1000}, False),
        ({"horizon": 1000, "levels": tuple(map(float, range(1, 99)))}, True),
        ({"horizon": 1000, "quantiles": tuple(at / 100 for at in range(1, 99))}, True),
        ({"horizon": 2001}, True),
    ],
)
def test_an_answer_with_many_numbers_or_errors_is_large(changes: dict[str, Any], *, expected: bool) -> None:
    """Also from a fast network, and if no series can be forecast."""
    assert is_large(replace(ONE, **changes), 1) is expected


def test_a_batch_of_wrong_series_does_not_run_on_the_event_loop(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each has its error, and the cost of a forecast is not learned from it."""
    monkeypatch.setattr(Batches, "run", lambda *_: pytest.fail("it ran with the small ones"))
    monkeypatch.setattr("service.forecasting.answer.Costs.learn", lambda *_: pytest.fail("it was learned"))
    count = LARGE_FAULTS + 1

    response = client.post("/forecast", json={"series": [{"values": ["x"]}] * count, "horizon": 2})

    assert response.status_code == 422
    assert [one["pointer"] for one in response.json()["errors"]] == [f"/series/{at}/values/0" for at in range(count)]


@pytest.mark.parametrize("body", [b"[" * (COUNTED_BYTES + 1), b'{"series": [%b]}' % (b"{}," * 500)])
def test_a_long_body_is_not_decoded_on_the_event_loop(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, body: bytes
) -> None:
    """Nor one of many short series, whether it is JSON or not."""
    app: Any = client.app
    turns = app.state.service.forecasting._turns
    monkeypatch.setattr(type(turns), "is_current", lambda *_: pytest.fail("it would be decoded there"))

    assert client.post("/forecast", content=body, headers={"content-type": "application/json"}).status_code == 400


@pytest.mark.parametrize(
    "body", [b'{"%b": 1}' % (b"a" * NOTICED_BYTES), b'{"series": [1, %b]}' % (b"[]," * 2_000 + b"1")]
)
def test_a_wrong_body_is_not_checked_field_by_field_on_the_event_loop(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, body: bytes
) -> None:
    """A name of thousands of characters, or thousands of series that are none."""
    names: list[str] = []

    def parse(sent: bytes, settings: Settings) -> Any:  # noqa: ANN401 (as it returns)
        names.append(threading.current_thread().name)
        return parse_untyped(sent, settings)

    monkeypatch.setattr("service.forecasting.answer.parse_untyped", parse)

    assert client.post("/forecast", content=body, headers={"content-type": "application/json"}).status_code == 422
    assert names == ["small_0"]


def test_many_names_are_not_decoded_on_the_event_loop(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of them may be an error."""
    monkeypatch.setattr("service.forecasting.answer.parse_typed", lambda *_: pytest.fail("it would be decoded there"))
    series = {"values": [1.0, 2.0, 3.0]} | {f"a{at}": 1 for at in range(LOOP_NAMES)}

    assert client.post("/forecast", json={"series": [series], "horizon": 2}).status_code == 422


def test_series_are_freed_where_they_are_parsed() -> None:
    """Those of typed data and of any other: the event loop has none of them any more."""
    for sent in ([{"values": [1, 2]}] * 3, [{"values": [1, 2]}, {"values": "x"}]):
        query, entries = parse_envelope(orjson.dumps({"series": sent, "horizon": 2}), Settings())

        found = parse_series(query, entries, Settings())

        assert entries == []
        assert len(found.series) + len(found.faults) == len(sent)
