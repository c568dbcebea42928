"""Chaos: MLflow and the registry child are killed while clients ask; forecasts go on."""

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.prove.figures import record
from tests.prove.processes import children_of
from tests.system.programs import almanac_service, ask, eventually, mlflow_server
from tests.system.registration import register, registry_at
from training.processes import ChildProcess

CHILD = "service.serving.registry_process"


@contextmanager
def asking(address: str, clients: int) -> Iterator[Counter[str]]:
    """Have that many clients ask without pause while the block lasts; count what they got, by status."""
    got: Counter[str] = Counter()
    enough = threading.Event()

    def client() -> None:
        while not enough.is_set():
            try:
                got[str(ask(address).status_code)] += 1
            except OSError as error:
                got[type(error).__name__] += 1

    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield got
    finally:
        enough.set()
        for thread in threads:
            thread.join()


def kill_child(service: ChildProcess) -> None:
    """Kill the registry child, and wait for another one to be there."""
    old = children_of(service.process.pid, CHILD)
    assert len(old) == 1
    os.kill(old[0], signal.SIGKILL)
    eventually(lambda: bool(set(children_of(service.process.pid, CHILD)) - set(old)), 60)


def test_forecasts_go_on_when_the_registry_child_is_killed(service: ChildProcess) -> None:
    """Kill the child with SIGKILL: no request fails, and a new child takes its place."""
    eventually(lambda: bool(children_of(service.process.pid, CHILD)))

    with asking(service.address, clients=2) as got:
        kill_child(service)

    assert set(got) == {"200"}


@pytest.mark.prove
@pytest.mark.timeout(3600)
def test_forecasts_go_on_whatever_is_killed(tmp_path: Path) -> None:
    """Child and MLflow server are killed in turn while clients ask; none fails, and a later promotion still arrives."""
    rounds, began = 5, time.monotonic()
    store = f"sqlite:///{tmp_path / 'mlflow.db'}"
    with mlflow_server(store, tmp_path) as tracking, registry_at(tracking.address, tmp_path) as registry:
        registry.models.promote("temperatures", register(registry, tmp_path))
        second = register(registry, tmp_path, shift=1.0)
        address = tracking.address
        with almanac_service(tmp_path / "home", address) as service, asking(service.address, clients=4) as got:
            os.killpg(tracking.process.pid, signal.SIGKILL)
            for _ in range(rounds):
                kill_child(service)
            with mlflow_server(store, tmp_path) as again:
                assert again.address == address
                registry.models.promote("temperatures", second)
                eventually(lambda: ask(service.address).json()["model"]["version"] == second, 180)
                os.killpg(again.process.pid, signal.SIGKILL)
                kill_child(service)

    assert set(got) == {"200"}
    record(
        "Chaos",
        "Four clients send requests without pause while MLflow's server is killed, the registry child is killed again and "
        "again, MLflow comes back with a new champion, and both are killed once more.",
        {
            "registry children killed": rounds + 1,
            "MLflow servers killed": 2,
            "requests": f"{got.total():,}",
            "requests that failed": got.total() - got["200"],
            "in all": f"{time.monotonic() - began:.0f} s",
        },
    )
