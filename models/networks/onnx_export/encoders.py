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
from models.networks.onnx_export.preparation import Window, kept_differences, seasons_within

Floats = NDArray[np.float32]

GATES = {"LSTM": (0, 3, 1, 2), "GRU": (0, 1, 2), "RNN": (0,)}
"""Keras's gates in ONNX's order: LSTM i, f, c, o against i, o, f, c; GRU z, r, h in both."""


@dataclass(frozen=True, slots=True)
class Channels:
    """What the encoder reads.

    Attributes:
        rows: (batch, channels, time) float32.
        weights: (channels, units): the input projection of these rows.
        bias: (units,): its bias, with the embedding of an unknown season position if the network has no calendar.
    """

    rows: str
    weights: Floats
    bias: Floats


@dataclass(frozen=True, slots=True)
class State:
    """The encoder's state.

    Attributes:
        values: (batch, units) float32.
        bias: (units,): a constant that has still to be added.
    """

    values: str
    bias: Floats


def encode(graph: GraphWriter, network: keras.Model, options: NetworkOptions, window: Window, covariates: str) -> State:
    """Add the nodes of the encoder and return its state.

    Args:
        graph: Takes the nodes.
        network: Has the weights.
        options: How the network is built.
        window: The normalized window.
        covariates: Covariate channels, (batch, channels, context_length) float32, or "".
    """
    if options.architecture == "wavenet":
        steps = _steps_read(options)
        return _convolutional(graph, network, options, _channels(graph, network, options, window, covariates, steps))
    channels = _channels(graph, network, options, window, covariates, options.encoder_length)
    return _recurrent(graph, network, options, channels)


def _channels(  # noqa: PLR0913, PLR0917 - the parts of the encoder's input
    graph: GraphWriter, network: keras.Model, options: NetworkOptions, window: Window, covariates: str, steps: int
) -> Channels:
    """Return the newest steps of all channels: values, mask, differences, covariates and, with a calendar, the season."""
    length, season = options.context_length, options.season_length
    kernel, bias = network.get_layer("input_projection").get_weights()
    embedding = network.get_layer("past_season").get_weights()[0]
    seasons = seasons_within(options)
    plain = 2 + len(seasons)
    width = embedding.shape[1]
    kernel = kernel.copy()
    kernel[[0, *range(2, plain)]] *= 2.0  # values and differences are halves of z
    pair = graph.add("Concat", window.values, window.mask, axis=1)
    parts = [_newest(graph, pair, length, steps), *_differences(graph, options, window.differences, steps)]
    weights = [kernel[:plain]]
    if covariates:
        parts.append(_newest(graph, covariates, length, steps))
        weights.append(kernel[plain + width :])
    if options.calendar:
        ahead = np.arange(-steps, 0)
        positions = np.concatenate([(np.arange(season)[:, None] + ahead) % season, np.full((1, steps), season)])
        found = graph.add("Gather", positions, "phase", axis=0)  # -1 is the last row: an unknown position
        parts.append(graph.add("Transpose", graph.add("Gather", embedding, found, axis=0), perm=[0, 2, 1]))
        weights.append(kernel[plain : plain + width])
    else:
        bias = bias + embedding[season] @ kernel[plain : plain + width]
    rows = graph.add("Concat", *parts, axis=1) if len(parts) > 1 else parts[0]
    return Channels(rows, np.concatenate(weights), bias)


def _newest(graph: GraphWriter, rows: str, length: int, steps: int) -> str:
    return rows if steps == length else graph.slice(rows, 2, length - steps)


def _differences(graph: GraphWriter, options: NetworkOptions, differences: str, steps: int) -> list[str]:
    """Return the newest steps of each season's differences, (batch, 1, steps), 0 before the first."""
    parts, end = [], 0
    for count in kept_differences(options):
        start, end = end, end + count
        part = graph.slice(differences, 2, max(end - steps, start), end)
        if end - steps < start:
            part = graph.add("Pad", part, np.array([0, 0, start - end + steps, 0, 0, 0]), np.float32(0.0))
        parts.append(part)
    return parts


