"""Chaos: forecasts are served while MLflow and the registry process are killed."""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.prove.clients import clients
from tests.prove.figures import record
from tests.system.programs import almanac_service, ask, eventually, mlflow_server
from tests.system.registration import register, registry_at
from training.processes import ChildProcess


def registry_processes(service: ChildProcess) -> set[int]:
    """Return the ids of the registry processes of a service that are alive."""
    found = set()
    for child in psutil.Process(service.process.pid).children():
        with suppress(psutil.Error):  # it may end meanwhile
            if child.status() != psutil.STATUS_ZOMBIE and "service.serving.registry_process" in child.cmdline():
                found.add(child.pid)
    return found


def kill_registry_process(service: ChildProcess) -> None:
    """Kill the registry process, and return once there is another one."""
    (old,) = registry_processes(service)
    os.kill(old, signal.SIGKILL)
    eventually(lambda: bool(registry_processes(service) - {old}), 60)


@pytest.mark.timeout(3600)
def test_no_request_fails_when_mlflow_is_killed_too(tmp_path: Path) -> None:
    """And a later promotion is served."""
    rounds, began = 5, time.monotonic()
    store = f"sqlite:///{tmp_path / 'mlflow.db'}"
    with mlflow_server(store, tmp_path) as tracking, registry_at(tracking.address, tmp_path) as registry:
        registry.models.promote("temperatures", register(registry, tmp_path))
        second = register(registry, tmp_path, shift=1.0)
        with almanac_service(tmp_path / "home", tracking.address) as service, clients(service.address, 4) as responses:
            os.killpg(tracking.process.pid, signal.SIGKILL)
            for _ in range(rounds):
                kill_registry_process(service)
            with mlflow_server(store, tmp_path) as again:
                assert again.address == tracking.address
                registry.models.promote("temperatures", second)
                eventually(lambda: ask(service.address).json()["model"]["version"] == second, 180)
                os.killpg(again.process.pid, signal.SIGKILL)
                kill_registry_process(service)

    statuses = responses.statuses
    assert set(statuses) == {"200"}
    record(
        "Chaos",
        "Four clients send requests without pause while MLflow's server is killed, the registry child is killed again and "
        "again, MLflow comes back with a new champion, and both are killed once more.",
        {
            "registry children killed": rounds + 1,
            "MLflow servers killed": 2,
            "requests": f"{statuses.total():,}",
            "requests that failed": statuses.total() - statuses["200"],
            "in all": f"{time.monotonic() - began:.0f} s",
        },
    )
