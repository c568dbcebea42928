"""Encoders: the ONNX nodes of the recurrent stacks and of WaveNet, from prepared windows to the state.

The twin of `models.networks.recurrent.stack` and `models.networks.wavenet.encode` for a forecast from the newest step.
"""

from dataclasses import dataclass

import keras
import numpy as np
from numpy.typing import NDArray

from models.networks import wavenet
from models.networks.build import NetworkOptions
from models.networks.onnx_export.graph import GraphWriter
from models.networks.onnx_export.layout import Layout
from models.networks.onnx_export.preparation import Window

Floats = NDArray[np.float32]

FEW = 16
"""Most steps for which a convolution passes the steps of the residual path, which would be cut out otherwise."""

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
    """Return the newest steps of all channels: value, mask, differences, season position if known, 1, covariates."""
    layout = Layout(options)
    kernel, bias = network.get_layer("input_projection").get_weights()
    embedding = network.get_layer("past_season").get_weights()[0]
    plain, width = 2 + len(layout.within), embedding.shape[1]
    kernel = kernel.copy()
    kernel[[0, *range(2, plain)]] *= 2.0  # values and differences are halves of z
    of_season = kernel[plain : plain + width]
    weights = [kernel[:plain]]
    if options.calendar:
        weights.append(of_season)
    else:
        bias = bias + embedding[options.season_length] @ of_season
    weights.append(bias[None])
    rows = graph.add("Gather", window.columns, layout.read_by_encoder(), axis=1)
    if covariates:
        if layout.steps < layout.length:
            covariates = graph.slice(covariates, 1, layout.length - layout.steps)
        rows = graph.add("Concat", rows, covariates, axis=2)
        weights.append(kernel[plain + width :])
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
        states, final = graph.split(operator, source, *parts, outputs=2, hidden_size=options.units, **attributes)
        last = depth == options.layers
        own_part = graph.add("Squeeze", final, np.array([0])) if last else graph.add("Squeeze", states, np.array([1]))
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


def _convolutional(graph: GraphWriter, network: keras.Model, options: NetworkOptions, channels: Channels) -> str:
    """Return the state of a WaveNet's tree of outputs; each pair of taps is a convolution with dilation and stride.

    The first block reads the channels: its kernel is multiplied by the projection. A convolution may also pass the step that
    the residual path needs.
    """
    units, dilations, weights = options.units, options.used_dilations, channels.weights
    rows = graph.add("Transpose", channels.rows, perm=[0, 2, 1])
    if not dilations:
        return _activated(graph, graph.add("Squeeze", graph.add("Conv", rows, weights.T[:, :, None]), np.array([2])))
    lags = wavenet.lags_read(dilations, Layout(options).steps)
    x, found, counts = rows, list[str](), list[int]()
    for place, dilation in enumerate(dilations):
        read, wanted, final = lags[place], lags[place + 1], place + 1 == len(dilations)
        step, back = max(wanted.stride // read.stride, 1), dilation // read.stride
        first = read.count - 1 - (wanted.count - 1) * step
        kernel, bias = network.get_layer(f"dilation_{dilation}_{place}").get_weights()
        passes = place == 0 or (not final and wanted.count <= FEW and (first, step) != (0, 1))
        taps = [kernel[units:], kernel[:units]]
        if passes:
            taps = [np.pad(taps[0], ((0, 0), (0, units))), np.concatenate([taps[1], np.eye(units)], axis=1)]
            bias = np.pad(bias, (0, units))
        if place == 0:
            taps = [weights @ one for one in taps]
        gates = graph.add(
            "Conv",
            graph.slice(x, 2, first - back) if first > back else x,
            np.stack([one.T for one in taps], axis=2).astype(np.float32),
            bias,
            dilations=[back],
            strides=[step],
            pads=[max(back - first, 0), 0],
        )
        left, right, *passed = graph.split("Split", gates, outputs=3 if passes else 2, axis=1)
        gated = graph.add("Mul", graph.add("Tanh", left), graph.add("Sigmoid", right))
        found += [*passed, gated] if place == 0 else [gated]
        counts += [wanted.count] * (2 if place == 0 else 1)
        if not final:
            now = passed[0] if passed else x if (first, step) == (0, 1) else graph.slice(x, 2, first, step=step)
            kernel, own = network.get_layer(f"residual_{place}").get_weights()
            x = graph.add("Add", now, graph.add("Conv", gated, kernel.T[:, :, None], own))
    return _skip_sum(graph, network, options, found, counts)


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
