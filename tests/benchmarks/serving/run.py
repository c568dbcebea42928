"""Benchmark of serving: Almanac and its peers side by side in one run, into docs/serving.json and docs/serving.md.

make bench-serving                    about twelve minutes
make bench-serving ARGS="--quick"     about three minutes, into build/bench-serving/
"""

import json
import os
import platform
import subprocess
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from tests.benchmarks.serving.batches import measure_batches
from tests.benchmarks.serving.bulk import measure_bulk
from tests.benchmarks.serving.contestants import LSTM, arena, has_litserve
from tests.benchmarks.serving.endurance import measure_endurance
from tests.benchmarks.serving.graph import measure_graph
from tests.benchmarks.serving.page import make_page
from tests.benchmarks.serving.plan import QUICK, MeasurePlan
from tests.benchmarks.serving.prepare import ROOT, Prepared, prepare, registered_artifact
from tests.benchmarks.serving.profile import measure_profile
from tests.benchmarks.serving.rates import Bodies, measure_closed, measure_open, warm_up
from tests.benchmarks.serving.start import measure_memory, measure_start
from tests.benchmarks.training_speed import machine_seconds, others_share, own_seconds

CACHE = ROOT / "build" / "bench-serving"
PARTS = ("rates", "batches", "bulk", "endurance", "start", "memory", "profile", "graph")


@click.command()
@click.option("--litserve", type=click.Path(path_type=Path), help="Python with LitServe.")
@click.option("--quick", is_flag=True, help="All parts in about three minutes, for a look; not into docs/.")
@click.option(
    "--only",
    default=",".join(PARTS),
    show_default=True,
    help="Parts, separated by commas; others stay. Nothing: write the page again from its results.",
)
@click.option("--page", type=click.Path(dir_okay=False, path_type=Path), help="Default: docs/serving.md.")
@click.option("--prepared", type=click.Path(file_okay=False, path_type=Path), help="Models of an earlier run.")
def benchmark(litserve: Path | None, page: Path | None, prepared: Path | None, only: str, *, quick: bool) -> None:
    """Measure, store the results beside the page, and write the page."""
    page = page or (CACHE if quick else ROOT / "docs") / "serving.md"
    parts = [part.strip() for part in only.split(",") if part.strip()]
    if unknown := set(parts) - set(PARTS):
        raise click.UsageError(f"Unknown --only {', '.join(sorted(unknown))}. The parts are {', '.join(PARTS)}.")
    if not parts:
        page.write_text(make_page(_earlier(page)), encoding="utf-8")
        return
    models = Prepared(prepared.absolute()) if prepared else prepare(CACHE)
    python = litserve if litserve and has_litserve(litserve) else None
    busy, own, began = machine_seconds(), own_seconds(), time.monotonic()
    results = _earlier(page) if parts != list(PARTS) else {}
    with tempfile.TemporaryDirectory() as scratch:
        results |= measure(models, Path(scratch), python, QUICK if quick else MeasurePlan(), parts)
    wall = time.monotonic() - began
    results["run"] = {
        **describe_run(quick=quick),
        "minutes": wall / 60,
        "others": others_share(machine_seconds() - busy, own_seconds() - own, wall, os.cpu_count() or 1),
    }
    page.with_suffix(".json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    page.write_text(make_page(results), encoding="utf-8")
    click.echo(page.read_text(encoding="utf-8"))


def measure(
    models: Prepared, scratch: Path, litserve: Path | None, plan: MeasurePlan, parts: list[str]
) -> dict[str, Any]:
    """Return the figures of the parts, by their names."""
    bodies = Bodies.write(scratch, plan.bodies)
    results: dict[str, Any] = {}
    if {"rates", "batches", "bulk"} & set(parts):
        with arena(models, scratch, litserve) as servers:
            warm_up(servers, bodies, plan)
            if "rates" in parts:
                closed = measure_closed(servers, bodies, plan)
                results["closed"], results["open"] = closed, measure_open(servers, bodies, plan, closed)
                results["missing"] = dict(servers.missing)
            if "batches" in parts:
                artifact = registered_artifact(models.lstm)
                results["batches"] = measure_batches(servers.running[LSTM], artifact, plan)
            if "bulk" in parts:
                results["bulk"] = measure_bulk(servers.running[LSTM], bodies, scratch, plan)
    if "start" in parts:
        results["start"] = measure_start(models, scratch, plan)
    if "memory" in parts:
        results["memory"] = measure_memory(models, scratch)
    if "profile" in parts:
        results["profile"] = measure_profile(models, scratch, plan)
    if "graph" in parts:
        results["graph"] = measure_graph(models, scratch, plan)
    if "endurance" in parts:
        results["endurance"] = measure_endurance(models, bodies, scratch, plan)
    return results


def describe_run(*, quick: bool) -> dict[str, Any]:
    """Return when, where, from which commit and with which command the benchmark runs."""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "command": 'make bench-serving ARGS="--quick"' if quick else "make bench-serving",
        "commit": _git("rev-parse", "--short=10", "HEAD") + ("+" if _git("status", "--porcelain", "-uno") else ""),
        "machine": f"{os.cpu_count()} cores, {_processor()}",
        "python": platform.python_version(),
        "quick": quick,
    }


def _earlier(page: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(page.with_suffix(".json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return found


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(ROOT), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()  # noqa: S603 - ours


def _processor() -> str:
    """Return the name of the processor, as Linux gives it."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


if __name__ == "__main__":
    benchmark()
