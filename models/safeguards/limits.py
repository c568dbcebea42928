"""Limits: forecasts within the bounds of their series, and zeros that stay zeros."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.irregular.bounds import UNBOUNDED
from models.series import Series

TINY = 1e-9
"""Forecasts of a series of zeros are smaller than this."""


def within_bounds(series: Sequence[Series], numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return numbers clipped to the bounds of their series; shape (series, ...), the same array without bounds."""
    if all(one.bounds == UNBOUNDED for one in series):
        return numbers
    bounds = np.array([one.bounds for one in series]).reshape(len(series), 2, *[1] * (numbers.ndim - 1))
    clipped: NDArray[np.float64] = np.clip(numbers, bounds[:, 0], bounds[:, 1])
    return clipped


def zeros_stay(series: Sequence[Series], table: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return forecasts of shape (series, horizon, levels), 0 for series of zeros: the network's scale has a tiny floor."""
    last = [one.values[-1] for one in series]
    if not any(value == 0 or np.isnan(value) for value in last):
        return table
    tiny = np.abs(table).max(axis=(1, 2)) < TINY
    if not tiny.any():
        return table
    zeros = np.array([small and not np.nan_to_num(one.values).any() for small, one in zip(tiny, series, strict=True)])
    return np.where(zeros[:, None, None], 0.0, table)
