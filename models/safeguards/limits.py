"""Limits: forecasts within the bounds of their series, zeros that stay zeros, and constants that stay as they are."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.irregular.bounds import UNBOUNDED, Bounds
from models.series import Series

TINY = 1e-9
"""Forecasts of a series of zeros are smaller than this."""

SMALLEST = 1e-28
"""Values that are all smaller than this are small beside the floor of the network's scale."""


ROUNDING = 1e-6
"""Share of a constant by which the network's float32 numbers differ from it, at the most."""


def within_bounds(series: Sequence[Series], numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return numbers clipped to the bounds of their series; shape (series, ...), the same array without bounds."""
    if all(one.bounds == UNBOUNDED for one in series):
        return numbers
    bounds = np.array([one.bounds for one in series]).reshape(len(series), 2, *[1] * (numbers.ndim - 1))
    clipped: NDArray[np.float64] = np.clip(numbers, bounds[:, 0], bounds[:, 1])
    return clipped


def zeros_stay(series: Sequence[Series], table: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return forecasts of shape (series, levels, horizon), within the history of series of zeros or of the smallest numbers.

    The network's scale has a tiny floor, which would show.
    """
    if all(abs(one.values.item(-1)) >= SMALLEST for one in series):  # NaN compares false
        return table
    tiny = np.abs(table).max(axis=(1, 2)) < TINY
    if not tiny.any():
        return table
    limits = np.array([_limits(one) if small else UNBOUNDED for small, one in zip(tiny, series, strict=True)])
    clipped: NDArray[np.float64] = np.clip(table, limits[:, 0, None, None], limits[:, 1, None, None])
    return clipped


def constants_stay(constants: Sequence[float], table: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return forecasts that differ from a constant history only by rounding as that constant: 5, not 4.9999999999997.

    Args:
        constants: The only value of each history, NaN for one with several, shape (series,).
        table: Shape (series, levels, horizon), in the units of the constants.
    """
    if all(map(math.isnan, constants)):
        return table
    values = np.array(constants)[:, None, None]
    near = (np.abs(table - values) <= ROUNDING * np.abs(values)).all(axis=(1, 2), keepdims=True)
    return np.where(near, values, table)


def _limits(series: Series) -> Bounds:
    low, high = float(np.nanmin(series.values)), float(np.nanmax(series.values))
    return (low, high) if max(-low, high) < SMALLEST else UNBOUNDED
