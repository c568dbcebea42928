"""Head: the ONNX nodes of the decoder, from the encoder's state and the anchors to quantiles in raw units.

The twin of `models.networks.decoder.decode`, `QuantileHead` and `models.networks.normalization.Restore`; anchors and
quantiles are halves of z, as in `preparation`.
"""

import keras
import numpy as np
from onnx import TensorProto

from models.networks.build import NetworkOptions
from models.networks.decoder import EMBEDDING, FIRST_GAP, season_reaches
from models.networks.onnx_export.encoders import State
from models.networks.onnx_export.graph import GraphWriter
from models.networks.onnx_export.preparation import Window


def decode(  # noqa: PLR0913, PLR0917 - all inputs of the decoder
    graph: GraphWriter, network: keras.Model, options: NetworkOptions, state: State, anchors: str, features: str = ""
) -> str:
    """Add the nodes of the decoder and return the quantiles as halves of z, (batch, horizon, levels) float32.

    Args:
        graph: Takes the nodes.
        network: Has the weights.
        options: How the network is built.
        state: The encoder's.
        anchors: (batch, horizon, anchors), as halves of z.
        features: Those of covariates known ahead, (batch, horizon, width), or "".
    """
    units, horizon, season = options.units, options.horizon, options.season_length
    kernel, bias = network.get_layer("decoder").get_weights()
    (shared, shared_bias), (own, own_bias) = (
        network.get_layer(f"{name}_projection").get_weights() for name in ("state", "step")
    )
    embedding = network.get_layer("target_season").get_weights()[0]
    of_shared, of_own, of_season, of_rest = np.split(kernel, shared.shape[1] + EMBEDDING * np.arange(3))
    of_anchors, of_features = np.split(of_rest, [_width(options)])
    bias = bias + shared_bias @ of_shared
    weights, parts = [of_own], []
    if options.calendar:
        positions = (np.arange(season)[:, None] + np.arange(horizon)) % season
        positions = np.concatenate([positions, np.full((1, horizon), season)])  # phase -1 is the last row: unknown
        parts.append(graph.add("Gather", embedding, graph.add("Gather", positions, "phase", axis=0), axis=0))
        weights.append(of_season)
    else:
        bias = bias + embedding[season] @ of_season
    both = np.concatenate([shared @ of_shared, own], axis=1)
    added = np.concatenate([bias, own_bias]) + state.bias @ both
    found = graph.add("Gemm", state.values, both, added.astype(np.float32))
    base, steps = graph.split("Split", found, np.array([units, horizon * EMBEDDING]), outputs=2, axis=1)
    parts = [graph.add("Reshape", steps, np.array([0, horizon, EMBEDDING])), *parts, anchors]
    weights.append(2.0 * of_anchors)
    if features:
        parts.append(features)
        weights.append(of_features)
    inner = graph.add("MatMul", graph.add("Concat", *parts, axis=2), np.concatenate(weights))
    inner = graph.add("Add", inner, graph.add("Unsqueeze", base, np.array([1])))
    return _quantiles(graph, network, graph.add("Mul", inner, graph.add("Sigmoid", inner)), anchors)


def _width(options: NetworkOptions) -> int:
    """Return the number of anchors."""
    seasons = options.seasons or (options.season_length,)
    return 2 + len(seasons) + sum(len(season_reaches(options.context_length, one)) for one in seasons)


def _quantiles(graph: GraphWriter, network: keras.Model, hidden: str, anchors: str) -> str:
    """Return the quantiles of `QuantileHead`.

    The median's correction x is softplus(x) - softplus(-x), so that one matrix adds it and the gaps to the weighted mean.
    """
    mix, mix_bias, correction, correction_bias = network.get_layer("quantile_head").get_weights()
    count, levels = mix.shape[1], correction.shape[1]
    half = levels // 2
    middle, gaps = slice(half, half + 1), [*range(half), *range(half + 1, levels)]
    columns = [mix, correction[:, gaps], correction[:, middle], -correction[:, middle]]
    biases = [mix_bias, correction_bias[gaps] + FIRST_GAP, correction_bias[middle], -correction_bias[middle]]
    sums = np.zeros((levels + 1, levels), np.float32)
    sums[:half, :half] = -np.tril(np.ones((half, half)))
    sums[half : levels - 1, half + 1 :] = np.triu(np.ones((half, half)))
    sums[-2:] = [[1.0], [-1.0]]
    found = graph.add("Add", graph.add("MatMul", hidden, np.concatenate(columns, axis=1)), np.concatenate(biases))
    logits, raised = graph.split("Split", found, np.array([count, levels + 1]), outputs=2, axis=2)
    weighted = graph.add("Mul", graph.add("Softmax", logits, axis=2), anchors)
    mean = graph.add("ReduceSum", weighted, np.array([2]))
    return graph.add("Add", mean, graph.add("MatMul", graph.add("Softplus", raised), 0.5 * sums))


def restore(graph: GraphWriter, window: Window, halves: str) -> str:
    """Add the nodes of `Restore` and return the quantiles in raw units, float64, shape of `halves`."""
    sinh = graph.add("Sinh", graph.add("Clip", halves, np.float32(-15.0), np.float32(15.0)))
    scaled = graph.add("Mul", graph.add("Cast", sinh, to=TensorProto.DOUBLE), window.scale3)
    linear = graph.add("Add", scaled, window.level)
    if not window.logged:
        return linear
    limited = graph.add("Clip", linear, np.float64(-700.0), np.float64(700.0))
    return graph.add("Where", window.logged, graph.add("Exp", limited), linear)
