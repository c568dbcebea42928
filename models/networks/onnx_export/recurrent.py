"""Recurrent nodes: Keras layers as the LSTM, GRU and RNN operators of ONNX, ten times faster than a loop of small steps.

The exporter would turn a recurrent layer into a `Loop`. So each such layer is replaced by a placeholder before the export, an
arc tangent with the layer's name, and each placeholder is replaced by the operator after it.
"""

from typing import Any

import keras
import numpy as np
import onnx
from keras import ops
from numpy.typing import NDArray
from onnx import helper, numpy_helper

Floats = NDArray[np.float32]

LAYERS = (keras.layers.LSTM, keras.layers.GRU, keras.layers.SimpleRNN)


class Placeholder(keras.layers.Layer):
    """A placeholder for a recurrent layer: an operation that no other layer uses, with the same output shape."""

    def __init__(self, sequences: bool, name: str) -> None:  # noqa: FBT001 - a property of the layer
        """Keep whether every step is returned, or the last."""
        super().__init__(name=name)
        self.sequences = sequences

    def call(self, x: Any, **_recurrent: Any) -> Any:
        """Return arctan(x), all steps or the last."""
        marked = ops.arctan(x)
        return marked if self.sequences else marked[:, -1, :]


def with_placeholders(network: keras.Model) -> keras.Model:
    """Return the network with a placeholder for each recurrent layer; the other layers are shared."""
    return keras.models.clone_model(
        network,
        clone_function=lambda layer: (
            Placeholder(layer.return_sequences, layer.name) if isinstance(layer, LAYERS) else layer
        ),
    )


def replace_placeholders(model: onnx.ModelProto, network: keras.Model) -> None:
    """Replace each placeholder of an exported graph by a recurrent node."""
    layers = {layer.name: layer for layer in network.layers if isinstance(layer, LAYERS)}
    nodes = []
    for node in model.graph.node:
        if node.op_type != "Atan":
            nodes.append(node)
            continue
        layer = layers.pop(next(name for name in layers if f"/{name}" in node.name))
        weights, made = _recurrent(layer, node.input[0], node.output[0])
        model.graph.initializer.extend(weights)
        nodes.extend(made)
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def _recurrent(
    layer: keras.layers.Layer, source: str, target: str
) -> tuple[list[onnx.TensorProto], list[onnx.NodeProto]]:
    """Return initializers and nodes of one layer, from (batch, time, channels) to (batch, time, units)."""
    kernel, recurrent, bias = layer.get_weights()
    operator, attributes, order = _operator(layer)
    units = layer.units
    both = bias if bias.ndim == 2 else np.stack([bias, np.zeros_like(bias)])  # noqa: PLR2004 - input and recurrent bias
    parts = {
        "W": _reorder(kernel, units, order).T[None],
        "R": _reorder(recurrent, units, order).T[None],
        "B": _reorder(both, units, order).reshape(1, -1),
        "direction": np.array([1], dtype=np.int64),
    }
    initializers = [
        numpy_helper.from_array(np.ascontiguousarray(value), f"{target}/{key}") for key, value in parts.items()
    ]
    names = {key: f"{target}/{key}" for key in parts}
    return initializers, [
        helper.make_node("Transpose", [source], [f"{target}/by_time"], perm=[1, 0, 2]),
        helper.make_node(
            operator,
            [f"{target}/by_time", names["W"], names["R"], names["B"]],
            [f"{target}/states"],
            name=f"{layer.name}/{operator}",
            hidden_size=units,
            **attributes,
        ),
        helper.make_node("Squeeze", [f"{target}/states", names["direction"]], [f"{target}/squeezed"]),
        helper.make_node("Transpose", [f"{target}/squeezed"], [target], perm=[1, 0, 2]),
    ]


def _operator(layer: keras.layers.Layer) -> tuple[str, dict[str, int], tuple[int, ...]]:
    """Return ONNX's operator, its attributes, and Keras's gates in ONNX's order."""
    if isinstance(layer, keras.layers.LSTM):
        return "LSTM", {}, (0, 3, 1, 2)  # Keras i, f, c, o; ONNX i, o, f, c
    if isinstance(layer, keras.layers.GRU):
        return "GRU", {"linear_before_reset": 1}, (0, 1, 2)  # both z, r, h
    return "RNN", {}, (0,)


def _reorder(weights: Floats, units: int, order: tuple[int, ...]) -> Floats:
    """Return weights of shape (rows, gates * units) with their gates in another order."""
    return np.concatenate([weights[:, gate * units : (gate + 1) * units] for gate in order], axis=1)
