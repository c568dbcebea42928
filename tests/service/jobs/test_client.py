"""The jobs client: databases that are missing, lost, replaced or unreachable."""

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any
from urllib.parse import unquote

import pytest
from starlette.testclient import TestClient

from service.jobs.counts import count_jobs
from service.jobs.jobs import STATES
from service.monitoring.job_metrics import JobMetrics
from tests.service.home import ServiceHome

CONFIG = {"horizon": 12, "data": "/data/sales.csv"}


def post(client: TestClient, name: str = "sales", key: str | None = None) -> Any:  # noqa: ANN401 (JSON)
    """Request a retraining and return the response."""
    headers = {} if key is None else {"idempotency-key": key}
    return client.post("/jobs", json={"name": name, "config": CONFIG}, headers=headers).raise_for_status().json()


def test_reading_creates_no_database(start: Callable[..., TestClient], home: ServiceHome) -> None:
    """Without a database there are no jobs and no schedules."""
    client = start(wait=False)

    assert client.get("/jobs").json() == {"jobs": [], "next": None}
    assert client.get("/schedules").json() == {"schedules": []}
    assert client.get("/jobs/a").status_code == 404
    assert client.post("/jobs/a/cancel").status_code == 404
    assert client.delete("/schedules/a").status_code == 404
    assert not (home.path / "jobs.db").exists()


def test_a_home_that_has_vanished_is_not_created_anew(start: Callable[..., TestClient], home: ServiceHome) -> None:
    """By a job, or a look at the cache; the job is accepted when the home is back."""
    client, away = start(wait=False, poll_seconds=0.2), home.path.with_name("away")
    client.get("/jobs").raise_for_status()
    home.path.rename(away)

    refused = client.post("/jobs", json={"name": "sales", "config": CONFIG})
    was_created = home.path.exists()
    away.rename(home.path)

    assert (refused.status_code, refused.json()["code"]) == (503, "JOBS_UNREACHABLE")
    assert "does not exist any more" in refused.json()["detail"]
    assert not was_created
    assert post(client)["state"]


def test_an_unreachable_database_is_503(start: Callable[..., TestClient]) -> None:
    """Without its password in the error; other routes still work."""
    client = start(wait=False, jobs_url="postgresql://me:secret@127.0.0.1:1/jobs")

    answers = [
        client.get("/jobs"),
        client.get("/schedules"),
        client.post("/jobs", json={"name": "a", "config": CONFIG}),
    ]

    for answer in answers:
        assert (answer.status_code, answer.json()["code"]) == (503, "JOBS_UNREACHABLE")
        assert answer.headers["retry-after"] == "5"
        assert "secret" not in answer.text
    assert client.get("/health/live").status_code == 200


def test_a_file_that_is_not_a_database_is_503(home: ServiceHome, start: Callable[..., TestClient]) -> None:
    """As is a folder that cannot be created."""
    home.path.mkdir(parents=True, exist_ok=True)
    (home.path / "jobs.db").write_bytes(b"no database at all, but text of some length" * 100)
    urls = [f"sqlite:///{home.path}/jobs.db", f"sqlite:///{home.path}/jobs.db/deeper/jobs.db"]

    answers = [start(wait=False, jobs_url=url).post("/jobs", json={"name": "a", "config": CONFIG}) for url in urls]

    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [(503, "JOBS_UNREACHABLE")] * 2


@pytest.mark.parametrize("change", ["removed", "emptied", "overwritten"])
def test_no_job_is_accepted_after_the_file_is_lost(queue_client: TestClient, home: ServiceHome, change: str) -> None:
    """Nor are the old jobs listed."""
    post(queue_client)
    file = home.path / "jobs.db"
    if change == "removed":
        file.unlink()
    else:
        file.write_bytes(b"no database" if change == "overwritten" else b"")

    answers = [
        queue_client.post("/jobs", json={"name": "a", "config": CONFIG}),
        queue_client.get("/jobs"),
        queue_client.get("/jobs/a"),
    ]

    assert [(one.status_code, one.json()["code"]) for one in answers] == [(503, "JOBS_UNREACHABLE")] * 3


