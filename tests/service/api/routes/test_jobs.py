"""Jobs over REST: asked for, listed, told, cancelled, on the real queue."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from starlette.testclient import TestClient

from service.app import create_app
from service.jobs.responses import job_run
from service.settings import Settings
from tests.service.home import ServiceHome, eventually
from tests.service.worker import run_jobs

CONFIG = {"horizon": 12, "data": "/data/sales.csv"}
OUTCOMES = ("better", "worse", "idle", "broken", "endless")


@pytest.fixture
def client(start: Callable[..., TestClient]) -> TestClient:
    """Return a client of a service that has neither models nor jobs."""
    return start(wait=False)


@pytest.fixture(scope="module")
def worked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a home whose jobs a worker has run; one of them it was killed in."""
    home = tmp_path_factory.mktemp("worked")
    with TestClient(serve(home)) as client:
        for name in OUTCOMES:
            client.post("/jobs", json={"name": name, "config": CONFIG}, headers={"idempotency-key": name})
    run_jobs(f"sqlite:///{home}/jobs.db")
    return home


def serve(home: Path, **settings: Any) -> Any:  # noqa: ANN401 (fields of Settings, an ASGI application)
    """Return an application over a home."""
    return create_app(Settings(home=home, **settings), supervise=False)


def test_a_dry_run_says_whether_and_why_and_queues_nothing(client: TestClient, home: ServiceHome) -> None:
    """By the thresholds of the configuration; a name without a champion is reason enough."""
    home.set_empty()
    asked = {"name": "sales", "config": {**CONFIG, "retrain": {"drift": 0.1}}}

    eventually(lambda: dry_run(client).status_code == 200, "the registry's index was not read")
    told = client.post("/jobs?dry_run=true", json=asked)

    assert told.status_code == 200
    assert (told.json()["name"], told.json()["version"], told.json()["retrain"]) == ("sales", None, True)
    assert told.json()["reasons"][0]["code"] == "NO_CHAMPION"
    assert not (home.path / "jobs.db").exists()


def dry_run(client: TestClient) -> Any:  # noqa: ANN401 (a response)
    """Ask whether a model would be retrained, and return the answer."""
    return client.post("/jobs?dry_run=true", json={"name": "sales", "config": CONFIG})


def test_a_dry_run_calls_no_name_unserved_before_the_registry_has_said_so(
    client: TestClient, home: ServiceHome
) -> None:
    """Neither just after the start nor while MLflow is down: what this service does not know is no reason."""
    early = dry_run(client)
    home.set_models({}, state="unreachable", detail="Connection refused.")
    eventually(lambda: "cannot be reached" in dry_run(client).text, "the registry's index was not read")
    down = dry_run(client)

    assert [one.status_code for one in (early, down)] == [503, 503]
    assert early.json()["code"] == down.json()["code"] == "MODEL_LOADING"
    assert "has not answered yet" in early.json()["detail"]
    assert "Connection refused." in down.json()["detail"]
    documented = client.get("/openapi.json").json()["paths"]["/jobs"]["post"]["responses"]["503"]
    assert "MODEL_LOADING" in str(documented)


def test_a_dry_run_holds_the_champion_against_its_schedules_thresholds(
    home: ServiceHome, start: Callable[..., TestClient]
) -> None:
    """Without a configuration those of the model's schedule count, and without a schedule the usual ones."""
    home.publish("temperatures", "1")
    client = start()

    def threshold() -> float:
        told = client.post("/jobs?dry_run=true", json={"name": "temperatures"}).json()
        assert (told["version"], told["retrain"]) == ("1", False)
        return float(next(one["threshold"] for one in told["reasons"] if one["code"] == "INPUT_DRIFT"))

    usual = threshold()
    config = {**CONFIG, "retrain": {"drift": 0.4}}
    client.post("/schedules", json={"name": "temperatures", "cron": "@monthly", "config": config}).raise_for_status()

    assert (usual, threshold()) == (0.25, 0.4)


def post(client: TestClient, name: str = "sales", key: str | None = None, **members: Any) -> Any:  # noqa: ANN401 (JSON)
    """Ask for a retraining and return the answer."""
    headers = {} if key is None else {"idempotency-key": key}
    response = client.post("/jobs", json={"name": name, "config": CONFIG, **members}, headers=headers)
    assert response.status_code == 202, response.text
    return response.json()


