"""Contestants: the servers that are compared, all running at once and idle but for the one that is measured."""

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import click
import httpx
import psutil

from models.artifact import NETWORK, WEIGHTS
from tests.benchmarks.serving.prepare import ROOT, Prepared, registered_artifact
from training.processes import LOOPBACK, ChildProcess, free_port, running

READY_SECONDS = 180.0
POLL_SECONDS = "60"
"""The registry processes of the servers that are not measured should be idle."""

SETTLE_SECONDS = 60.0
REST_SECONDS, REST_SHARE = 0.2, 0.25
"""A server that uses less than this share of a core for so long rests."""

BARE, LSTM, TWO_WORKERS, STARTER, ENSEMBLE = (
    "bare FastAPI route",
    "Almanac, LSTM",
    "Almanac, LSTM, two workers",
    "Almanac, starter",
    "Almanac, ensemble of four",
)
MLFLOW_ONNX, MLFLOW_KERAS, KERAS, LITSERVE = (
    "mlflow models serve, ONNX",
    "mlflow models serve, Keras",
    "FastAPI around Keras predict",
    "LitServe, ONNX",
)
PEERS = "tests.benchmarks.serving.peers"
NO_WORKERS = "`almanac serve` has no option --workers here"


@dataclass(frozen=True, slots=True)
class Contestant:
    """A running server.

    Attributes:
        name: As in the tables.
        url: Where forecasts are requested.
        takes_series: Whether it takes Almanac's requests; the others take the inputs of the network.
        child: The program.
    """

    name: str
    url: str
    takes_series: bool
    child: ChildProcess

    def settle(self) -> None:
        """Return when its processes rest: requests whose clients are gone may still keep them busy."""
        deadline, used = time.monotonic() + SETTLE_SECONDS, self.processor_seconds()
        while time.monotonic() < deadline:
            time.sleep(REST_SECONDS)
            before, used = used, self.processor_seconds()
            if used - before < REST_SHARE * REST_SECONDS:
                return

    def processor_seconds(self) -> float:
        """Return the processor time that its processes have used."""
        server = psutil.Process(self.child.process.pid)
        times = [one.cpu_times() for one in (server, *server.children(recursive=True))]
        return sum(one.user + one.system for one in times)


@dataclass(frozen=True, slots=True)
class Arena:
    """The servers by name, and why others are missing."""

    running: Mapping[str, Contestant]
    missing: Mapping[str, str] = field(default_factory=dict)


@contextmanager
def almanac(
    home: Path, registry: Path | None, *options: str, module: str = "almanac", **settings: str
) -> Iterator[ChildProcess]:
    """Run `almanac serve` with its own home and the registry of another one; it is ready when the block begins."""
    home.mkdir(parents=True, exist_ok=True)
    port = unused_port()
    command = [sys.executable, "-m", module, "serve", "--host", LOOPBACK, "--port", str(port), *options]
    environment = {
        "ALMANAC_HOME": str(home),
        "ALMANAC_POLL_SECONDS": POLL_SECONDS,
        "MLFLOW_TRACKING_URI": f"sqlite:///{(registry or home) / 'mlflow.db'}",
        **settings,
    }
    address = f"http://{LOOPBACK}:{port}"
    with running("Almanac", command, address=address, log=home / "serve.log", environment=environment) as child:
        child.wait_until_ready("/health/ready", READY_SECONDS)
        yield child


