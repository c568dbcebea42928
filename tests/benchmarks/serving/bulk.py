"""Bulk: the latency of single requests while another client sends requests of 1,000 series without pause.

    python -m tests.benchmarks.serving.bulk URL BODIES

Run as a program it is that other client: it posts the lines of a file until it is ended, and prints how many it posted.
"""

import http.client
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click

from tests.benchmarks.serving.bodies import make_sample, to_almanac, write_bodies
from tests.benchmarks.serving.contestants import Contestant
from tests.benchmarks.serving.load import Load, closed_loop, middle, to_dict
from tests.benchmarks.serving.plan import MeasurePlan
from tests.benchmarks.serving.rates import Bodies

SERIES, REQUESTS = 1_000, 5
CONNECTIONS = (1, 8)


def measure_bulk(contestant: Contestant, bodies: Bodies, scratch: Path, plan: MeasurePlan) -> dict[str, Any]:
    """Return the latencies of single requests by connections, without and with bulk requests, in turns."""
    samples = make_sample(SERIES * REQUESTS, seed=1).parts(SERIES)
    large = write_bodies(scratch / "bulk.jsonl", [to_almanac(one) for one in samples])
    runs: dict[tuple[int, str], list[Load]] = {}
    answered = 0
    for round_ in range(plan.bulk_rounds):
        for connections in CONNECTIONS:

            def single(connections: int = connections) -> Load:
                return closed_loop(contestant.url, bodies.series, connections, plan.bulk_seconds, bodies.start())

            runs.setdefault((connections, "without"), []).append(single())
            with _sending(contestant.url, large) as client:
                runs.setdefault((connections, "with"), []).append(single())
            answered += int(client.stdout.read() if client.stdout else 0)
        click.echo(f"single requests beside bulk requests, round {round_ + 1}/{plan.bulk_rounds}", err=True)
    figures: dict[str, Any] = {"bulk_requests": answered}
    for (connections, kind), loads in runs.items():
        figures.setdefault(str(connections), {})[kind] = to_dict(middle(loads))
    return figures


@contextmanager
def _sending(url: str, bodies: Path) -> Iterator["subprocess.Popen[str]"]:
    """Run the other client."""
    command = [sys.executable, "-m", "tests.benchmarks.serving.bulk", url, str(bodies)]
    client = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603 - ours
    assert client.stdout is not None
    client.stdout.readline()  # its first request is answered
    try:
        yield client
    finally:
        client.send_signal(signal.SIGTERM)
        client.wait()


def main() -> None:
    """Post until ended."""
    url, path = sys.argv[1:]
    bodies, answered, ended = Path(path).read_bytes().splitlines(), 0, []
    signal.signal(signal.SIGTERM, lambda *_: ended.append(True))
    with closing(http.client.HTTPConnection(urlsplit(url).netloc, timeout=120)) as connection:
        while not ended:
            connection.request("POST", "/forecast", bodies[answered % len(bodies)])
            response = connection.getresponse()
            response.read()
            assert response.status == 200, response.status
            if not answered:
                print("begun", flush=True)  # noqa: T201 - the parent waits for it
            answered += 1
    print(answered)  # noqa: T201 - the parent reads it


if __name__ == "__main__":
    main()
