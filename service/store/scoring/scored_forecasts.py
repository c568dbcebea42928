"""Scored forecasts: forecasts with scores that count, beside the observations of their series."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import Connection, Row, desc, exists, select

from models.calendar.timestamps import Timestamps
from models.values import Values
from service.store.database import Database
from service.store.scoring.score import LoggedForecast
from service.store.scoring.score_due import read_forecast
from service.store.scoring.score_filter import ScoreFilter
from service.store.scoring.time_matching import tolerance_of
from service.store.tables import forecasts, observations, scores

HORIZONS_SHOWN, MIN_SHOWN = 3, 12
"""Observations beside a forecast: those of its steps, two horizons before them, and MIN_SHOWN more."""
CANDIDATES = 8
"""Forecasts that are ranked for each one that is listed, since only one of each series is."""


@dataclass(frozen=True, slots=True, eq=False)
class ScoredForecast:
    """A forecast with scores, and the observations before and at its steps.

    Attributes:
        forecast_id: Its id.
        series_id: Its series.
        model: Name.
        version: Of the model.
        style: How its request wrote timestamps.
        timezone: IANA name if its timestamps are UTC instants.
        forecast: The forecast.
        timestamps: Of the series' observations, up to the actual value of the last step; shape (length,), datetime64[us].
        values: Of the observations, shape (length,).
    """

    forecast_id: str
    series_id: str
    model: str
    version: str
    style: str
    timezone: str | None
    forecast: LoggedForecast
    timestamps: Timestamps
    values: Values


def list_scored_forecasts(database: Database, where: ScoreFilter, limit: int) -> list[ScoredForecast]:
    """Return forecasts with scores, one of each series: those with the most counted steps first, then the newest.

    Raises:
        DatabaseUnreachable: If the database does not answer.
    """
    matching = exists().where(scores.c.forecast_id == forecasts.c.forecast_id, scores.c.counts, *where.of_scores())
    ranked = (
        select(forecasts.c.forecast_id, forecasts.c.series_id)
        .where(forecasts.c.counted > 0, *where.of_forecasts(), matching)
        .order_by(desc(forecasts.c.counted), desc(forecasts.c.made_at), forecasts.c.forecast_id)
        .limit(limit * CANDIDATES)
    )
    with database.reading() as connection:
        best: dict[str, str] = {}
        for forecast_id, series_id in connection.execute(ranked):
            best.setdefault(series_id, forecast_id)
        chosen = list(best.values())[:limit]
        rows = connection.execute(select(forecasts).where(forecasts.c.forecast_id.in_(chosen))).all()
        found = {row.forecast_id: _scored(connection, row) for row in rows}
    return [found[forecast_id] for forecast_id in chosen]


def _scored(connection: Connection, row: Row[Any]) -> ScoredForecast:
    """Return a forecast with its newest observations up to the last step."""
    newest = (
        select(observations.c.timestamp, observations.c.value)
        .where(
            observations.c.series_id == row.series_id,
            observations.c.timestamp <= row.last_timestamp + tolerance_of(row.frequency),
            observations.c.value.is_not(None),
        )
        .order_by(desc(observations.c.timestamp))
        .limit(HORIZONS_SHOWN * row.horizon + MIN_SHOWN)
    )
    observed = sorted((timestamp, value) for timestamp, value in connection.execute(newest))
    stamps = np.array([timestamp for timestamp, _ in observed], dtype=np.int64).astype("M8[us]")
    values = np.array([value for _, value in observed], dtype=np.float64)
    return ScoredForecast(
        forecast_id=row.forecast_id,
        series_id=row.series_id,
        model=row.model,
        version=row.version,
        style=row.style,
        timezone=row.timezone,
        forecast=read_forecast(row),
        timestamps=stamps,
        values=values,
    )
