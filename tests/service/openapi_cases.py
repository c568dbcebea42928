"""OpenAPI cases: requests to every operation of an OpenAPI document, right and wrong, and what a response has to be."""

import base64
import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

import httpx
import jsonschema
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from tests.clients.recording import RECORDED
from tests.service.home import eventually
from tests.service.schema_values import ANYTHING, SCALARS, TEXTS, by_schema

JSON = "application/json"
PROBLEM = "application/problem+json"
METHODS = ("get", "post", "put", "patch", "delete")
COMMON = {"413", "415", "422", "429", "431"}
"""Statuses that any request may get, whether or not its operation lists them: the limits of the service."""
UNLISTED = ("/", "/page/session", "/page/{name}", "/docs", "/openapi.json", "/static/{name}")
"""Paths of GET that are not in the document: they are for people."""
KNOWN = ("a", "monthly", "temperatures")
"""What `prepare` creates, and the model of the tests."""
INVOCATION = {
    "dataframe_split": {"columns": ["unique_id", "ds", "y"], "data": [["a", "2020-01-01", 1], ["a", "2020-02-01", 2]]},
    "params": {"horizon": 3, "levels": [80], "paths": 2, "seed": 1, "mean": True, "model": "temperatures"},
}
"""A body of POST /invocations, which no recorded client sends as JSON."""


@dataclass(frozen=True, slots=True)
class Case:
    """One request.

    Attributes:
        method: In capital letters.
        path: With its query.
        body: Its bytes, or None.
        headers: Its headers.
    """

    method: str
    path: str
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, repr=False)
class Operation:
    """One operation of the document, with what it may answer.

    Attributes:
        method: In small letters.
        path: With its parameters in braces.
        described: What the document says, {} for a path that is not in it.
        document: The document.
        bodies: Valid bodies, as JSON.
    """

    method: str
    path: str
    described: dict[str, Any]
    document: dict[str, Any]
    bodies: tuple[Any, ...] = ()

    def __repr__(self) -> str:
        """Return its name: Hypothesis writes it for each case."""
        return f"{self.method.upper()} {self.path}"

    def schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Return a schema that can be read without the document."""
        return {**schema, "components": self.document["components"]}

    def check(self, status: int, content_type: str, content: bytes) -> None:
        """Assert that a response is one that the document describes: no failure, its status, its type, its schema."""
        assert status < 500 or (status == 503 and "503" in self.described.get("responses", {})), content[:2_000]
        assert b"Traceback" not in content
        media = content_type.partition(";")[0]
        if not self.described:
            assert status in {200, 304, 400, 401, 404, 405, 413, 415, 422, 429}, (status, content[:500])
            if media in {JSON, PROBLEM}:
                strict(content)
            return
        responses = self.described["responses"]
        assert str(status) in responses or str(status) in COMMON, (status, content[:500])
        described = responses.get(str(status), {}).get("content", {})
        if status >= 400:
            assert media == PROBLEM
            assert {"code", "detail", "status"} <= set(strict(content))
        elif content:
            assert media in described, (media, list(described))
        if media in {JSON, PROBLEM} and media in described:
            validate(self.schema(described[media]["schema"]), strict(content))


def validate(schema: dict[str, Any], value: object) -> None:
    """Assert that a value is valid."""
    jsonschema.Draft202012Validator(schema).validate(value)


def strict(content: bytes) -> Any:  # noqa: ANN401 (any JSON)
    """Return JSON; a number that is not finite is a fault."""

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    found = json.loads(content, parse_constant=refuse)
    assert all(math.isfinite(one) for one in numbers(found))
    return found


def numbers(value: Any) -> Iterator[float]:  # noqa: ANN401 (any JSON)
    """Yield every number with a fraction in a JSON value."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from numbers(item)
    elif isinstance(value, float):
        yield value


def operations(document: dict[str, Any]) -> list[Operation]:
    """Return every operation of a document, then the paths that are not in it: those for people and those of the dialects."""
    listed = [
        Operation(method, path, one, document, examples(one))
        for path, methods in document["paths"].items()
        for method, one in methods.items()
        if method in METHODS
    ]
    return [*listed, *(Operation("get", path, {}, document) for path in UNLISTED), *dialects(document)]


