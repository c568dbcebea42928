"""Schedules over REST: made, shown, moved and deleted, on the real queue."""

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from starlette.testclient import TestClient

from models.jobs.names import WATCH_SCHEDULE
from service.jobs.client import Client

CONFIG = {"horizon": 12, "data": "/data/sales.csv"}
SCHEDULE = {"name": "monthly", "cron": "0 3 1 * *", "timezone": "Europe/Berlin", "config": {**CONFIG, "name": "sales"}}


@pytest.fixture
def client(start: Callable[..., TestClient]) -> TestClient:
    """Return a client of a service with one schedule."""
    client = start(wait=False)
    client.post("/schedules", json=SCHEDULE).raise_for_status()
    return client


def test_a_schedule_is_shown_as_it_was_made(client: TestClient) -> None:
    """With the moment that it fires at next, by the clocks of its time zone."""
    shown = client.get("/schedules/monthly").json()

    following = shown.pop("next_at")
    assert shown == {
        "name": "monthly",
        "cron": "0 3 1 * *",
        "timezone": "Europe/Berlin",
        "paused": False,
        "builtin": False,
        "model": "sales",
        "if_needed": False,
        "last_fired_at": None,
        "config": {**CONFIG, "name": "sales"},
    }
    assert following[8:19] == "01T03:00:00"
    assert following[19:] in {"+01:00", "+02:00"}
    assert client.get("/schedules").json() == {"schedules": [{**shown, "next_at": following}]}


def test_a_schedule_names_its_model_where_the_configuration_does_not(client: TestClient) -> None:
    """The clock is UTC unless another is named, and the data the service's own."""
    made = client.post(
        "/schedules", json={"name": "rain", "cron": "@daily", "config": {"horizon": 3}, "if_needed": True}
    )

    assert (made.status_code, made.headers["location"]) == (201, "/schedules/rain")
    shown = made.json()
    assert (shown["model"], shown["timezone"], shown["if_needed"]) == ("rain", "UTC", True)
    assert shown["config"] == {"horizon": 3, "data": "service", "name": "rain"}


@pytest.mark.parametrize("name", ["täglich", "日次"])
def test_a_name_may_have_any_letters(client: TestClient, name: str) -> None:
    """What the answer points to is an address, and so is a job's."""
    made = client.post("/schedules", json={"name": name, "cron": "@daily", "config": CONFIG})
    job = client.post("/jobs", json={"name": name})
    triggered = client.post(f"/schedules/{name}/trigger")

    assert [one.status_code for one in (made, job, triggered)] == [201, 202, 202]
    assert client.get(made.headers["location"]).json()["name"] == name
    assert client.get(job.headers["location"]).json()["id"] == job.json()["id"]
    assert client.get(triggered.headers["location"]).json()["schedule"] == name


def test_a_name_is_taken_once(client: TestClient) -> None:
    """The schedule that has it stays as it is."""
    refused = client.post("/schedules", json={**SCHEDULE, "cron": "0 4 * * *"})

    assert (refused.status_code, refused.json()["code"]) == (409, "SCHEDULE_DUPLICATED")
    assert client.get("/schedules/monthly").json()["cron"] == "0 3 1 * *"


def test_a_paused_schedule_fires_no_more_until_it_is_resumed(client: TestClient) -> None:
    """It says so, and has no next moment."""
    paused = client.post("/schedules/monthly/pause").json()
    resumed = client.post("/schedules/monthly/resume").json()

    assert (paused["paused"], paused["next_at"]) == (True, None)
    assert not resumed["paused"]
    assert resumed["next_at"]


def test_a_triggered_schedule_makes_a_job_now(client: TestClient) -> None:
    """With the schedule's configuration and name, also while it is paused."""
    client.post("/schedules/monthly/pause").raise_for_status()

    answer = client.post("/schedules/monthly/trigger")

    job = client.get(answer.headers["location"]).json()
    assert answer.status_code == 202
    assert (job["schedule"], job["name"], job["state"]) == ("monthly", "sales", "QUEUED")
    assert job["request"]["config"] == SCHEDULE["config"]


