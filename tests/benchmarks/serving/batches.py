"""Batches: series a second of requests with many series, against onnxruntime alone on the same contexts."""

import http.client
import json
import statistics
import time
from collections.abc import Sequence
from contextlib import closing
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
import numpy as np
from numpy.typing import NDArray

from models.artifact import NETWORK, open_network
from tests.benchmarks.serving.bodies import Sample, make_sample, to_almanac
from tests.benchmarks.serving.contestants import Contestant
from tests.benchmarks.serving.plan import MeasurePlan

MOST_SAMPLES = 20
"""Different requests of one size; they take turns."""

CHUNKS = (64, 256, 1000)
"""Contexts in one run of the network; the fastest counts as onnxruntime alone."""

Feeds = dict[str, NDArray[Any]]


def measure_batches(contestant: Contestant, artifact: Path, plan: MeasurePlan) -> dict[str, Any]:
    """Return series a second by the series in a request, of a server and of onnxruntime in this process, in turns."""
    own, all_cores = open_network(artifact / NETWORK), _open_with_all_cores(artifact / NETWORK)
    figures: dict[str, Any] = {}
    with closing(http.client.HTTPConnection(urlsplit(contestant.url).netloc, timeout=120)) as connection:
        for size, count in plan.batches:
            samples = list(make_sample(size * min(count, MOST_SAMPLES), seed=size).parts(size))
            seconds: dict[str, list[float]] = {}
            for place in range(count + 2):
                sample = samples[place % len(samples)]
                runs = {"served": _post(connection, sample)}
                for chunk in [one for one in CHUNKS if one < 2 * size] or [1]:
                    feeds = feeds_of(sample, chunk)
                    runs[f"alone/{chunk}"] = timed(own, feeds)
                    runs[f"cores/{chunk}"] = timed(all_cores, feeds)
                if place >= 2:  # the first two warm up
                    for name, took in runs.items():
                        seconds.setdefault(name, []).append(took)
            figures[str(size)] = _rates(size, seconds)
            click.echo(f"requests of {size} series: {figures[str(size)]}", err=True)
    return figures


def _rates(size: int, seconds: dict[str, list[float]]) -> dict[str, float]:
    """Return series a second of each kind, onnxruntime's with its fastest chunks, by the medians."""
    medians = {name: statistics.median(took) for name, took in seconds.items()}
    fastest = {
        kind: size / min(took for name, took in medians.items() if name.startswith(kind)) for kind in ("alone", "cores")
    }
    return {"served": size / medians["served"], **fastest}


def _post(connection: http.client.HTTPConnection, sample: Sample) -> float:
    """Return how many seconds a request takes; raises ClickException if not all series have a forecast."""
    body = json.dumps(to_almanac(sample), separators=(",", ":")).encode()
    began = time.perf_counter()
    connection.request("POST", "/forecast", body, {"Content-Type": "application/json"})
    response = connection.getresponse()
    answer = response.read()
    took = time.perf_counter() - began
    if response.status != HTTPStatus.OK or answer.count(b'"forecast_id"') != len(sample.values):
        raise click.ClickException(f"{response.status}: {answer[:300]!r}")
    return took


def feeds_of(sample: Sample, chunk: int) -> list[Feeds]:
    """Return the inputs of the network for runs of at most `chunk` series."""
    cuts = [sample.part(slice(at, at + chunk)) for at in range(0, len(sample.values), chunk)]
    return [{"context": np.ascontiguousarray(one.values), "phase": one.phases} for one in cuts]


def timed(session: Any, feeds: Sequence[Feeds]) -> float:  # noqa: ANN401 - onnxruntime ships no types
    """Return how many seconds a network takes for some inputs, one after another."""
    began = time.perf_counter()
    for one in feeds:
        session.run(None, one)
    return time.perf_counter() - began


def _open_with_all_cores(path: Path) -> Any:  # noqa: ANN401 - onnxruntime ships no types
    import onnxruntime

    return onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
