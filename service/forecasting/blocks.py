"""Blocks: a large request is forecast a few series at a time, on every thread that has nothing else to do."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TypeVar

from service.forecasting.request import ForecastQuery
from service.thread_pool import ThreadPool

T = TypeVar("T")

BLOCK_SERIES = 64
"""Series in a block: two batches of the network."""


def split(query: ForecastQuery) -> Iterator[ForecastQuery]:
    """Yield the query in parts of few series; the first has the errors of the request."""
    for at in range(_count(query)):
        yield _block(query, at)


def _count(query: ForecastQuery) -> int:
    return max(1, -(-len(query.series) // BLOCK_SERIES))


def _block(query: ForecastQuery, at: int) -> ForecastQuery:
    start = at * BLOCK_SERIES
    series = query.series[start : start + BLOCK_SERIES]
    return replace(query, series=series, faults=() if at else query.faults)


async def map_blocks(threads: ThreadPool, work: Callable[[ForecastQuery], T], query: ForecastQuery) -> list[T]:
    """Return what `work` returns for each block, in order; one thread computes while another has the interpreter.

    Raises:
        QueueFull: If too many requests wait for the threads.
        Exception: The first error of `work`, once no other block is in progress.
    """
    blocks = _count(query)
    results: dict[int, T] = {}
    left = iter(range(blocks))  # each number is taken by one thread

    def run() -> None:
        try:
            for at in left:
                results[at] = work(_block(query, at))
        except BaseException:
            for _ in left:
                pass
            raise

    count = max(1, min(blocks, threads.free))
    for outcome in await asyncio.gather(*[threads.run(run) for _ in range(count)], return_exceptions=True):
        if outcome is not None:
            raise outcome
    return [results[at] for at in range(blocks)]
