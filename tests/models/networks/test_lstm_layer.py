"""The LSTM whose gradient is written out is Keras's LSTM, forwards and backwards."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal

from models.networks.lstm_layer import LSTM
from models.networks.recurrent import stack
from models.networks.through_time import Projection


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


def make_stack(*, folds: bool, every_step: bool) -> keras.Model:
    """Return two layers of 6 units over a projection of 3 channels, with random weights that folding does not change."""
    inputs = keras.Input((7, 3))
    network = keras.Model(inputs, stack(LSTM, inputs, units=6, layers=2, every_step=every_step, folds=folds))
    generator = np.random.default_rng(4)
    network.set_weights([generator.normal(0.0, 0.7, one.shape) for one in network.get_weights()])
    return network


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("every_step", [False, True])
def test_a_projection_and_the_layer_behind_it_may_be_taken_as_one(*, every_step: bool, compiled: bool) -> None:
    """States and gradients, the projection's too, differ by the rounding of float32; weights have the same names."""
    folded, plain = (make_stack(folds=folds, every_step=every_step) for folds in (True, False))
    x = np.random.default_rng(5).normal(size=(4, 7, 3)).astype(np.float32)

    made, gradients = answers(folded, x, compiled=compiled)

    expected, wanted = answers(plain, x, compiled=False)
    assert isinstance(folded.get_layer("input_projection"), Projection)
    assert not isinstance(plain.get_layer("input_projection"), Projection)
    assert [one.path for one in folded.weights] == [one.path for one in plain.weights]
    assert_allclose(made, expected, rtol=1e-5, atol=1e-6)
    for found, one in zip(gradients, wanted, strict=True):
        assert_allclose(found, one, rtol=1e-4, atol=1e-5)


def test_what_is_not_narrower_is_not_folded() -> None:
    """Of as many channels as units, the products would be no smaller."""
    inputs = keras.Input((7, 6))

    network = keras.Model(inputs, stack(LSTM, inputs, units=6, layers=1, every_step=False, folds=True))

    assert not isinstance(network.get_layer("input_projection"), Projection)


def test_a_folded_stack_is_saved_and_read_again(tmp_path: Path) -> None:
    """With the projection that the first layer is handed."""
    network = make_stack(folds=True, every_step=False)
    network.save(tmp_path / "network.keras")
    x = np.random.default_rng(2).normal(size=(4, 7, 3)).astype(np.float32)

    again = keras.models.load_model(tmp_path / "network.keras")

    assert isinstance(again.get_layer("input_projection"), Projection)
    assert_array_equal(again.predict(x, verbose=0), network.predict(x, verbose=0))


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