def test_looking_makes_no_database(client: TestClient, home: ServiceHome) -> None:
    """Where no job was ever asked for there are none, and no file is made to say so."""
    assert client.get("/jobs").json() == {"jobs": [], "next": None}
    assert client.get("/schedules").json() == {"schedules": []}
    assert client.get("/jobs/a").status_code == 404
    assert client.post("/jobs/a/cancel").status_code == 404
    assert client.delete("/schedules/a").status_code == 404
    assert not (home.path / "jobs.db").exists()


def test_a_job_that_is_asked_for_waits_for_a_worker(client: TestClient) -> None:
    """It is found where the answer says, with what it was asked to do."""
    response = client.post("/jobs", json={"name": "sales", "config": CONFIG, "if_needed": True})

    job = client.get(response.headers["location"]).json()
    assert response.status_code == 202
    assert response.json() == job
    assert (job["state"], job["reason"], job["schedule"], job["worker"]) == ("QUEUED", "manual", None, None)
    assert job["request"] == {
        "name": "sales",
        "config": {**CONFIG, "name": "sales"},
        "if_needed": True,
        "reason": "manual",
    }


def test_the_same_request_with_the_same_key_is_the_same_job(client: TestClient) -> None:
    """A client that repeats itself after a lost answer trains once."""
    first, second = (post(client, key="a-1") for _ in range(2))

    assert first == second
    assert first["id"] == "a-1"
    assert len(client.get("/jobs").json()["jobs"]) == 1


def test_a_job_that_moved_to_another_queue_is_no_news(
    client: TestClient, home: ServiceHome, caplog: pytest.LogCaptureFixture
) -> None:
    """The queue's library warns of it in its own words; the one who asked is answered."""
    post(client, key="a-1")
    with closing(sqlite3.connect(home.path / "jobs.db")) as database, database:
        database.execute("UPDATE workflow_status SET queue_name = 'elsewhere'")

    again = post(client, key="a-1")

    assert again["id"] == "a-1"
    assert "already exists in queue" not in caplog.text


def test_a_key_stands_for_one_request(client: TestClient) -> None:
    """Another one under it is refused, not answered with the first one's job."""
    post(client, key="a-1")

    refused = client.post("/jobs", json={"name": "rain", "config": CONFIG}, headers={"idempotency-key": "a-1"})

    assert (refused.status_code, refused.json()["code"]) == (422, "IDEMPOTENCY_KEY_REUSED")


@pytest.mark.parametrize("key", ["", "a b", "sched-sales-2026-11-01T03:00:00+00:00", "a" * 65, "a/b", "..", ".", "~"])
def test_a_key_that_could_be_no_id_is_refused(client: TestClient, key: str) -> None:
    """Neither may it take the id of a schedule's tick, which would then never run."""
    refused = client.post("/jobs", json={"name": "rain", "config": CONFIG}, headers={"idempotency-key": key})

    assert (refused.status_code, refused.json()["pointer"]) == (422, "/idempotency-key")


def test_a_name_alone_takes_the_configuration_of_its_schedule(client: TestClient) -> None:
    """Of several schedules that of the model's own name; where none has it, the request must say."""
    other = {**CONFIG, "horizon": 7, "name": "sales"}
    client.post("/schedules", json={"name": "nightly", "cron": "0 2 * * *", "config": other}).raise_for_status()

    nightly = client.post("/jobs", json={"name": "sales"}).json()
    client.post("/schedules", json={"name": "weekly", "cron": "0 2 * * 0", "config": other}).raise_for_status()
    torn = client.post("/jobs", json={"name": "sales"})
    client.post("/schedules", json={"name": "sales", "cron": "0 3 1 * *", "config": CONFIG}).raise_for_status()
    own = client.post("/jobs", json={"name": "sales"}).json()

    assert nightly["request"]["config"]["horizon"] == 7
    assert (torn.status_code, torn.json()["code"]) == (422, "CONFIG_REQUIRED")
    assert "nightly, weekly" in torn.json()["detail"]
    assert own["request"]["config"]["horizon"] == 12


