"""A family of models behind a service of two processes, from the registry to the response."""

from pathlib import Path
from typing import Any

import httpx

from models.names import FAMILY, SEGMENT
from tests.system.programs import almanac_service, eventually
from tests.system.registration import register, registry_at
from training.processes import ChildProcess

REQUESTS = 40
"""Each with a connection of its own: both processes answer some."""


def ask(service: ChildProcess) -> dict[str, Any]:
    """Return the response to a series of each segment and one of none."""
    series = [
        {"id": name, "values": [float(one % 12) for one in range(60)]} for name in ("North/1", "South/1", "West/1")
    ]
    body = {"model": "shops", "horizon": 3, "series": series}
    found: dict[str, Any] = httpx.post(f"{service.address}/forecast", json=body, timeout=60).json()
    return found


def versions(service: ChildProcess) -> set[tuple[str, ...]]:
    """Return what answers many requests."""
    answers = [ask(service) for _ in range(REQUESTS)]
    forecasts = [one["forecasts"] for one in answers if "forecasts" in one]  # not before the registry is read
    assert {one["errors"][0]["code"] for one in answers if "errors" in one} <= {"MODEL_LOADING", "SEGMENT_UNKNOWN"}
    found = {tuple(f"{each['model']['name']}/{each['model']['version']}" for each in one) for one in forecasts}
    return found if len(forecasts) == REQUESTS else set()


def test_each_process_follows_the_champions_of_a_family(tmp_path: Path) -> None:
    """A new champion of one segment answers in both processes; a series without a segment fails alone."""
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    with registry_at(uri, tmp_path) as registry:
        for segment in ("North", "South"):
            name = f"shops-{segment}"
            registry.models.promote(name, register(registry, tmp_path, name=name))
            registry.models.tag_model(name, {FAMILY: "shops", SEGMENT: segment})
        with almanac_service(tmp_path, uri, environment={"ALMANAC_WORKERS": "2"}) as service:
            eventually(lambda: versions(service) == {("shops-North/1", "shops-South/1")}, 60)

            registry.models.promote("shops-South", register(registry, tmp_path, shift=1.0, name="shops-South"))

            eventually(lambda: versions(service) == {("shops-North/1", "shops-South/2")}, 60)
