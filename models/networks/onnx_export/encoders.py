"""Encoders: the ONNX nodes of the recurrent stacks and of WaveNet, from prepared windows to the state.

The twin of `models.networks.recurrent.stack` and `models.networks.wavenet.encode` for a forecast from the newest step.
"""

from dataclasses import dataclass

import keras
import numpy as np
from numpy.typing import NDArray

from models.networks.build import NetworkOptions
from models.networks.onnx_export.dilations import Tap, skip_sum, taps_of
from models.networks.onnx_export.graph import GraphWriter
from models.networks.onnx_export.layout import Layout
from models.networks.onnx_export.preparation import Window

Floats = NDArray[np.float32]

PASSED = 16
"""Most steps for which a convolution passes the residual path instead of its being cut out."""

FEW = 8
"""Most steps for which the residual path's kernel is multiplied into that of the next block."""

OPERATORS: dict[str, tuple[str, dict[str, int]]] = {
    "lstm": ("LSTM", {}),
    "gru": ("GRU", {"linear_before_reset": 1}),
    "simple_rnn": ("RNN", {}),
}

GATES = {"LSTM": (0, 3, 1, 2), "GRU": (0, 1, 2), "RNN": (0,)}
"""Keras's gates in ONNX's order: LSTM i, f, c, o against i, o, f, c; GRU z, r, h in both."""


@dataclass(frozen=True, slots=True)
class Channels:
    """What the encoder reads.

    Attributes:
        rows: (batch, time, channels) float32.
        weights: (channels, units): the input projection of these channels, one of which is 1 and has the bias.
    """

    rows: str
    weights: Floats


def encode(graph: GraphWriter, network: keras.Model, options: NetworkOptions, window: Window, covariates: str) -> str:
    """Add the nodes of the encoder and return its state, (batch, units) float32.

    Args:
        graph: Takes the nodes.
        network: Has the weights.
        options: How the network is built.
        window: The normalized window.
        covariates: Covariate channels, (batch, context_length, channels) float32, or "".
    """
    channels = _channels(graph, network, options, window, covariates)
    if options.architecture == "wavenet":
        return _convolutional(graph, network, options, channels)
    return _recurrent(graph, network, options, channels)


def _channels(
    graph: GraphWriter, network: keras.Model, options: NetworkOptions, window: Window, covariates: str
) -> Channels:
    """Return the newest steps of all channels: value, mask, differences, 1, season position if known, covariates."""
    layout = Layout(options)
    kernel, bias = network.get_layer("input_projection").get_weights()
    embedding = network.get_layer("past_season").get_weights()[0]
    plain, width = 2 + len(layout.within), embedding.shape[1]
    kernel = kernel.copy()
    kernel[[0, *range(2, plain)]] *= 2.0  # values and differences are halves of z
    of_season = kernel[plain : plain + width]
    weights = [kernel[:plain]]
    if options.calendar:
        weights += [bias[None], of_season]
    else:
        weights.append((bias + embedding[options.season_length] @ of_season)[None])
    parts = [graph.add("Gather", window.columns, layout.read_by_encoder().astype(np.int32), axis=1)]
    if window.past:
        parts.append(window.past)
    if covariates:
        shorter = layout.steps < layout.length
        parts.append(graph.slice(covariates, 1, layout.length - layout.steps) if shorter else covariates)
        weights.append(kernel[plain + width :])
    rows = graph.add("Concat", *parts, axis=2) if len(parts) > 1 else parts[0]
    return Channels(rows, np.concatenate(weights))


def _recurrent(graph: GraphWriter, network: keras.Model, options: NetworkOptions, channels: Channels) -> str:
    """Return the final state of stacked layers with residual paths.

    The first layer reads the channels: its kernel is multiplied by the projection.
    """
    weights = channels.weights.astype(np.float64)
    operator, attributes = OPERATORS[options.architecture]
    residual = source = graph.add("Transpose", channels.rows, perm=[1, 0, 2])
    for depth in range(1, options.layers + 1):
        kernel, recurrent, own = (
            one.astype(np.float64) for one in network.get_layer(f"recurrent_{depth}").get_weights()
        )
        both = own if own.ndim == 2 else np.stack([own, np.zeros_like(own)])  # noqa: PLR2004 - input and recurrent bias
        parts = _gates(operator, options.units, weights @ kernel if depth == 1 else kernel, recurrent, both)
        last = depth == options.layers
        states = graph.recurrent(operator, source, *parts, final=last, hidden_size=options.units, **attributes)
        own_part = graph.add("Squeeze", states, np.array([0 if last else 1]))
        residual = graph.add("Gather", residual, np.array(-1), axis=0) if last else residual
        if depth == 1:
            residual = graph.add("MatMul", residual, _single(weights))
        residual = source = graph.add("Add", own_part, residual)
    return source


def _single(values: NDArray[np.float64]) -> Floats:
    return values.astype(np.float32)


def _gates(operator: str, units: int, *weights: NDArray[np.float64]) -> list[Floats]:
    """Return kernel, recurrent kernel and biases as ONNX orders them: one direction first, gates in rows."""
    kernel, recurrent, bias = (
        _single(np.concatenate([one[:, gate * units : (gate + 1) * units] for gate in GATES[operator]], axis=1))
        for one in weights
    )
    return [kernel.T[None], recurrent.T[None], bias.reshape(1, -1)]


