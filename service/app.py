"""App: puts the service together; every call makes one that shares nothing with any other."""

import asyncio
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

from models.errors import AlmanacError
from service.api.middleware import MetricsMiddleware
from service.api.openapi import describe
from service.api.routes import (
    accuracy,
    docs,
    forecast,
    forecasts,
    health,
    jobs,
    metrics,
    models,
    observations,
    schedules,
    series,
)
from service.api.security import AuthMiddleware, KeyRing
from service.api.state import Service
from service.errors import FieldInvalid
from service.jobs.client import Jobs
from service.monitoring.accuracy_metrics import AccuracyMetrics
from service.monitoring.backtest_figures import BacktestCache
from service.monitoring.drift import RecentInputs
from service.monitoring.forecast_log import ForecastLog
from service.monitoring.metrics import DatabaseMetrics, Metrics, ModelMetrics
from service.monitoring.scorer import Scorer
from service.problems import CODE_HEADER, problem, problem_response
from service.serving.artifact_cache import ArtifactCache
from service.serving.catalog import Catalog
from service.serving.supervisor import Supervisor
from service.settings import Settings
from service.store.async_database import AsyncDatabase
from service.thread_pool import ThreadPool

ROUTERS = (
    forecast.router,
    forecasts.router,
    observations.router,
    series.router,
    accuracy.router,
    models.router,
    schedules.router,
    jobs.router,
    health.router,
    metrics.router,
    docs.router,
)
DISCONNECTED = 499
"""What nginx logs for a client that has left; nobody receives it."""


def create_app(settings: Settings, *, supervise: bool = True) -> FastAPI:
    """Return the application; nothing runs until it is started.

    Args:
        settings: What it goes by.
        supervise: Whether to run the registry's child process; without it only what is cached is served.

    Raises:
        KeysInvalid: If the file of keys cannot be read.
    """
    cache = ArtifactCache.own(settings.cache) if supervise else ArtifactCache(settings.cache)
    supervisor = Supervisor(settings, cache)
    counters, inputs = Metrics(), RecentInputs()
    catalog = Catalog(
        cache,
        default=settings.model,
        limit=settings.max_models,
        fetch=supervisor.fetch,
        on_load=counters.count_load,
    )
    counters.registry.register(ModelMetrics(catalog, inputs))
    database = AsyncDatabase(settings.database, settings.max_queue)
    counters.registry.register(DatabaseMetrics(database))
    forecast_log = None
    if settings.ledger:
        forecast_log = ForecastLog(database, counters, limit=settings.max_ledger, days=settings.retention_days)
    scorer, backtests = Scorer(database, settings.accuracy_days), BacktestCache(catalog, cache)
    counters.registry.register(AccuracyMetrics(scorer, backtests))
    workers = ThreadPool(settings.max_queue)
    jobs_queue = Jobs(settings.jobs, settings.max_queue)
    service = Service(
        settings, catalog, counters, inputs, workers, database, forecast_log, scorer, backtests, jobs_queue
    )
    tasks = [catalog.watch, database.watch, scorer.run]
    tasks += [forecast_log.run] if forecast_log else []
    tasks += [supervisor.run] if supervise else []

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        running = [asyncio.create_task(task()) for task in tasks]
        await database.open()
        yield
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        if forecast_log is not None:
            await forecast_log.close()
        service.workers.close()
        database.close()
        service.jobs.close()

    app = FastAPI(title="Almanac", version=_version(), lifespan=lifespan, docs_url=None, redoc_url=None)
    app.state.service = service
    app.openapi = partial(describe, app)  # type: ignore[method-assign] # FastAPI's documented way
    for router in ROUTERS:
        app.include_router(router)
    for kind, handler in HANDLERS.items():
        app.add_exception_handler(kind, handler)
    app.add_middleware(AuthMiddleware, keys=KeyRing(settings.api_keys))
    app.add_middleware(MetricsMiddleware, metrics=counters, access_log=settings.access_log)
    return app


async def _refused(_request: Request, error: Any) -> Response:  # noqa: ANN401 (an AlmanacError: the table says so)
    """Answer an error of the tree."""
    return problem(error)


async def _http(request: Request, error: Any) -> Response:  # noqa: ANN401 (an HTTPException)
    """Answer what Starlette refuses: a path that is not there, a method that is not allowed."""
    status = HTTPStatus(error.status_code)
    members = {
        "code": status.name,
        "detail": f"{request.method} {request.url.path[:200]}: {status.phrase}.",
        "pointer": "",
        "hint": "GET /docs lists what can be asked.",
    }
    return problem_response(status, members, {**(error.headers or {}), CODE_HEADER: status.name})


async def _invalid(_request: Request, error: Any) -> Response:  # noqa: ANN401 (a RequestValidationError)
    """Answer what FastAPI refuses before a route sees it."""
    first = error.errors()[0]
    pointer = "/" + "/".join(str(part) for part in first["loc"][1:])
    return problem(FieldInvalid(f"{first['msg']}.", pointer=pointer, hint="GET /docs shows what is expected."))


async def _disconnected(_request: Request, _error: Any) -> Response:  # noqa: ANN401 (a ClientDisconnect)
    """Answer a client that is gone, so that it is counted and leaves no traceback."""
    return Response(status_code=DISCONNECTED)


HANDLERS = {
    AlmanacError: _refused,
    HTTPException: _http,
    RequestValidationError: _invalid,
    ClientDisconnect: _disconnected,
}


def _version() -> str:
    """Return the installed version, or 0 in a tree that is not installed."""
    try:
        return version("almanac-forecast")
    except PackageNotFoundError:
        return "0"
