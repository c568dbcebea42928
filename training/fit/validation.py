"""Validation: forecasts of origins that a network has not learned from, and their accuracy and conformal offsets."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.accuracy import coverage, known_mean, scaled_errors, smape
from models.intervals import Conformal, interval_sides, read_quantiles, spread_of, uncross

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

LEVEL = 80.0
"""Central interval whose coverage is measured, in per cent."""


@dataclass(frozen=True, slots=True)
class Validation:
    """Forecasts of one network on validation origins, before any calibration.

    Attributes:
        rows: Series of each origin, its place in the training set, shape (origins,).
        cutoffs: Points of that series before the origin, shape (origins,).
        targets: Observed values, NaN if unknown, shape (origins, horizon).
        quantiles: Forecasts in the series' units, shape (origins, horizon, levels).
        scales: In-sample seasonal scale before each origin, shape (origins,).
        levels: The quantile levels, rising, 0.5 among them.
        times: Time of each origin in steps, shape (origins,); None if origins are independent.
    """

    rows: Indices
    cutoffs: Indices
    targets: Floats
    quantiles: Floats
    scales: Floats
    levels: tuple[float, ...]
    times: Indices | None = None

    @property
    def median(self) -> Floats:
        """The median forecast, shape (origins, horizon)."""
        return self.quantiles[..., self.levels.index(0.5)]


def evaluate(validation: Validation, known: Conformal | None = None) -> tuple[dict[str, float], Conformal]:
    """Return accuracy on the validation origins, and the conformal offsets: known ones, or those learned there."""
    targets, quantiles, levels = validation.targets, validation.quantiles, validation.levels
    conformal = known or Conformal.fit(targets, quantiles, levels, validation.times)
    lower, upper = interval_sides(LEVEL)
    wanted = (lower, 0.5, upper)
    bounds = read_quantiles(quantiles, levels, wanted)
    bounds = uncross(bounds + conformal.at(wanted, targets.shape[1]) * spread_of(quantiles, levels), wanted)
    figures = {
        "mase": known_mean(scaled_errors(targets, bounds[..., 1], validation.scales)),
        "smape": smape(targets, bounds[..., 1]),
        "coverage_80": coverage(targets, bounds[..., 0], bounds[..., 2]),
        "origins": float(len(targets)),
    }
    return figures, conformal
