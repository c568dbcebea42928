"""Mean: the expected value of each step, averaged over equally spaced levels of the forecast's quantile function."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

MEAN_LEVELS = tuple(round((2 * k + 1) / 200, 3) for k in range(100))
"""Quantile levels (k + 1/2) / K, K = 100, rising.

The midpoint rule leaves out a part of a long tail: nothing of a normal distribution's mean, 0.4 % of an exponential one's, 1.4 %
of a lognormal one's with σ = 1.
"""


def mean_of(quantiles: Floats) -> Floats:
    """Return the mean of each step, between its lowest and highest quantile.

    It is the integral of the quantile function that the forecast states: linear between the trained levels, normal tails beyond
    them, with conformal offsets and bounds. An exponential distribution of which only the quantiles 0.1 … 0.9 are known has 96 %
    of its mean. Of counts that are mostly 0 the caller replaces the tail (`models.forecasting.rare_values`): else the mean is 0
    if all trained quantiles are 0, however many sales there are between the outermost level and 1.

    Args:
        quantiles: At `MEAN_LEVELS`, shape (len(MEAN_LEVELS), horizon), rising along the first axis.

    Returns:
        Shape (horizon,), in the units of the quantiles.
    """
    total = (quantiles / len(quantiles)).sum(axis=0)  # divided first: a sum of large values overflows
    mean: Floats = np.clip(total, quantiles[0], quantiles[-1])  # rounding moves the mean of a constant
    return mean
