"""Problem documents (RFC 9457): how each error becomes an HTTP response."""

import logging
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

import orjson
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from models.errors import (
    AlmanacError,
    ConfigInvalid,
    FrequencyError,
    ModelUnknown,
    PreviousMissing,
    PromotionRefused,
    RegistryError,
    RegistryUnreachable,
    RequestError,
    SeriesError,
)
from models.jobs.errors import JobsUnreachable, JobUnknown, ScheduleDuplicated, ScheduleInvalid, ScheduleUnknown
from service import errors

logger = logging.getLogger("almanac")

PROBLEM_TYPE = "application/problem+json"
CLIENT_CLOSED = 499
"""nginx's status for a client that has disconnected; used for metrics and logs only."""
UNEXPECTED = 500
"""The status of an error that no request should meet: its cause is in the log."""
CODE_HEADER = "x-almanac-code"
"""Repeats the code of a problem in a header, for proxies, logs and the service's own metrics."""

STATUS: Mapping[type[AlmanacError], int] = {
    errors.BodyTooLarge: 413,
    errors.BodyTooSlow: 408,
    ConfigInvalid: 422,
    errors.EncodingUnsupported: 415,
    errors.FileInvalid: 400,
    errors.ForecastUnknown: 404,
    errors.HeadersTooLarge: 431,
    errors.HeadersTooSlow: 408,
    errors.HostMissing: 400,
    errors.HostUnknown: 421,
    errors.JobEnded: 409,
    JobUnknown: 404,
    errors.JsonInvalid: 400,
    errors.KeyMissing: 401,
    errors.NotAcceptable: 406,
    errors.OriginForeign: 403,
    errors.RequestUnreadable: 400,
    errors.ScopeMissing: 403,
    ScheduleDuplicated: 409,
    ScheduleInvalid: 422,
    ScheduleUnknown: 404,
    errors.SeriesUnknown: 404,
    errors.TypeUnsupported: 415,
    RequestError: 422,
    SeriesError: 422,
    FrequencyError: 422,
    ModelUnknown: 422,
    errors.ModelNotFound: 404,
    PreviousMissing: 409,
    PromotionRefused: 409,
    errors.ChampionChanged: 409,
    RegistryUnreachable: 503,
    RegistryError: 502,
    errors.QueueFull: 429,
    errors.DeadlinePassed: 503,
    errors.MemoryShort: 503,
    errors.ModelLoading: 503,
    errors.NoModel: 503,
    errors.ModelRefused: 503,
    errors.DefaultUnknown: 503,
    errors.DatabaseUnreachable: 503,
    errors.DatabaseUnusable: 503,
    JobsUnreachable: 503,
    AlmanacError: UNEXPECTED,
}
"""The HTTP status of each error; a class without an entry has that of its nearest base class."""


HEADERS: Mapping[type[AlmanacError], Mapping[str, str]] = {
    errors.BodyTooLarge: {"connection": "close"},
    errors.BodyTooSlow: {"connection": "close"},
    errors.HeadersTooLarge: {"connection": "close"},
    errors.HeadersTooSlow: {"connection": "close"},
    errors.KeyMissing: {"www-authenticate": "Bearer"},
    errors.DeadlinePassed: {"retry-after": "1"},
    errors.MemoryShort: {"retry-after": "5"},
    errors.ModelLoading: {"retry-after": "2"},
    errors.NoModel: {"retry-after": "10"},
    errors.ModelRefused: {"retry-after": "10"},
    errors.DefaultUnknown: {"retry-after": "10"},
    errors.DatabaseUnreachable: {"retry-after": "5"},
    errors.DatabaseUnusable: {"retry-after": "60"},
    JobsUnreachable: {"retry-after": "5"},
    RegistryUnreachable: {"retry-after": "5"},
}


Members = Mapping[str, Any]


def _sentence(members: Members) -> str:
    return f"{members['detail']} {members['hint']}".strip()


def _mlflow_members(members: Members) -> Members:
    return {"error_code": members["code"], "message": _sentence(members)}


def _timeseries_members(members: Members) -> Members:
    error = {"code": str(members["status"]), "message": _sentence(members), "type": members["code"]}
    return {"error": {**error, "param": members["pointer"] or None}}


def _inference_members(members: Members) -> Members:
    return {"error": _sentence(members)}


DIALECTS: Mapping[str, Callable[[Members], Members]] = {
    "/invocations": _mlflow_members,
    "/endpoints/": _mlflow_members,
    "/api/2.0/endpoints": _mlflow_members,
    "/v1/timeseries/": _timeseries_members,
    "/v1/": _inference_members,
    "/v2": _inference_members,
    "/model_params": _inference_members,
    "/validate_api_key": _inference_members,
}
"""By the start of a path, what its clients look for in an error: `service.api.dialects` answers there."""


class ProblemResponse(Response):
    """A problem document; on the paths of a dialect it is JSON with the members in which clients look for the text."""

    def __init__(self, status: int, members: Members, headers: Mapping[str, str] | None = None) -> None:
        """Write the document."""
        self._members, self._given = members, headers
        super().__init__(_dump(members), status, headers, media_type=PROBLEM_TYPE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the document."""
        translate = next((one for start, one in DIALECTS.items() if scope["path"].startswith(start)), None)
        if translate is None:
            await super().__call__(scope, receive, send)
            return
        content = _dump({**self._members, **translate(self._members)})
        await Response(content, self.status_code, self._given, media_type="application/json")(scope, receive, send)


def status_of(error: AlmanacError) -> int:
    """Return the HTTP status of an error."""
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def document(error: AlmanacError, status: int | None = None) -> dict[str, Any]:
    """Return an error as a problem document with type, title, status, code, detail, pointer and hint."""
    found = error.finding()
    members = {"code": found.code, "detail": found.detail, "pointer": found.pointer, "hint": found.hint}
    return {**_head(status or status_of(error)), **members}


def problem(error: AlmanacError, status: int | None = None) -> Response:
    """Return the response for an error, with the headers of its class."""
    members = document(error, status)
    if members["status"] == UNEXPECTED and not isinstance(error, errors.Unexpected):  # that one has been logged
        logger.error("request failed: %s", error, exc_info=error)
    headers = {**HEADERS.get(type(error), {}), CODE_HEADER: members["code"]}
    if isinstance(error, errors.QueueFull):
        headers["retry-after"] = str(error.retry_after)
    return problem_response(members["status"], members, headers)


def problem_response(status: int, members: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Response:
    """Return the response for a problem document with these members."""
    return ProblemResponse(status, {**_head(status), **members}, headers)


def written_problem(status: int, members: Mapping[str, Any]) -> Response:
    """Return such a response that holds its bytes only, for thousands of errors; not on the paths of a dialect."""
    return Response(_dump({**_head(status), **members}), status, media_type=PROBLEM_TYPE)


def _dump(members: Members) -> bytes:
    return orjson.dumps(members, option=orjson.OPT_SERIALIZE_NUMPY)


def _head(status: int) -> dict[str, Any]:
    return {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status}
