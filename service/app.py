"""App: assembles the FastAPI application; two applications share no state."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
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

from models.errors import AlmanacError
from service.api.admission import AdmissionMiddleware
from service.api.middleware import MetricsMiddleware
from service.api.openapi import describe
from service.api.request_checks import AllowedHosts, RequestChecks
from service.api.routes import ROUTERS
from service.api.security import AuthMiddleware, KeyRing
from service.api.state import Service
from service.errors import FieldInvalid
from service.forecasting.answer import ForecastHandler, make_lanes
from service.jobs.client import JobsClient
from service.jobs.counts import JobCounter
from service.monitoring.accuracy_metrics import AccuracyMetrics
from service.monitoring.backtest_figures import BacktestCache
from service.monitoring.drift import RecentInputs
from service.monitoring.forecast_log import ForecastLog
from service.monitoring.forecast_recorder import ForecastRecorder
from service.monitoring.metrics import DatabaseMetrics, JobMetrics, Metrics, ModelMetrics
from service.monitoring.scorer import Scorer
from service.problems import CODE_HEADER, problem, problem_response
from service.serving.artifact_cache import ArtifactCache
from service.serving.catalog import Catalog
from service.serving.supervisor import Supervisor
from service.settings import Settings
from service.store.async_database import AsyncDatabase

CLIENT_CLOSED = 499
"""nginx's status for a client that has disconnected; used for metrics and logs only."""

Background = Callable[[], Coroutine[Any, Any, None]]
"""A task that runs as long as the application."""


def create_app(settings: Settings, *, supervise: bool = True, host: str = "127.0.0.1") -> FastAPI:
    """Return the application; nothing runs before its start.

    Args:
        settings: The settings.
        host: The address that the server is bound to; it answers to this name, too.
        supervise: Whether to run the registry process; without it only cached models are served.

    Raises:
        KeysInvalid: If the API key file cannot be read.
    """
    service, background = _assemble(settings, supervise=supervise)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        running = [asyncio.create_task(task()) for task in background]
        await service.database.open()
        yield
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await _close(service)

    app = FastAPI(title="Almanac", version=_version(), lifespan=lifespan, openapi_url=None, redirect_slashes=False)
    app.state.service = service
    app.openapi = partial(describe, app)  # type: ignore[method-assign] # FastAPI's documented way
    for router in ROUTERS:
        app.include_router(router)
    for kind, handler in HANDLERS.items():
        app.add_exception_handler(kind, handler)
    app.add_middleware(AdmissionMiddleware, forecasting=service.forecasting)
    keys = KeyRing(settings.api_keys)
    app.add_middleware(AuthMiddleware, keys=keys)
    app.add_middleware(RequestChecks, hosts=AllowedHosts(host, settings.allowed_hosts), keys=keys)
    app.add_middleware(MetricsMiddleware, metrics=service.metrics, access_log=settings.access_log)
    return app


def _assemble(settings: Settings, *, supervise: bool) -> tuple[Service, list[Background]]:
    """Return the service's parts, and the tasks that run in the background."""
    cache = ArtifactCache.own(settings.cache) if supervise else ArtifactCache(settings.cache)
    supervisor = Supervisor(settings, cache)
    metrics, recent_inputs = Metrics(), RecentInputs()
    catalog = Catalog(
        cache, default=settings.model, limit=settings.max_models, fetch=supervisor.fetch, on_load=metrics.count_load
    )
    database = AsyncDatabase(settings.database, settings.max_queue)
    scorer, backtests = Scorer(database, settings.accuracy_days), BacktestCache(catalog, cache)
    forecast_log = None
    if settings.ledger:
        forecast_log = ForecastLog(
            database,
            metrics,
            limit=settings.max_ledger,
            days=settings.retention_days,
            delete_all=settings.retention_all,
        )
    recorder = ForecastRecorder(metrics, recent_inputs, forecast_log)
    forecasting = ForecastHandler(settings, *make_lanes(settings), catalog.select, recorder.record)
    metrics.registry.register(ModelMetrics(catalog, recent_inputs))
    metrics.registry.register(DatabaseMetrics(database))
    metrics.registry.register(AccuracyMetrics(scorer, backtests))
    jobs = JobsClient(settings.jobs, settings.max_queue)
    counter = JobCounter(jobs)
    metrics.registry.register(JobMetrics(lambda: counter.newest))
    service = Service(
        settings, catalog, forecasting, metrics, recent_inputs, database, forecast_log, scorer, backtests, jobs
    )
    background = [catalog.watch, database.watch, scorer.run, counter.watch]
    background += [forecast_log.run] if forecast_log else []
    background += [supervisor.run] if supervise else []
    return service, background


async def _close(service: Service) -> None:
    """Write the waiting forecasts, and close threads and databases."""
    if service.forecast_log is not None:
        await service.forecast_log.close()
    service.forecasting.close()
    service.database.close()
    service.jobs.close()


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
