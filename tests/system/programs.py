"""Programs: real servers on loopback, each stopped at the end of its block."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from training.processes import LOOPBACK, ChildProcess, free_port, running

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 300.0
DATABASE = "almanac"

WORKER_PORTS = 2000
"""Distance between the ports of two pytest workers."""


@dataclass(frozen=True, slots=True)
class Postgres:
    """A running PostgreSQL: its process, the URL of an empty database, and the command that restarts it."""

    child: ChildProcess
    url: str
    command: tuple[str, ...]
    data: Path

    def kill(self) -> None:
        """Kill the server and its child processes, which have their own process groups, with SIGKILL."""
        os.kill(self.child.process.pid, signal.SIGKILL)
        self.child.process.wait()
        eventually(lambda: not self._kill_children())

    def _kill_children(self) -> bool:
        """Kill every process in the data folder, and return whether there was one."""
        found = False
        for entry in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if (entry / "cwd").readlink() == self.data:
                    found = True
                    os.kill(int(entry.name), signal.SIGKILL)
        return found


def eventually(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    """Return once `condition` is true; raises AssertionError after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.1)


def own_port(wanted: int) -> int:
    """Return a free port from `wanted` on, in a range of this pytest worker."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    return free_port(wanted + WORKER_PORTS * worker)


@contextmanager
def postgres() -> Iterator[Postgres]:
    """Run a new PostgreSQL cluster on loopback, as the user `postgres` if the tests run as root."""
    programs = max(Path("/usr/lib/postgresql").glob("*/bin"))
    folder = Path(tempfile.mkdtemp(prefix="almanac-postgres-"))
    as_user: list[str] = []
    if os.geteuid() == 0:
        as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
        shutil.chown(folder, "postgres", "postgres")
    port = own_port(15432)
    data = folder / "data"
    options = ["--auth=trust", "--username=postgres", "--encoding=UTF8", "--no-sync"]
    initialise = [str(programs / "initdb"), *options, str(data)]
    subprocess.run([*as_user, *initialise], check=True, stdout=subprocess.DEVNULL, cwd=folder)  # noqa: S603 ours
    options = ["-D", str(data), "-h", LOOPBACK, "-p", str(port), "-k", str(folder), "-F"]
    command = [*as_user, str(programs / "postgres"), *options]
    client = [str(programs / "psql"), "--host", LOOPBACK, "--port", str(port), "--username", "postgres"]
    try:
        address = f"postgresql+psycopg://postgres@{LOOPBACK}:{port}/{DATABASE}"
        with running("PostgreSQL", command, address=address, log=folder.with_suffix(".log")) as child:
            eventually(lambda: _succeeds([*client, "-c", f"CREATE DATABASE {DATABASE}"]))
            yield Postgres(child, address, tuple(command), data)
            child.process.terminate()
    finally:
        shutil.rmtree(folder)
        folder.with_suffix(".log").unlink(missing_ok=True)


@contextmanager
def revived(server: Postgres) -> Iterator[ChildProcess]:
    """Restart a killed PostgreSQL with its data."""
    with running("PostgreSQL", server.command, address=server.url, log=server.child.log) as child:
        yield child
        child.process.terminate()


@contextmanager
def mlflow_server(store: str, folder: Path) -> Iterator[ChildProcess]:
    """Run MLflow's tracking server with proxied artifacts, as docker-compose.yml does."""
    port = own_port(15000)
    address = f"http://{LOOPBACK}:{port}"
    options = ["--host", LOOPBACK, "--port", str(port), "--workers", "1", "--backend-store-uri", store]
    artifacts = ["--serve-artifacts", "--artifacts-destination", str(folder / "artifacts")]
    command = [sys.executable, "-m", "mlflow", "server", *options, *artifacts]
    environment = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with running("MLflow", command, address=address, log=folder / "mlflow.log", environment=environment) as child:
        child.wait_until_ready("/health", START_SECONDS)
        yield child


@contextmanager
def almanac_service(
    home: Path, tracking_uri: str, *, port: int | None = None, environment: dict[str, str] | None = None
) -> Iterator[ChildProcess]:
    """Run `almanac serve` on loopback, and wait until it is ready."""
    port = port or own_port(18000)
    command = [sys.executable, "-m", "almanac", "serve", "--host", LOOPBACK, "--port", str(port)]
    settings = {"ALMANAC_HOME": str(home), "MLFLOW_TRACKING_URI": tracking_uri, "ALMANAC_POLL_SECONDS": "0.5"}
    address = f"http://{LOOPBACK}:{port}"
    log = home / "service.log"
    both = settings | (environment or {})
    with running("The service", command, address=address, log=log, environment=both) as child:
        child.wait_until_ready("/health/ready", START_SECONDS)
        yield child


@contextmanager
def prometheus(target: ChildProcess, key: str, folder: Path) -> Iterator[ChildProcess]:
    """Run Prometheus with the configuration in deploy/, another target and key, and an interval of one second."""
    deployed = ROOT / "deploy" / "prometheus"
    config: dict[str, Any] = yaml.safe_load((deployed / "prometheus.yml").read_text(encoding="utf-8"))
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config["rule_files"] = [str(deployed / "rules.yml")]
    (folder / "key").write_text(key, encoding="utf-8")
    job = config["scrape_configs"][0]
    job["authorization"]["credentials_file"] = str(folder / "key")
    del job["dns_sd_configs"], config["alerting"]
    job["static_configs"] = [{"targets": [target.address.removeprefix("http://")]}]
    file = folder / "prometheus.yml"
    file.write_text(yaml.safe_dump(config), encoding="utf-8")
    port = own_port(19090)
    options = [f"--config.file={file}", f"--storage.tsdb.path={folder / 'tsdb'}"]
    command = ["prometheus", *options, f"--web.listen-address={LOOPBACK}:{port}"]
    address = f"http://{LOOPBACK}:{port}"
    with running("Prometheus", command, address=address, log=folder / "prometheus.log") as child:
        child.wait_until_ready("/-/ready", START_SECONDS)
        yield child


def ask(address: str, key: str | None = None, **changes: Any) -> httpx.Response:  # noqa: ANN401 any JSON
    """Post a monthly series of five years to /forecast, and return the response."""
    series = {"id": "one", "start": "1935-01", "frequency": "M", "values": [float(i % 12) for i in range(60)]}
    body = {"series": [series], "horizon": 12, **changes}
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    return httpx.post(f"{address}/forecast", json=body, headers=headers, timeout=30)


def _succeeds(command: list[str]) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0  # noqa: S603 ours
