"""Dilations: the ONNX nodes of a WaveNet's blocks, each of which reads pairs of steps, since dilations double.

A block is one matrix product over both steps of a pair side by side, which is faster than a convolution for batches too.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import keras
import numpy as np
from numpy.typing import NDArray

from models.networks import wavenet
from models.networks.onnx_export.graph import GraphWriter

Floats = NDArray[np.float32]

MANY = 8
"""Pairs from which on the paths of the newer step are cut out instead of being passed by the product."""


@dataclass(frozen=True, slots=True)
class Tap:
    """Where the two taps of a block stand among the steps that it reads.

    Attributes:
        read: Lags that it reads.
        wanted: Lags of its outputs.
        dilation: Steps between the taps.
    """

    read: wavenet.Lags
    wanted: wavenet.Lags
    dilation: int

    @property
    def stride(self) -> int:
        """Return the steps read between two outputs."""
        return max(self.wanted.stride // self.read.stride, 1)

    @property
    def back(self) -> int:
        """Return the steps read between both taps."""
        return self.dilation // self.read.stride

    @property
    def first(self) -> int:
        """Return the place of the newer tap of the first output."""
        return self.read.count - 1 - (self.wanted.count - 1) * self.stride

    @property
    def pad(self) -> int:
        """Return how many zeros stand before the first step."""
        return max(self.back - self.first, 0)

    @property
    def halves(self) -> bool:
        """Return whether each output reads two steps of its own, so that there are half as many of them."""
        return self.back == 1 and (self.stride == 2 or self.wanted.count == 1)  # noqa: PLR2004 - a pair


def taps_of(dilations: Sequence[int], steps: int) -> list[Tap]:
    """Return the taps of each block of a WaveNet that reads this many steps."""
    if not dilations:
        return []
    lags = wavenet.lags_read(dilations, steps)
    return [Tap(read, wanted, one) for read, wanted, one in zip(lags, lags[1:], dilations, strict=False)]


def skip_sum(graph: GraphWriter, network: keras.Model, rows: str, weights: Floats, taps: Sequence[Tap]) -> str:
    """Return the sum of the skip paths at the newest step, (batch, units), if every tap halves the steps and one at most is padded.

    The steps of all windows stand in rows below one another: the residual path, then the skip sum. The first block reads the
    channels: its kernel is multiplied by the projection. The first block also adds the biases of the paths, as many of the
    residual path as make it true where zeros are put before it; `offset` is what it lacks.

    Args:
        graph: Takes the nodes.
        network: Has the weights.
        rows: The channels, (batch, steps, channels).
        weights: (channels, units): their projection.
        taps: Of each block.
    """
    units, final = weights.shape[1], len(taps) - 1
    residuals = [network.get_layer(f"residual_{place}").get_weights() for place in range(final)]
    skips = [network.get_layer(f"skip_{place}").get_weights() for place in range(len(taps))]
    padded = next((place for place, tap in enumerate(taps) if tap.pad), 0)
    early = np.sum([np.zeros(units, np.float32), *(bias for _, bias in residuals[:padded])], axis=0)
    constant = np.concatenate([early, np.sum([bias for _, bias in skips], axis=0)])
    state, passed, offset = weights, np.concatenate([weights, weights], axis=1), np.zeros_like(early)
    for place, tap in enumerate(taps):
        kernel, bias = network.get_layer(f"dilation_{tap.dilation}_{place}").get_weights()
        offset = np.zeros_like(offset) if tap.pad else offset
        bias = bias + offset @ (kernel[:units] + kernel[units:])
        product = np.concatenate([state @ kernel[units:], state @ kernel[:units]])
        kept = slice(units if place == final else 0, None)
        paths = (passed[:, kept], constant[kept]) if place == 0 or tap.wanted.count < MANY else None
        gated, before = _gated(graph, _pairs(graph, rows, tap, len(state)), product, bias, paths)
        if place == final:
            break
        offset = offset + residuals[place][1] - (early if place == 0 else 0.0)
        rows = graph.add("Gemm", gated, np.concatenate([residuals[place][0], skips[place][0]], axis=1), before)
        passed, constant = np.eye(2 * units, dtype=np.float32), np.zeros_like(constant)
        state = passed[:, :units]
    return graph.add("Gemm", gated, skips[final][0], before)


def _gated(
    graph: GraphWriter, pairs: str, product: Floats, bias: Floats, paths: tuple[Floats, Floats] | None
) -> tuple[str, str]:
    """Return the gated output of a block, and the paths of the newer step: passed by the product, or cut out if None."""
    if paths is None:
        left, right = graph.split("Split", graph.add("Gemm", pairs, product, bias), outputs=2, axis=1)
        before = graph.slice(pairs, 1, len(product) // 2)
    else:
        passed, constant = paths
        both = np.concatenate([product, np.concatenate([np.zeros_like(passed), passed])], axis=1)
        found = graph.add("Gemm", pairs, both, np.append(bias, constant))
        sizes = np.array([len(bias) // 2, len(bias) // 2, len(constant)])
        left, right, before = graph.split("Split", found, sizes, outputs=3, axis=1)
    return graph.add("Mul", graph.add("Tanh", left), graph.add("Sigmoid", right)), before


def _pairs(graph: GraphWriter, rows: str, tap: Tap, width: int) -> str:
    """Return pairs of steps side by side, (batch · pairs, 2 width), from (batch · steps, width) or (batch, steps, width)."""
    if tap.pad or tap.first > tap.back:
        rows = graph.add("Reshape", rows, np.array([-1, tap.read.count, width]))
        if tap.pad:
            rows = graph.add("Pad", rows, np.array([0, tap.pad, 0, 0, 0, 0]))
        else:
            rows = graph.slice(rows, 1, tap.first - tap.back)
    return graph.add("Reshape", rows, np.array([-1, 2 * width]))
