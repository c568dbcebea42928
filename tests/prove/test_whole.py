"""Composition: a model is trained into MLflow on PostgreSQL and served through nginx while it replaces another one."""

import os
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

from tests.prove.clients import clients
from tests.prove.figures import record
from tests.system.programs import almanac_service, ask, eventually, mlflow_server, nginx, postgres

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
def test_a_new_champion_is_served_without_a_failed_request(tmp_path: Path) -> None:
    """Two networks are trained, one after the other; the second is served while clients send requests."""
    with postgres() as database, mlflow_server(database.url, tmp_path) as tracking:
        train(tmp_path / "training", tracking.address, "lstm", seed=0)
        with (
            almanac_service(tmp_path / "home", tracking.address) as service,
            nginx(service, tmp_path) as proxy,
            clients(proxy.address, CLIENTS, horizon=24) as responses,
        ):
            train(tmp_path / "training", tracking.address, "wavenet", seed=1)
            eventually(lambda: ask(proxy.address).json()["model"]["version"] == "2", 60)

    statuses, versions = responses.statuses, responses.versions
    assert set(statuses) == {"200"}
    assert set(versions) == {"1", "2"}
    record(
        "Composition",
        f"PostgreSQL, MLflow, the service, nginx and {CLIENTS} clients that open a connection for each request. A training "
        "runs on the same machine, and its network becomes champion.",
        {
            "requests": f"{statuses.total():,}",
            "requests that failed": statuses.total() - statuses["200"],
            "answered by version 1, by version 2": f"{versions['1']:,}, {versions['2']:,}",
            "median answer, a training beside it": f"{1000 * statistics.median(responses.seconds):.1f} ms",
        },
    )
