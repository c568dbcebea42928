"""Log entry: a served forecast as plain data, which reaches another process quickly, and as a row of the table."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import orjson

from models.calendar.zoned_grid import Frequency, timestamps_from
from models.forecast import Forecast
from models.intervals import interval_sides
from models.json_values import finite_or_none
from models.series import Series
from service.selector import SelectedModel
from service.store.blobs import Floats, decode_floats, encode_floats, encode_times, microseconds
from service.store.database import storable
from service.store.history_check import sample_history
from service.store.score import naive_baseline

MICROSECONDS = 1_000_000
LATE = 10 * MICROSECONDS
"""A forecast that is written this long after it was made is due at once: its observations may have come before it."""


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

    @property
    def history(self) -> Series:
        """Return the history as a series."""
        start = None if self.start is None else np.datetime64(self.start, "us")
        return Series(decode_floats(self.values), self.series_id, start, self.frequency, self.timezone, self.style)


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


def make_row(entry: LogEntry, now: int) -> dict[str, Any]:
    """Return a forecast as a row of the table `forecasts`, with its seasonal naive baseline; `now` as `made_at`."""
    history = entry.history
    horizon = len(entry.median) // 8
    levels, quantiles = _columns(entry, horizon)
    baseline = naive_baseline(history, horizon, entry.season_length)
    times = None if entry.timestamps is None else np.frombuffer(entry.timestamps, "<i8")
    return {
        "forecast_id": entry.forecast_id,
        "made_at": entry.made_at,
        "model": entry.model,
        "version": entry.version,
        "alias": entry.alias,
        "run_id": entry.run_id,
        "series_id": storable(entry.series_id),
        "frequency": entry.frequency.name if entry.frequency else None,
        "timezone": entry.timezone,
        "style": entry.style,
        "cutoff": _cutoff(history),
        "first_timestamp": None if times is None else int(times[0]),
        "last_timestamp": None if times is None else int(times[-1]),
        "horizon": horizon,
        "timestamps": entry.timestamps,
        "levels": _levels_text(levels),
        "quantiles": quantiles,
        "median": entry.median,
        "naive": encode_floats(baseline.naive),
        "scale": finite_or_none(baseline.scale),
        "context_used": entry.context_used,
        "due": is_late(entry.made_at, None if times is None else int(times[0]), now),
        **_evidence(entry, history),
    }


def is_late(made_at: int, first_timestamp: int | None, now: int) -> bool:
    """Return whether a forecast with dates is written so late that observations may have come before it."""
    return first_timestamp is not None and now - made_at > LATE


def _evidence(entry: LogEntry, history: Series) -> dict[str, Any]:
    """Return the columns that tell whether a forecast is evidence."""
    sample = None if entry.from_store or not entry.series_id else sample_history(history, entry.forecast_id)
    return {
        "is_evidence": True if entry.from_store else None,
        "history_from": None if sample is None else int(microseconds(sample.timestamps[:1])[0]),
        "history_timestamps": None if sample is None else encode_times(sample.timestamps),
        "history_values": None if sample is None else encode_floats(sample.values),
    }


def _columns(entry: LogEntry, horizon: int) -> tuple[tuple[float, ...], bytes]:
    """Return the levels of quantiles and interval bounds, rising, each once, and their columns, (horizon, levels)."""
    known = set(entry.levels)
    others: dict[float, bytes] = {}
    for level, below, above in entry.intervals:
        lower, upper = interval_sides(level)
        others.setdefault(lower, below)
        others.setdefault(upper, above)
    if others.keys() <= known:
        return entry.levels, entry.quantiles
    table: Floats = decode_floats(entry.quantiles).reshape(horizon, len(entry.levels))
    columns = {level: decode_floats(numbers) for level, numbers in others.items()}
    columns |= dict(zip(entry.levels, table.T, strict=True))
    levels = tuple(sorted(columns))
    return levels, encode_floats(np.stack([columns[level] for level in levels], axis=1))


def _cutoff(series: Series) -> int | None:
    if series.start is None or series.frequency is None:
        return None
    return _timestamp(series.start, series.frequency, series.timezone, len(series) - 1)


@lru_cache(maxsize=4096)
def _timestamp(start: np.datetime64, frequency: Frequency, timezone: str | None, steps: int) -> int:
    """Return the time of a step; cached, since the series of one request often end at the same time."""
    return int(microseconds(timestamps_from(start, frequency, 1, timezone, skip=steps))[0])


@lru_cache(maxsize=256)
def _levels_text(levels: tuple[float, ...]) -> str:
    return orjson.dumps(levels).decode()