def test_a_backfill_makes_one_job_for_each_tick(client: TestClient) -> None:
    """Moments without an offset go by the schedule's clocks; asked twice, each tick still has one job."""
    asked = {"start": "2026-01-01", "end": "2026-04-01T03:00:00"}

    first, second = (client.post("/schedules/monthly/backfill", json=asked).json()["jobs"] for _ in range(2))

    assert first == [f"sched-monthly-2026-0{month}-01T03:00:00+01:00" for month in (1, 2, 3)]
    assert second == first
    assert len(client.get("/jobs").json()["jobs"]) == 3


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"start": "2026-04-01", "end": "2026-01-01"}, "is 2026-04-01"),
        ({"start": "2026-01-01", "end": "2200-01-01"}, "2200"),
        ({"start": "1900-01-01", "end": "2026-01-01"}, "more than 500"),
        ({"start": "soon", "end": "2026-01-01"}, "`start` is 'soon'"),
        ({"start": 3, "end": "2026-01-01"}, "`start` is 3"),
        ({"start": "2026-01-01"}, "`end` is missing"),
        ({"start": "2026-01-01", "end": "2026-02-01", "step": 1}, "no field 'step'"),
        ({"start": "0001-01-01", "end": "0001-02-01"}, ""),
        ({"start": "9999-12-31T23:59:59", "end": "9999-12-31T23:59:59-23:59"}, ""),
    ],
)
def test_a_backfill_that_makes_no_sense_makes_no_job(client: TestClient, asked: dict[str, Any], words: str) -> None:
    """Backwards, of the future, of more ticks than anybody means, or no moments at all."""
    refused = client.post("/schedules/monthly/backfill", json=asked)

    assert refused.status_code == 422
    assert words in refused.json()["detail"]
    assert client.get("/jobs").json()["jobs"] == []


def test_a_deleted_schedule_is_gone_and_its_jobs_stay(client: TestClient) -> None:
    """What it has made goes on, and those that wait can be listed by its name."""
    job = client.post("/schedules/monthly/trigger").headers["location"]

    deleted = client.delete("/schedules/monthly")

    assert (deleted.status_code, deleted.content) == (204, b"")
    assert client.get("/schedules").json() == {"schedules": []}
    assert client.get(job).status_code == 200
    waiting = client.get("/jobs", params={"schedule": "monthly", "state": "QUEUED"}).json()["jobs"]
    assert [f"/jobs/{quote(one['id'])}" for one in waiting] == [job]


@pytest.mark.parametrize("name", ["weekly", "%00", "a%0Ab", "%F0%9F%8E%89"])
def test_a_schedule_that_is_not_there_is_a_404(client: TestClient, name: str) -> None:
    """Whatever is asked of it."""
    asked = [("GET", ""), ("DELETE", ""), ("POST", "/pause"), ("POST", "/resume"), ("POST", "/trigger")]
    body = {"start": "2026-01-01", "end": "2026-02-01"}

    answers = [client.request(method, f"/schedules/{name}{path}") for method, path in asked]
    answers.append(client.post(f"/schedules/{name}/backfill", json=body))

    assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {(404, "SCHEDULE_UNKNOWN")}


def test_the_workers_watch_is_shown_paused_and_never_deleted(client: TestClient) -> None:
    """It rolls fresh champions back; it retrains nothing, so that nothing can be asked of it."""
    client.portal.call(client.app.state.service.jobs.run, _watch)  # type: ignore[attr-defined,union-attr]

    shown = client.get(f"/schedules/{WATCH_SCHEDULE}").json()

    assert (shown["builtin"], shown["model"], shown["config"]) == (True, None, None)
    assert client.post(f"/schedules/{WATCH_SCHEDULE}/pause").json()["paused"]
    for refused in (
        client.delete(f"/schedules/{WATCH_SCHEDULE}"),
        client.post(f"/schedules/{WATCH_SCHEDULE}/trigger"),
        client.post(f"/schedules/{WATCH_SCHEDULE}/backfill", json={"start": "2026-01-01", "end": "2026-02-01"}),
        client.post("/schedules", json={**SCHEDULE, "name": WATCH_SCHEDULE}),
    ):
        assert (refused.status_code, refused.json()["code"]) == (422, "FIELD_INVALID")


def _watch(client: Client) -> None:
    """Make the schedule as the worker makes it."""
    client.create_schedule(
        schedule_name=WATCH_SCHEDULE,
        workflow_name="watch",
        schedule="*/5 * * * *",
        context={},
        cron_timezone="UTC",
        queue_name="watch",
    )
