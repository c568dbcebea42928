"""MeasurePlan: how long each part of the benchmark takes."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MeasurePlan:
    """Numbers and lengths of the runs; the defaults are those of the record.

    Attributes:
        bodies: Prepared requests; they take turns.
        warm_seconds: Load on every contestant before measuring.
        rounds, seconds: Runs of the closed loop for each contestant and number of connections, and the length of each.
        connections: Connections of the closed loop.
        open_rates, open_seconds: Requests a second of the open loop, and how long.
        batches: Series in a request, and requests of that size.
        bulk_rounds, bulk_seconds: Runs of single requests, each with and without bulk requests, and their length.
        warm_requests, requests: Requests before memory is first read, and after.
        starts: Starts of a service.
        profiled: Requests that are profiled.
        graph_chunks: Runs of 50 series, one at a time, through a network.
    """

    bodies: int = 40_000
    warm_seconds: float = 2.0
    rounds: int = 2
    seconds: float = 3.0
    connections: tuple[int, ...] = (1, 8, 64, 256)
    open_rates: tuple[float, ...] = (100, 500, 1000)
    open_seconds: float = 3.0
    batches: tuple[tuple[int, int], ...] = ((1, 400), (10, 150), (100, 40), (1000, 12))
    bulk_rounds: int = 2
    bulk_seconds: float = 5.0
    warm_requests: int = 10_000
    requests: int = 100_000
    starts: int = 5
    profiled: int = 3_000
    graph_chunks: int = 60


QUICK = MeasurePlan(
    bodies=10_000,
    warm_seconds=1.0,
    rounds=1,
    seconds=1.0,
    open_rates=(10, 500),
    open_seconds=1.0,
    batches=((1, 50), (10, 20), (100, 8), (1000, 3)),
    bulk_rounds=1,
    bulk_seconds=3.0,
    warm_requests=2_000,
    requests=10_000,
    starts=2,
    profiled=500,
    graph_chunks=10,
)
"""All parts in about three minutes, without the preparation."""
