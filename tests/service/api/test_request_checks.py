"""Request checks: no page of another site reaches the service, whatever it sends."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.testclient import TestClient

from service.api.allowed_hosts import AllowedHosts
from service.api.key_file import make_key, write_keys
from service.api.request_checks import RequestChecks
from service.errors import HostMissing
from tests.service.home import ServiceHome

FORECAST = {"series": [{"values": [1, 2, 3]}], "horizon": 1}
CHANGES = ("/observations", "/schedules", "/jobs", "/schedules/a/backfill")
FORM = "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    ("bound", "host", "truth"),
    [
        ("127.0.0.1", "localhost", True),
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "127.0.0.53", True),
        ("127.0.0.1", "::1", True),
        ("127.0.0.1", "10.0.0.1", False),
        ("127.0.0.1", "evil.example", False),
        ("127.0.0.1", "localhost.evil.example", False),
        ("127.0.0.1", "", False),
        ("0.0.0.0", "10.0.0.1", True),  # noqa: S104
        ("::", "fe80::1", True),
        ("0.0.0.0", "evil.example", False),  # noqa: S104
        ("10.0.0.1", "10.0.0.1", True),
        ("10.0.0.1", "10.0.0.2", False),
        ("127.0.0.1", "service", True),
        ("127.0.0.1", "a.example.org", True),
        ("127.0.0.1", "example.org", False),
    ],
)
def test_a_service_answers_to_its_own_names(bound: str, host: str, *, truth: bool) -> None:
    """The machine's, the bound address and those in the setting; to every address if it is bound to all."""
    assert (host in AllowedHosts(bound, "service, *.example.org")) is truth


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", 200),
        ("LocalHost:8000", 200),
        ("[::1]:8000", 200),
        ("localhost.", 200),
        ("evil.example", 421),
        ("evil.example:8000", 421),
        ("localhost:80@evil.example", 421),
        ("localhost:x", 421),
        ("", 400),
        (" ", 400),
    ],
)
def test_a_host_that_is_not_this_service_is_421(shared_client: TestClient, host: str, expected: int) -> None:
    """Against a name of another site that resolves to this machine; also for health, and before a key is checked."""
    response = shared_client.get("/health/live", headers={"host": host})

    assert response.status_code == expected


@pytest.mark.parametrize("headers", [[], [(b"host", b" ")], [(b"host", b"a"), (b"host", b"a")]])
def test_a_service_that_answers_to_any_name_needs_one(headers: list[tuple[bytes, bytes]]) -> None:
    """One Host header that is not empty."""
    keys: Any = SimpleNamespace(is_required=False)
    check = RequestChecks(AllowedHosts("127.0.0.1", "*"), keys)

    error = check({"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": headers})

    assert isinstance(error, HostMissing)


@pytest.mark.parametrize(
    ("headers", "truth"),
    [
        ({}, True),
        ({"origin": "http://testserver"}, True),
        ({"origin": "https://testserver:443", "host": "testserver"}, True),
        ({"sec-fetch-site": "same-origin"}, True),
        ({"sec-fetch-site": "none"}, True),
        ({"origin": "http://evil.example"}, False),
        ({"origin": "http://testserver:3000"}, False),
        ({"origin": "http://testserver.evil.example"}, False),
        ({"origin": "null"}, False),
        ({"origin": ""}, False),
        ({"origin": "http://[", "host": "testserver"}, False),
        ({"sec-fetch-site": "cross-site"}, False),
        ({"sec-fetch-site": "same-site"}, False),
        ({"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}, False),
    ],
)
def test_pages_of_other_sites_can_post_nothing(
    shared_client: TestClient, headers: dict[str, str], *, truth: bool
) -> None:
    """Without keys a page would otherwise act for the person who opened it."""
    response = shared_client.post("/forecast", json=FORECAST, headers=headers)

    assert (response.status_code == 200) is truth
    assert truth or (response.status_code, response.json()["code"]) == (403, "ORIGIN_FOREIGN")


def test_pages_of_other_sites_cannot_ask_for_forecasts_either_but_can_link_to_the_service(
    shared_client: TestClient,
) -> None:
    """A forecast of a stored series costs time, and is stored."""
    image = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}
    link = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}

    assert shared_client.get("/series/a/forecast?horizon=1", headers=image).status_code == 403
    assert shared_client.get("/docs", headers=link).status_code == 200


