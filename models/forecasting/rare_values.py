"""Rare values: sales of a series that is mostly 0, of which the trained quantiles say too little."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.series import Series
from models.spec import ModelSpec

Floats = NDArray[np.float64]

RARE_LEVEL = 0.9
"""Levels above it are read from the history: it is the outermost level that networks are trained on."""

FEWEST_RECENT = 30
"""Values, or two seasons if they are more, that show how often rare sales occur."""


def smallest_sale(series: Series, spec: ModelSpec) -> float:
    """Return the smallest of the newest values but 0 if at least half of them are 0; 0 for any other series.

    It is 0, too, if 0 or the value lies outside the bounds of the series.
    """
    smallest = _smallest(_recent(series, spec))
    low, high = series.bounds
    return smallest if low <= 0.0 and smallest <= high else 0.0


def with_whole_sales(values: Floats, smallest: float) -> Floats:
    """Return values of which those between 0 and the smallest sale are the nearer of the two; any shape."""
    if smallest == 0.0:
        return values
    return np.where(values < smallest, np.where(values < smallest / 2, 0.0, smallest), values)


def _recent(series: Series, spec: ModelSpec) -> Floats:
    """Return the newest observed values, rising."""
    recent = series.values[-min(max(FEWEST_RECENT, 2 * spec.season_length), spec.context_length) :]
    return np.sort(recent[~np.isnan(recent)])


def _smallest(known: Floats) -> float:
    """Return the smallest of rising values but 0 if at least half of them are 0; else 0."""
    if not len(known) or known[0] != 0.0 or known[len(known) // 2] != 0.0 or known[-1] == 0.0:
        return 0.0
    return float(known[np.searchsorted(known, 0.0, side="right")])


def with_rare_values(quantiles: Floats, levels: Sequence[float], series: Series, spec: ModelSpec) -> Floats:
    """Return quantiles whose levels above RARE_LEVEL are those of the newest values where rare sales would not occur else.

    This is so where at least half of the newest values are 0 and the quantile RARE_LEVEL of a step lies below the smallest of the
    others: the network says no more than that sales are rare. A normal tail would make them smaller than any sale.

    Args:
        quantiles: Shape (len(levels), horizon).
        levels: Rising, in (0, 1).
        series: As the model has read it; its bounds hold.
        spec: Of the model.
    """
    known = _recent(series, spec)
    smallest, count = _smallest(known), len(known)
    if smallest == 0.0:
        return quantiles
    outer = int(np.searchsorted(levels, RARE_LEVEL))
    rare = quantiles[outer] < smallest
    own = np.clip(np.interp(levels[outer:], (np.arange(count) + 0.5) / count, known), *series.bounds)[:, None]
    table = quantiles.copy()
    table[outer:] = np.where(rare, np.maximum(own, quantiles[outer:]), quantiles[outer:])
    return table
