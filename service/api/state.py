"""State: what one application holds, handed to its routes."""

from dataclasses import dataclass

from starlette.requests import Request

from service.jobs.client import Jobs
from service.monitoring.backtest_figures import BacktestCache
from service.monitoring.drift import RecentInputs
from service.monitoring.forecast_log import ForecastLog
from service.monitoring.metrics import Metrics
from service.monitoring.scorer import Scorer
from service.serving.catalog import Catalog
from service.settings import Settings
from service.store.async_database import AsyncDatabase
from service.thread_pool import ThreadPool


@dataclass(frozen=True, slots=True)
class Service:
    """Everything that a route may need."""

    settings: Settings
    catalog: Catalog
    metrics: Metrics
    recent_inputs: RecentInputs
    workers: ThreadPool
    database: AsyncDatabase
    forecast_log: ForecastLog | None
    scorer: Scorer
    backtests: BacktestCache
    jobs: Jobs


def service_of(request: Request) -> Service:
    """Return the service that a request came to."""
    service: Service = request.app.state.service
    return service
