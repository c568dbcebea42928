"""Benchmark of scale: scoring on both engines, and what work costs as it grows, into docs/scale.json and docs/scale.md.

make bench-scale                                    an hour on a quiet machine of two cores
make bench-scale ARGS="--only share,accuracy"       parts; the others stay
make bench-scale ARGS="--series 10000 --only engines"
"""

import json
import os
import platform
import tempfile
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from tests.benchmarks.scale import curves, scoring
from tests.benchmarks.scale.histories import write_histories
from tests.benchmarks.scale.page import write_page

ROOT = Path(__file__).resolve().parents[3]
RESULTS = ROOT / "docs" / "scale.json"
SHARE_SERIES, ROUNDS = 10_240, 3
ROWS = (1_000, 10_000)
SCORES = (1_200, 12_000, 120_000)
PARTS = ("share", "engines", "rows", "training", "serving", "accuracy")


class Measure:
    """Measures parts.

    Args:
        source: Parquet file with the real series.
        scratch: Folder.
        series: Number of series of `engines`.
        training: Numbers of series of `training`.
    """

    def __init__(self, source: Path, scratch: Path, series: int, training: tuple[int, ...]) -> None:
        """Measure nothing yet."""
        self.source, self.scratch, self.count, self.counts = source, scratch, series, training

    def histories(self, count: int) -> Path:
        """Return a folder of so many series."""
        folder = self.scratch / f"in-{count}"
        return folder if folder.exists() else write_histories(self.source, folder, count)

    def share(self) -> dict[str, Any]:
        """Return onnxruntime's share in each round."""
        data = self.histories(SHARE_SERIES)
        rounds = [scoring.share_of_onnxruntime(data, self.scratch / f"share-{one}") for one in range(ROUNDS)]
        return {"series": SHARE_SERIES, "rounds": rounds}

    def engines(self) -> dict[str, Any]:
        """Return what both engines take, whether they write the same, and the seconds that finding the parts takes."""
        data, found = self.histories(self.count), dict[str, Any]()
        outputs = {engine: self.scratch / engine for engine in ("local", "ray")}
        for engine, output in outputs.items():
            found[engine] = asdict(scoring.run(data, output, engine, 2))
        first, second = map(scoring.digests, outputs.values())
        return {**found, "same": first == second, "find_parts": scoring.finding_seconds(data)}

    def rows(self) -> dict[str, Any]:
        """Return what fewer series take on the local engine."""
        return {
            str(count): asdict(scoring.run(self.histories(count), self.scratch / f"out-{count}", "local", 2))
            for count in ROWS
        }

    def training(self) -> dict[str, float]:
        """Return seconds of the processor of one network, by series."""
        return {str(count): curves.training_seconds(self.histories(count)) for count in self.counts}

    def serving(self) -> dict[str, tuple[float, float]]:
        """Return microseconds of the processor a request, and requests a second, by replicas."""
        return {str(count): curves.serving_cost(count) for count in (1, 2)}

    def accuracy(self) -> dict[str, dict[str, float]]:
        """Return milliseconds of the processor of `GET /accuracy`, by scores."""
        return {str(count): curves.accuracy_cost(count) for count in SCORES}


@click.command()
@click.option(
    "--data", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=True, help="Real series."
)
@click.option("--series", type=int, default=100_000, show_default=True, help="Series that both engines forecast.")
@click.option("--training", default="100,1000,10000,100000", show_default=True, help="Series of a training.")
@click.option("--only", default=",".join(PARTS), show_default=True, help="Parts; the others stay. Nothing: the page.")
def benchmark(data: Path, series: int, training: str, only: str) -> None:
    """Measure, store each part as soon as it is known, and write the page."""
    results: dict[str, Any] = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    with tempfile.TemporaryDirectory(prefix="almanac-scale-") as scratch:
        measure = Measure(data, Path(scratch), series, tuple(map(int, training.split(","))))
        for name in filter(None, only.split(",")):
            part = getattr(measure, name)
            loads = [os.getloadavg()[0]]
            found = part()
            results[name] = {
                "found": found,
                "measured": datetime.now(UTC).strftime("%Y-%m-%d"),
                "load": [*loads, os.getloadavg()[0]],
                "machine": f"{os.cpu_count()} cores, Python {platform.python_version()}",
            }
            RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
            click.echo(f"{name}: {json.dumps(found)}")
    write_page(results, ROOT / "docs")


if __name__ == "__main__":
    benchmark()
