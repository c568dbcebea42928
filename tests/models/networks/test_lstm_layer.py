"""The LSTM whose gradient is written out is Keras's LSTM, forwards and backwards."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal

from models.networks.lstm_layer import LSTM


def make_pair(*, sequences: bool) -> tuple[keras.layers.Layer, keras.layers.Layer]:
    """Return our layer and Keras's, with the same random weights."""
    ours, theirs = (kind(5, return_sequences=sequences) for kind in (LSTM, keras.layers.LSTM))
    generator = np.random.default_rng(0)
    for layer in (ours, theirs):
        layer.build((None, 7, 3))
    weights = [generator.normal(0.0, 0.7, one.shape) for one in theirs.get_weights()]
    ours.set_weights(weights)
    theirs.set_weights(weights)
    return ours, theirs


def answers(layer: keras.layers.Layer, x: Any, *, compiled: bool) -> tuple[Any, list[Any]]:  # noqa: ANN401 - a tensor
    """Return what a layer makes of an input, and the gradients of a random mix of it: of the input and each weight."""

    def run(values: Any) -> Any:  # noqa: ANN401 - tensors
        weights = [one.value for one in layer.trainable_variables]
        with tf.GradientTape() as tape:
            tape.watch(values)
            made = layer(values)
            mix = tf.reduce_sum(made * np.random.default_rng(1).normal(size=made.shape).astype(np.float32))
        return made, tape.gradient(mix, [values, *weights])

    made, gradients = (tf.function(run, jit_compile=True) if compiled else run)(tf.constant(x))
    return made.numpy(), [one.numpy() for one in gradients]


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("sequences", [False, True])
def test_it_agrees_with_the_layer_of_keras(*, sequences: bool, compiled: bool) -> None:
    """States and gradients differ by the rounding of float32, every step supervised or the last alone."""
    ours, theirs = make_pair(sequences=sequences)
    x = np.random.default_rng(2).normal(size=(4, 7, 3)).astype(np.float32)

    made, gradients = answers(ours, x, compiled=compiled)

    expected, wanted = answers(theirs, x, compiled=False)
    assert_allclose(made, expected, rtol=1e-5, atol=1e-6)
    for found, one in zip(gradients, wanted, strict=True):
        assert_allclose(found, one, rtol=1e-4, atol=1e-5)


def test_a_long_stretch_of_steps_neither_overflows_nor_drifts() -> None:
    """Gates that are shut or wide open, over 300 steps: as Keras has it, and finite."""
    ours, theirs = (kind(4) for kind in (LSTM, keras.layers.LSTM))
    x = 30.0 * np.random.default_rng(3).normal(size=(2, 300, 3)).astype(np.float32)
    ours.build(x.shape)
    theirs.build(x.shape)
    theirs.set_weights(ours.get_weights())

    made, gradients = answers(ours, x, compiled=False)

    expected, wanted = answers(theirs, x, compiled=False)
    assert_allclose(made, expected, rtol=1e-4, atol=1e-5)
    for found, one in zip(gradients, wanted, strict=True):
        assert np.isfinite(found).all()
        assert_allclose(found, one, rtol=1e-3, atol=1e-4)


def test_it_is_saved_and_read_again(tmp_path: Path) -> None:
    """With the names, shapes and order of weights that Keras's layer has."""
    ours, theirs = make_pair(sequences=False)
    inputs = keras.Input((7, 3))
    network = keras.Model(inputs, ours(inputs))
    network.save(tmp_path / "network.keras")
    x = np.random.default_rng(2).normal(size=(4, 7, 3)).astype(np.float32)

    again = keras.models.load_model(tmp_path / "network.keras")

    assert isinstance(again.layers[-1], LSTM)
    assert [one.name for one in again.layers[-1].weights] == [one.name for one in theirs.weights]
    assert_array_equal(again.predict(x, verbose=0), network.predict(x, verbose=0))


def test_networks_saved_with_the_layer_of_keras_still_load(tmp_path: Path) -> None:
    """What was trained before this layer was written forecasts what it did."""
    _, theirs = make_pair(sequences=False)
    inputs = keras.Input((7, 3))
    network = keras.Model(inputs, theirs(inputs))
    network.save(tmp_path / "network.keras")
    x = np.random.default_rng(2).normal(size=(4, 7, 3)).astype(np.float32)

    again = keras.models.load_model(tmp_path / "network.keras")

    assert_array_equal(again.predict(x, verbose=0), network.predict(x, verbose=0))
