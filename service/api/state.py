"""State: the parts of one application that its routes use."""

from dataclasses import dataclass

from starlette.requests import Request

from service.forecasting.answer import ForecastHandler
from service.jobs.client import JobsClient
from service.monitoring.backtest_figures import BacktestCache
from service.monitoring.drift import RecentInputs
from service.monitoring.forecast_log import ForecastLog
from service.monitoring.metrics import Metrics
from service.monitoring.scorer import Scorer
from service.processes.answers import Ask
from service.serving.catalog import Catalog
from service.settings import Settings
from service.store.async_database import AsyncDatabase


@dataclass(frozen=True, slots=True)
class Service:
    """Everything that a route may use; `forecast_log` is None if it is switched off."""

    settings: Settings
    catalog: Catalog
    forecasting: ForecastHandler
    metrics: Metrics
    recent_inputs: RecentInputs
    database: AsyncDatabase
    forecast_log: ForecastLog | None
    scorer: Scorer
    backtests: BacktestCache
    jobs: JobsClient
    ask_registry: Ask


def service_of(request: Request) -> Service:
    """Return the service that received a request."""
    service: Service = request.app.state.service
    return service
