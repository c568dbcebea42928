"""Hostile bodies: no dialect answers with a 500."""

import base64
import json
import random
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.clients.recording import RECORDED

REQUESTS = [one for one in json.loads(RECORDED.read_text()) if one["method"] == "POST" and one["status"] == 200]
MORE: dict[str, dict[str, Any]] = {
    "/invocations": {
        "dataframe_split": {
            "columns": ["unique_id", "ds", "y"],
            "data": [["a", "2020-01-01", 1], ["a", "2020-02-01", 2]],
        },
        "params": {"horizon": 3, "levels": [80], "paths": 2, "seed": 1, "mean": True, "model": "temperatures"},
    }
}
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