def examples(operation: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return the examples of an operation's JSON body."""
    content = operation.get("requestBody", {}).get("content", {}).get(JSON, {})
    return tuple(one["value"] for one in content.get("examples", {}).values()) + (
        (content["example"],) if "example" in content else ()
    )


def dialects(document: dict[str, Any]) -> list[Operation]:
    """Return what the clients of other services call, by what they were recorded to send."""
    bodies: dict[tuple[str, str], list[Any]] = {("post", "/invocations"): [INVOCATION]}
    for one in json.loads(RECORDED.read_text()):
        if one["path"].partition("?")[0] not in document["paths"]:
            found = bodies.setdefault((one["method"].lower(), one["path"].partition("?")[0]), [])
            body = base64.b64decode(one["body"])
            if body.startswith(b"{") and "inference-header-content-length" not in one["headers"]:
                found.append(json.loads(body))
    return [Operation(method, path, {}, document, tuple(some)) for (method, path), some in bodies.items()]


def is_segment(text: str) -> bool:
    """Return whether a text stays one segment of a path: others are the path of another operation."""
    return text not in {"", ".", ".."} and "/" not in text


@st.composite
def cases(draw: st.DrawFn, operation: Operation) -> Case:
    """Return a request: by the schema, or with something odd in it."""
    described = operation.described.get("parameters", [])
    path = operation.path
    for name in [one["name"] for one in described if one["in"] == "path"] or ["name"] * ("{name}" in path):
        path = path.replace(f"{{{name}}}", quote(draw((st.sampled_from(KNOWN) | TEXTS).filter(is_segment)), safe=""))
    asked = [one for one in described if one["in"] == "query" and draw(st.integers(0, 3)) == 0]
    query = {one["name"]: draw(query_value(one.get("schema", {}))) for one in asked}
    if draw(st.integers(0, 9)) == 0:
        query[draw(TEXTS)] = draw(TEXTS)
    address = f"{path}?{urlencode(query, errors='surrogatepass')}" if query else path
    headers = {"idempotency-key": draw(st.sampled_from(["a", "b", "x" * 300, "a b"]))}
    headers = headers if any(one["in"] == "header" for one in described) and draw(st.booleans()) else {}
    method = operation.method.upper()
    content = operation.described.get("requestBody", {}).get("content", {})
    if not content and not operation.bodies:
        return Case(method, address, None, headers)
    media = draw(st.sampled_from([JSON] * 6 + [*content, "text/plain"]))
    body = draw(st.binary(max_size=200)) if media != JSON else draw(json_body(operation, content.get(JSON, {})))
    return Case(method, address, body, {**headers, "content-type": media})


def query_value(schema: Mapping[str, Any]) -> st.SearchStrategy[str]:
    """Return values of a query parameter, most of them right."""
    found = schema.get("enum") or [schema["const"]] if "const" in schema or "enum" in schema else []
    kinds = [one.get("type") for one in [schema, *schema.get("anyOf", [])]]
    right = st.sampled_from(found) if found else TEXTS
    if {"integer", "number"} & set(kinds):
        right = st.integers(-2, 60) | st.floats(0, 100)
    return (right | TEXTS | SCALARS).map(str)


@st.composite
def json_body(draw: st.DrawFn, operation: Operation, described: Mapping[str, Any]) -> bytes:
    """Return a body: by its schema, or a valid one with odd values in some places; now and then damaged."""
    kind = draw(st.integers(0, 9))
    if kind <= 2 and "schema" in described:
        value = draw(by_schema(operation.schema(described["schema"])))
    elif operation.bodies and kind <= 8:
        value = draw(st.sampled_from(operation.bodies))
        for _ in range(draw(st.integers(0, 2))):
            value = replaced(value, draw(st.sampled_from(places(value))), draw(ANYTHING))
    else:
        value = draw(ANYTHING)
    body = json.dumps(value).encode("utf-8", "surrogatepass")
    return body[: draw(st.integers(0, len(body)))] if draw(st.integers(0, 19)) == 0 else body


def places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:  # noqa: ANN401 (any JSON)
    """Return the places of all values in a body; of lists only the first elements."""
    items = value.items() if isinstance(value, dict) else enumerate(value[:2]) if isinstance(value, list) else ()
    return [at, *(place for key, one in items for place in places(one, (*at, key)))]


def replaced(value: Any, at: tuple[Any, ...], other: object) -> Any:  # noqa: ANN401 (any JSON)
    """Return a body with another value at a place."""
    if not at:
        return other
    changed = dict(value) if isinstance(value, dict) else list(value)
    changed[at[0]] = replaced(value[at[0]], at[1:], other)
    return changed


def prepare(client: httpx.Client | TestClient) -> None:
    """Create a series and a schedule, so that paths name something that exists."""
    rows = [{"id": "a", "timestamp": f"2024-{month:02d}", "value": month} for month in range(1, 13)]
    body = {"observations": rows, "frequency": "M"}
    eventually(lambda: client.post("/observations", json=body).status_code == 200, "the database was not opened")
    schedule = {"name": "monthly", "cron": "0 3 1 * *", "config": {"horizon": 12}}
    client.post("/schedules", json=schedule).raise_for_status()


def fuzz(client: httpx.Client | TestClient, operation: Operation, count: int, *, fixed: bool = True) -> Counter[int]:
    """Send so many requests to an operation, assert that each response is one of its own, and count their statuses.

    Args:
        client: Of the service.
        operation: What is asked.
        count: At most so many requests; an operation without parameters has fewer.
        fixed: Whether they are the same at each call.
    """
    statuses: Counter[int] = Counter()

    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        derandomize=fixed,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases(operation))
    def send(case: Case) -> None:
        response = client.request(case.method, case.path, content=case.body, headers=dict(case.headers))
        statuses[response.status_code] += 1
        operation.check(response.status_code, response.headers.get("content-type", ""), response.content)

    send()
    return statuses
