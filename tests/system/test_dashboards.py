"""Every expression of the dashboards and rules has a value in a real Prometheus that scrapes a service."""

import json
import re
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import httpx
import numpy as np
import pytest
import yaml
from starlette.testclient import TestClient

from models.profile import Profile, features
from service.jobs.counts import count_jobs
from service.serving.registry_index import ModelVersion, RegisteredModel
from tests.service.conftest import (  # noqa: F401 - fixtures
    _environment,
    _starters,
    artifacts,
    empty_queue,
    home,
    migrated,
    small_starters,
    start,
)
from tests.service.home import ServiceHome
from tests.service.live_accuracy import fill, scored
from tests.system.programs import prometheus

if TYPE_CHECKING:
    from training.processes import ChildProcess

pytestmark = pytest.mark.system

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
BACKTEST = {"model": {"mase_by_step": [0.5] * 12}, "seasonal_naive": {"mase_by_step": [1.0] * 12}}


def expressions() -> Iterator[str]:
    """Yield the expressions, those of alerts with 0 or 1 in place of what does not fire."""
    for dashboard in (DEPLOY / "grafana" / "dashboards").iterdir():
        for panel in json.loads(dashboard.read_text(encoding="utf-8"))["panels"]:
            yield from (target["expr"].replace("$model", ".*") for target in panel["targets"])
    for rule in yaml.safe_load((DEPLOY / "prometheus" / "rules.yml").read_text(encoding="utf-8"))["groups"][0]["rules"]:
        yield re.sub(r" (==|!=|>=|<=|>|<) (?!bool)", r" \1 bool ", rule["expr"])


def test_every_expression_has_a_value(
    home: ServiceHome,  # noqa: F811 - a fixture
    start: Callable[..., TestClient],  # noqa: F811
    empty_queue: Path,  # noqa: F811
    tmp_path: Path,
) -> None:
    """Once the service has forecast, failed, scored, and run a job that failed."""
    random = np.random.default_rng(0)
    home.publish("temperatures", "1")
    profile = Profile.fit(features(random.normal(10.0, 2.0, (256, 60)), 12)).to_dict()
    home.change_spec("temperatures", "1", profile=profile, backtest=BACKTEST)
    home.set_models({"loading": RegisteredModel({"1": ModelVersion("run")}, {})})
    (home.path / "jobs.db").write_bytes(empty_queue.read_bytes())
    client = start()
    use(client, random, home.path / "jobs.db")

    with (
        served(client) as address,
        prometheus(cast("ChildProcess", SimpleNamespace(address=address)), "", tmp_path) as ours,
        httpx.Client(base_url=ours.address) as asked,
    ):
        for _ in range(4):
            client.post("/forecast", json={"series": [{"values": [1.0] * 24}], "horizon": 1, "model": "loading/1"})
            time.sleep(1.0)
        empty = set(expressions())
        for _ in range(30):
            empty = {one for one in empty if not value(asked, one)}
            if not empty:
                break
            time.sleep(1.0)

        assert empty == set()


def use(client: TestClient, random: np.random.Generator, queue: Path) -> None:
    """Let a service forecast, score and fail."""
    dates = {"start": "2018-01", "frequency": "M"}
    rows = random.normal(10.0, 2.0, (200, 60)).tolist()
    series = [{"id": f"d{place}", **dates, "values": values} for place, values in enumerate(rows)]
    months = [f"{2018 + at // 12}-{at % 12 + 1:02d}" for at in range(60)]
    stored = [
        {"id": one["id"], "timestamp": month, "value": value}
        for one in series
        for month, value in zip(months, cast("list[float]", one["values"]), strict=True)
    ]
    client.post("/observations", json={"observations": stored, "frequency": "M"}).raise_for_status()
    client.post("/forecast", json={"series": series, "horizon": 1, "model": "temperatures"}).raise_for_status()
    fill(client)
    scored(client)
    config = {"horizon": 12, "data": "/data/sales.csv"}
    client.post(
        "/jobs", json={"name": "temperatures", "config": config}, headers={"idempotency-key": "a"}
    ).raise_for_status()
    with closing(sqlite3.connect(queue)) as database, database:
        database.execute("UPDATE workflow_status SET status = 'ERROR', completed_at = ?", (1_000 * int(time.time()),))
    assert client.portal is not None
    state: Any = client.app.state  # type: ignore[attr-defined]
    counts = client.portal.call(state.service.jobs.run, count_jobs, time.time())
    assert counts.failed == {"temperatures": True}


@contextmanager
def served(client: TestClient) -> Iterator[str]:
    """Serve the responses of a service's /metrics on loopback, and yield the address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = client.get("/metrics", headers={"accept": self.headers.get("accept", "*/*")})
            self.send_response(found.status_code)
            self.send_header("content-type", found.headers["content-type"])
            self.end_headers()
            self.wfile.write(found.content)

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def value(asked: httpx.Client, expression: str) -> list[Any]:
    """Return the samples of an expression now."""
    response = asked.get("/api/v1/query", params={"query": expression}).raise_for_status()
    found: list[Any] = response.json()["data"]["result"]
    return found
