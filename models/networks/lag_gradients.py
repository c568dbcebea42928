"""Memory: how far back a network remembers, from the gradient of its forecast.

For each lag k, it is the mean over windows of |∂ forecast / ∂ x_{t-k}|, with the median forecast averaged over the horizon.
A network cannot have learned from lags whose gradient is zero.
"""

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from models.networks.loss import median_of


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
        outputs = network([values, *map(tf.constant, (phase, *covariates))], training=False)
        total = tf.reduce_sum(tf.reduce_mean(median_of(outputs), axis=1))
    gradient = np.abs(np.nan_to_num(tape.gradient(total, values).numpy()))
    known = np.isfinite(context)
    counts = np.maximum(known.sum(axis=0), 1)
    return ((gradient * known).sum(axis=0) / counts)[::-1].astype(np.float64)
