"""Naive baselines: the seasonal naive forecasts of many histories of one length at once, and the scales of their errors."""

import numpy as np
from numpy.typing import NDArray

from models.irregular.implausible import is_suspicious
from models.series import Series
from service.store.blobs import Floats
from service.store.scoring.score import naive_baseline


def naive_baselines(values: Floats, horizon: int, season_length: int) -> tuple[Floats, Floats]:
    """Return the `naive_baseline` of each history: the forecasts, and the scales.

    Args:
        values: Histories up to the cutoff, shape (histories, length), NaN where nothing was observed.
        horizon: Steps of the forecasts.
        season_length: Steps in one season of the model.

    Returns:
        Shapes (histories, horizon) and (histories,), in the units of each series; a scale is NaN if it is 0 or undefined.
    """
    naive, scales = np.empty((len(values), horizon)), np.empty(len(values))
    usual = _are_usual(values, season_length)
    if usual.any():
        naive[usual], scales[usual] = _of_usual(values[usual], horizon, season_length)
    for at in np.flatnonzero(~usual).tolist():
        one = naive_baseline(Series(values[at]), horizon, season_length)
        naive[at], scales[at] = one.naive, one.scale
    return naive, scales


def _of_usual(values: Floats, horizon: int, season_length: int) -> tuple[Floats, Floats]:
    """Return `naive_baselines` of histories that are `_are_usual`."""
    naive: Floats = values[:, -season_length:][:, np.arange(horizon) % season_length]
    with np.errstate(over="ignore"):  # differences near the end of float64 are infinite
        scales = np.abs(values[:, season_length:] - values[:, :-season_length]).mean(axis=1)
    return naive, np.where((scales > 0) & np.isfinite(scales), scales, np.nan)


def _are_usual(values: Floats, season_length: int) -> NDArray[np.bool_]:
    """Return which histories are longer than a season, and have neither gaps nor what may be implausible."""
    if values.shape[1] <= season_length:
        return np.zeros(len(values), dtype=np.bool_)
    ordered = np.sort(values, axis=1)  # NaN last
    usual: NDArray[np.bool_] = ~np.isnan(ordered[:, -1])
    usual[usual] = [not is_suspicious(row, len(row)) for row in ordered[usual]]
    return usual
