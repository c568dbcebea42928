"""Resilience check: train, forecast, observe, retrain, kill each container, count what was lost."""

import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import psycopg

from deploy.composition.running import Composition
from deploy.traffic import Traffic, lost, traffic
from service.store.tables import SCHEMA
from training.processes import LOOPBACK

DATA = Path(__file__).resolve().parents[1] / "training" / "datasets" / "temperatures.csv"
SHIPPED = "/etc/almanac/datasets/temperatures.csv"
FIT = {
    "steps": 60,
    "units": 16,
    "transform": "none",
    "calendar": False,
    "synthetic_share": 0.0,
    "validation_origins": 2,
}
RETRAIN = {
    "data": "service", "name": "temperatures", "horizon": 12, "frequency": "M", "architecture": ["lstm"],
    "baselines": ["seasonal_naive"], "refit": False, "fit": FIT,
}  # fmt: skip
TRAIN = [
    "train",
    "--data",
    SHIPPED,
    "--horizon",
    "12",
    "--architecture",
    "lstm",
    "--no-refit",
    "--promote",
    "--set",
    "name=temperatures",
]
REPLICAS = ("service-1", "service-2")
LEDGER_SECONDS = 0.5
"""Forecasts of this time before a replica is killed are lost from the log (docs/operations.md)."""

Row = tuple[str, str, bool]


