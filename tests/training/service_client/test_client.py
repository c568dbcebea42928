"""The HTTP client: one kind of error, whatever the service answers."""

import socket

import pytest

from models.errors import ServiceUnreachable
from tests.training.fake_service import FakeService, serving
from training.service_client.client import Address, ServiceRefused, get_json, service_address


@pytest.mark.parametrize(
    ("status", "body", "text"),
    [
        (401, b'{"detail": "No key.", "hint": "Send one."}', "answers 401: No key. Send one."),
        (500, b"<html>", "answers 500: Internal Server Error"),
    ],
)
def test_an_error_status_is_reported_with_its_problem_document(status: int, body: bytes, text: str) -> None:
    """Without one, the status phrase is reported."""
    service = FakeService()
    service.status, service.problem = status, body

    with serving(service) as url, pytest.raises(ServiceRefused, match=text) as refused:
        get_json(Address(url), "/accuracy", {"by": "version"})

    assert refused.value.status == status


@pytest.mark.parametrize("body", [b"<html>", b"[1]"])
def test_a_response_that_is_no_json_object_is_unreachable(body: bytes) -> None:
    """Another program listens there."""
    service = FakeService()
    service.status, service.problem = 203, body

    with serving(service) as url, pytest.raises(ServiceUnreachable):
        get_json(Address(url), "/accuracy", {"by": "version"})


@pytest.mark.parametrize("scheme", ["http://127.0.0.1:{port}", "ftp://127.0.0.1:{port}", "http://[::"])
def test_no_service_is_reported_with_a_remedy(scheme: str) -> None:
    """Nothing listens, or the address is none."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = scheme.format(port=free.getsockname()[1])

        with pytest.raises(ServiceUnreachable, match="almanac serve"):
            get_json(Address(url), "/accuracy")


def test_the_address_comes_from_the_environment() -> None:
    """Without a URL there is none, and an empty key is not a key."""
    assert service_address({}) is None
    assert service_address({"ALMANAC_SERVICE_URL": "http://s", "ALMANAC_API_KEY": ""}) == Address("http://s")
