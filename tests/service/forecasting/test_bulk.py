"""Bulk: streams of lines among large requests, and what fails while they are sent."""

import asyncio
import json
import logging
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest
from starlette.requests import ClientDisconnect
from starlette.testclient import TestClient
from starlette.types import Message

from models.errors import AlmanacError, HorizonInvalid
from service.errors import BatchTooLarge
from service.forecasting import answer, frame_output
from service.forecasting.blocks import BLOCK_SERIES
from service.forecasting.bulk import BulkFormat, answer_bulk
from service.forecasting.entries import parse_request
from service.forecasting.frame_output import write_parquet
from service.forecasting.predict import predict as predict_series
from service.forecasting.response import ForecastResult

NDJSON = "application/x-ndjson"
COUNT = BLOCK_SERIES + 2
REQUEST = {"series": [{"values": [1, 2, 3, 4] * 6}] * COUNT, "horizon": 1}


@pytest.mark.parametrize(
    ("client", "error", "sent"), [("reads", None, 5), ("leaves", ClientDisconnect, 2), ("sleeps", None, 2)]
)
def test_a_stream_keeps_its_place_until_it_ends(
    shared_client: TestClient, client: str, error: type[Exception] | None, sent: int
) -> None:
    """Or until its client is gone, or takes no lines for too long."""
    handler: Any = shared_client.app.state.service.forecasting  # type: ignore[attr-defined] # Starlette's application
    pending = []

    async def send(message: Message) -> None:
        pending.append(handler.large._pending)
        if client == "leaves" and message.get("body"):
            raise OSError
        if client == "sleeps" and message.get("body"):
            await asyncio.sleep(60)

    async def receive() -> Message:
        await asyncio.sleep(60)
        raise AssertionError

    async def stream() -> None:
        parse = lambda: parse_request(json.dumps(REQUEST).encode(), handler.settings)  # noqa: E731 (short)
        response = await answer_bulk(handler, parse, BulkFormat(NDJSON, lines=True))
        response._seconds = 0.05  # type: ignore[attr-defined] # of a stream
        scope = {"type": "http", "asgi": {"spec_version": "2.4"}, "extensions": {}}
        await response(scope, receive, send)

    with nullcontext() if error is None else pytest.raises(error):
        asyncio.run(stream())

    assert pending == [1] * sent
    assert handler.large._pending == 0


@pytest.mark.parametrize(
    ("error", "found"),
    [
        (HorizonInvalid("a", pointer="/horizon", hint="b"), "HORIZON_INVALID /horizon"),
        (BatchTooLarge("a", pointer="/series", hint="b"), "BATCH_TOO_LARGE /series/{}"),
        (RuntimeError("secret"), "INTERNAL_ERROR /series/{}"),
    ],
    ids=["option", "series", "bug"],
)
def test_what_fails_in_a_stream_is_an_error_of_each_series(
    shared_client: TestClient,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
    found: str,
) -> None:
    """With a pointer as in JSON; a bug is logged, and not shown."""

    def predict(query: Any, *others: Any) -> Any:  # noqa: ANN401 (as `predict`)
        if query.series[0][0] >= BLOCK_SERIES:
            raise error
        return predict_series(query, *others)

    monkeypatch.setattr(answer, "predict", predict)
    with caplog.at_level(logging.ERROR, logger="almanac"):
        response = shared_client.post("/forecast", json=REQUEST, headers={"accept": NDJSON})

    errors = [one["error"] for one in map(json.loads, response.text.splitlines()) if "error" in one]
    assert [(one["id"], f"{one['code']} {one['pointer']}") for one in errors] == [
        (str(index), found.format(index)) for index in range(BLOCK_SERIES, COUNT)
    ]
    assert "secret" not in response.text
    logged = [one.__dict__["fields"]["error_id"] for one in caplog.records if one.exc_info]
    assert bool(logged) != isinstance(error, AlmanacError)
    assert all(one in errors[0]["detail"] for one in logged)


def test_levels_that_a_forecast_lacks_are_empty() -> None:
    """Starters of different frequencies may have different ones."""
    import io

    import pyarrow.parquet as pq

    def entry(name: str, level: str) -> dict[str, Any]:
        column = np.ones(2)
        intervals = {level: {"lower": column, "upper": column}}
        return {"id": name, "median": column, "timestamps": None, "quantiles": {level: column}, "intervals": intervals}

    class Shown:
        timestamps = timezone = None
        median = np.ones(2)

    Shown.shown = Shown  # type: ignore[attr-defined] # as a forecast has it
    rows: Any = [(0, None, Shown), (1, None, Shown)]
    content = write_parquet(ForecastResult({"forecasts": [entry("a", "80"), entry("b", "95")]}, rows, ()))

    table = pq.read_table(io.BytesIO(content))
    assert table["Almanac-lo-80"].to_pylist() == table["Almanac-q-80"].to_pylist() == [1, 1, None, None]
    assert table["Almanac-hi-95"].to_pylist() == [None, None, 1, 1]


def test_a_parquet_file_that_nobody_could_read_is_refused(
    shared_client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its metadata has all repairs; Arrow and NDJSON have no such limit."""
    monkeypatch.setattr(frame_output, "MOST_METADATA", 100)
    accept = {"accept": "application/vnd.apache.parquet"}

    response = shared_client.post("/forecast", json=REQUEST, headers=accept)
    other = shared_client.post("/forecast", json=REQUEST, headers={"accept": NDJSON})

    assert (response.status_code, response.json()["code"], other.status_code) == (422, "BATCH_TOO_LARGE", 200)
    assert "NDJSON" in response.json()["hint"]
