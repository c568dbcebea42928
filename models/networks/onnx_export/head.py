"""Head: the ONNX nodes of the decoder, from the encoder's state and the anchors to quantiles in raw units.

The twin of `models.networks.decoder.decode`, `QuantileHead` and `models.networks.normalization.Restore`; anchors and
quantiles are halves of z, as in `preparation`.
"""

import keras
import numpy as np
from onnx import TensorProto

from models.networks.build import NetworkOptions
from models.networks.decoder import EMBEDDING, FIRST_GAP
from models.networks.onnx_export.covariates import CovariateNodes
from models.networks.onnx_export.graph import GraphWriter
from models.networks.onnx_export.layout import Layout
from models.networks.onnx_export.preparation import Window

CERTAIN = 8.0
"""What the constant hidden unit reads; it returns 8 sigmoid(8)."""


def decode(  # noqa: PLR0913, PLR0917 - all inputs of the decoder
    graph: GraphWriter,
    network: keras.Model,
    options: NetworkOptions,
    state: str,
    anchors: str,
    window: Window,
    known: CovariateNodes,
) -> str:
    """Add the nodes of the decoder and return the quantiles as halves of z, (batch, horizon, levels) float32.

    Args:
        graph: Takes the nodes.
        network: Has the weights.
        options: How the network is built.
        state: The encoder's, (batch, units).
        anchors: (batch, horizon, anchors), as halves of z.
        window: Has the embedded season positions.
        known: Covariates.
    """
    horizon = options.horizon
    kernel, bias = network.get_layer("decoder").get_weights()
    (shared, shared_bias), (own, own_bias) = (
        network.get_layer(f"{name}_projection").get_weights() for name in ("state", "step")
    )
    width, count = shared.shape[1], Layout(options).anchors
    of_shared, of_own, of_season, of_rest = np.split(kernel, width + EMBEDDING * np.arange(3))
    weights = [of_own, 2.0 * of_rest[:count]]
    own_steps = graph.add("Reshape", graph.add("Gemm", state, own, own_bias), np.array([0, horizon, EMBEDDING]))
    parts = [own_steps, anchors]
    if window.target:
        parts.append(window.target)
        weights.append(of_season)
    else:
        bias = bias + network.get_layer("target_season").get_weights()[0][options.season_length] @ of_season
    if known.features:
        parts.append(known.features)
        weights.append(of_rest[count:])
    wider, constant = ((0, 0), (0, 1)), np.append(shared_bias @ of_shared + bias, np.float32(CERTAIN))
    everywhere = graph.add("Gemm", state, np.pad(shared @ of_shared, wider), constant)
    by_step = graph.add("MatMul", graph.add("Concat", *parts, axis=2), np.pad(np.concatenate(weights), wider))
    inner = graph.add("Add", by_step, graph.add("Unsqueeze", everywhere, np.array([1])))
    hidden = graph.add("Mul", inner, graph.add("Sigmoid", inner))
    return _quantiles(graph, network, hidden, anchors, known.effects)


def _quantiles(graph: GraphWriter, network: keras.Model, hidden: str, anchors: str, effects: str) -> str:
    """Return the quantiles of `QuantileHead`, with the effects of covariates.

    The median's correction x is softplus(x) - softplus(-x), so that one matrix adds it and the gaps to the weighted mean. The
    last hidden unit is constant: its weights are the biases.
    """
    mix, mix_bias, correction, correction_bias = network.get_layer("quantile_head").get_weights()
    count, levels = mix.shape[1], correction.shape[1]
    half = levels // 2
    middle, gaps = slice(half, half + 1), [*range(half), *range(half + 1, levels)]
    columns = [mix, correction[:, gaps], correction[:, middle], -correction[:, middle]]
    biases = [mix_bias, correction_bias[gaps] + FIRST_GAP, correction_bias[middle], -correction_bias[middle]]
    bias = np.concatenate(biases) * (1.0 + np.exp(-CERTAIN)) / CERTAIN
    matrix = np.concatenate([np.concatenate(columns, axis=1), bias[None]]).astype(np.float32)
    sums = np.zeros((count + levels + 1, levels), np.float32)
    sums[:count] = 1.0
    raised_sums = sums[count:]
    raised_sums[:half, :half] = -0.5 * np.tril(np.ones((half, half)))
    raised_sums[half : levels - 1, half + 1 :] = 0.5 * np.triu(np.ones((half, half)))
    raised_sums[-2:] = [[0.5], [-0.5]]
    logits, raised = (graph.add("MatMul", hidden, one) for one in np.split(matrix, [count], axis=1))
    parts = [graph.add("Mul", graph.add("Softmax", logits, axis=2), anchors), graph.add("Softplus", raised)]
    if effects:
        parts.append(effects)
        own = 0.5 * network.get_layer("covariate_effects").get_weights()[0]
        sums = np.concatenate([sums, np.broadcast_to(own, (len(own), levels))])
    return graph.add("MatMul", graph.add("Concat", *parts, axis=2), sums)


def restore(graph: GraphWriter, window: Window, halves: str) -> str:
    """Add the nodes of `Restore` and return the quantiles in raw units, float64, shape of `halves`."""
    sinh = graph.add("Sinh", graph.add("Clip", halves, np.float32(-15.0), np.float32(15.0)))
    scaled = graph.add("Mul", graph.add("Cast", sinh, to=TensorProto.DOUBLE), window.scale3)
    linear = graph.add("Add", scaled, window.level)
    if not window.logged:
        return linear
    limited = graph.add("Clip", linear, np.float64(-700.0), np.float64(700.0))
    return graph.add("Where", window.logged, graph.add("Exp", limited), linear)
