"""Rates: requests a second and latencies of every contestant, in a closed and in an open loop."""

import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from tests.benchmarks.serving.bodies import make_sample, to_almanac, to_tensors, write_bodies
from tests.benchmarks.serving.contestants import Arena, Contestant
from tests.benchmarks.serving.load import Load, closed_loop, middle, open_loop, to_dict
from tests.benchmarks.serving.plan import MeasurePlan

Figures = dict[str, Any]

SLOW = 50.0
"""Requests a second."""


@dataclass(slots=True)
class Bodies:
    """Files of single-series requests in both formats; every run begins where the last one may have ended."""

    series: Path
    tensors: Path
    first: int = 0

    @classmethod
    def write(cls, folder: Path, count: int) -> "Bodies":
        """Write both files with the same series."""
        singles = list(make_sample(count).parts(1))
        return cls(
            write_bodies(folder / "series.jsonl", [to_almanac(one) for one in singles]),
            write_bodies(folder / "tensors.jsonl", [to_tensors(one) for one in singles]),
        )

    def of(self, contestant: Contestant) -> Path:
        """Return the file that a contestant takes."""
        return self.series if contestant.takes_series else self.tensors

    def start(self) -> int:
        """Return the line at which the next run begins."""
        self.first += 7_919
        return self.first


def warm_up(arena: Arena, bodies: Bodies, plan: MeasurePlan) -> None:
    """Send requests to every contestant before anything is measured."""
    for one in arena.running.values():
        closed_loop(one.url, bodies.of(one), 8, plan.warm_seconds, bodies.start())
        one.settle()


def measure_closed(arena: Arena, bodies: Bodies, plan: MeasurePlan) -> Figures:
    """Return what each contestant reaches at each number of connections; contestants take turns in every round.

    After the first round those below `SLOW` are left out: what wrk leaves unanswered keeps them busy for half a minute.
    """
    runs: dict[tuple[str, int], list[Load]] = {}
    costs: dict[tuple[str, int], list[float]] = {}
    for round_ in range(plan.rounds):
        for connections in plan.connections:
            for name, one in arena.running.items():
                earlier = runs.setdefault((name, connections), [])
                if earlier and earlier[0].rate < SLOW:
                    continue
                used = one.processor_seconds()
                load = closed_loop(one.url, bodies.of(one), connections, plan.seconds, bodies.start())
                cost = 1000 * (one.processor_seconds() - used) / max(1, load.requests)
                earlier.append(load)
                costs.setdefault((name, connections), []).append(cost)
                one.settle()
            click.echo(f"closed loop, round {round_ + 1}/{plan.rounds}, {connections} connections", err=True)
    figures: Figures = {}
    for (name, connections), loads in runs.items():
        cost = statistics.median(costs[name, connections])
        entry = {**to_dict(middle(loads)), "processor_ms": cost, "rates": [one.rate for one in loads]}
        figures.setdefault(name, {})[str(connections)] = entry
    return figures


def measure_open(arena: Arena, bodies: Bodies, plan: MeasurePlan, closed: Mapping[str, Any]) -> Figures:
    """Return latencies at fixed rates; a contestant is not asked for more than it reached in the closed loop."""
    figures: Figures = {}
    for rate in plan.open_rates:
        for name, one in arena.running.items():
            reached = max(entry["rate"] for entry in closed[name].values())
            if rate < reached:
                load = open_loop(one.url, bodies.of(one), rate, plan.open_seconds, bodies.start())
                figures.setdefault(name, {})[f"{rate:g}"] = to_dict(load)
                one.settle()
        click.echo(f"open loop, {rate:g} requests a second", err=True)
    return figures
