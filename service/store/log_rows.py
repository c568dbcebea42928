"""Log rows: served forecasts as rows of the table `forecasts`, many at once, each with its seasonal naive baseline."""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from models.intervals import interval_sides
from models.json_values import finite_or_none
from service.store.blobs import Floats, decode_floats, encode_floats
from service.store.database import storable
from service.store.log_entry import MICROSECONDS, LogEntry
from service.store.scoring.history_check import choose_steps, times_in_reach
from service.store.scoring.naive_baselines import naive_baselines

LATE = 10 * MICROSECONDS
"""A forecast that is written this long after it was made is due at once: its observations may have come before it."""


def make_rows(entries: Sequence[LogEntry], now: int) -> list[dict[str, Any]]:
    """Return forecasts as rows of the table, in order; `now` as `LogEntry.made_at`."""
    rows: dict[int, dict[str, Any]] = {}
    for places in _alike(entries):
        rows.update(zip(places, _rows([entries[at] for at in places], now), strict=True))
    return [rows[at] for at in range(len(entries))]


def is_late(made_at: int, first_timestamp: int | None, now: int) -> bool:
    """Return whether a forecast with dates is written so late that observations may have come before it."""
    return first_timestamp is not None and now - made_at > LATE


def _alike(entries: Sequence[LogEntry]) -> Iterator[list[int]]:
    """Return the places of entries whose histories, horizons and seasons are as long as each other's."""
    found: dict[tuple[int, int, int], list[int]] = {}
    for at, entry in enumerate(entries):
        found.setdefault((len(entry.values), len(entry.median), entry.season_length), []).append(at)
    return iter(found.values())


def _rows(entries: Sequence[LogEntry], now: int) -> Iterator[dict[str, Any]]:
    """Yield the rows of entries that are alike."""
    first = entries[0]
    values = decode_floats(b"".join([entry.values for entry in entries])).reshape(len(entries), -1)
    naive, scales = naive_baselines(values, len(first.median) // 8, first.season_length)
    chosen = choose_steps(values, [entry.forecast_id for entry in entries])
    parts = zip(entries, naive, scales.tolist(), chosen, np.take_along_axis(values, chosen, axis=1), strict=True)
    for entry, forecast, scale, steps, kept in parts:
        times = times_in_reach(entry.start, entry.frequency, entry.timezone, values.shape[1])
        yield {
            **_row(entry, now),
            "cutoff": None if times is None else times.item(-1),
            "naive": encode_floats(forecast),
            "scale": finite_or_none(scale),
            **_evidence(entry, times, steps - values.shape[1], kept),
        }


def _row(entry: LogEntry, now: int) -> dict[str, Any]:
    """Return the columns that need the entry alone."""
    levels, quantiles = _columns(entry)
    times = None if entry.timestamps is None else np.frombuffer(entry.timestamps, "<i8")
    first, last = (None, None) if times is None else (times.item(0), times.item(-1))
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
        "first_timestamp": first,
        "last_timestamp": last,
        "horizon": len(entry.median) // 8,
        "timestamps": entry.timestamps,
        "levels": _levels_text(levels),
        "quantiles": quantiles,
        "median": entry.median,
        "context_used": entry.context_used,
        "due": is_late(entry.made_at, first, now),
    }


def _evidence(
    entry: LogEntry, times: NDArray[np.int64] | None, steps: NDArray[np.int64], values: Floats
) -> dict[str, Any]:
    """Return the columns that tell whether a forecast is evidence; `steps` count from the end of `times`."""
    sample = None if entry.from_store or not entry.series_id or times is None else times[steps]
    return {
        "is_evidence": True if entry.from_store else None,
        "history_from": None if sample is None else sample.item(0),
        "history_timestamps": None if sample is None else sample.tobytes(),
        "history_values": None if sample is None else values.tobytes(),
    }


def _columns(entry: LogEntry) -> tuple[tuple[float, ...], bytes]:
    """Return the levels of quantiles and interval bounds, rising, each once, and their columns, (horizon, levels)."""
    known = set(entry.levels)
    others: dict[float, bytes] = {}
    for level, below, above in entry.intervals:
        lower, upper = interval_sides(level)
        others.setdefault(lower, below)
        others.setdefault(upper, above)
    if others.keys() <= known:
        return entry.levels, entry.quantiles
    table: Floats = decode_floats(entry.quantiles).reshape(-1, len(entry.levels))
    columns = {level: decode_floats(numbers) for level, numbers in others.items()}
    columns |= dict(zip(entry.levels, table.T, strict=True))
    levels = tuple(sorted(columns))
    return levels, encode_floats(np.stack([columns[level] for level in levels], axis=1))


@lru_cache(maxsize=256)
def _levels_text(levels: tuple[float, ...]) -> str:
    return orjson.dumps(levels).decode()
