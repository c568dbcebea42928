"""/jobs: enqueue, list, show and cancel jobs in the real queue."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from service.app import create_app
from service.jobs.responses import job_run
from service.serving.registry_index import RegistryIndex
from service.settings import Settings
from tests.service.home import ServiceHome, eventually
from tests.service.worker import run_jobs

CONFIG = {"horizon": 12, "data": "/data/sales.csv"}
OUTCOMES = ("better", "worse", "idle", "broken", "endless")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, empty_queue: Path) -> Iterator[TestClient]:
    """Return a client of a service whose jobs a worker has run; it was killed during one of them."""
    home = tmp_path_factory.mktemp("finished")
    shutil.copy(empty_queue, home)
    with TestClient(create_app(Settings(home=home), supervise=False)) as client:
        for name in OUTCOMES:
            post(client, name, key=name)
        run_jobs(f"sqlite:///{home}/jobs.db")
        yield client


def post(client: TestClient, name: str = "sales", key: str | None = None, **members: Any) -> Any:  # noqa: ANN401 (JSON)
    """Request a retraining and return the response."""
    headers = {} if key is None else {"idempotency-key": key}
    response = client.post("/jobs", json={"name": name, "config": CONFIG, **members}, headers=headers)
    assert response.status_code == 202, response.text
    return response.json()


def dry_run(client: TestClient, **config: Any) -> Any:  # noqa: ANN401 (JSON, a response)
    """Return the response to a dry run."""
    return client.post("/jobs?dry_run=true", json={"name": "sales", "config": {**CONFIG, **config}})


def test_a_dry_run_returns_the_reasons_and_enqueues_nothing(
    start: Callable[..., TestClient], home: ServiceHome
) -> None:
    """A name without a champion is a reason."""
    home.set_empty()
    client = start(wait=False)

    eventually(lambda: dry_run(client).status_code == 200, "the index was not read")
    assessed = dry_run(client, retrain={"drift": 0.1})

    assert assessed.status_code == 200
    assert (assessed.json()["name"], assessed.json()["version"], assessed.json()["retrain"]) == ("sales", None, True)
    assert assessed.json()["reasons"][0]["code"] == "NO_CHAMPION"
    assert not (home.path / "jobs.db").exists()


def test_a_dry_run_needs_a_known_registry(queue_client: TestClient, home: ServiceHome) -> None:
    """503 before the first poll, and while MLflow is unreachable."""
    early = dry_run(queue_client)
    home.set_models({}, state="unreachable", detail="Connection refused.")
    eventually(lambda: "Connection refused." in dry_run(queue_client).text, "the index was not read")
    down = dry_run(queue_client)

    assert [one.status_code for one in (early, down)] == [503, 503]
    assert early.json()["code"] == down.json()["code"] == "MODEL_LOADING"


def test_a_dry_run_uses_the_thresholds_of_the_schedule(home: ServiceHome, start: Callable[..., TestClient]) -> None:
    """If the request has no configuration; without a schedule the default ones."""
    home.publish("temperatures", "1")
    client = start()

    def threshold() -> float:
        assessed = client.post("/jobs?dry_run=true", json={"name": "temperatures"}).json()
        assert (assessed["version"], assessed["retrain"]) == ("1", False)
        return float(next(one["threshold"] for one in assessed["reasons"] if one["code"] == "INPUT_DRIFT"))

    default = threshold()
    config = {**CONFIG, "retrain": {"drift": 0.4}}
    client.post("/schedules", json={"name": "temperatures", "cron": "@monthly", "config": config}).raise_for_status()

    assert (default, threshold()) == (0.25, 0.4)


def test_a_requested_job_is_queued(queue_client: TestClient) -> None:
    """The Location header leads to it."""
    response = queue_client.post("/jobs", json={"name": "sales", "config": CONFIG, "if_needed": True})

    job = queue_client.get(response.headers["location"]).json()
    assert response.status_code == 202
    assert response.json() == job
    assert (job["state"], job["reason"], job["schedule"], job["worker"]) == ("QUEUED", "manual", None, None)
    assert job["request"] == {
        "name": "sales",
        "config": {**CONFIG, "name": "sales"},
        "if_needed": True,
        "reason": "manual",
    }


def test_a_key_is_the_id_of_one_job(queue_client: TestClient) -> None:
    """A repeated request is the same job; another request with the key is an error."""
    first, second = (post(queue_client, key="a-1") for _ in range(2))
    refused = queue_client.post("/jobs", json={"name": "rain", "config": CONFIG}, headers={"idempotency-key": "a-1"})

    assert first == second
    assert first["id"] == "a-1"
    assert len(queue_client.get("/jobs").json()["jobs"]) == 1
    assert (refused.status_code, refused.json()["code"]) == (422, "IDEMPOTENCY_KEY_REUSED")


@pytest.mark.parametrize("key", ["", "a b", "sched-sales-2026-11-01T03:00:00+00:00", "a" * 65, "a/b", "..", ".", "~"])
def test_an_invalid_key_is_an_error(finished: TestClient, key: str) -> None:
    """As is the id of a schedule's run, which would then never start."""
    refused = finished.post("/jobs", json={"name": "rain", "config": CONFIG}, headers={"idempotency-key": key})

    assert (refused.status_code, refused.json()["pointer"]) == (422, "/idempotency-key")


