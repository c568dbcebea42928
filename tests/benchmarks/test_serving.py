import asyncio
from typing import Any

import numpy as np
import pytest
from onnx import helper, numpy_helper
from onnxruntime import InferenceSession

from tests.benchmarks.serving.bars import BARS
from tests.benchmarks.serving.bodies import make_sample, to_almanac, to_tensors
from tests.benchmarks.serving.contestants import BARE, LSTM, MLFLOW_KERAS
from tests.benchmarks.serving.graph import count_nodes, recurrent_part
from tests.benchmarks.serving.load import Load, middle
from tests.benchmarks.serving.open_loop import send_all
from tests.benchmarks.serving.page import make_page
from tests.benchmarks.serving.profile import LOOP, summarize

RUN = {
    "date": "2026-11-29",
    "command": "make bench-serving",
    "commit": "abc",
    "machine": "2 cores",
    "python": "3.11",
    "minutes": 20.0,
    "others": 0.5,
    "quick": False,
}


def closed(rate: float) -> dict[str, object]:
    """Return the figures of one contestant with 8 connections."""
    load = {"requests": 100, "seconds": 1.0, "p50": 1.0, "p95": 2.0, "p99": 3.0, "refused": 0, "broken": 0}
    return {"8": {**load, "rate": rate, "processor_ms": 1.0, "rates": [rate]}}


def test_every_request_is_another_series() -> None:
    """Ids and values differ within a sample and between its parts."""
    sample = make_sample(200)

    series = [one for part in sample.parts(10) for one in to_almanac(part)["series"]]

    assert len({one["id"] for one in series}) == len({tuple(one["values"]) for one in series}) == 200


def test_both_formats_have_the_same_series() -> None:
    """What the peers get is what Almanac parses from its own requests."""
    part = next(make_sample(40).part(slice(20, 40)).parts(3))

    series, tensors = to_almanac(part)["series"], to_tensors(part)["inputs"]

    assert tensors["context"] == [one["values"] for one in series]
    assert tensors["phase"] == [int(one["start"][5:]) - 1 for one in series]  # 60 months later it is the same month


def test_only_answers_with_200_count() -> None:
    """A refused request is in no rate; medians are over rounds."""
    loads = [Load(100, 1.0, 1, 2, 3, refused=40), Load(300, 1.0, 3, 4, 5), Load(90, 1.0, 2, 3, 4)]

    found = middle(loads)

    assert found.rate == pytest.approx(90)
    assert (found.p50, found.refused) == (2, 40)


@pytest.mark.parametrize(("rate", "verdict"), [(310.0, "met"), (290.0, "**missed**")])
def test_page_judges_the_bars_by_the_results(rate: float, verdict: str) -> None:
    """The share of the bare route is computed, not written down; what gave no figures is not measured."""
    page = make_page({"run": RUN, "closed": {BARE: closed(1000.0), LSTM: closed(rate), MLFLOW_KERAS: closed(0.0)}})

    first = next(line for line in page.splitlines() if line.startswith(f"| {BARS[0].text}"))
    assert first == f"| {BARS[0].text} | ≥ 30 % | {rate / 10:.3g} % | {verdict} |"
    assert page.count("not measured") == len(BARS) - 1
    assert "measure again on a quiet machine" in page


def test_profile_adds_up_to_the_time_of_a_request() -> None:
    """The profiler's cost is taken off each call, and what the main thread does beside its functions is the event loop."""
    stats: Any = {
        ("~", 0, "<built-in method orjson.dumps>"): (0, 10, 0.03, 0.03, {}),
        ("a.py", 1, "f"): (0, 30, 0.05, 0, {}),
    }

    found = summarize(stats, requests=10, seconds=0.007, slowed=0.009)

    assert found["packages"][LOOP] == pytest.approx(1000)
    assert sum(found["packages"].values()) == pytest.approx(7000)
    assert found["profiler_microseconds_a_call"] == pytest.approx(500)


class Stalled(asyncio.Protocol):
    """A server that answers nothing until a time of the event loop, and then at once."""

    def __init__(self, until: float) -> None:
        """Stall until then."""
        self.until = until

    def connection_made(self, transport: Any) -> None:  # noqa: ANN401 - asyncio has several types of it
        """Keep the transport."""
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer when the time has come."""
        assert data.endswith(b"{}")
        answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
        asyncio.get_running_loop().call_at(self.until, self.transport.write, answer)


def test_latency_begins_when_a_request_is_due() -> None:
    """A server that stops makes every request of that time late, not only the ones that it holds."""

    async def measure() -> dict[str, float]:
        loop = asyncio.get_running_loop()
        until = loop.time() + 0.2
        async with await loop.create_server(lambda: Stalled(until), "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            return await send_all(f"http://127.0.0.1:{port}/x", [b"{}"], rate=100, seconds=0.15)

    found = asyncio.run(measure())

    assert (found["requests"], found["refused"], found["broken"]) == (15, 0, 0)
    assert found["p50"] > 20


def test_recurrent_part_is_the_recurrent_nodes_in_a_row() -> None:
    """With their own weights; nodes around them are left out, and constants are not nodes."""
    weights = [np.zeros((1, 6, width), np.float32) for width in (3, 2)] + [np.zeros((1, 12), np.float32)]
    named = [numpy_helper.from_array(one, name) for one, name in zip(weights, "wrb", strict=True)]
    constant = helper.make_node("Constant", [], ["w"], value=named[0])
    gru = helper.make_node("GRU", ["x", "w", "r", "b", "", "state"], ["y"], hidden_size=2, linear_before_reset=1)
    nodes = [constant, helper.make_node("Identity", ["context"], ["x"]), gru]
    graph = helper.make_graph(nodes, "network", [], [], named[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)

    part = recurrent_part(model)

    assert part is not None
    assert [one.op_type for one in part.graph.node] == ["GRU", "Squeeze"]
    session = InferenceSession(part.SerializeToString(), providers=["CPUExecutionProvider"])
    assert session.run(None, {"x0": np.zeros((60, 1, 3), np.float32)})[0].shape == (60, 1, 2)
    assert count_nodes(graph) == 2