def test_jobs_are_listed_page_by_page(client: TestClient) -> None:
    """Newest first, each once, also those of one moment."""
    made = [post(client, key=f"job-{place}")["id"] for place in range(7)]
    seen, after = [], ""

    while after is not None:
        page = client.get("/jobs", params={"limit": 3, "after": after}).json()
        seen += [job["id"] for job in page["jobs"]]
        after = page["next"]

    assert sorted(seen) == sorted(made)


def test_jobs_are_found_by_what_they_are(client: TestClient) -> None:
    """By model, state and schedule; a filter goes through all pages."""
    for place in range(4):
        post(client, name=("sales", "rain")[place % 2], key=f"job-{place}")
    client.post("/jobs/job-3/cancel").raise_for_status()
    client.post("/schedules", json={"name": "wind", "cron": "0 3 1 * *", "config": CONFIG}).raise_for_status()
    client.post("/schedules/wind/trigger").raise_for_status()

    def found(**asked: str | int) -> set[str]:
        page = client.get("/jobs", params=asked).json()
        return {job["name"] if "schedule" in asked else job["id"] for job in page["jobs"]}

    assert found(name="sales") == {"job-0", "job-2"}
    assert found(name="rain", state="CANCELLED") == {"job-3"}
    assert found(schedule="wind") == {"wind"}
    assert found(name="nobody") == set()


def test_a_waiting_job_can_be_cancelled(client: TestClient) -> None:
    """Twice does no harm."""
    post(client, key="a-1")

    states = [client.post("/jobs/a-1/cancel").json()["state"] for _ in range(2)]

    assert states == ["CANCELLED", "CANCELLED"]


def test_a_job_tells_what_it_came_to(worked: Path) -> None:
    """State, outcome, reason, steps with their times, decision, version and run."""
    with TestClient(serve(worked)) as client:
        jobs = {name: client.get(f"/jobs/{name}").json() for name in OUTCOMES}

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


def test_a_running_job_tells_how_far_it_is(worked: Path) -> None:
    """What its step said last, and the run that it writes to."""
    with TestClient(serve(worked)) as client:
        job = client.get("/jobs/endless").json()

    assert job["progress"] == {"step": "fit warm_start", "attempt": 1, "epoch": 2}
    assert job["run"] == {"run_id": "r1", "run_url": "http://mlflow/#/experiments/1/runs/r1"}
    assert (job["ended_at"], job["decision"]) == (None, None)


@pytest.mark.parametrize(
    ("tracking_uri", "link"),
    [
        ("http://me:secret@mlflow:5000/", "http://mlflow:5000/#/runs/r2"),
        ("https://mlflow/tracking", "https://mlflow/tracking/#/runs/r2"),
        ("sqlite:////data/mlflow.db", None),
    ],
)
def test_a_run_is_linked_where_a_server_shows_it(tracking_uri: str, link: str | None) -> None:
    """Where the worker gave no link; runs in a file have no address."""
    assert job_run({"run_id": "r2"}, tracking_uri) == {"run_id": "r2", "run_url": link}


def test_a_failed_job_tells_why_and_gives_no_password_away(worked: Path) -> None:
    """The step that failed, its code, and addresses without the names and passwords in them."""
    with TestClient(serve(worked)) as client:
        answer = client.get("/jobs/broken")
        listed = client.get("/jobs?state=FAILED")

    job = answer.json()
    assert job["error"] == {"code": "ValueError", "detail": "postgresql://db/mlflow does not answer"}
    assert [(step["name"], step["state"]) for step in job["steps"]] == [
        ("read", "SUCCEEDED"),
        ("fit warm_start", "FAILED"),
    ]
    assert "secret" not in answer.text + listed.text


def test_a_job_that_has_ended_cannot_be_cancelled(worked: Path) -> None:
    """It says so, and stays what it is."""
    with TestClient(serve(worked)) as client:
        refused = client.post("/jobs/better/cancel")

        assert (refused.status_code, refused.json()["code"]) == (409, "JOB_ENDED")
        assert client.get("/jobs/better").json()["state"] == "SUCCEEDED"


