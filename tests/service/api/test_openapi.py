"""The OpenAPI document and the page of /docs: complete, correct, and without other hosts."""

import re
from collections.abc import Callable
from typing import Any

import jsonschema
import pytest
from starlette.testclient import TestClient

from service.api.content_types import FORMATS
from service.api.examples.champion import PROMOTE_RESPONSES, PROMOTIONS, ROLLBACK_RESPONSES, ROLLBACKS
from service.api.examples.forecast import FORECAST_REQUESTS, FORECAST_RESPONSES
from service.api.examples.jobs import (
    BACKFILL_REQUEST,
    BACKFILL_RESPONSES,
    CANCEL_RESPONSES,
    CREATE_RESPONSES,
    DELETE_RESPONSES,
    JOB_REQUESTS,
    JOB_RESPONSES,
    JOBS_RESPONSES,
    POST_RESPONSES,
    SCHEDULE_REQUESTS,
    SCHEDULE_RESPONSES,
    SCHEDULES_RESPONSES,
    TRIGGER_RESPONSES,
)
from service.api.examples.observations import OBSERVATION_REQUESTS, OBSERVATION_RESPONSES
from service.api.frame_input import COLUMNS, PARAMETERS
from tests.service.home import ServiceHome


def check(document: dict[str, Any], name: str, instance: object) -> None:
    """Validate an instance with a schema of the document."""
    schema = {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
    jsonschema.Draft202012Validator(schema).validate(instance)


@pytest.fixture(scope="module")
def document(shared_client: TestClient) -> dict[str, Any]:
    """Return the OpenAPI document."""
    response = shared_client.get("/openapi.json")
    assert response.status_code == 200
    described: dict[str, Any] = response.json()
    return described


def test_every_route_is_described(document: dict[str, Any]) -> None:
    """With the statuses of its responses."""
    assert set(document["paths"]) == {
        "/forecast",
        "/validate",
        "/forecasts/{forecast_id}",
        "/observations",
        "/observations/export",
        "/observations/count",
        "/series",
        "/series/{series_id}",
        "/series/{series_id}/forecast",
        "/accuracy",
        "/models",
        "/models/{model}",
        "/models/{name}/champion",
        "/models/{name}/rollback",
        "/schedules",
        "/schedules/{name}",
        "/schedules/{name}/pause",
        "/schedules/{name}/resume",
        "/schedules/{name}/trigger",
        "/schedules/{name}/backfill",
        "/jobs",
        "/jobs/{job_id}",
        "/jobs/{job_id}/cancel",
        "/health/live",
        "/health/ready",
        "/metrics",
    }
    statuses = set(document["paths"]["/forecast"]["post"]["responses"])
    assert statuses == {"200", "400", "401", "403", "406", "408", "413", "415", "421", "422", "429", "503"}


def test_operations_have_readable_ids_and_the_responses_of_the_middleware(document: dict[str, Any]) -> None:
    """From which clients are generated: keys, hosts, wrong parameters, each as a problem document."""
    operations = [(path, method, one) for path, methods in document["paths"].items() for method, one in methods.items()]
    ids = [one["operationId"] for _, _, one in operations]

    assert len(set(ids)) == len(ids)
    assert {"forecast", "forecast_series", "export_observations", "list_jobs"} <= set(ids)
    assert [one for one in ids if "__" in one or not one.isidentifier()] == []
    for path, _, one in operations:
        expected = {"400", "403", "421", "422"} | (set() if path.startswith("/health") else {"401"})
        assert expected <= set(one["responses"]), path
        for status, response in one["responses"].items():
            assert status < "400" or list(response["content"]) == ["application/problem+json"], (path, status)
    assert "HTTPValidationError" not in str(document["paths"])


def test_the_export_is_described_as_a_file(document: dict[str, Any]) -> None:
    """A generated client downloads bytes, and does not parse them as JSON."""
    content = document["paths"]["/observations/export"]["get"]["responses"]["200"]["content"]

    assert content == {"application/vnd.apache.parquet": {"schema": {"type": "string", "format": "binary"}}}


def test_every_format_of_a_forecast_is_described(document: dict[str, Any]) -> None:
    """And each query parameter that is read."""
    operation = document["paths"]["/forecast"]["post"]

    assert set(operation["requestBody"]["content"]) == set(operation["responses"]["200"]["content"]) == set(FORMATS)
    assert {one["name"] for one in operation["parameters"]} == {*PARAMETERS, *COLUMNS}


def test_every_referenced_schema_exists(document: dict[str, Any]) -> None:
    """In the components of the document."""
    references = set(re.findall(r"'\$ref': '#/components/schemas/(\w+)'", str(document)))

    assert references <= set(document["components"]["schemas"])
    assert "ForecastRequest" in references


@pytest.mark.parametrize("name", FORECAST_REQUESTS)
def test_each_example_and_its_response_are_valid(
    examples_client: TestClient, document: dict[str, Any], name: str
) -> None:
    """The schemas describe what is parsed and written by hand."""
    request = FORECAST_REQUESTS[name]["value"]

    answer = examples_client.post("/forecast", json=request).json()

    check(document, "ForecastRequest", request)
    check(document, "ForecastResponse", answer)


@pytest.mark.parametrize("name", OBSERVATION_REQUESTS)
def test_each_example_of_observations_is_accepted(
    examples_client: TestClient, document: dict[str, Any], name: str
) -> None:
    """Every row of it."""
    request = OBSERVATION_REQUESTS[name]["value"]

    answer = examples_client.post("/observations", json=request).json()

    check(document, "ObservationsRequest", request)
    check(document, "ObservationsResponse", answer)
    assert (answer["accepted"], answer["refused"]) == (3, 0)


def test_responses_about_stored_data_are_valid(examples_client: TestClient, document: dict[str, Any]) -> None:
    """Series, one series, its forecast, the stored forecast, and a rejected body."""
    stamps = [f"2024-{month:02d}" for month in range(1, 13)]
    rows = [{"id": "a", "timestamp": stamp, "value": float(month)} for month, stamp in enumerate(stamps)]
    examples_client.post("/observations", json={"observations": rows, "frequency": "M"}).raise_for_status()

    forecast = examples_client.get("/series/a/forecast?horizon=2").json()
    check(document, "ForecastResponse", forecast)
    check(
        document, "ForecastRecord", examples_client.get(f"/forecasts/{forecast['forecasts'][0]['forecast_id']}").json()
    )
    check(document, "SeriesListResponse", examples_client.get("/series").json())
    check(document, "SeriesResponse", examples_client.get("/series/a").json())
    refused = examples_client.post(
        "/observations", json={"observations": [{"id": "a", "timestamp": "soon", "value": 1}]}
    )
    check(document, "ObservationsProblem", refused.json())


def test_each_example_of_a_rejected_body_is_valid(document: dict[str, Any]) -> None:
    """And is listed under its own status."""
    for status, response in OBSERVATION_RESPONSES.items():
        for example in response["content"].get("application/problem+json", {}).get("examples", {}).values():
            check(document, "ObservationsProblem", example["value"])
            assert example["value"]["status"] == status


@pytest.mark.parametrize(
    ("responses", "schema"),
    [
        (SCHEDULES_RESPONSES, "SchedulesResponse"),
        (CREATE_RESPONSES, "ScheduleResponse"),
        (SCHEDULE_RESPONSES, "ScheduleResponse"),
        (DELETE_RESPONSES, ""),
        (TRIGGER_RESPONSES, "JobResponse"),
        (BACKFILL_RESPONSES, "BackfillResponse"),
        (JOBS_RESPONSES, "JobsResponse"),
        (JOB_RESPONSES, "JobResponse"),
        (CANCEL_RESPONSES, "JobResponse"),
        (POST_RESPONSES, "JobResponse"),
        (PROMOTE_RESPONSES, "ChampionResponse"),
        (ROLLBACK_RESPONSES, "ChampionResponse"),
    ],
)
def test_each_example_about_jobs_and_champions_is_valid(
    document: dict[str, Any], responses: dict[int, dict[str, Any]], schema: str
) -> None:
    """Responses and problems, each under its own status; a dry run has its own response."""
    for status, response in responses.items():
        for media, shown in response.get("content", {}).items():
            for example in shown["examples"].values():
                is_problem = media == "application/problem+json"
                is_dry = responses is POST_RESPONSES and status == 200
                expected = "AssessmentResponse" if is_dry else schema
                check(document, "Problem" if is_problem else expected, example["value"])
                assert not is_problem or example["value"]["status"] == status


@pytest.mark.parametrize(
    ("schema", "move", "requests"),
    [("ChampionRequest", "champion", PROMOTIONS), ("RollbackRequest", "rollback", ROLLBACKS)],
)
def test_each_example_of_a_champion_is_accepted(
    shared_client: TestClient, document: dict[str, Any], schema: str, move: str, requests: dict[str, Any]
) -> None:
    """Only the registry is missing here."""
    for example in requests.values():
        check(document, schema, example["value"])
        assert shared_client.post(f"/models/rain/{move}", json=example["value"]).status_code == 503


@pytest.mark.parametrize("name", SCHEDULE_REQUESTS)
def test_each_example_of_a_schedule_is_created(client: TestClient, document: dict[str, Any], name: str) -> None:
    """As is the example of a backfill."""
    request = SCHEDULE_REQUESTS[name]["value"]

    made = client.post("/schedules", json=request)
    filled = client.post(f"{made.headers['location']}/backfill", json=BACKFILL_REQUEST)

    check(document, "ScheduleRequest", request)
    check(document, "ScheduleResponse", made.json())
    check(document, "SchedulesResponse", client.get("/schedules").json())
    check(document, "BackfillRequest", BACKFILL_REQUEST)
    check(document, "BackfillResponse", filled.json())


@pytest.mark.parametrize("name", JOB_REQUESTS)
def test_each_example_of_a_job_is_queued(client: TestClient, document: dict[str, Any], name: str) -> None:
    """Also as a dry run."""
    client.post("/schedules", json=SCHEDULE_REQUESTS["monthly"]["value"]).raise_for_status()
    request = JOB_REQUESTS[name]["value"]

    queued, dry = client.post("/jobs", json=request), client.post("/jobs?dry_run=true", json=request)

    check(document, "JobRequest", request)
    check(document, "JobResponse", queued.json())
    check(document, "JobResponse", client.get(queued.headers["location"]).json())
    check(document, "JobsResponse", client.get("/jobs").json())
    check(document, "AssessmentResponse", dry.json())


def test_the_recorded_responses_are_valid(document: dict[str, Any]) -> None:
    """And match their requests in series and steps."""
    examples = document["paths"]["/forecast"]["post"]["responses"]["200"]["content"]["application/json"]["examples"]

    for name, example in examples.items():
        request = FORECAST_REQUESTS[name]["value"]
        check(document, "ForecastResponse", example["value"])
        assert len(example["value"]["forecasts"]) + len(example["value"]["errors"]) == len(request["series"])
        assert all(len(one["median"]) == request["horizon"] for one in example["value"]["forecasts"])


def test_each_example_of_a_failure_is_valid(document: dict[str, Any]) -> None:
    """And is listed under its own status."""
    for status, response in FORECAST_RESPONSES.items():
        if status == 200:
            continue
        for example in response["content"]["application/problem+json"]["examples"].values():
            check(document, "ForecastProblem", example["value"])
            assert example["value"]["status"] == status


@pytest.mark.parametrize(
    "request_body",
    [
        {"series": [{"values": [float("inf")]}, {"values": []}], "horizon": 1},
        {"series": [{"values": [1]}], "horizon": 0},
    ],
)
def test_real_failures_are_valid(
    shared_client: TestClient, document: dict[str, Any], request_body: dict[str, Any]
) -> None:
    """Of series and of requests."""
    body = str(request_body).replace("'", '"').replace("inf", "Infinity")

    check(document, "ForecastProblem", shared_client.post("/forecast", content=body).json())


@pytest.mark.parametrize(
    ("path", "schema"),
    [
        ("/models", "ModelsResponse"),
        ("/models/temperatures", "ModelCard"),
        ("/health/live", "LiveResponse"),
        ("/health/ready", "ReadyResponse"),
    ],
)
def test_the_other_responses_are_valid(
    shared_client: TestClient, document: dict[str, Any], path: str, schema: str
) -> None:
    """Models, card, health."""
    check(document, schema, shared_client.get(path).json())


def test_the_documentation_needs_no_internet(home: ServiceHome, start: Callable[..., TestClient]) -> None:
    """Everything it loads comes from this service, even before there is a model."""
    home.set_empty()
    client = start(wait=False)

    page = client.get("/docs")

    assert re.findall(r"https?://", page.text) == []
    loaded = re.findall(r'(?:src|href)="(static/[^"]+)"', page.text)
    assert sorted(loaded) == ["static/swagger-ui-bundle.js", "static/swagger-ui.css"]
    assert all(len(client.get(f"/{path}").content) > 100_000 for path in loaded)


@pytest.mark.parametrize("name", ["redoc.standalone.js", "..%2Fcore.py", "core.py", "%2e%2e/__init__.py"])
def test_only_files_of_the_page_are_served(shared_client: TestClient, name: str) -> None:
    """No other file of the package."""
    assert shared_client.get(f"/static/{name}").status_code == 404