@dataclass(slots=True)
class Residual:
    """The residual path between two blocks of a WaveNet.

    Attributes:
        rows: (batch, rows, steps).
        weights: (rows, units): what gives the path's channels of these rows; None if they are the same.
        bias: (units,): a constant that has still to be added.
    """

    rows: str
    weights: Floats | None
    bias: Floats


def _convolutional(graph: GraphWriter, network: keras.Model, options: NetworkOptions, channels: Channels) -> str:
    """Return the state of a WaveNet's tree of outputs; each pair of taps is a convolution with dilation and stride.

    The first block reads the channels: its kernel is multiplied by the projection.
    """
    dilations = options.used_dilations
    taps = taps_of(dilations, Layout(options).steps)
    if taps and all(one.halves for one in taps) and sum(one.pad > 0 for one in taps) <= 1:
        return _activated(graph, skip_sum(graph, network, channels.rows, channels.weights, taps))
    rows = graph.add("Transpose", channels.rows, perm=[0, 2, 1])
    residual = Residual(rows, channels.weights, np.zeros(options.units, np.float32))
    if not dilations:
        projected = graph.add("Conv", rows, channels.weights.T[:, :, None])
        return _activated(graph, graph.add("Squeeze", projected, np.array([2])))
    found, counts = list[str](), list[int]()
    for place, tap in enumerate(taps):
        final = place + 1 == len(taps)
        gated, now = _block(graph, network, options, residual, tap, place)
        found += [now, gated] if place == 0 else [gated]
        counts += [tap.wanted.count] * (2 if place == 0 else 1)
        if final:
            break
        kernel, bias = network.get_layer(f"residual_{place}").get_weights()
        if tap.wanted.count <= FEW and not taps[place + 1].pad:
            both = np.concatenate([kernel, np.eye(options.units, dtype=np.float32)])
            residual = Residual(graph.add("Concat", gated, now, axis=1), both, bias)
        else:
            rows = graph.add("Add", now, graph.add("Conv", gated, kernel.T[:, :, None], bias))
            residual = Residual(rows, None, np.zeros_like(bias))
    return _skip_sum(graph, network, options, found, counts)


def _block(  # noqa: PLR0913, PLR0917 - what a block reads
    graph: GraphWriter, network: keras.Model, options: NetworkOptions, residual: Residual, tap: Tap, place: int
) -> tuple[str, str]:
    """Return the gated output of a block and the residual path at its steps, both (batch, units, steps).

    For few steps the convolution passes the residual path, which is one node less than to cut it out.
    """
    units, first = options.units, tap.first
    kernel, bias = network.get_layer(f"dilation_{tap.dilation}_{place}").get_weights()
    past, now = kernel[units:], kernel[:units]
    same = residual.weights is None and (first, tap.stride) == (0, 1)
    passes = place == 0 or residual.weights is not None or (tap.wanted.count <= PASSED and not same)
    if passes:
        past, now = np.pad(past, ((0, 0), (0, units))), np.concatenate([now, np.eye(units, dtype=np.float32)], axis=1)
        bias = np.pad(bias, (0, units))
    bias = bias + residual.bias @ (past + now)
    if residual.weights is not None:
        past, now = residual.weights @ past, residual.weights @ now
    source = graph.slice(residual.rows, 2, first - tap.back) if first > tap.back else residual.rows
    where = {"dilations": [tap.back], "strides": [tap.stride], "pads": [tap.pad, 0]}
    gates = graph.add("Conv", source, np.stack([past.T, now.T], axis=2), bias, **where)
    left, right, *passed = graph.split("Split", gates, outputs=3 if passes else 2, axis=1)
    gated = graph.add("Mul", graph.add("Tanh", left), graph.add("Sigmoid", right))
    if passed:
        return gated, passed[0]
    return gated, residual.rows if same else graph.slice(residual.rows, 2, first, step=tap.stride)


def _skip_sum(
    graph: GraphWriter, network: keras.Model, options: NetworkOptions, found: list[str], counts: list[int]
) -> str:
    """Return the activated sum of the skip paths at the newest step: of the projected channels and of every block.

    Args:
        graph: Takes the nodes.
        network: Has the weights.
        options: How the network is built.
        found: (batch, units, steps) of each.
        counts: Steps of each.
    """
    parts = [network.get_layer(f"skip_{place}").get_weights() for place in range(len(found) - 1)]
    kernels = np.stack([np.eye(options.units, dtype=np.float32), *(kernel for kernel, _ in parts)], axis=1)
    newest = graph.add("Gather", graph.add("Concat", *found, axis=2), np.cumsum(counts) - 1, axis=2)
    flat = graph.add("Reshape", newest, np.array([0, -1]))
    return _activated(
        graph, graph.add("Gemm", flat, kernels.reshape(-1, options.units), np.sum([bias for _, bias in parts], axis=0))
    )


def _activated(graph: GraphWriter, total: str) -> str:
    return graph.add("Mul", total, graph.add("Sigmoid", total))
