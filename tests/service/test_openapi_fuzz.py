"""Fuzz of every route: a response that the OpenAPI document describes, or a typed error; never a failure."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from starlette.testclient import TestClient

from tests.service.home import Artifacts, ServiceHome, serving
from tests.service.openapi_cases import Operation, fuzz, operations, prepare


@pytest.fixture(scope="module")
def served(
    tmp_path_factory: pytest.TempPathFactory, artifacts: Artifacts, migrated: Path, empty_queue: Path
) -> Iterator[TestClient]:
    """Return a client of one service for all cases; a bug raises instead of becoming a 500."""
    home = ServiceHome(tmp_path_factory.mktemp("openapi"), artifacts)
    home.publish("temperatures", "1")
    with serving(home, migrated, empty_queue) as client:
        prepare(client)
        yield client


@pytest.mark.parametrize("part", range(4))
def test_every_response_is_one_that_the_document_describes(served: TestClient, part: int) -> None:
    """Of every operation, the paths for people and those of the dialects; `make prove` has ten thousand cases."""
    found = operations(served.get("/openapi.json").json())

    statuses = [fuzz(served, one, 20 if one.bodies else 6) for one in found[part::4]]

    assert all(statuses)


def test_a_response_that_the_document_does_not_describe_is_a_fault() -> None:
    """Another status, another type, another shape, or a number that is not finite."""
    document: dict[str, Any] = {"components": {}}
    described = {
        "responses": {"200": {"content": {"application/json": {"schema": {"type": "object", "required": ["a"]}}}}}
    }
    operation = Operation("get", "/", described, document)

    operation.check(200, "application/json", b'{"a": 1}')
    for status, media, content in [
        (500, "application/problem+json", b"{}"),
        (418, "application/problem+json", b'{"code": "A", "detail": "b", "status": 418}'),
        (200, "text/plain", b"a"),
        (200, "application/json", b"{}"),
        (200, "application/json", b'{"a": NaN}'),
        (200, "application/json", b'{"a": 1e999}'),
    ]:
        with pytest.raises((AssertionError, jsonschema.ValidationError)):
            operation.check(status, media, content)
