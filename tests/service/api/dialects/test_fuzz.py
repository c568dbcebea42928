"""Hostile bodies: no dialect answers with a 500."""

import base64
import json
import random
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.clients.recording import RECORDED
from tests.service.openapi_cases import INVOCATION, places, replaced

REQUESTS = [one for one in json.loads(RECORDED.read_text()) if one["method"] == "POST" and one["status"] == 200]
MORE: dict[str, dict[str, Any]] = {"/invocations": INVOCATION}
NASTY: tuple[Any, ...] = (
    *(
        None,
        True,
        False,
        0,
        -1,
        1,
        10**400,
        -(2**63),
        1e308,
        5e-324,
        float("nan"),
        float("inf"),
        "",
        "x",
        "\x00",
        "\ud800",
    ),
    *("9" * 400, [], {}, [None], [[]], [{}], {"a": {}}, [1, "a", None], [[[[[[[[1]]]]]]]], "2020-13-45", "9999-12-31"),
)


def bodies() -> list[tuple[str, dict[str, Any]]]:
    """Return a valid body of each path, as JSON."""
    found = dict(MORE)
    for one in REQUESTS:
        body, length = base64.b64decode(one["body"]), one["headers"].get("inference-header-content-length")
        if length is None and body:
            found.setdefault(one["path"], json.loads(body))
    return list(found.items())


@pytest.mark.parametrize("count", [10, pytest.param(100_000, marks=pytest.mark.prove)])
@pytest.mark.parametrize(("path", "body"), bodies(), ids=lambda one: one if isinstance(one, str) else "")
def test_a_wrong_value_anywhere_is_no_failure_of_the_service(
    dialects: TestClient, path: str, body: dict[str, Any], count: int
) -> None:
    """It is refused with a 4xx, or read."""
    chance = random.Random(path)  # noqa: S311 (which cases are tried)
    cases = [(place, other) for place in places(body) for other in NASTY]
    for place, other in chance.sample(cases, min(count, len(cases))):
        content = json.dumps(replaced(body, place, other)).encode("utf-8", "surrogatepass")

        response = dialects.post(path, content=content, headers={"content-type": "application/json"})

        assert response.status_code < 500, (place, other, response.text)


@pytest.mark.parametrize(
    "content", [b"", b"null", b"[" * 100_000, b'{"inputs": ' * 5_000, b"\xff", b'{"a": 1, "a": 2}']
)
@pytest.mark.parametrize("path", [path for path, _ in bodies()])
def test_what_is_no_body_is_refused(dialects: TestClient, path: str, content: bytes) -> None:
    """With a 4xx that says so."""
    response = dialects.post(path, content=content, headers={"content-type": "application/json"})

    assert 400 <= response.status_code < 500
    assert response.json()["detail"]
