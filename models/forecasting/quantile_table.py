"""Quantile table: the calibrated quantiles of the series that share a plan, before forecasts are made of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(slots=True)
class QuantileTable:
    """The quantiles of the rows of one plan.

    Attributes:
        places: Of the rows in their batch.
        quantiles: At the levels of the plan, shape (rows, levels, horizon), the series' units.
        means: Shape (rows, horizon), None if the plan has none.
    """

    places: Sequence[int]
    quantiles: Floats
    means: Floats | None

    def mix(self, other: "QuantileTable", weights: Floats) -> None:
        """Move the rows that are in another table, too, towards it.

        Args:
            other: Of the same levels and horizon; its places are those of the same rows.
            weights: Share of the other table, by place.
        """
        there = {at: row for row, at in enumerate(other.places)}
        rows = [row for row, at in enumerate(self.places) if at in there]
        if not rows:
            return
        others = [there[self.places[row]] for row in rows]
        share = weights[[self.places[row] for row in rows]]
        self.quantiles[rows] = _between(self.quantiles[rows], other.quantiles[others], share[:, None, None])
        if self.means is not None and other.means is not None:
            self.means[rows] = _between(self.means[rows], other.means[others], share[:, None])


def _between(one: Floats, two: Floats, share: Floats) -> Floats:
    found: Floats = one + share * (two - one)
    return found
