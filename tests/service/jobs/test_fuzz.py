"""Fuzz: any request to /jobs and /schedules gets one of the responses in the docs."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from service.app import create_app
from service.jobs.configs import JobConfig
from service.serving.artifact_cache import ArtifactCache
from service.serving.registry_index import RegistryIndex
from service.settings import Settings
from tests.service.forecasting.test_fuzz import ANYTHING, DATES
from tests.service.home import CHECKED, eventually

NAMES = st.sampled_from(["sales", "a", "starter", "..", "", "a/b"]) | st.text(max_size=8) | ANYTHING
CONFIGS = st.fixed_dictionaries(
    {"horizon": st.integers(1, 40) | ANYTHING},
    optional={name: ANYTHING for name in JobConfig.model_fields if name != "horizon"},
)
JOBS = st.fixed_dictionaries(
    {"name": NAMES}, optional={"config": CONFIGS | ANYTHING, "if_needed": st.booleans() | ANYTHING}
)
SCHEDULES = st.fixed_dictionaries(
    {
        "name": NAMES,
        "cron": st.sampled_from(["0 3 1 * *", "@daily", "*/5 * * * * *", "0 0 31 2 *", "R * * * *"])
        | st.text(alphabet="0123456789*/,-LW#? jan@mon", max_size=20)
        | ANYTHING,
        "config": CONFIGS | ANYTHING,
    },
    optional={"timezone": st.sampled_from(["UTC", "Europe/Berlin", "../x"]) | ANYTHING, "if_needed": ANYTHING},
)
BACKFILLS = st.fixed_dictionaries({"start": DATES | ANYTHING, "end": DATES | ANYTHING})

EXAMPLES = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """Return a client of one service for all examples; a bug raises instead of becoming a 500."""
    home = tmp_path_factory.mktemp("fuzz")
    ArtifactCache(home / "cache").write(RegistryIndex(checked=CHECKED))
    with TestClient(create_app(Settings(home=home), supervise=False)) as client:
        monthly = {"name": "monthly", "cron": "0 3 1 * *", "config": {"horizon": 12}}
        client.post("/schedules", json=monthly).raise_for_status()
        eventually(lambda: client.post("/jobs?dry_run=true", json={"name": "monthly"}).is_success, "no index was read")
        yield client


def check(client: TestClient, path: str, body: bytes, **headers: str) -> None:
    """Post a body, and check that the response is one of those in the docs."""
    response = client.post(path, content=body, headers={"content-type": "application/json", **headers})
    answer: dict[str, Any] = response.json()
    assert response.status_code in {200, 201, 202, 400, 409, 413, 422}, (response.text, body)
    if response.status_code >= 400:
        assert answer["code"]
        assert answer["detail"]


@EXAMPLES
@given(request=JOBS, dry=st.booleans())
def test_any_job_is_queued_or_an_error(client: TestClient, request: Any, dry: bool) -> None:  # noqa: ANN401, FBT001
    """Never a 500, also as a dry run."""
    check(client, f"/jobs?dry_run={str(dry).lower()}", json.dumps(request).encode())


@EXAMPLES
@given(request=SCHEDULES)
def test_any_schedule_is_created_or_an_error(client: TestClient, request: Any) -> None:  # noqa: ANN401
    """And can be listed."""
    check(client, "/schedules", json.dumps(request).encode())

    assert client.get("/schedules").status_code == 200


@EXAMPLES
@given(request=BACKFILLS)
def test_any_backfill_is_queued_or_an_error(client: TestClient, request: Any) -> None:  # noqa: ANN401
    """Of any two moments, or of none."""
    check(client, "/schedules/monthly/backfill", json.dumps(request).encode())


@EXAMPLES
@given(value=ANYTHING, path=st.sampled_from(["/jobs", "/schedules", "/schedules/monthly/backfill"]))
def test_any_json_is_an_error_with_a_code(client: TestClient, value: Any, path: str) -> None:  # noqa: ANN401
    """Of any shape."""
    check(client, path, json.dumps(value).encode())


@EXAMPLES
@given(body=st.binary(max_size=200), path=st.sampled_from(["/jobs", "/schedules", "/schedules/monthly/backfill"]))
def test_any_bytes_are_an_error_with_a_code(client: TestClient, body: bytes, path: str) -> None:
    """Also those that are not text."""
    check(client, path, body)
