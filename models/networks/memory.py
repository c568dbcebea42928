"""Memory: how far back a network remembers, from the gradient of its forecast.

For each lag k, it is the mean over windows of |∂ forecast / ∂ x_{t-k}|, with the median forecast averaged over the horizon.
A network cannot have learned from lags whose gradient is zero.
"""

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

REMEMBERED = 0.01
"""Least gradient of a remembered lag, as a share of the largest gradient."""


def lag_gradients(
    network: keras.Model, context: NDArray[np.float64], phase: NDArray[np.int32], *covariates: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the mean absolute gradient of the median forecast with respect to each lag.

    Args:
        network: From `build.build`.
        context: Windows, shape (batch, context_length), in the series' units; NaN where unknown.
        phase: Season positions, shape (batch,).
        covariates: Further inputs of a network with covariates.

    Returns:
        Shape (context_length,), lag 1 (the newest value) first; in forecast units per unit of the value.
    """
    values = tf.constant(context)
    with tf.GradientTape() as tape:
        tape.watch(values)
        quantiles = network([values, *map(tf.constant, (phase, *covariates))], training=False)["quantiles"]
        median = quantiles[:, -1, :, quantiles.shape[-1] // 2]
        total = tf.reduce_sum(tf.reduce_mean(median, axis=1))
    gradient = np.abs(np.nan_to_num(tape.gradient(total, values).numpy()))
    known = np.isfinite(context)
    counts = np.maximum(known.sum(axis=0), 1)
    return ((gradient * known).sum(axis=0) / counts)[::-1].astype(np.float64)


def remembered_lags(gradients: Sequence[float]) -> int:
    """Return the largest lag whose gradient is at least a hundredth of the largest; 0 if there is no gradient."""
    values = np.asarray(gradients)
    if not len(values) or values.max() <= 0:
        return 0
    return int(np.flatnonzero(values >= REMEMBERED * values.max())[-1]) + 1
