"""Calls: requests to a service and what becomes of their responses, without input or output: a client runs them.

A call is a generator. It yields a `Request`, for which it is sent the response or the error of httpx, or a `Pause`.
"""

import random
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

import httpx
import orjson

from almanac.errors import ServiceOverloaded, error_of
from models.errors import AlmanacError, ServiceUnreachable
from service.errors import KeyMissing

BUSY = frozenset({429, 503})
"""The service has not begun to work on such a request: any may be sent again."""

LASTING = frozenset({"NO_MODEL"})
"""Codes of a 503 that does not pass by itself: a model of this name has to be registered first."""

FAILED = BUSY | {408, 500, 502, 504}
"""Only a request that changes nothing the second time may be sent again after these."""

TRIES = 6
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 60.0
LONGEST_TEXT = 200
HEADER = "Authorization"
KEY_HINT = "Give a key as api_key=, on the command line as --key, or in ALMANAC_API_KEY; `almanac key add` creates one."
"""In place of the hint of the service, which names the header."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Request:
    """A request.

    Attributes:
        method: Such as `GET`.
        path: Below the address of the service.
        params: Query parameters.
        content: The body.
        headers: Its headers.
        repeatable: Whether sending it twice is the same as sending it once.
    """

    method: str
    path: str
    params: Mapping[str, Any] = field(default_factory=dict)
    content: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    repeatable: bool = True


@dataclass(frozen=True, slots=True)
class Pause:
    """Seconds to wait."""

    seconds: float


Answer = httpx.Response | httpx.HTTPError | None
"""What a call is sent: the response to a request, or why there is none; None after a pause."""

Call = Generator[Request | Pause, Answer, T]


def ask(request: Request) -> Call[httpx.Response]:
    """Return the response to a request; while the service is busy, it is sent again, later and later, as Retry-After says.

    Raises:
        ServiceUnreachable: If there is no response.
        ServiceOverloaded: If the service is busy again and again.
    """
    answer: Answer = None
    for attempt in range(TRIES):
        if attempt:
            yield Pause(pause_seconds(answer, attempt))
        answer = yield request
        if not _is_retried(request, answer):
            break
    if not isinstance(answer, httpx.Response):
        reason = str(answer) or type(answer).__name__
        raise ServiceUnreachable(
            f"No response from the service: {reason}.", hint="Check the address, and that `almanac serve` runs."
        ) from answer
    if _is_busy(answer):
        problem = error_of(_object(answer))
        raise ServiceOverloaded(
            f"The service answered {answer.status_code} {TRIES} times: {problem.detail}", hint=problem.hint
        )
    return answer


def ask_json(request: Request) -> Call[dict[str, Any]]:
    """Return the JSON object of a response.

    Raises:
        AlmanacError: The type of the problem that the service answers with.
        ServiceUnreachable: If the response is no JSON object.
    """
    response = yield from ask(request)
    return read_json(response)


def read_json(response: httpx.Response) -> dict[str, Any]:
    """Return the JSON object in a response; raises as `ask_json`."""
    found = _object(response)
    if response.is_success and found:
        return found
    raise problem_of(response)


def problem_of(response: httpx.Response) -> AlmanacError:
    """Return the error that a response is."""
    found = _object(response)
    if found.get("code") == KeyMissing.code and HEADER in str(found.get("hint")):
        found = {**found, "hint": KEY_HINT}
    if "code" in found:
        return error_of(found)
    text = response.text[:LONGEST_TEXT] or response.reason_phrase
    return ServiceUnreachable(
        f"{response.url} answers {response.status_code}: {text}", hint="Check that it is the address of Almanac."
    )


def pause_seconds(answer: Answer, attempt: int) -> float:
    """Return how long to wait before an attempt: as Retry-After says, else twice as long each time, with some luck."""
    backoff = FIRST_PAUSE * 2.0 ** (attempt - 1) * random.uniform(0.75, 1.25)  # noqa: S311 - so that clients do not return together
    header = answer.headers.get("retry-after", "") if isinstance(answer, httpx.Response) else ""
    return min(max(backoff, _retry_after(header)), LONGEST_PAUSE)


def _retry_after(header: str) -> float:
    """Return the seconds of a Retry-After header, which has seconds or a date; 0 without one."""
    if header.strip().isdecimal():
        return float(header)
    try:
        return (parsedate_to_datetime(header) - datetime.now(UTC)).total_seconds()
    except (TypeError, ValueError):
        return 0.0


def _is_busy(answer: httpx.Response) -> bool:
    return answer.status_code in BUSY and _object(answer).get("code") not in LASTING


def _is_retried(request: Request, answer: Answer) -> bool:
    if isinstance(answer, httpx.Response):
        return _is_busy(answer) or (request.repeatable and answer.status_code in FAILED - BUSY)
    return request.repeatable and not isinstance(answer, httpx.UnsupportedProtocol | httpx.InvalidURL)


def _object(response: httpx.Response) -> dict[str, Any]:
    try:
        found = orjson.loads(response.content)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
