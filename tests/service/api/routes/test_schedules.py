"""/schedules: create, show, change and delete schedules in the real queue."""

from typing import Any
from urllib.parse import quote

import pytest
from starlette.testclient import TestClient

from models.jobs.names import WATCH_SCHEDULE
from service.jobs.client import Client

CONFIG = {"horizon": 12, "data": "/data/sales.csv"}
SCHEDULE = {"name": "monthly", "cron": "0 3 1 * *", "timezone": "Europe/Berlin", "config": {**CONFIG, "name": "sales"}}


@pytest.fixture
def client(queue_client: TestClient) -> TestClient:
    """Return a client of a service with one schedule."""
    queue_client.post("/schedules", json=SCHEDULE).raise_for_status()
    return queue_client


def test_a_schedule_is_returned_as_posted(client: TestClient) -> None:
    """With its next run in its own time zone."""
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


def test_a_schedule_retrains_the_model_of_its_name_by_default(client: TestClient) -> None:
    """The time zone is UTC by default, and the data those of the service."""
    made = client.post(
        "/schedules", json={"name": "rain", "cron": "@daily", "config": {"horizon": 3}, "if_needed": True}
    )

    assert (made.status_code, made.headers["location"]) == (201, "/schedules/rain")
    shown = made.json()
    assert (shown["model"], shown["timezone"], shown["if_needed"]) == ("rain", "UTC", True)
    assert shown["config"] == {"horizon": 3, "data": "service", "name": "rain"}


def test_a_name_can_have_letters_of_any_alphabet(client: TestClient) -> None:
    """The Location header of schedules and jobs is a valid URL."""
    for name in ("täglich", "日次"):
        made = client.post("/schedules", json={"name": name, "cron": "@daily", "config": CONFIG})
        job = client.post("/jobs", json={"name": name})
        triggered = client.post(f"/schedules/{name}/trigger")

        assert [one.status_code for one in (made, job, triggered)] == [201, 202, 202]
        assert client.get(made.headers["location"]).json()["name"] == name
        assert client.get(job.headers["location"]).json()["id"] == job.json()["id"]
        assert client.get(triggered.headers["location"]).json()["schedule"] == name


def test_a_name_can_be_used_once(client: TestClient) -> None:
    """The schedule with the name does not change."""
    refused = client.post("/schedules", json={**SCHEDULE, "cron": "0 4 * * *"})

    assert (refused.status_code, refused.json()["code"]) == (409, "SCHEDULE_DUPLICATED")
    assert client.get("/schedules/monthly").json()["cron"] == "0 3 1 * *"


def test_a_paused_schedule_has_no_next_run(client: TestClient) -> None:
    """Until it is resumed."""
    paused = client.post("/schedules/monthly/pause").json()
    resumed = client.post("/schedules/monthly/resume").json()

    assert (paused["paused"], paused["next_at"]) == (True, None)
    assert not resumed["paused"]
    assert resumed["next_at"]


def test_a_trigger_enqueues_a_job(client: TestClient) -> None:
    """With the schedule's configuration, even while it is paused."""
    client.post("/schedules/monthly/pause").raise_for_status()

    answer = client.post("/schedules/monthly/trigger")

    job = client.get(answer.headers["location"]).json()
    assert answer.status_code == 202
    assert (job["schedule"], job["name"], job["state"]) == ("monthly", "sales", "QUEUED")
    assert job["request"]["config"] == SCHEDULE["config"]


def test_a_backfill_enqueues_one_job_for_each_run(client: TestClient) -> None:
    """Moments without an offset are in the schedule's time zone; a second backfill adds no job."""
    period = {"start": "2026-01-01", "end": "2026-04-01T03:00:00"}

    first, second = (client.post("/schedules/monthly/backfill", json=period).json()["jobs"] for _ in range(2))

    assert first == [f"sched-monthly-2026-0{month}-01T03:00:00+01:00" for month in (1, 2, 3)]
    assert second == first
    assert len(client.get("/jobs").json()["jobs"]) == 3


def test_a_wrong_backfill_enqueues_no_job(client: TestClient) -> None:
    """Wrong order, in the future, too long, or not moments at all."""
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"start": "2026-04-01", "end": "2026-01-01"}, "/end"),
        ({"start": "2026-01-01", "end": "2200-01-01"}, "/end"),
        ({"start": "1900-01-01", "end": "2026-01-01"}, "/end"),
        ({"start": "soon", "end": "2026-01-01"}, "/start"),
        ({"start": 3, "end": "2026-01-01"}, "/start"),
        ({"start": "2026-01-01"}, "/end"),
        ({"start": "2026-01-01", "end": "2026-02-01", "step": 1}, "/step"),
        ({"start": "0001-01-01", "end": "0001-02-01"}, "/start"),
        ({"start": "9999-12-31T23:59:59", "end": "9999-12-31T23:59:59-23:59"}, "/start"),
    ]

    for period, pointer in wrong:
        refused = client.post("/schedules/monthly/backfill", json=period)

        assert (refused.status_code, refused.json()["pointer"]) == (422, pointer)
    assert client.get("/jobs").json()["jobs"] == []


def test_deleting_a_schedule_keeps_its_jobs(client: TestClient) -> None:
    """They can still be listed by its name."""
    job = client.post("/schedules/monthly/trigger").headers["location"]

    deleted = client.delete("/schedules/monthly")

    assert (deleted.status_code, deleted.content) == (204, b"")
    assert client.get("/schedules").json() == {"schedules": []}
    assert client.get(job).status_code == 200
    waiting = client.get("/jobs", params={"schedule": "monthly", "state": "QUEUED"}).json()["jobs"]
    assert [f"/jobs/{quote(one['id'])}" for one in waiting] == [job]


def test_an_unknown_schedule_is_404(client: TestClient) -> None:
    """For every method, whatever the name is."""
    paths = [("GET", ""), ("DELETE", ""), ("POST", "/pause"), ("POST", "/resume"), ("POST", "/trigger")]
    body = {"start": "2026-01-01", "end": "2026-02-01"}

    for name in ("weekly", "%00", "a%0Ab", "%F0%9F%8E%89"):
        answers = [client.request(method, f"/schedules/{name}{path}") for method, path in paths]
        answers.append(client.post(f"/schedules/{name}/backfill", json=body))

        assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {(404, "SCHEDULE_UNKNOWN")}


def test_the_built_in_schedule_can_be_paused_but_not_deleted(client: TestClient) -> None:
    """It watches new champions and retrains nothing."""
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
    """Create the schedule as the worker does."""
    client.create_schedule(
        schedule_name=WATCH_SCHEDULE,
        workflow_name="watch",
        schedule="*/5 * * * *",
        context={},
        cron_timezone="UTC",
        queue_name="watch",
    )
