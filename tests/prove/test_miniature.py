"""Miniature: months of a service's life in minutes: forecasts, observations, scores, and trainings that change the champion."""

import http.client
import json
import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import pytest

from tests.prove.figures import record
from tests.prove.test_overload import PAGE, read_metrics, sample
from tests.system.programs import ROOT, almanac_service, eventually
from training.processes import ChildProcess

REQUESTS = int(os.environ.get("PROVE_REQUESTS", "100000"))
"""A million took 80 minutes on two busy cores: PROVE_REQUESTS=1000000 make prove ARGS="-k miniature"."""
SERIES, WINDOW = 40, 60
ASKED, CLIENTS = 8, 4
"""How often each forecast is asked for before the next value is known, and by how many at once: people and pages look again."""
FORECAST_BYTES, SCORE_BYTES, SUM_BYTES, OBSERVATION_BYTES = 2_200, 200, 150, 150
"""docs/operations.md: 2.2 KB for 12 steps and nine quantiles, 0.2 KB for each scored step, and 0.15 KB for the sums of one that counts."""
GROWTH_MEBIBYTES, MORE_FILES, MORE_THREADS = 48.0, 8, 4
"""What the second half may add: another network in memory, and what a training's last reads left open."""
MOST_MODELS = 2
"""Versions in memory: by default 64 of the champions that follow each other would stay there, some megabytes each."""
WAIT_SECONDS = 600.0


Request = tuple[str, str, object]
"""Method, path and body."""


@dataclass(frozen=True, slots=True)
class Size:
    """What a service takes."""

    mebibytes: float
    files: int
    threads: int

    @classmethod
    def of(cls, process: psutil.Process) -> "Size":
        """Return what a process takes now."""
        return cls(process.memory_info().rss / 2**20, process.num_fds(), process.num_threads())


def month(number: int) -> str:
    """Return a month, counted from January 1000."""
    return f"{1000 + number // 12}-{number % 12 + 1:02d}"


def value(series: int, number: int) -> float:
    """Return the value of a series in a month."""
    return 100.0 + series + 10 * ((number + series) % 12) + number % 7


def life(names: range) -> Iterator[list[Request]]:
    """Yield what is sent together, in turn: each month all forecasts, its observations, and what people look at."""
    first = [
        {"id": f"s{one}", "timestamp": month(at), "value": value(one, at)} for one in names for at in range(WINDOW)
    ]
    yield [("POST", "/observations", {"observations": first, "frequency": "M"})]
    now = WINDOW
    while True:
        forecasts = list[Request]()
        for one in names:
            history = [value(one, at) for at in range(now - WINDOW, now)]
            series = {"id": f"s{one}", "start": month(now - WINDOW), "frequency": "M", "values": history}
            forecasts.append(("POST", "/forecast", {"series": [series], "horizon": 12}))
        yield forecasts * ASKED
        rows = [{"id": f"s{one}", "timestamp": month(now), "value": value(one, now)} for one in names]
        yield [("POST", "/observations", {"observations": rows, "frequency": "M"})]
        read = ("/accuracy?by=version", "/metrics", "/health/ready", "/models")[now % 4]
        yield [("GET", f"/series/s{now % len(names)}?limit=100", None), ("GET", read, None)]
        now += 1


class Clients:
    """Some clients, each with a connection that stays open."""

    def __init__(self, address: str) -> None:
        """Connect with the first request of each."""
        self._address, self._own = address.removeprefix("http://"), threading.local()
        self._pool = ThreadPoolExecutor(CLIENTS)
        self._open: list[http.client.HTTPConnection] = []

    def close(self) -> None:
        """Close the connections."""
        self._pool.shutdown()
        for connection in self._open:
            connection.close()

    def send(self, life: Iterator[list[Request]], least: int) -> Counter[int]:
        """Send at least so many requests, and return the statuses."""
        statuses: Counter[int] = Counter()
        while statuses.total() < least:
            statuses.update(self._pool.map(self._send, next(life)))
        return statuses

    def _send(self, request: Request) -> int:
        """Return the status of the answer."""
        method, path, body = request
        if not hasattr(self._own, "connection"):
            self._own.connection = http.client.HTTPConnection(self._address, timeout=300)
            self._open.append(self._own.connection)
        content = None if body is None else json.dumps(body)
        self._own.connection.request(method, path, content, {"Content-Type": "application/json"} if content else {})
        response = self._own.connection.getresponse()
        response.read()
        return int(response.status)