def _recurrent(graph: GraphWriter, network: keras.Model, options: NetworkOptions, channels: Channels) -> State:
    """Return the final state of stacked layers with residual paths.

    The first layer reads the channels: its kernel is multiplied by the projection. The projection's bias is left out of the
    residual path and added to what reads it.
    """
    weights, bias = channels.weights.astype(np.float64), channels.bias.astype(np.float64)
    by_time = graph.add("Transpose", channels.rows, perm=[2, 0, 1])
    residual = source = by_time
    for depth in range(1, options.layers + 1):
        layer = network.get_layer(f"recurrent_{depth}")
        kernel, recurrent, own = (one.astype(np.float64) for one in layer.get_weights())
        both = own if own.ndim == 2 else np.stack([own, np.zeros_like(own)])  # noqa: PLR2004 - input and recurrent bias
        both = both + np.stack([bias @ kernel, np.zeros(kernel.shape[1])])
        operator, attributes = _operator(layer)
        parts = _gates(operator, layer.units, weights @ kernel if depth == 1 else kernel, recurrent, both)
        states, final = graph.split(operator, source, *parts, outputs=2, hidden_size=layer.units, **attributes)
        last = depth == options.layers
        own_part = graph.add("Squeeze", final, np.array([0])) if last else graph.add("Squeeze", states, np.array([1]))
        residual = graph.add("Gather", residual, np.array(-1), axis=0) if last else residual
        if depth == 1:
            residual = graph.add("MatMul", residual, _single(weights))
        residual = source = graph.add("Add", own_part, residual)
    return State(residual, _single(bias))


def _single(values: NDArray[np.float64]) -> Floats:
    return values.astype(np.float32)


def _operator(layer: keras.layers.Layer) -> tuple[str, dict[str, int]]:
    if isinstance(layer, keras.layers.LSTM):
        return "LSTM", {}
    return ("GRU", {"linear_before_reset": 1}) if isinstance(layer, keras.layers.GRU) else ("RNN", {})


def _gates(operator: str, units: int, *weights: NDArray[np.float64]) -> list[Floats]:
    """Return kernel, recurrent kernel and biases as ONNX orders them: one direction first, gates in rows."""
    kernel, recurrent, bias = (
        _single(np.concatenate([one[:, gate * units : (gate + 1) * units] for gate in GATES[operator]], axis=1))
        for one in weights
    )
    return [kernel.T[None], recurrent.T[None], bias.reshape(1, -1)]


def _steps_read(options: NetworkOptions) -> int:
    """Return how many of the newest steps the tree of a WaveNet's outputs rests on."""
    return min(options.encoder_length, wavenet.receptive_field(options.used_dilations))


def _convolutional(graph: GraphWriter, network: keras.Model, options: NetworkOptions, channels: Channels) -> State:
    """Return the skip sum of a WaveNet's tree of outputs; each pair of taps is a convolution with dilation and stride."""
    units, steps = options.units, _steps_read(options)
    lags = wavenet.lags_read(options.used_dilations, steps)
    x = graph.add("Conv", channels.rows, channels.weights.T[:, :, None], channels.bias)
    lasts, skips, total = [_last(graph, x)], [np.eye(units, dtype=np.float32)], np.zeros(units, np.float32)
    for place, dilation in enumerate(options.used_dilations):
        read, wanted = lags[place], lags[place + 1]
        step, back = max(wanted.stride // read.stride, 1), dilation // read.stride
        first = read.count - 1 - (wanted.count - 1) * step
        kernel, bias = network.get_layer(f"dilation_{dilation}_{place}").get_weights()
        taps = np.stack([kernel[units:].T, kernel[:units].T], axis=2)
        source = graph.slice(x, 2, first - back) if first > back else x
        pads = [max(back - first, 0), 0]
        gates = graph.add("Conv", source, taps, bias, dilations=[back], strides=[step], pads=pads)
        left, right = graph.split("Split", gates, np.array([units, units]), outputs=2, axis=1)
        gated = graph.add("Mul", graph.add("Tanh", left), graph.add("Sigmoid", right))
        weights, own = network.get_layer(f"skip_{place}").get_weights()
        lasts.append(gated if wanted.count == 1 else _last(graph, gated))
        skips.append(weights)
        total = total + own
        if place + 1 < len(options.used_dilations):
            weights, own = network.get_layer(f"residual_{place}").get_weights()
            now = x if (first, step) == (0, 1) else graph.slice(x, 2, first, step=step)
            x = graph.add("Add", now, graph.add("Conv", gated, weights.T[:, :, None], own))
    joined = graph.add("Concat", *lasts, axis=1) if len(lasts) > 1 else lasts[0]
    flat = graph.add("Squeeze", joined, np.array([2]))
    state = graph.add("Gemm", flat, np.concatenate(skips), total)
    return State(graph.add("Mul", state, graph.add("Sigmoid", state)), np.zeros(units, np.float32))


def _last(graph: GraphWriter, rows: str) -> str:
    """Return the newest step, (batch, channels, 1)."""
    return graph.slice(rows, 2, -1)
