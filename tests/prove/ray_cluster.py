"""A cluster of three Ray nodes on this machine, one of which is removed while a folder is forecast.

Run by `.venv-ray/bin/python -m tests.prove.ray_cluster FOLDER`; writes FOLDER/outcome.json for tests/prove/test_ray.py.
"""

import hashlib
import json
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import ray
from ray.cluster_utils import Cluster

from models import starters
from training.bulk import layout
from training.bulk.layout import Part
from training.bulk.manifest import PartRecord
from training.bulk.part_forecast import Job, Model, PartForecaster
from training.bulk.places import Place
from training.bulk.run import BulkRequest, forecast_folder
from training.config.training import Columns
from training.engines.engine import Done, Work
from training.engines.local import LocalEngine
from training.engines.ray_engine import RayEngine
from training.progress import Progress

PART = 32
SERIES = 2_400
BEFORE = 10
"""Parts that are finished before the node is removed."""

HELD_SECONDS = 300
"""Longest time that a task waits for the end of its node."""


def write_histories(folder: Path) -> Path:
    """Write monthly series of five years into three files."""
    folder.mkdir(parents=True)
    generator, length = np.random.default_rng(0), 60
    dates = pd.date_range("2015-01-01", periods=length, freq="MS")
    for number in range(3):
        count = SERIES // 3
        values = 50 + generator.normal(0, 5, (count, length)).cumsum(axis=1)
        ids = np.repeat([f"s{number}-{one:05d}" for one in range(count)], length)
        frame = pd.DataFrame({"unique_id": ids, "ds": np.tile(dates, count), "y": values.ravel()})
        frame.to_parquet(folder / f"{number}.parquet", index=False)
    return folder


def digests(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each file of forecasts."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.glob("part-*.parquet"))}


def count_nodes() -> int:
    """Return how many nodes live, as far as Ray knows."""
    return sum(one["Alive"] for one in ray.nodes())


def wait_for_nodes(count: int) -> int:
    """Return how many nodes live, once there are no more than `count`: Ray notices an end by missed health checks."""
    end = time.monotonic() + HELD_SECONDS
    while count_nodes() > count and time.monotonic() < end:
        time.sleep(0.5)
    return count_nodes()


class HeldForecaster(PartForecaster):
    """Forecasts parts; on the node that is going to be removed, a task writes its part and then waits for the end.

    On the other nodes the first tasks wait for that: without it, they could be through before that node has begun.
    """

    def __init__(self, job: Job, doomed: str, attempts: Path) -> None:
        """Load the network, and note which node this is."""
        super().__init__(job)
        self._attempts, self._held = attempts, attempts.with_name("held")
        self._is_doomed = ray.get_runtime_context().get_node_id() == doomed

    def __call__(self, part: Part) -> PartRecord:
        """Count the attempt, then forecast."""
        (self._attempts / f"{part.number}-{uuid.uuid4().hex}").touch()
        record = super().__call__(part)
        end = time.monotonic() + HELD_SECONDS
        if self._is_doomed:
            self._held.touch()
        while time.monotonic() < end and (self._is_doomed or not self._held.exists()):
            time.sleep(0.05)
        return record


class LosingEngine(RayEngine):
    """Ray, which loses a node after some results.

    Args:
        cluster: The cluster.
        node: What is removed.
        attempts: Folder in which each attempt leaves a file.
    """

    def __init__(self, cluster: Cluster, node: Any, attempts: Path) -> None:  # noqa: ANN401 - Ray's
        """Join the cluster."""
        super().__init__()
        self._cluster, self._node, self._attempts = cluster, node, attempts

    def run(self, work: Work, tasks: Sequence[Any]) -> Iterator[Done]:
        """Yield the results; the node is removed after BEFORE of them."""
        held = Work(HeldForecaster, (*work.arguments, self._node.node_id, self._attempts), work.threads)
        for number, done in enumerate(super().run(held, tasks)):
            if number == BEFORE:
                self._cluster.remove_node(self._node, allow_graceful=False)
            yield done


def main(root: Path) -> None:
    """Forecast in this process, then on the cluster, and write what came of both."""
    layout.SERIES_A_PART = PART
    data, model = write_histories(root / "in"), Model(starters.NAME, starters.version())
    attempts = root / "attempts"
    attempts.mkdir()

    def ask(name: str) -> BulkRequest:
        return BulkRequest(model, Place.of(str(data)), Place.of(str(root / name)), Columns(), (80.0,), 12)

    forecast_folder(ask("local"), LocalEngine(1), Progress())
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    nodes = [cluster.add_node(num_cpus=1) for _ in range(2)]
    ray.init(address=cluster.address, log_to_driver=False)
    before = count_nodes()

    manifest = forecast_folder(ask("ray"), LosingEngine(cluster, nodes[1], attempts), Progress())

    frame = pd.concat([pd.read_parquet(path) for path in sorted((root / "ray").glob("part-*.parquet"))])
    counts = frame.groupby("unique_id").size()
    outcome = {
        "nodes": before,
        "nodes_left": wait_for_nodes(before - 1),
        "parts": manifest["parts"],
        "attempts": len(list(attempts.iterdir())),
        "same": digests(root / "local") == digests(root / "ray"),
        "series": len(counts),
        "rows_of_each": sorted(set(counts.tolist())),
    }
    (root / "outcome.json").write_text(json.dumps(outcome))
    ray.shutdown()
    cluster.shutdown()


if __name__ == "__main__":
    # Workers of Ray import the classes of this file by its name, which that of a script is not.
    from tests.prove import ray_cluster

    ray_cluster.main(Path(sys.argv[1]))
