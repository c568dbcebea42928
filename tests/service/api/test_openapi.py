"""The OpenAPI document and the page of /docs: complete, correct, and without other hosts."""

import re
import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from service.api import openapi
from service.api.content_types import FORMATS
from service.api.examples.forecast import FORECAST_REQUESTS
from service.api.frame_input import COLUMNS, PARAMETERS
from tests.service.home import ServiceHome
from tests.service.openapi_cases import PROBLEM, operations, validate


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
    assert statuses == {"200", "400", "401", "403", "404", "406", "408", "413", "415", "421", "422", "429", "503"}


def test_clients_that_ask_at_once_get_one_document(monkeypatch: pytest.MonkeyPatch) -> None:
    """The models of FastAPI cannot be built by two threads: some clients had a 500."""
    made: list[int] = []

    def slowly(**_: object) -> dict[str, Any]:
        made.append(1)
        time.sleep(0.2)
        return {"paths": {}}

    monkeypatch.setattr(openapi, "get_openapi", slowly)
    app = FastAPI()
    with ThreadPoolExecutor(8) as clients:
        documents = list(clients.map(openapi.describe, [app] * 8))

    assert len(made) == 1
    assert all(one is documents[0] for one in documents)


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
    """A generated client downloads bytes, and does not parse them as JSON; some know octet-stream alone."""
    content = document["paths"]["/observations/export"]["get"]["responses"]["200"]["content"]

    types = ("application/vnd.apache.parquet", "application/octet-stream")
    assert content == {one: {"schema": {"type": "string", "format": "binary"}} for one in types}


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


def test_every_example_is_valid(document: dict[str, Any]) -> None:
    """Of requests and of responses; a problem has the status that it is listed under."""
    count = 0
    for operation in operations(document):
        described = operation.described
        for status, part in {"": described.get("requestBody", {}), **described.get("responses", {})}.items():
            for media, content in part.get("content", {}).items():
                for example in content.get("examples", {}).values():
                    validate(operation.schema(content["schema"]), example["value"])
                    assert media != PROBLEM or example["value"]["status"] == int(status)
                    count += 1

    assert count > 100


def test_every_example_is_accepted(
    home: ServiceHome, examples_client: TestClient, empty_queue: Path, document: dict[str, Any]
) -> None:
    """With a response of the document, to which the Location header leads, too; only the registry is missing here."""
    shutil.copy(empty_queue, home.path)
    found = sorted(
        (one for one in operations(document) if one.described and one.bodies), key=lambda one: one.path != "/schedules"
    )

    for operation in found:
        for body in operation.bodies:
            path = operation.path.replace("{name}", "temperatures")
            answer = examples_client.request(operation.method, path, json=body)
            operation.check(answer.status_code, answer.headers["content-type"], answer.content)
            assert answer.is_success == (not path.startswith("/models/")), answer.text
            assert answer.json().get("refused", 0) == 0
            if "location" in answer.headers:
                assert examples_client.get(answer.headers["location"]).is_success


def test_what_is_stored_is_described(examples_client: TestClient, document: dict[str, Any]) -> None:
    """A forecast of stored observations, its record, a card, and a body of which nothing can be stored."""
    stamps = [f"2024-{month:02d}" for month in range(1, 13)]
    rows = [{"id": "a", "timestamp": stamp, "value": float(month)} for month, stamp in enumerate(stamps)]
    examples_client.post("/observations", json={"observations": rows, "frequency": "M"}).raise_for_status()
    known = {(one.method, one.path): one for one in operations(document)}

    def check(method: str, path: str, described: str, status: int, **body: Any) -> Any:  # noqa: ANN401 (any JSON)
        answer = examples_client.request(method, path, **body)
        known[method, described].check(answer.status_code, answer.headers["content-type"], answer.content)
        assert answer.status_code == status
        return answer.json()

    forecast = check("get", "/series/a/forecast?horizon=2", "/series/{series_id}/forecast", 200)
    check("get", f"/forecasts/{forecast['forecasts'][0]['forecast_id']}", "/forecasts/{forecast_id}", 200)
    check("get", "/models/temperatures", "/models/{model}", 200)
    wrong = {"observations": [{"id": "a", "timestamp": "soon", "value": 1}]}
    check("post", "/observations", "/observations", 422, json=wrong)


def test_the_recorded_responses_are_those_of_their_requests(document: dict[str, Any]) -> None:
    """They match their requests in series and steps."""
    examples = document["paths"]["/forecast"]["post"]["responses"]["200"]["content"]["application/json"]["examples"]

    for name, example in examples.items():
        request = FORECAST_REQUESTS[name]["value"]
        assert len(example["value"]["forecasts"]) + len(example["value"]["errors"]) == len(request["series"])
        assert all(len(one["median"]) == request["horizon"] for one in example["value"]["forecasts"])


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
