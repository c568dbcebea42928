"""Batches: requests that wait together run together, and none waits for others to come."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from starlette.responses import Response
from starlette.testclient import TestClient

from models.errors import AlmanacError, LevelInvalid
from service.admission import LOOP_SECONDS, Costs, Turns
from service.forecasting.batches import MOST_PASSES, Batches, Outcome, Waiting
from service.forecasting.request import ForecastQuery
from service.thread_pool import ThreadPool


def make_model(version: str = "1") -> Any:  # noqa: ANN401 (stands for a SelectedModel)
    """Return what a batch reads of a version."""
    return SimpleNamespace(model=SimpleNamespace(name="m", version=version))


class Recorder:
    """Answers each request with its query, and notes the batches; a query that is an error is raised."""

    def __init__(self, seconds: float) -> None:
        """Let a pass take so many seconds."""
        self.batches: list[list[Any]] = []
        costs = Costs()
        for version in "12":
            costs.learn(("m", version), 1, seconds)
        self.run = Batches(self._compute, costs, ThreadPool(8, threads=1)).run

    def _compute(self, batch: Sequence[Waiting]) -> list[Outcome]:
        queries: list[Any] = [one.query for one in batch]
        self.batches.append(queries)
        return [one if isinstance(one, Exception) else Response(str(one)) for one in queries]


@pytest.mark.parametrize(("seconds", "sizes"), [(LOOP_SECONDS / 4.5, [4, 4, 2]), (2 * LOOP_SECONDS, [10])])
def test_what_waits_together_runs_together(seconds: float, sizes: list[int]) -> None:
    """As many as fit in the time of the event loop; all, if they run in a thread anyway."""

    async def run() -> list[Response]:
        return await asyncio.gather(*(recorder.run(number, make_model(), 1) for number in range(10)))  # type: ignore[arg-type]

    recorder = Recorder(seconds)
    responses = asyncio.run(run())

    assert [response.body for response in responses] == [str(number).encode() for number in range(10)]
    assert [len(batch) for batch in recorder.batches] == sizes


def test_what_comes_while_a_batch_runs_is_the_next_batch() -> None:
    """In a thread the first request runs at once, alone."""

    async def run() -> None:
        first = asyncio.create_task(recorder.run(0, make_model(), 1))  # type: ignore[arg-type]
        for _ in range(3):  # the task begins, its queue is looked at, the thread is asked
            await asyncio.sleep(0)
        await asyncio.gather(first, *(recorder.run(number, make_model(), 1) for number in (1, 2)))  # type: ignore[arg-type]

    recorder = Recorder(2 * LOOP_SECONDS)
    asyncio.run(run())

    assert recorder.batches == [[0], [1, 2]]


def test_what_the_event_loop_reads_before_a_batch_joins_it() -> None:
    """A round that brings a request is followed by another; the batch before is answered first."""

    async def run() -> list[int]:
        first = asyncio.create_task(recorder.run(0, make_model(), 1))  # type: ignore[arg-type]
        await asyncio.sleep(0)
        second = asyncio.create_task(recorder.run(1, make_model(), 1))  # type: ignore[arg-type]
        await first
        await asyncio.gather(*(recorder.run(number, make_model(), 1) for number in (2, 3)))  # type: ignore[arg-type]
        await second
        return [len(batch) for batch in recorder.batches]

    recorder = Recorder(LOOP_SECONDS / 10)

    assert asyncio.run(run()) == [2, 2]


def test_a_batch_has_one_version_and_a_bound() -> None:
    """A swap of the model lies between two batches; a request of many passes does not wait for company."""

    async def run() -> None:
        passes = [1, MOST_PASSES, 1, 1]
        await asyncio.gather(*(recorder.run(at, make_model("1" if at < 3 else "2"), passes[at]) for at in range(4)))  # type: ignore[arg-type]

    recorder = Recorder(2 * LOOP_SECONDS)
    asyncio.run(run())

    assert sorted(recorder.batches) == [[0], [1], [2], [3]]


def test_an_error_is_that_of_its_request() -> None:
    """The others are answered; one whose client has gone does not run."""

    async def run() -> list[Any]:
        queries = [1, LevelInvalid("no"), 2, 3]
        tasks = [asyncio.create_task(recorder.run(one, make_model(), 1)) for one in queries]  # type: ignore[arg-type]
        await asyncio.sleep(0)
        tasks[0].cancel()
        return await asyncio.gather(*tasks, return_exceptions=True)

    recorder = Recorder(LOOP_SECONDS / 10)
    gone, refused, *answered = asyncio.run(run())

    assert isinstance(gone, asyncio.CancelledError)
    assert isinstance(refused, AlmanacError)
    assert [one.body for one in answered] == [b"2", b"3"]


def test_requests_with_other_options_share_a_batch(shared_client: TestClient) -> None:
    """Each has the numbers, the options and the errors that it has alone."""
    handler: Any = shared_client.app.state.service.forecasting  # type: ignore[attr-defined]
    values = [place % 12 + place / 7 for place in range(40)]
    one = {"series": [{"values": values}], "horizon": 3}
    bodies = [
        orjson.dumps(one | options)
        for options in ({}, {"levels": [50]}, {"horizon": 20}, {"series": [{"values": [1, None]}, {"values": values}]})
    ]

    async def run() -> tuple[list[Response], list[Response]]:
        together = await asyncio.gather(*map(handler.answer_body, bodies))
        return together, [await handler.answer_body(body) for body in bodies]

    together, alone = shared_client.portal.call(run)  # type: ignore[union-attr]

    assert [strip(response) for response in together] == [strip(response) for response in alone]


def test_a_response_that_fails_fails_alone(shared_client: TestClient) -> None:
    """The others of its batch are recorded once."""
    recorded: list[int] = []

    def record(query: ForecastQuery, *_: object) -> None:
        recorded.append(query.horizon)
        if query.horizon == 4:
            raise RuntimeError("no")

    costs, turns, shared = Costs(), Turns(), shared_client.app.state.service.forecasting  # type: ignore[attr-defined]
    handler: Any = replace(shared, record=record, _costs=costs, _turns=turns)
    bodies = [orjson.dumps({"series": [{"values": [1, 2, 3]}], "horizon": horizon}) for horizon in (3, 4, 5)]

    async def run() -> list[Any]:
        model = (await handler.select_model(None, tuple)).model
        costs.learn((model.name, model.version), 1, 1e-9)  # so that all fit into a round, and into a batch
        for _ in range(100):
            turns.learn(0)
        return await asyncio.gather(*map(handler.answer_body, bodies), return_exceptions=True)

    found = shared_client.portal.call(run)  # type: ignore[union-attr]

    assert [type(one) for one in found] == [Response, RuntimeError, Response]
    assert recorded == [3, 4, 5]


def strip(response: Response) -> Any:  # noqa: ANN401 (JSON)
    """Return an answer without its ids, with numbers of six digits: a batch may differ in the last ones."""
    found = orjson.loads(bytes(response.body))
    for forecast in found["forecasts"]:
        del forecast["forecast_id"]

    def rounded(value: Any) -> Any:  # noqa: ANN401 (JSON)
        if isinstance(value, float):
            return float(f"{value:.4g}")
        if isinstance(value, dict):
            return {name: rounded(one) for name, one in value.items()}
        return [rounded(one) for one in value] if isinstance(value, list) else value

    return rounded(found)
