"""Long horizon: the passes of the network that a horizon takes, each from the medians of the one before."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from models.forecasting.rows import Row
from models.safeguards.limits import within_bounds
from models.spec import ModelSpec
from models.windows import Contexts, advance

Floats = NDArray[np.float64]

MEDIAN = 0.5


class Network(Protocol):
    """A loaded network and its spec."""

    spec: ModelSpec

    def quantiles(self, contexts: Contexts) -> Floats:
        """Return the uncalibrated output of the graph, shape (batch, horizon, levels)."""
        ...


def run_blocks(network: Network, rows: Sequence[Row], contexts: Contexts) -> Floats:
    """Return raw quantiles for the longest horizon of a batch, block after block, shape (batch, blocks · horizon, levels).

    A row leaves the batch when it has the blocks of its own plan; beyond them its numbers are undefined.
    """
    spec = network.spec
    needed = [row.plan.blocks for row in rows]
    block = network.quantiles(contexts.within(spec.horizon))
    if max(needed) == 1:
        return block
    middle = spec.quantile_levels.index(MEDIAN)
    found = np.empty((len(rows), max(needed) * spec.horizon, block.shape[2]))
    found[:, : spec.horizon] = block
    places = np.arange(len(rows))
    for done in range(1, max(needed)):
        going_on = np.array([needed[at] > done for at in places.tolist()])
        if not going_on.all():
            places, block, contexts = places[going_on], block[going_on], contexts.part(going_on)
        series = [rows[at].series for at in places.tolist()]
        contexts = advance(contexts, within_bounds(series, block[..., middle]), spec.season_length)
        block = _widen(network.quantiles(contexts.within(spec.horizon)), block, middle)
        found[places, done * spec.horizon : (done + 1) * spec.horizon] = block
    return found


def _widen(block: Floats, before: Floats, middle: int) -> Floats:
    """Return a block with its distances to the median added in quadrature to the widest of the block before it.

    Args:
        block: Shape (batch, horizon, levels).
        before: The block before, of the same shape.
        middle: Index of the median.
    """
    median = block[..., middle : middle + 1]
    widest = np.abs(before - before[..., middle : middle + 1]).max(axis=1, keepdims=True)
    distance = np.hypot(block - median, widest)
    widened: Floats = median + np.sign(np.arange(block.shape[-1]) - middle) * distance
    return widened
