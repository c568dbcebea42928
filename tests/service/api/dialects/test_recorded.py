"""The bytes that other people's clients send, recorded by tests/prove/test_clients.py, replayed."""

import base64
import json
from typing import Any

import pyarrow as pa
import pytest
from starlette.testclient import TestClient

from tests.clients.recording import RECORDED

REQUESTS = json.loads(RECORDED.read_text())


@pytest.mark.parametrize("sent", REQUESTS, ids=[f"{place}:{one['path']}" for place, one in enumerate(REQUESTS)])
def test_a_recorded_request_has_its_status(dialects: TestClient, sent: dict[str, Any]) -> None:
    """And an error the members in which the client looks for its text."""
    body = base64.b64decode(sent["body"])

    response = dialects.request(sent["method"], sent["path"], content=body, headers=sent["headers"])

    assert response.status_code == sent["status"], response.text
    if sent["status"] >= 400:
        assert response.headers["content-type"] == "application/json"
        assert {"code", "detail", "hint", "error"} <= response.json().keys()


def test_a_body_may_be_packed_with_zstd(dialects: TestClient) -> None:
    """As NixtlaClient sends every body above a megabyte."""
    sent = next(one for one in REQUESTS if one["path"] == "/v2/forecast")
    body = base64.b64decode(sent["body"])
    headers = {**sent["headers"], "content-encoding": "zstd"}

    packed = dialects.post("/v2/forecast", content=pa.compress(body, codec="zstd", asbytes=True), headers=headers)

    assert packed.json() == dialects.post("/v2/forecast", content=body, headers=sent["headers"]).json()