@contextmanager
def trainings(home: Path, address: str) -> Iterator[list[int]]:
    """Train on the observations of the service again and again meanwhile, with low priority, and promote; yield the exit codes."""
    codes: list[int] = []
    done = threading.Event()
    options = "--name temperatures --horizon 12 --architecture gru --no-refit --promote --baselines seasonal_naive"
    sizes = ("--set", "fit.max_steps=40", "--set", "fit.units=8")
    command = ["nice", sys.executable, "-m", "almanac", "train", "--data", "service", *options.split(), *sizes]
    environment = {**os.environ, "ALMANAC_HOME": str(home), "ALMANAC_SERVICE_URL": address, "PYTHONPATH": str(ROOT)}

    def train() -> None:
        while not done.is_set():
            with (home / "train.log").open("a") as log:
                codes.append(
                    subprocess.run(command, env=environment, cwd=home, stdout=log, stderr=log, check=False).returncode  # noqa: S603 ours
                )

    thread = threading.Thread(target=train)
    thread.start()
    try:
        yield codes
    finally:
        done.set()
        thread.join()


@pytest.mark.timeout(6 * 3600)
def test_a_life_in_miniature_takes_what_is_predicted(registered: tuple[Path, str]) -> None:
    """Memory, descriptors, threads, and the size of the database."""
    home, uri = registered
    with almanac_service(home, uri, environment={"ALMANAC_MAX_MODELS": str(MOST_MODELS)}) as service:
        began, requests = time.monotonic(), life(range(SERIES))
        process = psutil.Process(service.process.pid)
        sizes, statuses = [], Counter[int]()
        with trainings(home, service.address) as codes, closing(Clients(service.address)) as clients:
            for share in (0.1, 0.4, 0.5):
                statuses += clients.send(requests, round(share * REQUESTS))
                wait_until_scored(service)
                sizes.append(Size.of(process))
                sys.stdout.write(f"{time.monotonic() - began:.0f} s: {statuses}, {sizes[-1]}\n")
        seconds = time.monotonic() - began
        metrics = read_metrics(service.address)
        model = httpx.get(f"{service.address}/models/temperatures", timeout=60).json()
        scores = sum(
            row["scores"] for row in httpx.get(f"{service.address}/accuracy?by=version", timeout=60).json()["rows"]
        )

    start, half, end = sizes
    written = sample(metrics, "almanac_ledger_written_total")
    observed = sample(metrics, 'almanac_observations_total{outcome="accepted"}')
    size = sum(one.stat().st_size for one in home.glob("almanac.db*"))
    scored = count_rows(home, "scores")
    predicted = FORECAST_BYTES * written + SCORE_BYTES * scored + SUM_BYTES * scores + OBSERVATION_BYTES * observed
    assert set(statuses) == {200}
    assert set(codes) <= {0}
    assert end.mebibytes - half.mebibytes < GROWTH_MEBIBYTES
    assert end.files - half.files <= MORE_FILES
    assert end.threads - half.threads <= MORE_THREADS
    assert size < 1.25 * predicted
    record(
        "A life in miniature",
        f"{CLIENTS} clients ask for the forecasts of {SERIES} monthly series {ASKED} times in each month, post its observations, and read series, "
        "accuracy, metrics and models; every forecast is stored and scored, and one of each series, month and version counts. Beside it networks are trained on the stored observations, one after the other with a niceness of 10, and "
        "promoted. The sizes are read after a tenth, after half, and after all.",
        {
            "requests, not answered with 200": f"{statuses.total():,}, {statuses.total() - statuses[200]}",
            "months": f"{statuses.total() // (SERIES * ASKED + 3):,}",
            "forecasts stored, scored steps, those that count": f"{written:,.0f}, {scored:,}, {scores:,}",
            "observations": f"{observed:,.0f}",
            "trainings that ended, champion now": f"{len(codes)}, version {model['model']['version']}",
            "memory": ", ".join(f"{one.mebibytes:.0f} MiB" for one in sizes),
            "descriptors": ", ".join(str(one.files) for one in (start, half, end)),
            "threads": ", ".join(str(one.threads) for one in sizes),
            "database, predicted": f"{size / 1e6:.1f} MB, {predicted / 1e6:.1f} MB",
            "in all": f"{seconds:.0f} s",
        },
        PAGE,
    )


def count_rows(home: Path, table: str) -> int:
    """Return the rows of a table of a service that has ended."""
    with closing(sqlite3.connect(home / "almanac.db")) as connection:
        (count,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()  # noqa: S608 - a name of ours
    return int(count)


def wait_until_scored(service: ChildProcess) -> None:
    """Return when no forecast waits to be written or scored, as far as its observations are there."""
    names = ("almanac_ledger_waiting", "almanac_forecasts_due")
    eventually(lambda: sum(sample(read_metrics(service.address), one) for one in names) == 0, WAIT_SECONDS)
