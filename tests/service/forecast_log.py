"""Forecast log: forecasts, observations and scores that tests write into a database without a service."""

import time
from typing import Any

import numpy as np
import orjson
from sqlalchemy import insert, select, update

from models.calendar.zoned_grid import parse_frequency
from models.json_values import finite_or_none
from models.series import Series
from models.spec import TRAINED_QUANTILES
from service.store.blobs import encode_floats, encode_times, microseconds
from service.store.database import Database
from service.store.scoring.actuals import Observed, match_actuals
from service.store.scoring.score import LoggedForecast, StepScore, naive_baseline, score
from service.store.tables import forecasts, observations, scores

LEVELS = (0.025, *TRAINED_QUANTILES, 0.975)


def last_week() -> int:
    """Return a time of last week, microseconds since 1970: neither recent nor old enough to be deleted."""
    return time.time_ns() // 1_000 - 7 * 86_400_000_000


def make_history(seed: int = 0, length: int = 36, frequency: str = "M", start: str = "2020-01-01") -> Series:
    """Return a series of random values around 10."""
    values = np.random.default_rng(seed).normal(10.0, 3.0, length)
    return Series.make(values, id=f"s{seed}", start=start, frequency=frequency)


def make_forecast(
    history: Series, horizon: int = 12, seed: int = 1, season_length: int = 12, levels: tuple[float, ...] = LEVELS
) -> LoggedForecast:
    """Return a forecast of random rising quantiles after a history."""
    quantiles = np.sort(np.random.default_rng(seed).normal(10.0, 3.0, (horizon, len(levels))), axis=1)
    future = history.future(horizon)
    assert future is not None
    assert history.frequency is not None
    baseline = naive_baseline(history, horizon, season_length)
    return LoggedForecast(future, history.frequency.name, levels, quantiles, quantiles[:, levels.index(0.5)], baseline)


def log(database: Database, forecast_id: str, forecast: LoggedForecast, **changes: Any) -> None:  # noqa: ANN401 (any column)
    """Write a forecast, due, with changes to its row."""
    times = microseconds(forecast.timestamps).tolist()
    row = {
        "forecast_id": forecast_id,
        "made_at": 0,
        "model": "temperatures",
        "version": "1",
        "series_id": "s0",
        "frequency": forecast.frequency,
        "style": "YYYY-MM",
        "first_timestamp": times[0],
        "last_timestamp": times[-1],
        "horizon": len(times),
        "timestamps": encode_times(forecast.timestamps),
        "levels": orjson.dumps(forecast.levels).decode(),
        "quantiles": encode_floats(forecast.quantiles),
        "median": encode_floats(forecast.median),
        "naive": encode_floats(forecast.baseline.naive),
        "scale": finite_or_none(forecast.baseline.scale),
        "context_used": 36,
        "due": True,
    }
    with database.writing() as connection:
        connection.execute(insert(forecasts), [{**row, **changes}])


def observe(database: Database, series_id: str, values: dict[np.datetime64, float], updated: int = 0) -> None:
    """Write observations, and mark every forecast of the series as due."""
    times = {int(stamp.astype("M8[us]").astype(np.int64)): value for stamp, value in values.items()}
    rows = [
        {"series_id": series_id, "timestamp": time, "value": value, "updated": updated} for time, value in times.items()
    ]
    mine = observations.c.series_id == series_id
    with database.writing() as connection:
        connection.execute(observations.delete().where(mine, observations.c.timestamp.in_(list(times))))
        connection.execute(insert(observations), rows)
        connection.execute(update(forecasts).where(forecasts.c.series_id == series_id).values(due=True))


def actuals_of(forecast: LoggedForecast, seed: int = 2) -> dict[np.datetime64, float]:
    """Return a random observation at every step of a forecast."""
    values = np.random.default_rng(seed).normal(10.0, 3.0, len(forecast.timestamps))
    return dict(zip(forecast.timestamps, values.tolist(), strict=True))


def score_one(forecast: LoggedForecast, values: dict[np.datetime64, float]) -> list[StepScore]:
    """Return the scores of a forecast by the observations of its series, on its own clock."""
    stamps = np.array(list(values), dtype="M8[us]")
    observed = Observed.make(stamps, np.array(list(values.values())))
    actuals = match_actuals(observed, forecast.timestamps, parse_frequency(forecast.frequency))
    return score([forecast], [actuals])[0]


def stored_scores(database: Database, forecast_id: str) -> list[Any]:
    """Return the rows of the table `scores` of a forecast, by step."""
    query = select(scores).where(scores.c.forecast_id == forecast_id).order_by(scores.c.step)
    with database.reading() as connection:
        return list(connection.execute(query).all())
