"""Bars: what issue 17 asks of serving, each judged from the results of one run."""

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.benchmarks.serving.contestants import BARE, LSTM, MLFLOW_KERAS, MLFLOW_ONNX, TWO_WORKERS

Results = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar.

    Attributes:
        text: What is compared.
        wanted: The figure that is wanted, without its unit.
        unit: ` times`, ` %`, ` s` or ` MB`.
        at_least: Whether the figure must be at least this; otherwise at most.
        figure: Returns the figure from the results; raises KeyError or ZeroDivisionError if it was not measured.
    """

    text: str
    wanted: float
    unit: str
    at_least: bool
    figure: Callable[[Results], float]

    def judge(self, results: Results) -> tuple[str, str, str]:
        """Return what is wanted, what was found, and `met`, `missed` or `not measured`."""
        wanted = f"{'≥' if self.at_least else '≤'} {self.wanted:g}{self.unit}"
        try:
            found = self.figure(results)
        except (KeyError, ZeroDivisionError):  # no figures, or a server that answered nothing
            return wanted, "-", "not measured"
        is_met = found >= self.wanted if self.at_least else found <= self.wanted
        return wanted, f"{found:.3g}{self.unit}", "met" if is_met else "**missed**"


def rate(results: Results, name: str, connections: int = 8) -> float:
    """Return the requests a second of a contestant in the closed loop."""
    return float(results["closed"][name][str(connections)]["rate"])


def growth(results: Results, name: str) -> float:
    """Return by how much a figure of the endurance run exceeds its first reading at most."""
    found = [one[name] for one in results["endurance"]["readings"]]
    return float(max(found) - found[0])


BARS = (
    Bar(
        "one series, LSTM, one worker, 8 connections: share of the bare route's rate (goal: 40 %)",
        30,
        " %",
        at_least=True,
        figure=lambda found: 100 * rate(found, LSTM) / rate(found, BARE),
    ),
    Bar(
        "the same against `mlflow models serve`, Keras flavour",
        60,
        " times",
        at_least=True,
        figure=lambda found: rate(found, LSTM) / rate(found, MLFLOW_KERAS),
    ),
    Bar(
        "the same against `mlflow models serve`, ONNX flavour",
        2.5,
        " times",
        at_least=True,
        figure=lambda found: rate(found, LSTM) / rate(found, MLFLOW_ONNX),
    ),
    Bar(
        "two workers against one, 8 connections, load generator on the same cores",
        1.4,
        " times",
        at_least=True,
        figure=lambda found: rate(found, TWO_WORKERS) / rate(found, LSTM),
    ),
    Bar(
        "requests of 1,000 series: series per second against onnxruntime alone on one thread",
        80,
        " %",
        at_least=True,
        figure=lambda found: 100 * found["batches"]["1000"]["served"] / found["batches"]["1000"]["alone"],
    ),
    Bar(
        "p99 of single requests beside requests of 1,000 series without pause, one connection, against without them",
        5,
        " times",
        at_least=False,
        figure=lambda found: found["bulk"]["1"]["with"]["p99"] / found["bulk"]["1"]["without"]["p99"],
    ),
    Bar(
        "the same with 8 connections",
        5,
        " times",
        at_least=False,
        figure=lambda found: found["bulk"]["8"]["with"]["p99"] / found["bulk"]["8"]["without"]["p99"],
    ),
    Bar(
        "growth of resident memory over the requests below",
        5,
        " %",
        at_least=False,
        figure=lambda found: 100 * growth(found, "rss") / found["endurance"]["readings"][0]["rss"],
    ),
    Bar(
        "open files more than at first, over the same requests",
        0,
        "",
        at_least=False,
        figure=lambda found: growth(found, "files"),
    ),
    Bar(
        "nodes of the single LSTM's graph, preparation included",
        120,
        "",
        at_least=False,
        figure=lambda found: found["graph"]["nodes"]["LSTM"],
    ),
    Bar(
        "one series through the whole graph of the LSTM against its recurrent nodes alone",
        1.5,
        " times",
        at_least=False,
        figure=lambda found: found["graph"]["whole"] / found["graph"]["recurrent"],
    ),
    Bar(
        "start to ready with a cached model, median",
        2,
        " s",
        at_least=False,
        figure=lambda found: statistics.median(found["start"]["seconds"]),
    ),
    Bar(
        "resident memory of the server process with five models (MB are 10⁶ bytes)",
        200,
        " MB",
        at_least=False,
        figure=lambda found: found["memory"]["after_requests"]["rss"] * 2**20 / 1e6,
    ),
)
