"""A cluster of three Ray nodes on this machine, one of which is removed while a folder is forecast.

Run by `.venv-ray/bin/python -m tests.prove.ray_cluster FOLDER`; writes FOLDER/outcome.json for tests/prove/test_ray.py.
"""

import hashlib
import json
import os
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

PART = 32
SERIES = 2_400
BEFORE = 10
"""Parts that are written before the node is removed."""

WAIT_SECONDS = 900


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


def remove_when_written(cluster: Any, node: Any, output: Path, seen: dict[str, int]) -> None:  # noqa: ANN401 - Ray's
    """Remove a node as soon as some parts are written, and keep how many there were."""
    end = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < end:
        written = len(list(output.glob("_parts/*.json")))
        if written >= BEFORE:
            cluster.remove_node(node, allow_graceful=False)
            seen["written_before"] = written
            return
        time.sleep(0.05)


def main(root: Path) -> None:
    """Forecast in this process, then on the cluster, and write what came of both."""
    import ray
    from ray.cluster_utils import Cluster

    from models import starters
    from training.bulk import layout
    from training.bulk.part_forecast import Model
    from training.bulk.places import Place
    from training.bulk.run import BulkRequest, forecast_folder
    from training.config.training import Columns
    from training.engines.engine import Done, Work
    from training.engines.local import LocalEngine
    from training.engines.ray_engine import RayEngine
    from training.progress import Progress

    layout.SERIES_A_PART = PART
    data, model = write_histories(root / "in"), Model(starters.NAME, starters.version())

    def ask(name: str) -> BulkRequest:
        return BulkRequest(model, Place.of(str(data)), Place.of(str(root / name)), Columns(), (80.0,), 12)

    forecast_folder(ask("local"), LocalEngine(1), Progress())
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    nodes = [cluster.add_node(num_cpus=1) for _ in range(2)]
    ray.init(address=cluster.address, log_to_driver=False)
    seen: dict[str, int] = {"nodes": len(ray.nodes())}
    remover = threading.Thread(target=remove_when_written, args=(cluster, nodes[1], root / "ray", seen), daemon=True)
    remover.start()

    class Slow(RayEngine):
        """Gives the remover time: results are taken one by one."""

        def run(self, work: Work, tasks: Sequence[Any]) -> Iterator[Done]:
            for done in super().run(work, tasks):
                time.sleep(0.02)
                yield done

    manifest = forecast_folder(ask("ray"), Slow(), Progress())
    remover.join(60)
    seen["nodes_left"] = sum(one["Alive"] for one in ray.nodes())
    frame = pd.concat([pd.read_parquet(path) for path in sorted((root / "ray").glob("part-*.parquet"))])
    counts = frame.groupby("unique_id").size()
    outcome = {
        **seen,
        "parts": manifest["parts"],
        "same": digests(root / "local") == digests(root / "ray"),
        "series": len(counts),
        "rows_of_each": sorted(set(counts.tolist())),
    }
    (root / "outcome.json").write_text(json.dumps(outcome))
    ray.shutdown()
    cluster.shutdown()


if __name__ == "__main__":
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    main(Path(sys.argv[1]))
