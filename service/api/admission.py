"""Admission: the middleware that makes forecast requests wait, or refuses them, before anything of them is parsed."""

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from service.api.http import announced_bytes
from service.errors import QueueFull
from service.forecasting.answer import ForecastHandler
from service.problems import problem

ADMITTED = "almanac.admitted"
"""Where a request's scope has what `ForecastHandler.admit` returned."""


class AdmissionMiddleware:
    """ASGI middleware: 429 if a forecast request would wait for too long; other requests do not wait."""

    def __init__(self, app: ASGIApp, forecasting: ForecastHandler) -> None:
        """Protect `app`."""
        self._app = app
        self._forecasting = forecasting

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on when it is its turn, or refuse it."""
        if scope["type"] == "http" and scope["method"] == "POST" and scope["path"] == "/forecast":
            try:
                scope[ADMITTED] = await self._forecasting.admit(announced_bytes(Request(scope)))
            except QueueFull as error:
                await problem(error)(scope, receive, send)
                return
        await self._app(scope, receive, send)