@pytest.mark.parametrize("job_id", ["nobody", "a" * 300, "%00", "%F0%9F%8E%89", "a%0Ab"])
def test_a_job_that_is_not_there_is_a_404(worked: Path, job_id: str) -> None:
    """Whatever stands in its place."""
    with TestClient(serve(worked)) as client:
        answer = client.get(f"/jobs/{job_id}")

    assert (answer.status_code, answer.json()["code"]) == (404, "JOB_UNKNOWN")


@pytest.mark.parametrize("query", ["after=second", "after=1-", "state=DONE", "limit=0", "sort=name"])
def test_a_question_that_makes_no_sense_is_refused(client: TestClient, query: str) -> None:
    """A page that nobody gave, a state that there is not, a parameter that nobody reads."""
    post(client)

    assert client.get(f"/jobs?{query}").status_code == 422


def test_a_database_that_is_down_is_a_503(start: Callable[..., TestClient]) -> None:
    """It names itself and gives no password away; what else the service does goes on."""
    down = start(wait=False, jobs_url="postgresql://me:secret@127.0.0.1:1/jobs")

    answers = [down.get("/jobs"), down.get("/schedules"), down.post("/jobs", json={"name": "a", "config": CONFIG})]

    for answer in answers:
        assert (answer.status_code, answer.json()["code"]) == (503, "JOBS_UNREACHABLE")
        assert answer.headers["retry-after"] == "5"
        assert "secret" not in answer.text
    assert down.get("/health/live").status_code == 200


def test_a_file_that_cannot_be_one_is_a_503(home: ServiceHome, start: Callable[..., TestClient]) -> None:
    """Of another kind, or in a folder that nobody can make."""
    home.path.mkdir(parents=True, exist_ok=True)
    (home.path / "jobs.db").write_bytes(b"no database at all, but text of some length" * 100)
    urls = [f"sqlite:///{home.path}/jobs.db", f"sqlite:///{home.path}/jobs.db/deeper/jobs.db"]

    answers = [start(wait=False, jobs_url=url).post("/jobs", json={"name": "a", "config": CONFIG}) for url in urls]

    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [(503, "JOBS_UNREACHABLE")] * 2


def test_a_database_that_comes_back_is_used_again(client: TestClient, home: ServiceHome) -> None:
    """The tables are made anew where the file went away."""
    post(client)
    (home.path / "jobs.db").unlink()
    (home.path / "jobs.db").touch()

    answers = [client.get("/jobs").status_code for _ in range(2)]

    assert answers[-1] == 200


@pytest.mark.parametrize("harm", ["removed", "emptied", "overwritten"])
def test_a_job_is_not_taken_into_a_file_that_is_gone(client: TestClient, home: ServiceHome, harm: str) -> None:
    """A 202 for it would be a promise that nobody keeps, and a list of what was there once would be no list."""
    post(client)
    file = home.path / "jobs.db"
    if harm == "removed":
        file.unlink()
    else:
        file.write_bytes(b"no database" if harm == "overwritten" else b"")

    answers = [client.post("/jobs", json={"name": "a", "config": CONFIG}), client.get("/jobs"), client.get("/jobs/a")]

    assert [(one.status_code, one.json()["code"]) for one in answers] == [(503, "JOBS_UNREACHABLE")] * 3
    assert "Put it back" in answers[0].json()["hint"]


def test_a_job_goes_into_the_file_that_took_the_old_ones_place(client: TestClient, home: ServiceHome) -> None:
    """Its own jobs are listed, none of the old file's."""
    post(client, "old")
    (home.path / "jobs.db").rename(home.path / "before.db")
    (home.path / "jobs.db").touch()

    post(client, "new")

    assert [job["name"] for job in client.get("/jobs").json()["jobs"]] == ["new"]
    with closing(sqlite3.connect(home.path / "jobs.db")) as database:
        assert database.execute("SELECT count(*) FROM workflow_status").fetchone() == (1,)


@pytest.mark.system
def test_the_queue_lies_in_postgresql_too(postgresql: str, start: Callable[..., TestClient]) -> None:
    """Schedules, jobs, pages and cancelling, beside the service's own tables."""
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
