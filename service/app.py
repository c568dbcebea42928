"""App: assembles the FastAPI application; two applications share no state."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from http import HTTPStatus
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from models.errors import AlmanacError
from service.api.admission_middleware import AdmissionMiddleware, JsonForecasts, is_plain_forecast
from service.api.allowed_hosts import AllowedHosts
from service.api.compression import CompressionMiddleware
from service.api.middleware import MetricsMiddleware
from service.api.rates import Rates
from service.api.request_checks import RequestChecks
from service.api.routes.late import LateRoutes, LateRoutesMiddleware
from service.api.security import Guard, KeyCheck, KeyRing
from service.api.state import Service
from service.api.tracing import UNTRACED, Tracing
from service.assembly import Background, Environment, assemble, close, start_worker
from service.errors import FieldInvalid
from service.problems import CLIENT_CLOSED, CODE_HEADER, problem, problem_response
from service.processes.link import ProcessLink
from service.settings import Settings

logger = logging.getLogger("almanac")

FIRST_PAUSE_SECONDS, MOST_PAUSE_SECONDS = 1.0, 60.0
"""Pause before a background task that has failed begins again; it doubles until the task runs for longer than the second."""


class Application(FastAPI):
    """FastAPI, but for the usual forecasts without traces: its layers and its router take as long as all of ours for such a request."""

    forecasts: ASGIApp | None = None
    late_routes: LateRoutes

    def openapi(self) -> dict[str, Any]:
        """Return the document of the interface."""
        from service.api.openapi import describe  # with the routes, a tenth of the start

        self.late_routes.complete()
        return describe(self)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        forecasts = self.forecasts
        answer = super().__call__ if forecasts is None or not is_plain_forecast(scope) else forecasts
        await answer(scope, receive, send)


def create_app(
    settings: Settings, *, supervise: bool = True, host: str = "127.0.0.1", link: ProcessLink | None = None
) -> Application:
    """Return the application; nothing runs before its start.

    Args:
        settings: The settings.
        host: The address that the server is bound to; it answers to this name, too.
        supervise: Whether to run the registry process; without it only cached models are served.
        link: If this is one of several processes, its connection to their parent, which runs the registry process.

    Raises:
        KeysInvalid: If the API key file cannot be read.
        ConfigInvalid: If traces are to be exported, and the packages for it are missing.
    """
    environment = Environment.shared(settings, link) if link else Environment.alone(settings, supervise=supervise)
    tracing = Tracing.from_environment(settings.api_keys)
    service, background = assemble(settings, environment)
    if link is not None:
        background.append(partial(link.listen, service.scorer.wake))

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        running = [asyncio.create_task(keep_running(task)) for task in background]
        await service.database.open()
        if link is not None:
            await start_worker(service, link)
        yield
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await close(service)
        if tracing is not None:
            await asyncio.to_thread(tracing.close)

    app = Application(
        title="Almanac",
        version=_version(),
        lifespan=lifespan,
        openapi_url=None,
        redirect_slashes=False,
        telemetry=UNTRACED if tracing is None else tracing.telemetry,
    )
    app.state.service = service
    app.late_routes = LateRoutes(app.router.routes)
    background.append(partial(app.late_routes.complete_after, lambda: service.catalog.readiness_error() is not None))
    app.add_middleware(LateRoutesMiddleware, routes=app.late_routes)
    for kind, handler in HANDLERS.items():
        app.add_exception_handler(kind, handler)
    _add_layers(app, service, settings, host, tracing)
    return app


def _add_layers(app: Application, service: Service, settings: Settings, host: str, tracing: Tracing | None) -> None:
    """Put the layers that every request passes around the application, and around its forecasts."""
    keys, rates = KeyRing(settings.api_keys), Rates(settings.rate)
    app.state.keys = keys
    layers: list[tuple[Any, dict[str, Any]]] = [
        (CompressionMiddleware, {}),
        (Guard, {"checks": (RequestChecks(AllowedHosts(host, settings.allowed_hosts), keys), KeyCheck(keys, rates))}),
        (MetricsMiddleware, {"metrics": service.metrics, "access_log": settings.access_log, "tracing": tracing}),
    ]
    forecasts: ASGIApp = JsonForecasts(service.forecasting)
    app.add_middleware(AdmissionMiddleware, forecasting=service.forecasting)
    for layer, options in layers:
        forecasts = layer(forecasts, **options)
        app.add_middleware(layer, **options)
    if tracing is None:
        app.forecasts = forecasts


async def keep_running(task: Background) -> None:
    """Run a background task, and again after a pause whenever it fails, such as without file descriptors."""
    pause = FIRST_PAUSE_SECONDS
    while True:
        began = time.monotonic()
        try:
            return await task()
        except Exception:
            pause = FIRST_PAUSE_SECONDS if time.monotonic() - began > MOST_PAUSE_SECONDS else pause
            logger.exception("a background task has failed; it begins again in %.0f s", pause)
        await asyncio.sleep(pause)
        pause = min(2 * pause, MOST_PAUSE_SECONDS)


async def _handle_error(_request: Request, error: Any) -> Response:  # noqa: ANN401 (an AlmanacError, see HANDLERS)
    """Return an Almanac error as a problem document."""
    return problem(error)


async def _handle_http(request: Request, error: Any) -> Response:  # noqa: ANN401 (an HTTPException)
    """Return Starlette's errors as a problem document: no such path, or a method that is not allowed."""
    status = HTTPStatus(error.status_code)
    members = {
        "code": status.name,
        "detail": f"{request.method} {request.url.path[:200]}: {status.phrase}.",
        "pointer": "",
        "hint": "GET /docs lists all paths; none of them ends with a slash.",
    }
    return problem_response(status, members, {**(error.headers or {}), CODE_HEADER: status.name})


async def _handle_validation(_request: Request, error: Any) -> Response:  # noqa: ANN401 (a RequestValidationError)
    """Return FastAPI's errors about parameters as a problem document."""
    first = error.errors()[0]
    pointer = "/" + "/".join(str(part) for part in first["loc"][1:])
    return problem(FieldInvalid(f"{first['msg']}.", pointer=pointer, hint="GET /docs describes the parameters."))


async def _handle_disconnect(_request: Request, _error: Any) -> Response:  # noqa: ANN401 (a ClientDisconnect)
    """Return a status for a client that has disconnected, so that it is counted and logs no traceback."""
    return Response(status_code=CLIENT_CLOSED)


HANDLERS = {
    AlmanacError: _handle_error,
    HTTPException: _handle_http,
    RequestValidationError: _handle_validation,
    ClientDisconnect: _handle_disconnect,
}


def _version() -> str:
    """Return the installed version, or 0 if the package is not installed."""
    try:
        return version("almanac-forecast")
    except PackageNotFoundError:
        return "0"
