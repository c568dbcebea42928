"""The ledger's price: how much of its throughput /forecast keeps while every forecast is written down.

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
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import click
import httpx

from tests.prove.figures import record
from tests.prove.processes import resident_mebibytes
from tests.system.programs import almanac_service, postgres
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
    """Return the rows of one database."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        off = stack.enter_context(serving(Path(folder) / "off", url, "off"))
        on = stack.enter_context(serving(Path(folder) / "on", url, "on"))
        for service in (off, on):
            ask_for_a_while(service, 1.0)
        rounds = [(cost(off), cost(on)) for _ in range(ROUNDS)]
        given, written = sample(on, 'almanac_series_total{model="starter"}'), sample(on, "almanac_ledger_written_total")
        assert given == written
        free, kept = (
            sum(seconds for seconds, _ in one) / sum(asked for _, asked in one) for one in zip(*rounds, strict=True)
        )
        return {
            f"{name}, without the ledger": f"{1e6 * free:.0f} µs a request",
            f"{name}, with it": f"{1e6 * kept:.0f} µs a request",
            f"{name}, ratio of throughput": f"{free / kept:.3f} (wanted: {WANTED} or more)",
            f"{name}, forecasts written": f"{written:.0f}",
            f"{name}, memory after them": f"{resident_mebibytes(on.process.pid):.0f} MiB, "
            f"{resident_mebibytes(off.process.pid):.0f} without",
        }


def cost(service: ChildProcess) -> tuple[float, int]:
    """Return the seconds of processor time that a service takes, all that it writes included, and for how many requests."""
    before = processor_seconds(service.process.pid)
    requests = ask_for_a_while(service)
    wait_until(lambda: sample(service, "almanac_ledger_waiting") == 0)
    return processor_seconds(service.process.pid) - before, requests


def processor_seconds(pid: int) -> float:
    """Return the processor time that a process has taken, without its children."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def serving(home: Path, url: str, ledger: str) -> Iterator[ChildProcess]:
    """Run a service that the starter answers."""
    home.mkdir()
    environment = {
        "ALMANAC_LEDGER": ledger,
        "ALMANAC_MODEL": "starter",
        **({"ALMANAC_DATABASE_URL": url} if url else {}),
    }
    tracking = f"sqlite:///{home / 'mlflow.db'}"
    with almanac_service(home, tracking, port=free_port(18000), environment=environment) as service:
        yield service


def ask_for_a_while(service: ChildProcess, seconds: float = ROUND_SECONDS) -> int:
    """Return how many requests a service has answered in some seconds, asked by a process of its own."""
    command = [sys.executable, "-c", CLIENT, service.address.removeprefix("http://"), str(seconds)]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=os.environ).stdout  # noqa: S603 ours
    return int(output)


def load() -> None:
    """Ask over several connections for some seconds, and print the number of requests; the client process runs this."""
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


def wait_until(truth: Callable[[], bool], seconds: float = 60.0) -> None:
    """Return once something holds; raises TimeoutError if it does not in time."""
    end = time.monotonic() + seconds
    while not truth():
        if time.monotonic() > end:
            raise TimeoutError
        time.sleep(0.1)


def sample(service: ChildProcess, name: str) -> float:
    """Return a metric of a service."""
    text = httpx.get(f"{service.address}/metrics").text
    found = re.search(rf"^{re.escape(name)} (\S+)$", text, flags=re.MULTILINE)
    return float(found[1]) if found else 0.0


if __name__ == "__main__":
    benchmark()
