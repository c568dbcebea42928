"""Endurance: memory and open files of a service over 100,000 requests."""

from pathlib import Path
from typing import Any

import click
import psutil

from tests.benchmarks.serving.contestants import almanac
from tests.benchmarks.serving.load import closed_loop
from tests.benchmarks.serving.plan import MeasurePlan
from tests.benchmarks.serving.prepare import Prepared
from tests.benchmarks.serving.rates import Bodies

CONNECTIONS = 8
READINGS = 10
RUN_SECONDS = 4.0
MEBIBYTE = 2**20


def measure_endurance(prepared: Prepared, bodies: Bodies, scratch: Path, plan: MeasurePlan) -> dict[str, Any]:
    """Return memory (MiB) and open files after the first requests, and after every tenth of the others."""
    with almanac(scratch / "endurance", prepared.lstm) as child:
        server = psutil.Process(child.process.pid)
        url = f"{child.address}/forecast"
        readings: list[dict[str, float]] = []
        answered, refused = 0, 0
        while not readings or answered < plan.warm_requests + plan.requests:
            load = closed_loop(url, bodies.series, CONNECTIONS, RUN_SECONDS, bodies.start())
            answered, refused = answered + load.requests, refused + load.refused + load.broken
            wanted = plan.warm_requests + len(readings) * plan.requests / READINGS
            if answered >= wanted:
                readings.append({"requests": answered, **footprint(server)})
                click.echo(f"endurance: {readings[-1]}", err=True)
    return {"readings": readings, "not_answered": refused}


def footprint(process: psutil.Process) -> dict[str, float]:
    """Return resident and proportional memory of a process in MiB, and its open files, with no connection left."""
    memory = process.memory_full_info()
    return {"rss": memory.rss / MEBIBYTE, "pss": memory.pss / MEBIBYTE, "files": process.num_fds()}
