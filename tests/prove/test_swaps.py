"""Swaps: models change under load, and the registry stops; no request fails, and each answer is one version's."""

import asyncio
import json
import multiprocessing
import os
import signal
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from service.serving.registry_index import RegisteredModel
from tests.prove.figures import record
from tests.prove.pressure import pace, request_bytes
from tests.prove.test_overload import PAGE, body, read_metrics, sample
from tests.service.home import Artifacts, ServiceHome
from tests.service.server_process import NO_REGISTRY, PROGRAM, ServerProcess
from tests.system.programs import almanac_service, ask, eventually, mlflow_server
from tests.system.registration import register, registry_at
from training.processes import ChildProcess

SWAPS, RATE, STOPPED_SECONDS, SHIFT = 100, 200.0, 60.0, 100.0
REFUSED = "status 429"
NAME, SERIES = "temperatures", 3
Medians = list[list[float]]


def medians(answer: Mapping[str, object]) -> Medians:
    """Return the medians of all series."""
    return [one["median"] for one in answer["forecasts"]]  # type: ignore[attr-defined]


def run_pace(address: str, known: Mapping[str, Medians], end: Path) -> tuple[Counter[str], float]:
    """Send requests in this process until a file exists.

    Returns:
        How often each version answered, another status or a mixture by its name; and the requests a second.
    """
    found: Counter[str] = Counter()
    began = time.monotonic()
    begun_file(end).touch()

    def count(status: int, content: bytes) -> None:
        if status != 200:
            found[f"status {status}"] += 1
            return
        answer = json.loads(content)
        version = answer["model"]["version"]
        found[version if medians(answer) == known[version] else "a mixture"] += 1

    asyncio.run(pace(address, request_bytes(address, body(SERIES)), RATE, end.exists, count))
    return found, found.total() / (time.monotonic() - began)


def known_answers(address: str, *versions: str) -> dict[str, Medians]:
    """Return what each version answers."""
    named = {one: {**body(SERIES), "model": f"{NAME}/{one}"} for one in versions}
    return {
        one: medians(httpx.post(f"{address}/forecast", json=named[one], timeout=30).raise_for_status().json())
        for one in versions
    }


def begun_file(end: Path) -> Path:
    """Return the file that exists once the requests begin."""
    return end.with_suffix(".begun")


@dataclass(slots=True)
class Paced:
    """What came back, see `run_pace`."""

    found: Counter[str] = field(default_factory=Counter)
    rate: float = 0.0


@contextmanager
def loaded(address: str, known: Mapping[str, Medians], folder: Path) -> Iterator[Paced]:
    """Send requests meanwhile."""
    paced, end = Paced(), folder / uuid4().hex
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as processes:
        sending = processes.submit(run_pace, address, known, end)
        try:
            eventually(lambda: begun_file(end).exists() or sending.done(), 120)
            yield paced
        finally:
            end.touch()
        paced.found, paced.rate = sending.result()


@pytest.mark.timeout(1800)
def test_a_hundred_swaps_fail_no_request(tmp_path: Path) -> None:
    """Each champion is another version, which is loaded, checked and warmed up before it answers."""
    home = ServiceHome(tmp_path / "home", Artifacts(tmp_path / "artifacts"))
    numbers = [str(at + 1) for at in range(SWAPS + 1)]
    for number in numbers:
        home.publish(NAME, number, alias=None, shift=SHIFT * (int(number) % 2))
        home.change_spec(NAME, number, data_digest=number)  # so that each is another file
    versions = home.cache.read().models[NAME].versions
    home.set_models({NAME: RegisteredModel(versions, {"champion": "1"})})
    with ServerProcess(
        home.path, program=NO_REGISTRY + PROGRAM, ALMANAC_MAX_MODELS="1", ALMANAC_MAX_MODEL_MB="1"
    ) as server:
        address = str(server.ready().client.base_url).rstrip("/")
        odd_and_even = known_answers(address, "1", "2")
        known = {number: odd_and_even[str(2 - int(number) % 2)] for number in numbers}
        with loaded(address, known, tmp_path) as paced:
            loads = load_count(address)
            for number in numbers[1:]:
                home.set_models({NAME: RegisteredModel(versions, {"champion": number})})
                eventually(lambda: ask(address).json()["model"]["version"] == number, 60)  # noqa: B023
            loads = load_count(address) - loads

    found = paced.found
    assert set(found) <= {*numbers, REFUSED}
    assert loads >= SWAPS - 1  # the first one is known from `known_answers`
    record(
        "Swaps",
        f"The champion changes {SWAPS} times, each time as soon as the one before has answered, while a process sends {RATE:.0f} requests a second.",
        {
            "swaps, versions loaded": f"{SWAPS}, {loads:.0f}",
            f"requests, of {SERIES} series each": f"{found.total():,}",
            "requests a second": f"{paced.rate:.0f}",
            "versions that answered": len({*found} - {REFUSED}),
            "refused (429), since the machine cannot do that many": found[REFUSED],
            "failed, or answered by two versions": 0,
        },
        PAGE,
    )


def load_count(address: str) -> float:
    """Return how many versions were loaded."""
    return sample(read_metrics(address), f'almanac_model_reloads_total{{model="{NAME}",outcome="ok"}}')


@contextmanager
def stopped(server: ChildProcess) -> Iterator[None]:
    """Stop the processes of a server meanwhile: its connections are accepted by the kernel, and never answered."""
    os.killpg(server.process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.killpg(server.process.pid, signal.SIGCONT)


@pytest.mark.timeout(1800)
def test_no_request_fails_while_mlflow_is_stopped(tmp_path: Path) -> None:
    """Under load, and when the service starts; a promotion afterwards is served."""
    store, home = f"sqlite:///{tmp_path / 'mlflow.db'}", tmp_path / "home"
    with mlflow_server(store, tmp_path) as tracking, registry_at(tracking.address, tmp_path) as registry:
        registry.models.promote(NAME, register(registry, tmp_path))
        second = register(registry, tmp_path, shift=1.0)
        with almanac_service(home, tracking.address) as service:
            known = known_answers(service.address, "1")
            with stopped(tracking):
                with loaded(service.address, known, tmp_path) as during:
                    time.sleep(STOPPED_SECONDS)
                with (
                    almanac_service(home, tracking.address) as started,
                    loaded(started.address, known, tmp_path) as after_start,
                ):
                    time.sleep(STOPPED_SECONDS / 4)
            registry.models.promote(NAME, second)
            eventually(lambda: ask(service.address).json()["model"]["version"] == second, 180)

    assert set(during.found) == set(after_start.found) == {"1"}
    record(
        "MLflow stopped",
        f"MLflow's processes get SIGSTOP for {STOPPED_SECONDS:.0f} s and more: it accepts connections, and answers none. Meanwhile a service is asked "
        f"{RATE:.0f} times a second, and another one is started and asked.",
        {
            "requests to the running service": f"{during.found.total():,}",
            "requests to the one that was started meanwhile": f"{after_start.found.total():,}",
            "failed": 0,
        },
        PAGE,
    )
