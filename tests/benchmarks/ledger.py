"""The cost of the forecast log: the throughput of POST /forecast with and without it.

python -m tests.benchmarks.ledger
"""

import http.client
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import click
import httpx
import psutil

from tests.prove.figures import record
from tests.system.programs import almanac_service, eventually, postgres
from training.processes import ChildProcess, free_port

PAGE = Path(__file__).resolve().parents[2] / "docs" / "benchmarks.md"
CONNECTIONS = 8
ROUNDS = 8
ROUND_SECONDS = 3.0
WANTED = 0.9
CLIENT = "from tests.benchmarks.ledger import load; load()"


@click.command()
def benchmark() -> None:
    """Measure, write the section of docs/benchmarks.md, and show it."""
    click.echo(write())


def write() -> dict[str, str]:
    """Measure on SQLite and on PostgreSQL, write the section of docs/benchmarks.md, and return its rows."""
    with postgres() as server:
        figures = measure("SQLite", "") | measure("PostgreSQL", server.url)
    record(
        "The forecast log",
        "What storing every served forecast costs. POST /forecast with the starter, one monthly series of 60 values, 12 steps "
        f"ahead, {CONNECTIONS} connections from another process. Two services, one with `ALMANAC_LEDGER=off`, get requests in "
        f"turns on the same machine, {ROUNDS} rounds of {ROUND_SECONDS:g} s each. The ratio is that of the processor time of "
        "the service per request, including the writes, because other programs share the machine. No forecast was lost.",
        figures,
        PAGE,
    )
    return figures


def measure(name: str, url: str) -> dict[str, str]:
    """Return the figures of one database."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        off = stack.enter_context(serving(Path(folder) / "off", url, "off"))
        on = stack.enter_context(serving(Path(folder) / "on", url, "on"))
        for service in (off, on):
            send_requests(service, 1.0)
        rounds = [(cost(off), cost(on)) for _ in range(ROUNDS)]
        served, written = (
            sample(on, 'almanac_series_total{model="starter"}'),
            sample(on, "almanac_ledger_written_total"),
        )
        assert served == written
        free, kept = (
            sum(seconds for seconds, _ in one) / sum(asked for _, asked in one) for one in zip(*rounds, strict=True)
        )
        return {
            f"{name}, without the ledger": f"{1e6 * free:.0f} µs a request",
            f"{name}, with it": f"{1e6 * kept:.0f} µs a request",
            f"{name}, ratio of throughput": f"{free / kept:.3f} (wanted: {WANTED} or more)",
            f"{name}, forecasts written": f"{written:.0f}",
            f"{name}, memory after them": f"{psutil.Process(on.process.pid).memory_info().rss / 2**20:.0f} MiB, "
            f"{psutil.Process(off.process.pid).memory_info().rss / 2**20:.0f} without",
        }


def cost(service: ChildProcess) -> tuple[float, int]:
    """Return the processor time of a service for many requests, writes included, and the number of requests."""
    process = psutil.Process(service.process.pid)
    before = process.cpu_times()
    requests = send_requests(service)
    eventually(lambda: sample(service, "almanac_ledger_waiting") == 0, 60)
    after = process.cpu_times()
    return after.user + after.system - before.user - before.system, requests


@contextmanager
def serving(home: Path, url: str, ledger: str) -> Iterator[ChildProcess]:
    """Run a service that serves the starter."""
    home.mkdir()
    environment = {
        "ALMANAC_LEDGER": ledger,
        "ALMANAC_MODEL": "starter",
        **({"ALMANAC_DATABASE_URL": url} if url else {}),
    }
    tracking = f"sqlite:///{home / 'mlflow.db'}"
    with almanac_service(home, tracking, port=free_port(18000), environment=environment) as service:
        yield service


def send_requests(service: ChildProcess, seconds: float = ROUND_SECONDS) -> int:
    """Send requests for some seconds from another process, and return how many were answered."""
    command = [sys.executable, "-c", CLIENT, service.address.removeprefix("http://"), str(seconds)]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=os.environ).stdout  # noqa: S603 ours
    return int(output)


def load() -> None:
    """Send requests over several connections, and print how many were answered; the client process runs this."""
    address, seconds = sys.argv[1], float(sys.argv[2])
    values = [50 + 10 * (place % 12) + place % 5 for place in range(60)]
    body = json.dumps({"series": [{"id": "a", "start": "2015-01", "frequency": "M", "values": values}], "horizon": 12})
    counts = [0] * CONNECTIONS
    end = time.perf_counter() + seconds

    def ask(place: int) -> None:
        with closing(http.client.HTTPConnection(address, timeout=30)) as connection:
            while time.perf_counter() < end:
                connection.request("POST", "/forecast", body)
                response = connection.getresponse()
                response.read()
                assert response.status == 200
                counts[place] += 1

    threads = [threading.Thread(target=ask, args=(place,)) for place in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(sum(counts))  # noqa: T201 (the parent reads it)


def sample(service: ChildProcess, name: str) -> float:
    """Return the value of a metric of a service."""
    text = httpx.get(f"{service.address}/metrics").text
    found = re.search(rf"^{re.escape(name)} (\S+)$", text, flags=re.MULTILINE)
    return float(found[1]) if found else 0.0


if __name__ == "__main__":
    benchmark()
