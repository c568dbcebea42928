"""Start: seconds from the start of a service to ready with a cached model, and its memory with five models."""

import http.client
import os
import signal
import subprocess
import sys
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import click
import httpx
import psutil

from tests.benchmarks.serving.bodies import make_sample, to_almanac
from tests.benchmarks.serving.contestants import POLL_SECONDS, almanac, unused_port
from tests.benchmarks.serving.endurance import footprint
from tests.benchmarks.serving.plan import MeasurePlan
from tests.benchmarks.serving.prepare import ROOT, Prepared
from training.processes import LOOPBACK

PAUSE_SECONDS = 0.005
LONGEST_SECONDS = 60.0
FIVE = ("lstm-1", "lstm-2", "lstm-3", "lstm-4", "ensemble")
REQUESTS_EACH = 200


def measure_start(prepared: Prepared, scratch: Path, plan: MeasurePlan) -> dict[str, Any]:
    """Return seconds to ready and of processor time for each start; the model is cached by a start before them."""
    home = scratch / "start"
    with almanac(home, prepared.lstm):
        pass
    starts = [_start(home, prepared.lstm) for _ in range(plan.starts)]
    for wall, processor in starts:
        click.echo(f"start: ready after {wall:.2f} s, {processor:.2f} s of processor time", err=True)
    return {"seconds": [wall for wall, _ in starts], "processor_seconds": [processor for _, processor in starts]}


def measure_memory(prepared: Prepared, scratch: Path) -> dict[str, Any]:
    """Return the memory of a service (MiB) with five models after requests to each, and that of its registry process."""
    with almanac(scratch / "five", prepared.five) as child, httpx.Client(base_url=child.address, timeout=60) as client:
        for name in FIVE:
            _ask(client, name, 1)
        server = psutil.Process(child.process.pid)
        before = footprint(server)
        for name in FIVE:
            _ask(client, name, REQUESTS_EACH)
        loaded = sum(one["name"] in FIVE for one in client.get("/models").json()["models"])
        registry = [footprint(one) for one in server.children(recursive=True)]
        found = {"models": loaded, "loaded": before, "after_requests": footprint(server), "children": registry}
    click.echo(f"memory with five models: {found}", err=True)
    return found


def _ask(client: httpx.Client, name: str, count: int) -> None:
    for one in make_sample(count).parts(1):
        deadline = time.monotonic() + LONGEST_SECONDS
        while client.post("/forecast", json={**to_almanac(one), "model": name}).status_code != 200:
            if time.monotonic() > deadline:
                raise click.ClickException(f"{name} cannot forecast.")
            time.sleep(0.1)


def _start(home: Path, registry: Path) -> tuple[float, float]:
    """Return seconds until ready and the processor time that the server itself used until then."""
    port = unused_port()
    command = [sys.executable, "-m", "almanac", "serve", "--host", LOOPBACK, "--port", str(port)]
    settings = {"ALMANAC_HOME": str(home), "ALMANAC_POLL_SECONDS": POLL_SECONDS}
    environment = {**os.environ, **settings, "MLFLOW_TRACKING_URI": f"sqlite:///{registry / 'mlflow.db'}"}
    began = time.perf_counter()
    process = subprocess.Popen(  # noqa: S603 - ours
        command, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        while not _is_ready(port):
            if process.poll() is not None or time.perf_counter() - began > LONGEST_SECONDS:
                raise click.ClickException("almanac serve did not get ready.")
            time.sleep(PAUSE_SECONDS)
        wall = time.perf_counter() - began
        used = psutil.Process(process.pid).cpu_times()
        return wall, used.user + used.system
    finally:
        process.terminate()
        process.wait()
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def _is_ready(port: int) -> bool:
    with closing(http.client.HTTPConnection(LOOPBACK, port, timeout=5)) as connection, suppress(OSError):
        connection.request("GET", "/health/ready")
        return connection.getresponse().status == 200
    return False
