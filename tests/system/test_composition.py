"""docker-compose.yml without Docker: its containers as local processes, a browser, and a killed replica."""

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from deploy.check import started
from deploy.composition.running import Composition as Containers
from deploy.traffic import lost, traffic
from tests.system.browser import Visit, chromium
from tests.system.programs import ask, eventually
from tests.system.registration import register, registry_at
from training.registry.client import Registry

pytestmark = [pytest.mark.system, pytest.mark.timeout(900)]


@dataclass(frozen=True, slots=True)
class Composition:
    """The running containers, the registry in them, and an API key."""

    folder: Path
    registry: Registry
    containers: Containers
    key: str

    @property
    def api(self) -> str:
        """Return nginx's address."""
        return self.containers.places.address("nginx")


@pytest.fixture(scope="module")
def composition(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Composition]:
    """Start the containers of docker-compose.yml but the worker, and register a champion."""
    folder = tmp_path_factory.mktemp("composition")
    with ExitStack() as stack:
        containers = stack.enter_context(started(folder, without=("worker",)))
        registry = stack.enter_context(registry_at(containers.places.address("mlflow"), folder))
        client = containers.containers["training"].environment
        os.environ.update({key: value for key, value in client.items() if key.startswith("MLFLOW_TRACKING_")})
        os.environ["MLFLOW_TRACKING_URI"] = containers.places.address("mlflow")
        registry.models.promote("temperatures", register(registry, folder))
        key = containers.run("service-1", ["key", "add", "--scope", "forecast,record,read", "--name", "me"])
        api = containers.places.address("nginx")
        eventually(lambda: ask(api, key).json().get("model", {}).get("name") == "temperatures")
        yield Composition(folder, registry, containers, key)


def query(composition: Composition, expression: str) -> list[float]:
    """Return the values of an expression in Prometheus."""
    address = composition.containers.places.address("prometheus")
    answer = httpx.get(f"{address}/api/v1/query", params={"query": expression})
    return [float(row["value"][1]) for row in answer.json()["data"]["result"]]


def test_a_champion_in_postgresql_is_served_through_nginx(composition: Composition) -> None:
    """It is registered, fetched and forecast over HTTP."""
    answer = ask(composition.api, composition.key)

    assert answer.status_code == 200, answer.text
    assert answer.json()["model"]["version"] == "1"
    assert answer.json()["forecasts"][0]["median"] == pytest.approx([float(i % 12) for i in range(12)], abs=1e-6)


def test_requests_through_nginx_need_a_key(composition: Composition) -> None:
    """401 without a key, with a wrong one, and for metrics; MLflow needs its password."""
    registered = f"{composition.containers.places.address('mlflow')}/api/2.0/mlflow/registered-models/search"
    assert httpx.get(registered).status_code == 401
    assert ask(composition.api).status_code == 401
    assert ask(composition.api, "alm_wrong").status_code == 401
    assert httpx.get(f"{composition.api}/metrics").status_code == 401


def test_nginx_passes_a_large_body(composition: Composition) -> None:
    """Here of two megabytes."""
    series = [{"id": str(i), "frequency": "M", "values": [0.123456789] * 60} for i in range(3000)]

    answer = ask(composition.api, composition.key, series=series)

    assert answer.status_code == 200
    assert len(answer.json()["forecasts"]) == 3000


@pytest.mark.parametrize(
    ("method", "path", "size", "header", "status"),
    [
        ("POST", "/forecast", 17_000_000, 0, 413),
        ("POST", f"/{'a' * 40_000}", 0, 0, 414),
        ("GET", "/models", 0, 40_000, 431),
        ("TRACE", "/models", 0, 0, 405),
    ],
)
def test_nginx_refuses_with_problem_documents(  # noqa: PLR0913, PLR0917 (a request and its answer)
    composition: Composition, method: str, path: str, size: int, header: int, status: int
) -> None:
    """As the service does."""
    answer = httpx.request(
        method, f"{composition.api}{path}", content=b" " * size, headers={"x": "a" * header} if header else {}
    )

    assert (answer.status_code, answer.json()["status"]) == (status, status)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-almanac-code"] == answer.json()["code"]


