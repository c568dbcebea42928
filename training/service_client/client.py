"""The HTTP client of training: requests to a running Almanac service, with one kind of error."""

import functools
import os
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.errors import ServiceUnreachable

if TYPE_CHECKING:
    import httpx

TIMEOUT_SECONDS = 60.0
LONGEST_PROBLEM = 500
"""Characters of an error response that an error text repeats."""

SERVICE_URL = "http://127.0.0.1:8000"
"""Address of the service unless ALMANAC_SERVICE_URL is set."""

SET_ADDRESS = "set the service's address with ALMANAC_SERVICE_URL, or with --url where a command has it"

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Address:
    """Address of a service and the key for it.

    Attributes:
        url: Such as `http://127.0.0.1:8000`.
        key: An API key, or None if the service has no keys.
    """

    url: str
    key: str | None = None


class ServiceRefused(ServiceUnreachable):
    """The service answered with an error status."""

    def __init__(self, address: Address, status: int, problem: str) -> None:
        """Keep the HTTP status beside the text of the problem document."""
        super().__init__(f"{address.url} answers {status}: {problem}")
        self.status = status


def service_address(environment: Mapping[str, str]) -> Address | None:
    """Return the address in ALMANAC_SERVICE_URL and ALMANAC_API_KEY, or None if no URL is set."""
    url = environment.get("ALMANAC_SERVICE_URL")
    return Address(url, environment.get("ALMANAC_API_KEY") or None) if url else None


def get_json(address: Address, path: str, parameters: Mapping[str, object] | None = None) -> Row:
    """Return the JSON object that a GET request returns.

    Raises:
        ServiceRefused: If the status is an error.
        ServiceUnreachable: If there is no response, or it is not a JSON object.
    """
    query = {key: str(value) for key, value in (parameters or {}).items()}
    with _open(address, TIMEOUT_SECONDS) as client:
        return _object(address, client.get(path, params=query))


def post_json(address: Address, path: str, body: Mapping[str, Any]) -> Row:
    """Return the JSON object that a POST request with a JSON body returns; raises as `get_json`."""
    with _open(address, TIMEOUT_SECONDS) as client:
        return _object(address, client.post(path, json=body))


def download(address: Address, path: str, file: Path, timeout_seconds: float) -> None:
    """Write the body of a GET response to a file; raises as `get_json`."""
    with _open(address, timeout_seconds) as client, client.stream("GET", path) as response, file.open("wb") as output:
        if response.is_error:
            response.read()
            _check(address, response)
        for chunk in response.iter_bytes():
            output.write(chunk)
        output.flush()
        os.fsync(output.fileno())


@contextmanager
def _open(address: Address, timeout_seconds: float) -> Iterator["httpx.Client"]:
    """Yield an HTTP client; raises ServiceUnreachable where a request fails or a response is not JSON."""
    import httpx

    headers = {"authorization": f"Bearer {address.key}"} if address.key else {}
    url = address.url.rstrip("/")
    try:
        with httpx.Client(
            base_url=url, headers=headers, timeout=timeout_seconds, follow_redirects=True, verify=_certificates()
        ) as client:
            yield client
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
        raise ServiceUnreachable(
            f"The request to {address.url} failed: {str(error) or type(error).__name__}.",
            hint=f"Start it with `almanac serve`, or {SET_ADDRESS}.",
        ) from error


@functools.cache
def _certificates() -> ssl.SSLContext:
    """Return the trusted certificates; loading them for every request would take longer than the request."""
    import httpx

    return httpx.create_ssl_context()


def _object(address: Address, response: "httpx.Response") -> Row:
    _check(address, response)
    body = response.json()
    if not isinstance(body, dict):
        raise ServiceUnreachable(f"{address.url} is not an Almanac service.", hint=f"{SET_ADDRESS.capitalize()}.")
    return body


def _check(address: Address, response: "httpx.Response") -> None:
    """Raise ServiceRefused for an error status."""
    if not response.is_success:
        raise ServiceRefused(address, response.status_code, _describe(response))


def _describe(response: "httpx.Response") -> str:
    """Return detail and hint of a problem document, other JSON as it is, or the status phrase."""
    try:
        problem = response.json()
        return f"{problem['detail']} {problem['hint']}".strip()
    except (KeyError, TypeError):
        return response.text[:LONGEST_PROBLEM]
    except ValueError:
        return response.reason_phrase
