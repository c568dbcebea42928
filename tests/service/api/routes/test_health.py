"""Health: alive as soon as it runs, ready as soon as it can answer."""

from collections.abc import Callable

import pytest
from starlette.testclient import TestClient

from tests.service.home import ServiceHome


def test_a_service_is_live_before_it_is_ready(home: ServiceHome, start: Callable[..., TestClient]) -> None:
    """What ALMANAC_MODEL names is not registered: live, not ready, and a time to ask again."""
    home.set_empty()
    client = start(wait=False, model="temperatures")

    live, ready = client.get("/health/live"), client.get("/health/ready")

    assert (live.status_code, live.json()) == (200, {"status": "live"})
    assert ready.status_code == 503
    assert ready.headers["retry-after"]


def test_a_ready_service_names_its_champions(client: TestClient) -> None:
    """With the run that made each."""
    assert client.get("/health/ready").json() == {
        "status": "ready",
        "models": [{"name": "temperatures", "version": "1", "alias": "champion", "run_id": "run-1"}],
        "database": "ok",
    }


@pytest.mark.parametrize("path", ["/health/live", "/health/ready"])
def test_health_can_be_asked_for_its_head(client: TestClient, path: str) -> None:
    """As some load balancers do."""
    assert client.head(path).status_code == 200


def test_a_default_that_is_missing_keeps_the_service_from_ready(
    home: ServiceHome, start: Callable[..., TestClient]
) -> None:
    """503, whatever the error would be elsewhere."""
    home.publish("rain", "1")

    response = start(wait=False, model="temperatures").get("/health/ready")

    assert response.status_code == 503
