"""The whole: a real training into PostgreSQL-backed MLflow, served through nginx to many clients while it is replaced."""

import os
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.prove.figures import record
from tests.system.programs import almanac_service, ask, eventually, mlflow_server, nginx, postgres

pytestmark = pytest.mark.prove

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "training" / "datasets" / "temperatures.csv"
CLIENTS = 4


def train(home: Path, tracking_uri: str, architecture: str, seed: int) -> None:
    """Run `almanac train` on the shipped temperatures; the winner becomes champion."""
    command = [sys.executable, "-m", "almanac", "train", "--data", str(DATA), "--horizon", "24"]
    command += ["--architecture", architecture, "--seed", str(seed), "--no-refit", "--promote"]
    command += ["--set", "fit.max_steps=100", "--set", "fit.transform=none"]
    environment = {**os.environ, "ALMANAC_HOME": str(home), "MLFLOW_TRACKING_URI": tracking_uri}
    subprocess.run(command, env=environment, check=True)  # noqa: S603 ours


@pytest.mark.timeout(3600)
def test_a_trained_model_replaces_another_while_clients_ask(tmp_path: Path) -> None:
    """Two networks are trained, one after the other; the second takes over under load, and no request fails."""
    statuses: Counter[int] = Counter()
    versions: Counter[str] = Counter()
    took: list[float] = []
    enough = threading.Event()
    with postgres() as database, mlflow_server(database.url, tmp_path) as tracking:
        train(tmp_path / "training", tracking.address, "lstm", seed=0)
        with almanac_service(tmp_path / "home", tracking.address) as service, nginx(service, tmp_path) as proxy:

            def client() -> None:
                while not enough.is_set():
                    began = time.perf_counter()
                    answer = ask(proxy.address, horizon=24)
                    took.append(time.perf_counter() - began)
                    statuses[answer.status_code] += 1
                    versions[answer.json()["model"]["version"]] += 1

            threads = [threading.Thread(target=client) for _ in range(CLIENTS)]
            for thread in threads:
                thread.start()
            try:
                train(tmp_path / "training", tracking.address, "wavenet", seed=1)
                eventually(lambda: ask(proxy.address).json()["model"]["version"] == "2", 60)
            finally:
                enough.set()
                for thread in threads:
                    thread.join()

    assert set(statuses) == {200}
    assert set(versions) == {"1", "2"}
    record(
        "Composition",
        f"PostgreSQL, MLflow, the service, nginx and {CLIENTS} clients that open a connection for each request. A training "
        "runs on the same machine, and its network becomes champion.",
        {
            "requests": f"{statuses.total():,}",
            "requests that failed": statuses.total() - statuses[200],
            "answered by version 1, by version 2": f"{versions['1']:,}, {versions['2']:,}",
            "median answer, a training beside it": f"{1000 * statistics.median(took):.1f} ms",
        },
    )
