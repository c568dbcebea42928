"""GET /health/live and /health/ready."""

from collections.abc import Callable

import pytest
from starlette.testclient import TestClient

from tests.service.home import ServiceHome


def test_a_service_without_its_default_model_is_live_but_not_ready(
    home: ServiceHome, start: Callable[..., TestClient]
) -> None:
    """503 with Retry-After, even if another model has a champion."""
    home.publish("rain", "1")
    client = start(wait=False, model="temperatures")

    live, ready = client.get("/health/live"), client.get("/health/ready")

    assert (live.status_code, live.json()) == (200, {"status": "live"})
    assert ready.status_code == 503
    assert ready.headers["retry-after"]


def test_a_ready_service_lists_its_champions(shared_client: TestClient) -> None:
    """With the run of each."""
    assert shared_client.get("/health/ready").json() == {
        "status": "ready",
        "models": [{"name": "temperatures", "version": "1", "alias": "champion", "run_id": "run-1"}],
        "database": "ok",
        "registry": "ok",
        "files": "ok",
        "memory": "ok",
        "clock": "ok",
    }


@pytest.mark.parametrize("path", ["/health/live", "/health/ready"])
def test_health_supports_head(shared_client: TestClient, path: str) -> None:
    """As some load balancers send it."""
    assert shared_client.head(path).status_code == 200
