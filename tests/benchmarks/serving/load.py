"""Load: requests from other processes, in a closed loop by wrk and in an open one by `open_loop`."""

import json
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

SCRIPT = Path(__file__).with_name("post.lua")
TIMEOUT_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Load:
    """What one run of a load generator found.

    Attributes:
        requests: Requests that were answered, with any status.
        seconds: How long it ran.
        p50, p95, p99: Percentiles of the latency, in milliseconds.
        refused: Answers with a status other than 200.
        broken: Requests without an answer.
    """

    requests: int
    seconds: float
    p50: float
    p95: float
    p99: float
    refused: int = 0
    broken: int = 0

    @property
    def rate(self) -> float:
        """Return the answers a second that have the status 200."""
        return (self.requests - self.refused) / self.seconds


def closed_loop(url: str, bodies: Path, connections: int, seconds: float, first: int = 0) -> Load:
    """Return what wrk finds with so many connections, each of which sends a request when the last one is answered."""
    command = ["wrk", "--threads", "1", "--connections", str(connections), "--duration", f"{seconds:g}s"]
    command += ["--timeout", f"{TIMEOUT_SECONDS}s", "--script", str(SCRIPT), url, "--", str(bodies), str(first)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603 - ours
    return Load(**json.loads(output.strip().splitlines()[-1]))


def open_loop(url: str, bodies: Path, rate: float, seconds: float, first: int = 0) -> Load:
    """Return what a client finds that sends so many requests a second, whether or not earlier ones are answered."""
    command = [sys.executable, "-m", "tests.benchmarks.serving.open_loop", url, str(bodies)]
    command += [f"{rate:g}", f"{seconds:g}", str(first)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603 - ours
    return Load(**json.loads(output.strip().splitlines()[-1]))


def middle(loads: Sequence[Load]) -> Load:
    """Return the medians of several runs, and the sums of requests, seconds and faults."""
    seconds = sum(one.seconds for one in loads)
    rate = statistics.median(one.rate for one in loads)
    refused = sum(one.refused for one in loads)
    percentiles = {name: statistics.median(getattr(one, name) for one in loads) for name in ("p50", "p95", "p99")}
    return Load(
        requests=round(rate * seconds) + refused,
        seconds=seconds,
        refused=refused,
        broken=sum(one.broken for one in loads),
        **percentiles,
    )


def to_dict(load: Load) -> dict[str, float]:
    """Return a load as plain data, with its rate."""
    return {**asdict(load), "rate": load.rate}