def test_a_request_without_configuration_uses_that_of_the_schedule(queue_client: TestClient) -> None:
    """With several schedules the one of the model's name; without it the request is an error."""
    other = {**CONFIG, "horizon": 7, "name": "sales"}
    queue_client.post("/schedules", json={"name": "nightly", "cron": "0 2 * * *", "config": other}).raise_for_status()

    nightly = queue_client.post("/jobs", json={"name": "sales"}).json()
    queue_client.post("/schedules", json={"name": "weekly", "cron": "0 2 * * 0", "config": other}).raise_for_status()
    ambiguous = queue_client.post("/jobs", json={"name": "sales"})
    queue_client.post("/schedules", json={"name": "sales", "cron": "0 3 1 * *", "config": CONFIG}).raise_for_status()
    own = queue_client.post("/jobs", json={"name": "sales"}).json()

    assert nightly["request"]["config"]["horizon"] == 7
    assert (ambiguous.status_code, ambiguous.json()["code"]) == (422, "CONFIG_REQUIRED")
    assert "nightly, weekly" in ambiguous.json()["detail"]
    assert own["request"]["config"]["horizon"] == 12


def test_the_pages_contain_each_job_once(queue_client: TestClient) -> None:
    """Also jobs of the same moment."""
    made = [post(queue_client, key=f"job-{number}")["id"] for number in range(7)]
    listed, after = [], ""

    while after is not None:
        page = queue_client.get("/jobs", params={"limit": 3, "after": after}).json()
        listed += [job["id"] for job in page["jobs"]]
        after = page["next"]

    assert sorted(listed) == sorted(made)


def test_jobs_are_filtered_by_model_state_and_schedule(queue_client: TestClient) -> None:
    """A queued job that is cancelled stays so, even if it is cancelled twice."""
    for number in range(4):
        post(queue_client, name=("sales", "rain")[number % 2], key=f"job-{number}")
    states = [queue_client.post("/jobs/job-3/cancel").json()["state"] for _ in range(2)]
    queue_client.post("/schedules", json={"name": "wind", "cron": "0 3 1 * *", "config": CONFIG}).raise_for_status()
    queue_client.post("/schedules/wind/trigger").raise_for_status()

    def found(**query: str | int) -> set[str]:
        page = queue_client.get("/jobs", params=query).json()
        return {job["name"] if "schedule" in query else job["id"] for job in page["jobs"]}

    assert states == ["CANCELLED", "CANCELLED"]
    assert found(name="sales") == {"job-0", "job-2"}
    assert found(name="rain", state="CANCELLED") == {"job-3"}
    assert found(schedule="wind") == {"wind"}
    assert found(name="nobody") == set()