@contextmanager
def arena(prepared: Prepared, scratch: Path, litserve: Path | None) -> Iterator[Arena]:
    """Run all contestants; the answer of the bare route is one of Almanac's."""
    missing = {}
    found: dict[str, Contestant] = {}
    with ExitStack() as stack:

        def enter(name: str, server: AbstractContextManager[ChildProcess], path: str, *, takes_series: bool) -> None:
            click.echo(f"starting {name} …", err=True)
            child = stack.enter_context(server)
            found[name] = Contestant(name, child.address + path, takes_series, child)

        served = partial(enter, path="/forecast", takes_series=True)
        served(LSTM, almanac(scratch / "lstm", prepared.lstm))
        served(BARE, _peer("bare", _example_answer(found[LSTM], scratch), scratch))
        served(STARTER, almanac(scratch / "starter", None, ALMANAC_MODEL="starter"))
        served(ENSEMBLE, almanac(scratch / "ensemble", prepared.ensemble))
        if has_workers():
            served(TWO_WORKERS, almanac(scratch / "two", prepared.lstm, "--workers", "2"))
        else:
            missing[TWO_WORKERS] = NO_WORKERS
        artifact = registered_artifact(prepared.lstm)
        tensors = partial(enter, path="/forecast", takes_series=False)
        tensors(KERAS, _peer("keras_api", artifact / WEIGHTS, scratch))
        if litserve is None:
            missing[LITSERVE] = "it cannot be installed here"
        else:
            tensors(LITSERVE, _lit(litserve, artifact / NETWORK, scratch))
        for name, flavour in {MLFLOW_ONNX: "onnx", MLFLOW_KERAS: "keras"}.items():
            enter(name, _mlflow(prepared.flavours / flavour, scratch), "/invocations", takes_series=False)
        yield Arena(found, missing)


def has_workers() -> bool:
    """Return whether `almanac serve` can use more than one process."""
    command = [sys.executable, "-m", "almanac", "serve", "--help"]
    return "--workers" in subprocess.run(command, capture_output=True, text=True, check=True).stdout  # noqa: S603 - ours


def has_litserve(python: Path) -> bool:
    """Return whether a Python has LitServe."""
    command = [str(python.absolute()), "-c", "import litserve"]
    return python.exists() and subprocess.run(command, capture_output=True, check=False).returncode == 0  # noqa: S603 - ours


def unused_port() -> int:
    """Return a free port; others who look for one at the same time find another one."""
    return free_port(random.randrange(20_000, 32_000))  # noqa: S311 - not a secret


def _example_answer(almanac_server: Contestant, scratch: Path) -> Path:
    """Return a file with an answer of Almanac to one series."""
    from tests.benchmarks.serving.bodies import make_sample, to_almanac

    response = httpx.post(almanac_server.url, json=to_almanac(make_sample(1)), timeout=30).raise_for_status()
    path = scratch / "answer.json"
    path.write_bytes(response.content)
    return path


def _peer(module: str, file: Path, scratch: Path) -> AbstractContextManager[ChildProcess]:
    return _server(module, lambda port: [sys.executable, "-m", f"{PEERS}.{module}", str(port), str(file)], scratch)


def _lit(python: Path, network: Path, scratch: Path) -> AbstractContextManager[ChildProcess]:
    script = ROOT / "tests" / "benchmarks" / "serving" / "peers" / "lit.py"
    command = [str(python.absolute()), str(script)]
    return _server("litserve", lambda port: [*command, str(port), str(network)], scratch, health="/health")


def _mlflow(model: Path, scratch: Path) -> AbstractContextManager[ChildProcess]:
    command = [sys.executable, "-m", "mlflow", "models", "serve", "--env-manager", "local", "--model-uri", str(model)]
    options = ["--host", LOOPBACK, "--workers", "1", "--port"]
    return _server(f"mlflow-{model.name}", lambda port: [*command, *options, str(port)], scratch)


@contextmanager
def _server(
    name: str, command: Callable[[int], list[str]], scratch: Path, health: str = "/ping"
) -> Iterator[ChildProcess]:
    port = unused_port()
    log = scratch / f"{name}.log"
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # MLflow runs `uvicorn`
    own = {"TF_CPP_MIN_LOG_LEVEL": "2", "PYTHONPATH": str(ROOT), "PATH": programs}
    environment = own if name != "litserve" else {}
    address = f"http://{LOOPBACK}:{port}"
    with running(name, command(port), address=address, log=log, environment=environment) as child:
        child.wait_until_ready(health, READY_SECONDS)
        yield child
