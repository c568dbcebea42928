"""The composition without Docker: PostgreSQL, MLflow, the service, Prometheus, nginx and a browser, all real."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
import matplotlib.image
import numpy as np
import pytest

from tests.system.programs import (
    add_key,
    almanac_service,
    ask,
    browse,
    eventually,
    mlflow_server,
    nginx,
    postgres,
    prometheus,
)
from tests.system.registration import register, registry_at
from training.processes import ChildProcess
from training.registry.client import Registry

pytestmark = pytest.mark.system


@dataclass(frozen=True, slots=True)
class Composition:
    """The running programs, and an API key."""

    folder: Path
    registry: Registry
    mlflow: ChildProcess
    service: ChildProcess
    proxy: ChildProcess
    prometheus: ChildProcess
    key: str


@pytest.fixture(scope="module")
def composition(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Composition]:
    """Start the programs of docker-compose.yml, and register a champion."""
    folder = tmp_path_factory.mktemp("composition")
    home = folder / "home"
    home.mkdir()
    with ExitStack() as stack:
        database = stack.enter_context(postgres())
        tracking = stack.enter_context(mlflow_server(database.url, folder))
        registry = stack.enter_context(registry_at(tracking.address, folder))
        registry.models.promote("temperatures", register(registry, folder))
        key, metrics_key = add_key(home, "me", "forecast"), add_key(home, "prometheus", "observe")
        environment = {"ALMANAC_DATABASE_URL": database.url}
        service = stack.enter_context(almanac_service(home, tracking.address, environment=environment))
        proxy = stack.enter_context(nginx(service, folder))
        watcher = stack.enter_context(prometheus(service, metrics_key, folder))
        yield Composition(folder, registry, tracking, service, proxy, watcher, key)


def query(composition: Composition, expression: str) -> list[float]:
    """Return the values of an expression in Prometheus."""
    answer = httpx.get(f"{composition.prometheus.address}/api/v1/query", params={"query": expression})
    return [float(row["value"][1]) for row in answer.json()["data"]["result"]]


def assert_not_blank(screenshot: Path) -> None:
    """Check that a page has many colours."""
    pixels = matplotlib.image.imread(screenshot)[..., :3]

    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 20
    assert pixels.std() > 0.01


def test_a_champion_in_postgresql_is_served_through_nginx(composition: Composition) -> None:
    """It is registered, fetched and forecast over HTTP."""
    answer = ask(composition.proxy.address, composition.key)

    assert answer.status_code == 200, answer.text
    assert answer.json()["model"]["version"] == "1"
    assert answer.json()["forecasts"][0]["median"] == pytest.approx([float(i % 12) for i in range(12)], abs=1e-6)


def test_requests_through_nginx_need_a_key(composition: Composition) -> None:
    """401 without a key, with a wrong one, and for metrics."""
    assert ask(composition.proxy.address).status_code == 401
    assert ask(composition.proxy.address, "alm_wrong").status_code == 401
    assert httpx.get(f"{composition.proxy.address}/metrics").status_code == 401


def test_nginx_passes_a_large_body(composition: Composition) -> None:
    """Here of two megabytes."""
    series = [{"id": str(i), "frequency": "M", "values": [0.123456789] * 60} for i in range(3000)]

    answer = ask(composition.proxy.address, composition.key, series=series)

    assert answer.status_code == 200
    assert len(answer.json()["forecasts"]) == 3000


@pytest.mark.parametrize(("path", "size", "status"), [("/forecast", 17_000_000, 413), (f"/{'a' * 40_000}", 0, 414)])
def test_nginx_refuses_with_problem_documents(composition: Composition, path: str, size: int, status: int) -> None:
    """As the service does."""
    answer = httpx.post(f"{composition.proxy.address}{path}", content=b" " * size)

    assert (answer.status_code, answer.json()["status"]) == (status, status)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-almanac-code"] == answer.json()["code"]


def test_prometheus_scrapes_the_service(composition: Composition) -> None:
    """With the configuration in deploy/ and a key; requests are counted."""
    expression = 'almanac_requests_total{route="/forecast",status="200"}'
    eventually(lambda: query(composition, 'up{job="almanac"}') == [1.0])
    ask(composition.service.address, composition.key)
    eventually(lambda: bool(query(composition, expression)))
    before = query(composition, expression)[0]

    for _ in range(5):
        assert ask(composition.service.address, composition.key).status_code == 200

    eventually(lambda: query(composition, expression)[0] >= before + 5)


def test_every_metric_of_a_rule_exists(composition: Composition) -> None:
    """And the recorded ones, too."""
    names = ["almanac_requests_total", "almanac_request_seconds_bucket", "almanac_registry_up", "almanac_model_info"]
    ask(composition.service.address, composition.key)

    for name in names:
        eventually(lambda name=name: bool(query(composition, name)))  # type: ignore[misc]
    eventually(lambda: bool(query(composition, "almanac:forecast_seconds:p99")))


def test_the_docs_open_in_a_browser(composition: Composition) -> None:
    """With its title and the forecast route, and without any other host."""
    screenshot = composition.folder / "docs.png"

    html = browse(f"{composition.proxy.address}/docs", composition.folder, screenshot=screenshot)

    assert "<title>Almanac" in html
    assert "/forecast" in html
    assert_not_blank(screenshot)


def test_mlflow_shows_the_run_in_a_browser(composition: Composition) -> None:
    """In the table of runs."""
    screenshot = composition.folder / "mlflow.png"
    experiment = httpx.get(
        f"{composition.mlflow.address}/api/2.0/mlflow/experiments/get-by-name",
        params={"experiment_name": "temperatures"},
    ).json()["experiment"]["experiment_id"]

    url = f"{composition.mlflow.address}/#/experiments/{experiment}/runs"
    html = browse(url, composition.folder, screenshot=screenshot)

    assert "shift 0.0" in html
    assert_not_blank(screenshot)


def test_a_promotion_fails_no_request(composition: Composition) -> None:
    """Every response is 200, and the version changes."""
    version = register(composition.registry, composition.folder, shift=1.0)
    statuses: list[int] = []

    def is_answered_by_the_new_version() -> bool:
        answer = ask(composition.proxy.address, composition.key)
        statuses.append(answer.status_code)
        return bool(answer.json()["model"]["version"] == version)

    assert not is_answered_by_the_new_version()
    composition.registry.models.promote("temperatures", version)
    eventually(is_answered_by_the_new_version)

    assert set(statuses) == {200}
