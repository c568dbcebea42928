"""Ledger: what the tests of scores write into a database, as the service would."""

import time
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray
from sqlalchemy import insert, select, update

from models.series import Series
from models.spec import TRAINED_QUANTILES
from service.store.database import Database
from service.store.score import LoggedForecast, naive_baseline
from service.store.tables import forecasts, observations, scores

LEVELS = (0.025, *TRAINED_QUANTILES, 0.975)


def last_week() -> int:
    """Return a moment of last week, microseconds since 1970: neither young nor old enough to be deleted."""
    return time.time_ns() // 1_000 - 7 * 86_400_000_000


def make_history(seed: int = 0, length: int = 36, frequency: str = "M", start: str = "2020-01-01") -> Series:
    """Return a series of random values around 10."""
    values = np.random.default_rng(seed).normal(10.0, 3.0, length)
    return Series.make(values, id=f"s{seed}", start=start, frequency=frequency)


def make_kept(history: Series, horizon: int = 12, seed: int = 1, season_length: int = 12) -> LoggedForecast:
    """Return a forecast of random rising quantiles after a history."""
    quantiles = np.sort(np.random.default_rng(seed).normal(10.0, 3.0, (horizon, len(LEVELS))), axis=1)
    future = history.future(horizon)
    assert future is not None
    assert history.frequency is not None
    measure = naive_baseline(history, horizon, season_length)
    return LoggedForecast(future, history.frequency.name, LEVELS, quantiles, quantiles[:, LEVELS.index(0.5)], measure)


def keep(database: Database, forecast_id: str, kept: LoggedForecast, **changes: Any) -> None:  # noqa: ANN401 (any column)
    """Write a forecast into the ledger, due."""
    times = kept.timestamps.astype(np.int64)
    row = {
        "forecast_id": forecast_id,
        "made_at": 0,
        "model": "temperatures",
        "version": "1",
        "series_id": "s0",
        "frequency": kept.frequency,
        "style": "YYYY-MM",
        "first_timestamp": int(times[0]),
        "last_timestamp": int(times[-1]),
        "horizon": len(times),
        "timestamps": times.astype("<i8").tobytes(),
        "levels": orjson.dumps(kept.levels).decode(),
        "quantiles": _bytes(kept.quantiles),
        "median": _bytes(kept.median),
        "naive": _bytes(kept.measure.naive),
        "scale": kept.measure.scale if np.isfinite(kept.measure.scale) else None,
        "context_used": 36,
        "due": True,
    }
    with database.writing() as connection:
        connection.execute(insert(forecasts), [{**row, **changes}])


def observe(database: Database, series_id: str, values: dict[np.datetime64, float], updated: int = 0) -> None:
    """Write observations, and mark the forecasts of the series as due."""
    times = {int(stamp.astype("M8[us]").astype(np.int64)): value for stamp, value in values.items()}
    rows = [
        {"series_id": series_id, "timestamp": time, "value": value, "updated": updated} for time, value in times.items()
    ]
    mine = observations.c.series_id == series_id
    with database.writing() as connection:
        connection.execute(observations.delete().where(mine, observations.c.timestamp.in_(list(times))))
        connection.execute(insert(observations), rows)
        connection.execute(update(forecasts).where(forecasts.c.series_id == series_id).values(due=True))


def truth_of(kept: LoggedForecast, seed: int = 2) -> dict[np.datetime64, float]:
    """Return an observation at every step of a forecast."""
    values = np.random.default_rng(seed).normal(10.0, 3.0, len(kept.timestamps))
    return dict(zip(kept.timestamps, values.tolist(), strict=True))


def written(database: Database, forecast_id: str) -> list[Any]:
    """Return the scores of a forecast as the table has them, in the order of the steps."""
    query = select(scores).where(scores.c.forecast_id == forecast_id).order_by(scores.c.step)
    with database.reading() as connection:
        return list(connection.execute(query).all())


def _bytes(numbers: NDArray[np.float64]) -> bytes:
    return np.ascontiguousarray(numbers, dtype="<f8").tobytes()