def test_with_keys_a_page_is_not_checked(home: ServiceHome, start: Callable[..., TestClient]) -> None:
    """It would need the key; a proxy that serves pages of another site may pass their Origin on."""
    home.publish("temperatures", "1")
    secret, key = make_key("caller", ("forecast",), "2026-01-01")
    write_keys(home.path / "keys.json", (key,))
    headers = {"origin": "https://dashboard.example.org", "x-api-key": secret}

    assert start().post("/forecast", json=FORECAST, headers=headers).status_code == 200


@pytest.mark.parametrize("path", CHANGES)
@pytest.mark.parametrize(
    "kind", [None, "", "text/plain", FORM, "multipart/form-data; boundary=a", "text/plain; application/json"]
)
def test_what_changes_something_is_json(shared_client: TestClient, path: str, kind: str | None) -> None:
    """A page's form has another type, and a script's JSON needs the consent that the service never gives."""
    headers = {} if kind is None else {"content-type": kind}

    response = shared_client.post(path, content=b"{}", headers=headers)

    assert (response.status_code, response.json()["code"]) == (415, "CONTENT_TYPE_UNSUPPORTED")
    assert "application/json" in response.json()["hint"]


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/schedules", "application/json"),
        ("/schedules", "Application/JSON; charset=utf-8"),
        ("/observations", "application/geo+json"),
        ("/observations", "text/csv; header=present"),
        ("/observations", "application/vnd.apache.parquet"),
        ("/observations", "application/octet-stream"),
        ("/forecast", None),
        ("/forecast", FORM),
    ],
)
def test_the_types_that_a_route_reads_are_accepted(shared_client: TestClient, path: str, kind: str | None) -> None:
    """A forecast also without a type, and with that of `curl -d`."""
    headers = {} if kind is None else {"content-type": kind}

    assert shared_client.post(path, content=b"?", headers=headers).status_code in {400, 422}


def test_a_forms_type_with_an_origin_or_plain_text_is_no_forecast(shared_client: TestClient) -> None:
    """Only a page sends an Origin."""
    for headers in ({"content-type": FORM, "origin": "http://testserver"}, {"content-type": "text/plain"}):
        assert shared_client.post("/forecast", content=b"{}", headers=headers).status_code == 415


def test_a_request_without_a_body_needs_no_type(queue_client: TestClient) -> None:
    """Such as to delete or to pause."""
    assert queue_client.delete("/schedules/a").status_code == 404
    assert queue_client.post("/schedules/a/pause").status_code == 404


@pytest.mark.parametrize(
    "path",
    ["/series?limit=1&limit=2", "/accuracy?model=a&model=b", "/series/a/forecast?horizon=1&horizon=9", "/?a=&%61="],
)
def test_a_repeated_query_parameter_is_refused(shared_client: TestClient, path: str) -> None:
    """One of the values would be ignored."""
    response = shared_client.get(path)

    assert (response.status_code, response.json()["code"]) == (422, "FIELD_INVALID")
    assert response.json()["pointer"] in {"/limit", "/model", "/horizon", "/a"}


@pytest.mark.parametrize(
    "path", ["/forecast/", "/observations/", "/jobs/", "/schedules/", "/health/live/", "//forecast"]
)
def test_no_path_is_redirected(shared_client: TestClient, path: str) -> None:
    """A redirect behind a proxy would lead from https to http, with the key."""
    response = shared_client.post(path, json={}, follow_redirects=False)

    assert response.status_code in {404, 405}
    assert "location" not in response.headers