def test_prometheus_scrapes_both_replicas(composition: Composition) -> None:
    """With the key of .env; requests are counted, and alerts have an Alertmanager."""
    expression = 'sum(almanac_requests_total{route="/forecast",status="200"})'
    alertmanagers = f"{composition.containers.places.address('prometheus')}/api/v1/alertmanagers"
    eventually(lambda: query(composition, 'up{job="almanac"}') == [1.0, 1.0])
    ask(composition.api, composition.key)
    eventually(lambda: bool(query(composition, expression)))
    before = query(composition, expression)[0]

    for _ in range(5):
        assert ask(composition.api, composition.key).status_code == 200

    eventually(lambda: query(composition, expression)[0] >= before + 5)
    eventually(lambda: len(httpx.get(alertmanagers).json()["data"]["activeAlertmanagers"]) == 1)


def test_every_metric_of_a_rule_exists(composition: Composition) -> None:
    """And the recorded ones, too."""
    names = ["almanac_requests_total", "almanac_request_seconds_bucket", "almanac_registry_up", "almanac_model_info"]
    ask(composition.api, composition.key)

    for name in names:
        eventually(lambda name=name: bool(query(composition, name)))  # type: ignore[misc]
    eventually(lambda: bool(query(composition, "almanac:forecast_seconds:p99")))


def test_docs_and_mlflow_open_in_a_browser(composition: Composition) -> None:
    """Through nginx, and with MLflow's password; neither asks another host."""
    mlflow = composition.containers.places.address("mlflow")
    login = composition.containers.containers["training"].environment
    credentials = {"username": login["MLFLOW_TRACKING_USERNAME"], "password": login["MLFLOW_TRACKING_PASSWORD"]}
    named = {"experiment_name": "temperatures"}
    found = httpx.get(
        f"{mlflow}/api/2.0/mlflow/experiments/get-by-name",
        params=named,
        auth=httpx.BasicAuth(**credentials),
        timeout=30,
    )
    runs = f"{mlflow}/#/experiments/{found.json()['experiment']['experiment_id']}/runs"

    with chromium() as browser:
        docs = Visit(browser, f"{composition.api}/docs", ready="text=/forecast")
        table = Visit(browser, runs, ready="text=shift 0.0", http_credentials=credentials)

    assert {urlsplit(url).netloc for url in docs.asked} == {composition.api.removeprefix("http://")}
    assert urlsplit(mlflow).netloc in {urlsplit(url).netloc for url in table.asked}


def test_a_promotion_fails_no_request(composition: Composition) -> None:
    """Every response is 200, and the version changes."""
    version = register(composition.registry, composition.folder, shift=1.0)
    statuses: list[int] = []

    def is_answered_by_the_new_version() -> bool:
        answers = [ask(composition.api, composition.key) for _ in range(4)]
        statuses.extend(answer.status_code for answer in answers)
        return {answer.json()["model"]["version"] for answer in answers} == {version}

    assert not is_answered_by_the_new_version()
    composition.registry.models.promote("temperatures", version)
    eventually(is_answered_by_the_new_version)

    assert set(statuses) == {200}


def test_a_killed_replica_fails_no_forecast_and_loses_no_observation(composition: Composition) -> None:
    """One after the other is killed and restarted while clients forecast and post."""
    containers, headers = composition.containers, {"Authorization": f"Bearer {composition.key}"}
    with httpx.Client(base_url=composition.api, headers=headers) as client, traffic(client, "traffic") as seen:
        for replica in ("service-1", "service-2"):
            containers.kill(replica)
            time.sleep(0.5)
            containers.start(replica)
            containers.wait(replica)
    with httpx.Client(base_url=composition.api, headers=headers) as client:
        missing = lost(client, "traffic", seen)

    assert seen.failed == []
    assert len(seen.forecast) > 20
    assert missing == []
    assert seen.observed


def test_containers_end_by_their_signal(composition: Composition) -> None:
    """Each with exit code 0, within its grace period; the test is the last one of this file."""
    running = [name for name in composition.containers.processes if name != "migrate"]

    codes = {name: composition.containers.stop(name)[0] for name in reversed(running)}

    assert codes == dict.fromkeys(running, 0)
