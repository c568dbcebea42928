"""Example: the series that a registered model has as its input example."""

from typing import TYPE_CHECKING, Any

import numpy as np

from models.series import Series
from models.windows import covariate_columns
from training.data.series_set import SeriesSet

if TYPE_CHECKING:
    import pandas as pd

EXAMPLE_SERIES = 2
"""Number of series in a model's input example."""


def model_example(data: SeriesSet, horizon: int = 0) -> "pd.DataFrame":
    """Return the newest three seasons of the first series as a long frame `unique_id, ds, y` and covariates.

    If the model reads covariates that are known ahead, `horizon` rows without a value contain their future.
    """
    import pandas as pd

    count = 3 * data.frequency.season_length
    ahead = horizon if any(name in data.covariates.future for name in data.covariates.read) else 0
    frames = [
        pd.DataFrame({"unique_id": one.id, "ds": _timestamps(one, ahead)} | _columns(one, data, ahead)).tail(
            count + ahead
        )
        for one in data.series[:EXAMPLE_SERIES]
    ]
    return pd.concat(frames, ignore_index=True)


def _timestamps(one: Series, ahead: int) -> Any:  # noqa: ANN401 - timestamps, or None without dates
    """Return the timestamps of a series and of `ahead` steps after it."""
    return None if one.timestamps is None else np.concatenate([one.timestamps, one.future(ahead)])


def _columns(one: Series, data: SeriesSet, ahead: int) -> dict[str, Any]:
    """Return the values and covariates of a series and of `ahead` steps after it, NaN where unknown."""
    past, future = covariate_columns(one, data.covariates, len(one), ahead)
    columns = {"y": np.append(one.values, np.full(ahead, np.nan))}
    for column, name in enumerate(data.covariates.all):
        known = column - len(data.covariates.past)
        after = future[:, known] if known >= 0 else np.full(ahead, np.nan)
        columns[name] = np.append(past[:, column], after)
    return {name: columns[name] for name in ("y", *data.covariates.read)}