@pytest.mark.parametrize(("query", "code"), [("name=nobody", "MODEL_UNKNOWN"), ("schedule=nobody", "SCHEDULE_UNKNOWN")])
def test_a_query_that_names_what_does_not_exist_is_404(queue_client: TestClient, query: str, code: str) -> None:
    """Once the registry has answered, which may have the model."""
    before = queue_client.get("/jobs?name=nobody").status_code
    queue_client.app.state.service.catalog.index = RegistryIndex(checked="now")  # type: ignore[attr-defined]

    answer = queue_client.get(f"/jobs?{query}")

    assert (before, answer.status_code, answer.json()["code"]) == (200, 404, code)


def test_a_finished_job_shows_its_results(finished: TestClient) -> None:
    """State, outcome, reason, steps with their times, decision, version."""
    jobs = {name: finished.get(f"/jobs/{name}").json() for name in OUTCOMES}

    assert {name: (job["state"], job["outcome"]) for name, job in jobs.items()} == {
        "better": ("SUCCEEDED", "PROMOTED"),
        "worse": ("SUCCEEDED", "KEPT"),
        "idle": ("SUCCEEDED", "NOT_NEEDED"),
        "broken": ("FAILED", None),
        "endless": ("RUNNING", None),
    }
    better = jobs["better"]
    assert [step["name"] for step in better["steps"]] == ["read", "fit warm_start"]
    assert all(step["state"] == "SUCCEEDED" and step["seconds"] >= 0 for step in better["steps"])
    assert better["decision"] == {"promote": True, "reason": "said"}
    assert (better["reason"], better["judgement"]) == ("INPUT_DRIFT", {"retrain": True})
    assert (better["version"], better["worker"], better["progress"]) == ("7", "trainer-1", None)
    assert better["created_at"] <= better["started_at"] <= better["ended_at"]


def test_a_running_job_shows_its_progress(finished: TestClient) -> None:
    """And its run in MLflow."""
    job = finished.get("/jobs/endless").json()

    assert job["progress"] == {"step": "fit warm_start", "attempt": 1, "epoch": 2}
    assert job["run"] == {"run_id": "r1", "run_url": "http://mlflow/#/experiments/1/runs/r1"}
    assert (job["ended_at"], job["decision"]) == (None, None)


@pytest.mark.parametrize(
    ("tracking_uri", "url"),
    [
        ("http://me:secret@mlflow:5000/", "http://mlflow:5000/#/runs/r2"),
        ("https://mlflow/tracking", "https://mlflow/tracking/#/runs/r2"),
        ("sqlite:////data/mlflow.db", None),
    ],
)
def test_a_run_has_a_url_on_an_mlflow_server(tracking_uri: str, url: str | None) -> None:
    """A run in a file has none."""
    assert job_run({"run_id": "r2"}, tracking_uri) == {"run_id": "r2", "run_url": url}


def test_a_failed_job_shows_its_error_without_passwords(finished: TestClient) -> None:
    """And the step that failed."""
    response = finished.get("/jobs/broken")
    listed = finished.get("/jobs?state=FAILED")

    job = response.json()
    assert job["error"] == {"code": "ValueError", "detail": "postgresql://db/mlflow does not answer"}
    assert [(step["name"], step["state"]) for step in job["steps"]] == [
        ("read", "SUCCEEDED"),
        ("fit warm_start", "FAILED"),
    ]
    assert "secret" not in response.text + listed.text


def test_a_finished_job_cannot_be_cancelled(finished: TestClient) -> None:
    """It stays as it is."""
    refused = finished.post("/jobs/better/cancel")

    assert (refused.status_code, refused.json()["code"]) == (409, "JOB_ENDED")
    assert finished.get("/jobs/better").json()["state"] == "SUCCEEDED"


@pytest.mark.parametrize("job_id", ["nobody", "a" * 300, "%00", "%F0%9F%8E%89", "a%0Ab"])
def test_an_unknown_job_is_404(finished: TestClient, job_id: str) -> None:
    """Whatever the id is."""
    response = finished.get(f"/jobs/{job_id}")

    assert (response.status_code, response.json()["code"]) == (404, "JOB_UNKNOWN")


@pytest.mark.parametrize("query", ["after=second", "after=1-", "state=DONE", "limit=0", "sort=name"])
def test_a_wrong_query_is_422(finished: TestClient, query: str) -> None:
    """An invalid cursor or state, or an unknown parameter."""
    assert finished.get(f"/jobs?{query}").status_code == 422