def test_a_replaced_file_is_used(queue_client: TestClient, home: ServiceHome) -> None:
    """Its tables are created, and it contains the new jobs only."""
    post(queue_client, "old")
    (home.path / "jobs.db").rename(home.path / "before.db")
    (home.path / "jobs.db").touch()

    post(queue_client, "new")

    assert [job["name"] for job in queue_client.get("/jobs").json()["jobs"]] == ["new"]
    with closing(sqlite3.connect(home.path / "jobs.db")) as database:
        assert database.execute("SELECT count(*) FROM workflow_status").fetchone() == (1,)


@pytest.mark.system
def test_the_queue_can_be_in_postgresql(postgresql: str, start: Callable[..., TestClient]) -> None:
    """In the same database as the service's own tables."""
    client = start(wait=False, jobs_url=postgresql, database_url=postgresql)
    made = {"name": "wind", "cron": "0 3 1 * *", "timezone": "Europe/Berlin", "config": CONFIG}
    client.post("/schedules", json=made).raise_for_status()

    triggered = client.post("/schedules/wind/trigger").headers["location"]
    filled = client.post("/schedules/wind/backfill", json={"start": "2026-01-01", "end": "2026-03-02"}).json()["jobs"]
    first, again = post(client, "wind", key="a-1"), post(client, "wind", key="a-1")
    page = client.get("/jobs?name=wind&limit=2").json()
    rest = client.get("/jobs", params={"name": "wind", "after": page["next"]}).json()

    assert first == again
    assert client.post("/jobs/a-1/cancel").json()["state"] == "CANCELLED"
    assert client.get(triggered).json()["schedule"] == "wind"
    ids = [job["id"] for job in page["jobs"] + rest["jobs"]]
    assert set(ids) == {"a-1", unquote(triggered.removeprefix("/jobs/")), *filled}
    assert len(ids) == len(set(ids)) == 5
    assert client.delete("/schedules/wind").status_code == 204


def test_a_repeated_key_logs_no_warning_of_dbos(
    queue_client: TestClient, home: ServiceHome, caplog: pytest.LogCaptureFixture
) -> None:
    """Even if the job was moved to another queue."""
    post(queue_client, key="a-1")
    with closing(sqlite3.connect(home.path / "jobs.db")) as database, database:
        database.execute("UPDATE workflow_status SET queue_name = 'elsewhere'")

    again = post(queue_client, key="a-1")

    assert again["id"] == "a-1"
    assert "already exists in queue" not in caplog.text


def test_waiting_jobs_and_busy_workers_are_metrics(queue_client: TestClient) -> None:
    """Nothing before the queue has been read; then how many wait, since when, and who runs any."""
    post(queue_client, key="a-1")
    jobs = queue_client.app.state.service.jobs  # type: ignore[attr-defined]
    assert queue_client.portal is not None

    counts = queue_client.portal.call(jobs.run, count_jobs, time.time())

    assert (counts.queued, counts.running, counts.workers) == (1, 0, 0)
    assert 0 <= time.time() - counts.oldest_queued < 600
    assert [len(family.samples) for family in JobMetrics(lambda: counts).collect()] == [2, 1, 1, 0]
    assert [len(family.samples) for family in JobMetrics(lambda: None).collect()] == [0, 0, 0, 0]


def test_the_last_job_of_a_model_decides_whether_it_has_failed(queue_client: TestClient, home: ServiceHome) -> None:
    """A later success ends a failure, a cancelled job does not, and after a week it is forgotten."""
    now = 1_790_000_000
    jobs = {"old": ("a", 8, "ERROR"), "fails": ("b", 3, "ERROR"), "cancelled": ("b", 2, "CANCELLED")}
    jobs |= {"failed": ("c", 2, "ERROR"), "mended": ("c", 1, "SUCCESS"), "gives-up": ("d", 1, STATES["FAILED"][1])}
    for key, (model, _, _) in jobs.items():
        post(queue_client, model, key=key)
    with closing(sqlite3.connect(home.path / "jobs.db")) as database, database:
        for key, (_, days, status) in jobs.items():
            values = (status, 1_000 * (now - 86_400 * days), key)
            database.execute("UPDATE workflow_status SET status = ?, completed_at = ? WHERE workflow_uuid = ?", values)
    client = queue_client.app.state.service.jobs  # type: ignore[attr-defined]
    assert queue_client.portal is not None

    counts = queue_client.portal.call(client.run, count_jobs, float(now))

    assert counts.failed == {"b": True, "c": False, "d": True}
    *_, failed = JobMetrics(lambda: counts).collect()
    assert {one.labels["model"]: one.value for one in failed.samples} == counts.failed
