"""Recurrent layers leave Keras as ONNX's own nodes, not as a loop."""

from pathlib import Path

import keras
import numpy as np
import onnx
import pytest

from models.networks.build import NetworkOptions, build, serving_network
from models.networks.onnx_export.export import check_parity, export


@pytest.mark.parametrize(("architecture", "node"), [("lstm", "LSTM"), ("gru", "GRU"), ("simple_rnn", "RNN")])
def test_a_stack_of_layers_becomes_as_many_native_nodes(architecture: str, node: str, tmp_path: Path) -> None:
    """Each layer is one node with the layer's own weights: random ones, biases too, and the answers still agree.

    There are more units than channels, so the first layer is handed its projection; its node needs none of it.
    """
    keras.utils.set_random_seed(0)
    options = NetworkOptions(architecture, 3, 4, 16, 12, units=16, layers=3)
    network = serving_network(build(options), options)
    generator = np.random.default_rng(0)
    for variable in network.trainable_variables:
        variable.assign(variable.numpy() + generator.normal(0.0, 0.3, variable.shape))

    export(network, tmp_path / "network.onnx")

    kinds = [one.op_type for one in onnx.load(tmp_path / "network.onnx").graph.node]
    assert kinds.count(node) == 3
    assert "Loop" not in kinds
    assert check_parity(network, tmp_path / "network.onnx") <= 1e-5
