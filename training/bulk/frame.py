"""Frame: forecasts as a long table."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

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

    first = forecasts[0]
    columns = {"median": [one.median for one in forecasts]}
    if first.mean is not None:
        columns["mean"] = [one.mean for one in forecasts if one.mean is not None]
    for at, level in enumerate(first.quantile_levels):
        columns[f"q{level_name(level)}"] = [one.quantiles[:, at] for one in forecasts]
    for at, interval in enumerate(first.intervals):
        for side in ("lower", "upper"):
            columns[f"{side}_{level_name(interval.level)}"] = [getattr(one.intervals[at], side) for one in forecasts]
    if first.paths is not None:
        for at in range(len(first.paths)):
            columns[f"path{at + 1}"] = [one.paths[at] for one in forecasts if one.paths is not None]
    ids = np.repeat(np.array([one.id for one in forecasts], dtype=object), [len(one.median) for one in forecasts])
    texts = pd.Series([text for some in stamps for text in some], dtype="str")
    numbers = {name: np.concatenate(parts) for name, parts in columns.items()}
    return pd.DataFrame({"unique_id": pd.Series(ids, dtype="str"), "ds": texts, **numbers})


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
