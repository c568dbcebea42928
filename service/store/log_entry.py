"""Log entry: a served forecast as plain data, which reaches another process quickly."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from models.calendar.zoned_grid import Frequency
from models.forecast import Forecast
from models.series import Series
from service.selector import SelectedModel
from service.store.blobs import encode_times

MICROSECONDS = 1_000_000


@dataclass(frozen=True, slots=True, eq=False)
class ServedForecast:
    """A served forecast that is to be written.

    Attributes:
        forecast_id: Its id in the response.
        made_at: Microseconds since 1970, UTC.
        selected: The version that made it.
        series: The history that it was made from.
        forecast: The forecast.
        from_store: Whether the history is that of the stored observations; otherwise it is compared with them.
    """

    forecast_id: str
    made_at: int
    selected: SelectedModel
    series: Series
    forecast: Forecast
    from_store: bool = False

    @property
    def size(self) -> int:
        """Return how many numbers it holds in memory."""
        return self.series.values.size + self.forecast.quantiles.size


class LogEntry(NamedTuple):
    """A served forecast as plain data.

    Attributes:
        forecast_id: Its id in the response.
        made_at: Microseconds since 1970, UTC.
        model: Name of the version that made it.
        version: Its number.
        alias: The alias in the request, or None.
        run_id: The MLflow run of the version, or None.
        season_length: Steps in one season of the model.
        series_id: The series; empty if it has no id.
        start: Timestamp of the first value of the history, microseconds since 1970, or None; pickle takes long for a datetime64.
        frequency: The series' frequency, or None.
        timezone: The series' timezone, or None.
        style: The series' style.
        values: The history, float64.
        levels: Quantile levels, rising.
        quantiles: float64 in C order, (horizon, levels).
        median: float64, (horizon,).
        intervals: Level in per cent, lower and upper bounds of each interval.
        timestamps: int64 microseconds of the steps, or None.
        context_used: Values of the history that the model read.
        from_store: Whether the history is that of the stored observations; otherwise it is compared with them.
    """

    forecast_id: str
    made_at: int
    model: str
    version: str
    alias: str | None
    run_id: str | None
    season_length: int
    series_id: str
    start: int | None
    frequency: Frequency | None
    timezone: str | None
    style: str
    values: bytes
    levels: tuple[float, ...]
    quantiles: bytes
    median: bytes
    intervals: tuple[tuple[float, bytes, bytes], ...]
    timestamps: bytes | None
    context_used: int
    from_store: bool


def make_entry(served: ServedForecast) -> LogEntry:
    """Return a served forecast as plain data."""
    selected, series, forecast = served.selected, served.series, served.forecast
    model = selected.model
    return LogEntry(
        served.forecast_id,
        served.made_at,
        model.name,
        model.version,
        selected.alias,
        model.run_id,
        selected.forecaster_for(series).spec.season_length,
        series.id,
        None if series.start is None else int(series.start.astype("M8[us]").astype(np.int64)),
        series.frequency,
        series.timezone,
        series.style,
        series.values.tobytes(),
        forecast.quantile_levels,
        forecast.quantiles.tobytes(),
        forecast.median.tobytes(),
        tuple([(one.level, one.lower.tobytes(), one.upper.tobytes()) for one in forecast.intervals]),
        None if forecast.timestamps is None else encode_times(forecast.timestamps),
        forecast.context_used,
        served.from_store,
    )
