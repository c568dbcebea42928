"""Admission: the middleware that makes forecast requests wait, or refuses them, before anything of them is parsed.

It answers the usual ones, JSON in and out, itself: routing and solving dependencies take longer than all else that Python
does for such a request. All others reach the route, which documents them, too.
"""

from types import SimpleNamespace

from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from models.errors import AlmanacError
from service.api.http import receive_body, too_many_bytes
from service.api.request_checks import FORECAST
from service.errors import QueueFull
from service.forecasting.answer import ForecastHandler
from service.problems import CLIENT_CLOSED, problem

ADMITTED = "almanac.admitted"
"""Where a request's scope has what `ForecastHandler.admit` returned."""
_ROUTE = SimpleNamespace(path=FORECAST)
"""What a scope has as its route, for metrics."""
_JSON = b"application/json"


class AdmissionMiddleware:
    """ASGI middleware: 429 if a forecast request would wait for too long; other requests do not wait."""

    def __init__(self, app: ASGIApp, forecasting: ForecastHandler) -> None:
        """Protect `app`."""
        self._app = app
        self._forecasting = forecasting

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request, or pass it on, when it is its turn; or refuse it."""
        if scope["type"] != "http" or scope["path"] != FORECAST or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        fields = dict(scope["headers"])
        try:
            scope[ADMITTED] = await self._forecasting.admit(_announced(fields))
        except QueueFull as error:
            await problem(error)(scope, receive, send)
            return
        if scope["query_string"] or not _is_plain(fields):
            await self._app(scope, receive, send)
            return
        scope["route"] = _ROUTE
        response = await self._answer(scope, receive, _announced(fields))
        await response(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, announced: int) -> Response:
        settings = self._forecasting.settings
        try:
            if announced > settings.max_body_bytes:
                raise too_many_bytes(settings.max_body_bytes)
            body = await receive_body(receive, settings.max_body_bytes, settings.body_timeout_seconds)
            return await self._forecasting.answer_body(body, scope[ADMITTED])
        except AlmanacError as error:
            return problem(error)
        except ClientDisconnect:
            return Response(status_code=CLIENT_CLOSED)


def _is_plain(fields: dict[bytes, bytes]) -> bool:
    """Return whether a request sends and accepts JSON as it is."""
    return (
        fields.get(b"content-type") == _JSON
        and fields.get(b"accept", b"*/*") in {b"*/*", _JSON}
        and fields.get(b"content-encoding", b"identity") == b"identity"
    )


def _announced(fields: dict[bytes, bytes]) -> int:
    """Return the size of the body that a request announces, 0 if it announces none."""
    announced = fields.get(b"content-length", b"")
    return int(announced) if announced.isdigit() else 0
