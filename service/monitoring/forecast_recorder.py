"""Forecast recorder: counts each forecast, and passes it to the drift statistics and the forecast log."""

from dataclasses import dataclass

from models.names import CHAMPION
from service.forecasting.request import ForecastQuery
from service.forecasting.response import ForecastResult
from service.monitoring.drift import RecentInputs
from service.monitoring.forecast_log import ForecastLog
from service.monitoring.metrics import Metrics
from service.selector import SelectedModel


@dataclass(frozen=True, slots=True)
class ForecastRecorder:
    """Records the results of forecast requests; `forecast_log` is None if it is switched off."""

    metrics: Metrics
    recent_inputs: RecentInputs
    forecast_log: ForecastLog | None

    def record_shadow(self, query: ForecastQuery, selected: SelectedModel, result: ForecastResult) -> None:
        """Store the forecasts of a challenger that are not returned, so that they are scored. Can be called from any thread."""
        if query.record and self.forecast_log is not None:
            self.forecast_log.wait_for_room()
            self.forecast_log.append(selected, result.by_forecast_id(query.unnamed), from_store=query.from_store)

    def record(self, query: ForecastQuery, selected: SelectedModel, result: ForecastResult) -> None:
        """Record one result; the inputs count as recent only for the champion. Can be called from any thread."""
        if query.record and selected.alias == CHAMPION:
            unnamed = query.unnamed and {
                place for place, (index, _) in enumerate(query.series) if index in query.unnamed
            }
            histories = [series for _, series in query.series]
            self.recent_inputs.record(selected.model, histories, unnamed, from_store=query.from_store)
        if query.record and self.forecast_log is not None:
            self.forecast_log.wait_for_room()
            self.forecast_log.append(selected, result.by_forecast_id(query.unnamed), from_store=query.from_store)
        self.metrics.count_forecast(selected.model.name, len(result.rows), result.steps)
        if result.faults:
            self.metrics.count_errors(fault.finding.code for fault in result.faults)
