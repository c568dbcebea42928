"""Accuracy: every measure of forecast error, for validation, backtests and live scores alike.

`scaled_errors`, `symmetric_errors` and `covered` return one number a point and take any shape whose last axis is the step;
the others are means of these. Unknown targets are NaN and are left out; a mean of nothing is NaN.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.errors import ScaleZero, SeriesTooShort
from models.irregular.implausible import mask_implausible

Array = NDArray[np.float64]


def scaled_errors(target: Array, forecast: Array, scale: Array | float) -> Array:
    """Return the absolute error of each point divided by its scale; the mean over a horizon is MASE.

    Args:
        target: Observed values, shape (..., horizon), in the series' units, NaN where nothing was observed.
        forecast: Predicted values, same shape and units.
        scale: In-sample scale of each history (`seasonal_scale`), shape (...) or one number.

    Source: Hyndman & Koehler (2006), Another look at measures of forecast accuracy, section 2.5.
    """
    errors: Array = np.abs(target - forecast) / np.asarray(scale)[..., np.newaxis]
    return errors


def symmetric_errors(target: Array, forecast: Array) -> Array:
    """Return 200 · |y - ŷ| / (|y| + |ŷ|) of each point, and 0 where both are zero; the mean is sMAPE.

    Source: Makridakis, Spiliotis & Assimakopoulos (2020), The M4 Competition, whose sMAPE this is.
    """
    size = np.abs(target) + np.abs(forecast)
    error = np.abs(target - forecast)
    share: Array = np.divide(error, size, out=np.where(np.isnan(error), np.nan, 0.0), where=size > 0)
    return 200 * share


def covered(target: Array, lower: Array, upper: Array) -> Array:
    """Return 1 where a target lies within [lower, upper], both ends included, 0 where it does not, NaN where unknown."""
    inside = (lower <= target) & (target <= upper)
    return np.where(np.isnan(target), np.nan, inside.astype(np.float64))


def pinball_losses(target: Array, quantiles: Array, levels: Sequence[float]) -> Array:
    """Return the pinball loss of each point and level, shape of `quantiles`, in the series' units.

    At level q an error y - ŷ costs q of itself where the target is above, 1 - q where it is below.

    Args:
        target: Observed values, shape (..., horizon).
        quantiles: Predicted quantiles, shape (..., horizon, levels).
        levels: Their levels, in (0, 1).

    Source: Koenker & Bassett (1978), Regression quantiles.
    """
    error = target[..., np.newaxis] - quantiles
    return np.maximum(np.asarray(levels) * error, (np.asarray(levels) - 1) * error)


def known_mean(errors: Array) -> float:
    """Return the mean of all known errors."""
    if errors.ndim == 1 and errors.size and not math.isnan(total := float(errors.sum())):
        return total / errors.size  # the same number, in less time
    known = errors[~np.isnan(errors)]
    return float(known.mean()) if known.size else math.nan


def row_means(errors: Array) -> Array:
    """Return the mean of each row's known errors, shape (rows,) for errors of shape (rows, horizon)."""
    counts = np.sum(~np.isnan(errors), axis=-1)
    means: Array = np.divide(np.nansum(errors, axis=-1), counts, out=np.full(counts.shape, np.nan), where=counts > 0)
    return means


def mae(target: Array, forecast: Array) -> float:
    """Return the mean absolute error, in the series' units; shapes as in `scaled_errors`."""
    return known_mean(np.abs(target - forecast))


def smape(target: Array, forecast: Array) -> float:
    """Return the symmetric mean absolute percentage error: 0 is perfect, 200 the worst."""
    return known_mean(symmetric_errors(target, forecast))


def mase(target: Array, forecast: Array, history: Array, season_length: int) -> float:
    """Return the mean absolute scaled error: 1.0 is as good as the in-sample seasonal naive.

    Args:
        target: Observed values, shape (horizon,), in the series' units.
        forecast: Predicted values, same shape and units.
        history: Values before the cutoff, shape (length,).
        season_length: Steps in one season; see `seasonal_scale` for a shorter history.

    Raises:
        SeriesTooShort: If `history` has no two values to compare.
        ScaleZero: If `history` repeats itself exactly, so that no error can be compared with it.
    """
    scale = seasonal_scale(history, season_length)
    if scale == 0:
        raise ScaleZero(
            f"MASE is undefined: the history repeats itself exactly every {season_length} steps.",
            hint="Leave the series out, or use an error in its own units.",
        )
    return known_mean(scaled_errors(target, forecast, scale))


def mean_mase(target: Array, forecast: Array, scale: Array) -> float:
    """Return the mean over series of each one's MASE; shapes as in `scaled_errors`, (series, horizon)."""
    return known_mean(row_means(scaled_errors(target, forecast, scale)))


def pinball(target: Array, quantiles: Array, levels: Sequence[float]) -> float:
    """Return the mean of `pinball_losses` over points and levels."""
    return known_mean(pinball_losses(target, quantiles, levels))


def coverage(target: Array, lower: Array, upper: Array) -> float:
    """Return the share of targets within [lower, upper]: 0.8 is right for an 80 % interval."""
    return known_mean(covered(target, lower, upper))


def seasonal_scale(history: Array, season_length: int) -> float:
    """Return the mean absolute difference of values one season apart: the in-sample error of the seasonal naive.

    Where no two observed values lie a season apart, neighbours are compared (season 1). Pairs with a gap are left out.

    Args:
        history: Values before the cutoff, shape (length,), NaN where nothing was observed.
        season_length: Steps in one season.

    Returns:
        The scale in the series' units; 0 for a history that repeats itself exactly.

    Raises:
        SeriesTooShort: If no two neighbours are observed either.

    Source: Hyndman & Koehler (2006), section 2.5; the fallback to season 1 is that of GluonTS'
    `calculate_seasonal_error`, by which the Monash archive's deep models are scored.
    """
    history = mask_implausible(history)
    for lag in (season_length, 1):
        scale = known_mean(np.abs(history[lag:] - history[:-lag]))
        if not math.isnan(scale):
            return scale
    raise SeriesTooShort(
        f"A history of {len(history)} values has no two neighbours to compare.", hint="Send a longer history."
    )


def scale_or_nan(history: Array, season_length: int) -> float:
    """Return `seasonal_scale`, or NaN for a history that is too short to have one."""
    try:
        return seasonal_scale(history, season_length)
    except SeriesTooShort:
        return math.nan