class ResilienceCheck:
    """Steps in a running composition, and their results: rows of what was done, the result, and whether it is as promised."""

    def __init__(self, running: Composition) -> None:
        """Prepare for a composition whose containers are healthy."""
        self.running = running
        self.rows: list[Row] = []
        self.key = running.run("service-1", ["key", "add", "--scope", "admin", "--name", "check"])
        headers = {"Authorization": f"Bearer {self.key}"}
        self.client = httpx.Client(base_url=running.places.address("nginx"), headers=headers, timeout=60)

    def run(self) -> list[Row]:
        """Run all of it."""
        self.note("containers started and healthy", ", ".join(self.running.processes))
        self.check_passwords()
        self.train()
        self.observe()
        with traffic(self.client, TRAFFIC_SERIES) as seen:
            time.sleep(3)
            self.retrain(seen)
            for name in (*REPLICAS, "postgres", "mlflow", "prometheus", "alertmanager", "nginx"):
                self.kill(name, seen)
            time.sleep(3)
        self.check_observations(seen)
        self.check_ledger(seen)
        self.check_monitoring()
        self.stop_all()
        return self.rows

    def note(self, what: str, came: str, *, kept: bool = True) -> None:
        """Add a row."""
        self.rows.append((what, came, kept))
        print(f"  {what}: {came}")

    def check_passwords(self) -> None:
        """Without a key or a password nothing is answered."""
        mlflow = f"{self.running.places.address('mlflow')}/api/2.0/mlflow/registered-models/search"
        service = self.running.places.address("nginx")
        codes = [httpx.get(mlflow).status_code, httpx.get(f"{service}/models").status_code]
        codes.append(httpx.get(f"{service}/metrics").status_code)
        self.note("MLflow, /models and /metrics without a password", str(codes), kept=codes == [401] * 3)

    def train(self) -> None:
        """Train in the container `training`; both replicas then serve the first version."""
        settings = [word for key, value in FIT.items() for word in ("--set", f"fit.{key}={_toml(value)}")]
        began = time.monotonic()
        self.running.run("training", [*TRAIN, *settings])
        took = time.monotonic() - began
        eventually(lambda: [self.version_of(one) for one in REPLICAS] == ["1", "1"], "both replicas serve version 1")
        self.note("trained a network, served by both replicas", f"{took:.0f} s of training")

    def version_of(self, replica: str) -> str | None:
        """Return the version that a replica forecasts with."""
        response = self.client.post(f"{self.running.places.address(replica)}/forecast", json=FORECAST)
        return str(response.json()["model"]["version"]) if response.is_success else None

    def observe(self) -> None:
        """Post the shipped temperatures."""
        headers = {"Content-Type": "text/csv"}
        response = self.client.post("/observations?frequency=M", content=DATA.read_bytes(), headers=headers)
        self.note("posted observations", f"{response.json().get('accepted')} rows", kept=response.is_success)

    def retrain(self, seen: Traffic) -> None:
        """Request a retraining from the service's observations, and kill the worker in the midst of it."""
        began = time.monotonic()
        headers = {"Idempotency-Key": "check"}
        body = {"name": "temperatures", "config": RETRAIN}
        self.client.post("/jobs", json=body, headers=headers).raise_for_status()
        eventually(lambda: len(self.job()["steps"]) > 0, "the first step of the job ends", 180)
        step = [one["name"] for one in self.job()["steps"]]
        self.kill("worker", seen)
        eventually(lambda: self.job()["state"] not in ("QUEUED", "RUNNING"), "the job ends", 600)
        job = self.job()
        result = f"{job['state']}, {job['outcome']}, version {job['version']}, {time.monotonic() - began:.0f} s"
        repeated = len({one["name"] for one in job["steps"]}) < len(job["steps"])
        kept = job["state"] == "SUCCEEDED" and not repeated
        self.note(f"a retraining whose worker was killed after {', '.join(step)}", result, kept=kept)

    def job(self) -> dict[str, Any]:
        """Return the retraining job."""
        return dict(self.client.get("/jobs/check").raise_for_status().json())

    def kill(self, name: str, seen: Traffic) -> None:
        """Kill one container and restart it, as `restart: unless-stopped` does; count the forecasts that failed meanwhile."""
        before, began = seen.counts(), time.monotonic()
        seen.killed.append((name, time.time()))
        self.running.kill(name)
        time.sleep(1)
        self.running.start(name)
        self.running.wait(name)
        took = time.monotonic() - began
        time.sleep(1)
        after = seen.counts()
        answered, failed = after["forecasts"] - before["forecasts"], after["failed"] - before["failed"]
        result = f"healthy again after {took:.1f} s; forecasts: {answered} answered, {failed} failed"
        refused = after["refused"] - before["refused"]
        result += f"; {refused} attempts to post waited" if refused else ""
        result += f"; last failure: {seen.failed[-1]}" if failed and name != "nginx" else ""
        self.note(f"killed {name}", result, kept=not failed or name == "nginx")

    def check_observations(self, seen: Traffic) -> None:
        """Every observation that was acknowledged is in the export."""
        missing = lost(self.client, TRAFFIC_SERIES, seen)
        self.note("acknowledged observations", f"{len(seen.observed)} posted, {len(missing)} lost", kept=not missing)

    def check_ledger(self, seen: Traffic) -> None:
        """Every forecast that was answered is in the log, except those of the last moment of a killed replica."""
        url = self.running.containers["service-1"].environment["ALMANAC_DATABASE_URL"]
        port = self.running.places.ports["postgres"]
        url = url.replace("@postgres:5432", f"@{LOOPBACK}:{port}")
        with psycopg.connect(url) as connection:
            query = f"SELECT forecast_id FROM {SCHEMA}.forecasts"  # noqa: S608 (our own name)
            stored = {str(row[0]) for row in connection.execute(query)}
        missing = [moment for identity, moment in seen.forecast.items() if identity not in stored]
        kills = [moment for name, moment in seen.killed if name in REPLICAS]
        early = [one for one in missing if not any(0 <= kill - one <= LEDGER_SECONDS for kill in kills)]
        result = f"{len(seen.forecast)} answered, {len(missing)} not stored, {len(early)} of them not in the last "
        self.note("answered forecasts in the log", f"{result}{LEDGER_SECONDS} s of a killed replica", kept=not early)

    def check_monitoring(self) -> None:
        """Prometheus scrapes both replicas, and knows its Alertmanager."""
        prometheus = f"{self.running.places.address('prometheus')}/api/v1"

        def up() -> list[str]:
            answer = httpx.get(f"{prometheus}/query", params={"query": 'up{job="almanac"}'}).json()
            return [row["value"][1] for row in answer["data"]["result"]]

        eventually(lambda: up() == ["1", "1"], "Prometheus scrapes both replicas")
        active = httpx.get(f"{prometheus}/alertmanagers").json()["data"]["activeAlertmanagers"]
        status = httpx.get(f"{self.running.places.address('alertmanager')}/api/v2/alerts").status_code
        kept = len(active) == 1 and status == httpx.codes.OK
        self.note("Prometheus", f"scrapes 2 replicas, {len(active)} Alertmanager", kept=kept)

    def stop_all(self) -> None:
        """Stop every container by its signal, within its grace period."""
        for name in reversed(list(self.running.processes)):
            if name == "migrate":
                continue
            sent = self.running.containers[name].stop_signal
            code, took = self.running.stop(name)
            result = f"exit code {code} after {took:.1f} s" if code is not None else f"killed after {took:.0f} s"
            by_signal = 128 + signal.Signals[sent]
            self.note(f"stopped {name} by {sent}", result, kept=code in (0, by_signal))


TRAFFIC_SERIES = "check"
FORECAST = {
    "series": [{"id": "one", "start": "1935-01", "frequency": "M", "values": [float(i % 12) for i in range(60)]}],
    "horizon": 12,
}


def eventually(condition: Callable[[], bool], what: str, seconds: float = 90) -> None:
    """Return once a condition holds; raises TimeoutError after some seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"Not within {seconds:.0f} s: {what}.")
        time.sleep(0.5)


def _toml(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
