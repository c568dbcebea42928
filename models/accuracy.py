"""Accuracy: how far a forecast was from the truth.

Targets that are NaN are left out; where none is left the answer is NaN.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.errors import ScaleZero, SeriesTooShort

Array = NDArray[np.float64]


def mae(target: Array, forecast: Array) -> float:
    """Mean absolute error, in the series' units.

    Args:
        target: Observed values, shape (horizon,), NaN where nothing was observed.
        forecast: Predicted values, same shape and units.

    Source: Hyndman & Koehler (2006), Another look at measures of forecast accuracy, section 2.1.
    """
    return _mean(np.abs(target - forecast))


def rmse(target: Array, forecast: Array) -> float:
    """Root mean squared error, in the series' units; shapes as in `mae`.

    Source: Hyndman & Koehler (2006), section 2.1.
    """
    return math.sqrt(_mean(np.square(target - forecast)))


def smape(target: Array, forecast: Array) -> float:
    """Symmetric mean absolute percentage error: 0 is perfect, 200 the worst; shapes as in `mae`.

    Each step counts 200 · |y - ŷ| / (|y| + |ŷ|), and nothing where both are zero.

    Source: Makridakis, Spiliotis & Assimakopoulos (2020), The M4 Competition, whose sMAPE this is.
    """
    size = np.abs(target) + np.abs(forecast)
    error = np.abs(target - forecast)
    return 200 * _mean(np.divide(error, size, out=np.where(np.isnan(error), np.nan, 0.0), where=size > 0))


def mase(target: Array, forecast: Array, history: Array, season_length: int) -> float:
    """Mean absolute scaled error: 1.0 is as good as the in-sample seasonal naive.

    Args:
        target: Observed values, shape (horizon,), in the series' units.
        forecast: Predicted values, same shape and units.
        history: Values before the cutoff, shape (length,).
        season_length: Steps in one season; see `seasonal_scale` where the history is no longer than that.

    Raises:
        SeriesTooShort: If `history` holds no two values to compare.
        ScaleZero: If `history` repeats itself exactly, so that no error can be measured against it.

    Source: Hyndman & Koehler (2006), section 2.5, with the seasonal scale of the M4 competition.
    """
    scale = seasonal_scale(history, season_length)
    if scale == 0:
        raise ScaleZero(
            f"The history repeats itself exactly every {season_length} steps, so MASE is undefined.",
            hint="Leave the series out, or use an error in its own units.",
        )
    return mae(target, forecast) / scale


def seasonal_scale(history: Array, season_length: int) -> float:
    """Mean absolute difference of values one season apart: the in-sample error of the seasonal naive.

    A history no longer than a season, or with no two observed values a season apart, is compared with its
    neighbours (season 1). Pairs with a gap are left out.

    Args:
        history: Values before the cutoff, shape (length,), NaN where nothing was observed.
        season_length: Steps in one season.

    Returns:
        The scale in the series' units; 0 for a history that repeats itself exactly.

    Raises:
        SeriesTooShort: If no two neighbours are observed either.

    Source: Hyndman & Koehler (2006); the step back to season 1 is that of GluonTS' `calculate_seasonal_error`,
    by which the Monash archive's deep models are scored.
    """
    for lag in (season_length, 1):
        differences = np.abs(history[lag:] - history[:-lag])
        if not np.isnan(differences).all():
            return _mean(differences)
    raise SeriesTooShort(
        f"A history of {len(history)} values has no two neighbours to compare.", hint="Send a longer history."
    )


def pinball(target: Array, quantiles: Array, levels: Sequence[float]) -> float:
    """Mean pinball loss over steps and levels, in the series' units: 0 is perfect.

    At level q an error y - ŷ costs q of itself where the truth lies above, 1 - q where it lies below.

    Args:
        target: Observed values, shape (horizon,).
        quantiles: Predicted quantiles, shape (horizon, levels).
        levels: Their levels, in (0, 1).

    Source: Koenker & Bassett (1978), Regression quantiles.
    """
    return _mean(pinball_losses(target, quantiles, levels))


def pinball_losses(target: Array, quantiles: Array, levels: Sequence[float]) -> Array:
    """Return the pinball loss of every step and level, of which `pinball` is the mean; shape of `quantiles`."""
    error = target[..., np.newaxis] - quantiles
    return np.maximum(np.asarray(levels) * error, (np.asarray(levels) - 1) * error)


def coverage(target: Array, lower: Array, upper: Array) -> float:
    """Share of targets within [lower, upper], both ends included: 0.8 is right for an 80 % interval.

    Args:
        target: Observed values, shape (horizon,).
        lower: Lower ends, same shape and units.
        upper: Upper ends, same shape and units.
    """
    inside = ((lower <= target) & (target <= upper)).astype(np.float64)
    return _mean(np.where(np.isnan(target), np.nan, inside))


def _mean(errors: Array) -> float:
    known = errors[~np.isnan(errors)]
    return float(known.mean()) if known.size else math.nan
