"""Admission middleware: makes forecast requests wait, or refuses them, before anything of them is parsed.

`JsonForecasts` answers the usual ones, JSON in and out: routing and solving dependencies take longer than all else that Python
does for such a request. All others reach the route, which documents them, too, through `AdmissionMiddleware`.
"""

from types import SimpleNamespace

from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from models.errors import AlmanacError
from service.api.http import receive_body, too_many_bytes
from service.api.request_checks import FORECAST
from service.callers import ARRIVED, CALLER, Caller
from service.errors import QueueFull
from service.forecasting.answer import ForecastHandler
from service.problems import CLIENT_CLOSED, problem

ADMITTED = "almanac.admitted"
"""Where a request's scope has what `ForecastHandler.take_turn` returned, for the route."""
_ROUTE = SimpleNamespace(path=FORECAST)
"""What a scope has as its route, for metrics."""
_JSON = b"application/json"
FORECASTS = (FORECAST, "/v1/", "/v2/", "/invocations", "/endpoints/")
"""Starts of the paths at which forecasts are made: POST /forecast, and the dialects."""


def is_plain_forecast(scope: Scope) -> bool:
    """Return whether `JsonForecasts` answers a request."""
    if scope["type"] != "http" or scope["path"] != FORECAST or scope["method"] != "POST" or scope["query_string"]:
        return False
    fields = dict(scope["headers"])
    return (
        fields.get(b"content-type") == _JSON
        and fields.get(b"accept", b"*/*") in {b"*/*", _JSON}
        and fields.get(b"content-encoding", b"identity") == b"identity"
    )


class AdmissionMiddleware:
    """ASGI middleware: 429 if a forecast request would wait for too long; other requests do not wait."""

    def __init__(self, app: ASGIApp, forecasting: ForecastHandler) -> None:
        """Protect `app`."""
        self._app = app
        self._forecasting = forecasting

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on when it is its turn; or refuse it."""
        if scope["type"] == "http" and scope["method"] == "POST" and scope["path"].startswith(FORECASTS):
            scope[CALLER] = caller = Caller.of(scope)
            try:
                await self._forecasting.admit(_announced(scope), caller)
                with self._forecasting.clients.enter(caller.client):
                    scope[ADMITTED] = await self._forecasting.take_turn(caller)
                    await self._app(scope, receive, send)
            except QueueFull as error:
                await problem(error)(scope, receive, send)
            except ClientDisconnect:
                await Response(status_code=CLIENT_CLOSED)(scope, receive, send)
        else:
            await self._app(scope, receive, send)


class JsonForecasts:
    """ASGI application: the response to a plain forecast request."""

    def __init__(self, forecasting: ForecastHandler) -> None:
        """Answer with `forecasting`."""
        self._forecasting = forecasting

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request when it is its turn; or refuse it."""
        scope["route"] = _ROUTE
        scope[CALLER] = caller = Caller.of(scope)
        response = await self._answer(scope, receive, caller)
        await response(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, caller: Caller) -> Response:
        settings, announced = self._forecasting.settings, _announced(scope)
        try:
            await self._forecasting.admit(announced, caller)
            with self._forecasting.clients.enter(caller.client):
                admitted = await self._forecasting.take_turn(caller)
                if announced > settings.max_body_bytes:
                    raise too_many_bytes(settings.max_body_bytes)
                seconds = None if ARRIVED in (scope.get("state") or ()) else settings.body_timeout_seconds
                body = await receive_body(receive, settings.max_body_bytes, seconds)
                return await self._forecasting.answer_body(body, caller, admitted)
        except AlmanacError as error:
            return problem(error)
        except ClientDisconnect:
            return Response(status_code=CLIENT_CLOSED)


def _announced(scope: Scope) -> int:
    """Return the size of the body that a request announces, 0 if it announces none."""
    announced = dict(scope["headers"]).get(b"content-length", b"")
    return int(announced) if announced.isdigit() else 0
