"""Frame: forecasts as a long table."""

from collections.abc import Mapping, Sequence
from datetime import timedelta, timezone
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from models.calendar.timestamps import offset_of
from models.calendar.zoned_grid import format_timestamps
from models.forecast import Forecast, level_name

if TYPE_CHECKING:
    import pandas as pd


def to_frame(forecasts: Sequence[Forecast], stamps: Sequence[Sequence[str]]) -> "pd.DataFrame":
    """Return a long frame: `unique_id, ds, median`, `mean`, a column for each quantile, `lower_80`, `upper_80` and each path.

    Args:
        forecasts: At least one, all with the same levels.
        stamps: Timestamps of each as text.
    """
    import pandas as pd

    ids = np.repeat(np.array([one.id for one in forecasts], dtype=object), _steps(forecasts))
    texts = pd.Series([text for some in stamps for text in some], dtype="str")
    return pd.DataFrame({"unique_id": pd.Series(ids, dtype="str"), "ds": texts, **_numbers(forecasts)})


def to_table(forecasts: Sequence[Forecast]) -> Any:  # noqa: ANN401 - pyarrow's
    """Return the columns of `to_frame` as a `pyarrow.Table` whose `ds` are timestamps in microseconds.

    They have the timezone or the offset that all forecasts share; wall clocks have none. `ds` is text, as in `to_frame`,
    where timezones differ or there are no dates.
    """
    import pyarrow as pa

    places = np.repeat(np.arange(len(forecasts)), _steps(forecasts))
    ids = pa.array([one.id for one in forecasts], pa.string()).take(pa.array(places))
    return pa.table({"unique_id": ids, "ds": _dates(forecasts), **_numbers(forecasts)})


def _steps(forecasts: Sequence[Forecast]) -> list[int]:
    return [len(one.median) for one in forecasts]


def _numbers(forecasts: Sequence[Forecast]) -> Mapping[str, NDArray[np.float64]]:
    """Return the columns of numbers, the forecasts one below the other."""
    first = forecasts[0]
    columns = {"median": np.concatenate([one.median for one in forecasts])}
    if first.mean is not None:
        columns["mean"] = np.concatenate([one.mean for one in forecasts if one.mean is not None])
    quantiles = np.concatenate([one.quantiles for one in forecasts])
    columns |= {f"q{level_name(level)}": quantiles[:, at] for at, level in enumerate(first.quantile_levels)}
    for at, interval in enumerate(first.intervals):
        for side in ("lower", "upper"):
            name = f"{side}_{level_name(interval.level)}"
            columns[name] = np.concatenate([getattr(one.intervals[at], side) for one in forecasts])
    if first.paths is not None:
        paths = np.concatenate([one.paths for one in forecasts if one.paths is not None], axis=1)
        columns |= {f"path{at + 1}": path for at, path in enumerate(paths)}
    return columns


def _dates(forecasts: Sequence[Forecast]) -> Any:  # noqa: ANN401 - an array of pyarrow
    import pyarrow as pa

    written = {(one.timezone, one.style) for one in forecasts}
    zones = {(zone, None if zone else offset_of(style)) for zone, style in written}
    known = [one.timestamps for one in forecasts if one.timestamps is not None]
    if len(zones) > 1 or len(known) < len(forecasts):
        return pa.array([text for some in stamps_of(forecasts) for text in some], pa.string())
    ((zone, offset),) = zones
    joined = np.concatenate(known).astype("M8[us]")
    if offset is not None:
        joined -= np.timedelta64(offset, "s")
        zone = "UTC" if offset == 0 else str(timezone(timedelta(seconds=offset))).removeprefix("UTC")
    return pa.array(joined.view(np.int64)).cast(pa.timestamp("us", zone))


def stamps_of(forecasts: Sequence[Forecast]) -> list[tuple[str, ...]]:
    """Return the timestamps of each forecast as text; the numbers of its steps where there are no dates."""
    known = dict[tuple[bytes, str, str | None], tuple[str, ...]]()
    return [_stamps(one, known) for one in forecasts]


def _stamps(forecast: Forecast, known: dict[tuple[bytes, str, str | None], tuple[str, ...]]) -> tuple[str, ...]:
    if forecast.timestamps is None:
        return tuple(str(step) for step in range(1, len(forecast.median) + 1))
    key = (forecast.timestamps.tobytes(), forecast.style, forecast.timezone)
    if key not in known:
        known[key] = tuple(format_timestamps(forecast.timestamps, forecast.style, forecast.timezone))
    return known[key]
