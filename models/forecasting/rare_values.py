"""Rare values: the upper tail of a step whose trained quantiles lie below every sale of a series that is mostly 0."""

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
    recent = series.values[-min(max(FEWEST_RECENT, 2 * spec.season_length), spec.context_length) :]
    known = np.sort(recent[~np.isnan(recent)])
    count = len(known)
    if not count or known[0] != 0.0 or known[count // 2] != 0.0 or known[-1] == 0.0:
        return quantiles
    outer = int(np.searchsorted(levels, RARE_LEVEL))
    rare = quantiles[outer] < known[np.searchsorted(known, 0.0, side="right")]
    own = np.clip(np.interp(levels[outer:], (np.arange(count) + 0.5) / count, known), *series.bounds)[:, None]
    table = quantiles.copy()
    table[outer:] = np.where(rare, np.maximum(own, quantiles[outer:]), quantiles[outer:])
    return table
