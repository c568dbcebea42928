"""The layers whose gradient is written out are Keras's own, forwards and backwards."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal

from models.networks.bptt import Projection
from models.networks.gru import GRU
from models.networks.lstm import LSTM
from models.networks.recurrent import stack
from models.networks.simple_rnn import SimpleRNN

Layer = type[keras.layers.Layer]


@keras.saving.register_keras_serializable(package="tests")
class LSTMForXLA(LSTM):
    """An LSTM as XLA compiles it."""

    for_xla = True


KERAS: dict[Layer, Layer] = {
    LSTM: keras.layers.LSTM,
    LSTMForXLA: keras.layers.LSTM,
    GRU: keras.layers.GRU,
    SimpleRNN: keras.layers.SimpleRNN,
}

every_layer = pytest.mark.parametrize("kind", KERAS)


@pytest.fixture(scope="module", autouse=True)
def _without_xla() -> None:
    """Compile with XLA, unlike the other tests of networks: its answer is the subject."""


def make_pair(kind: Layer, **options: Any) -> tuple[keras.layers.Layer, keras.layers.Layer]:  # noqa: ANN401 - of Keras
    """Return our layer and Keras's, with the same random weights."""
    ours, theirs = (one(5, **options) for one in (kind, KERAS[kind]))
    generator = np.random.default_rng(0)
    for layer in (ours, theirs):
        layer.build((None, 5, 3))
    weights = [generator.normal(0.0, 0.7, one.shape) for one in theirs.get_weights()]
    ours.set_weights(weights)
    theirs.set_weights(weights)
    return ours, theirs


def make_windows(steps: int = 5) -> Any:  # noqa: ANN401 - an array
    """Return four random windows of three channels."""
    return np.random.default_rng(2).normal(size=(4, steps, 3)).astype(np.float32)


def answers(layer: Any, x: Any, *, compiled: bool) -> tuple[Any, list[Any]]:  # noqa: ANN401 - tensors
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


@pytest.mark.parametrize("sequences", [False, True])
@every_layer
def test_it_agrees_with_the_layer_of_keras(kind: Layer, *, sequences: bool) -> None:
    """States and gradients differ by the rounding of float32, every step supervised or the last alone."""
    ours, theirs = make_pair(kind, return_sequences=sequences)

    made, gradients = answers(ours, make_windows(), compiled=False)

    expected, wanted = answers(theirs, make_windows(), compiled=False)
    assert_allclose(made, expected, rtol=1e-5, atol=1e-6)
    for found, one in zip(gradients, wanted, strict=True):
        assert_allclose(found, one, rtol=1e-4, atol=1e-5)


@every_layer
def test_a_long_stretch_of_steps_neither_overflows_nor_drifts(kind: Layer) -> None:
    """Gates that are shut or wide open, over 40 steps: as Keras has it, and finite."""
    ours, theirs = (one(4) for one in (kind, KERAS[kind]))
    x = 30.0 * np.random.default_rng(3).normal(size=(2, 40, 3)).astype(np.float32)
    ours.build(x.shape)
    theirs.build(x.shape)
    theirs.set_weights(ours.get_weights())

    made, gradients = answers(ours, x, compiled=False)

    expected, wanted = answers(theirs, x, compiled=False)
    assert_allclose(made, expected, rtol=1e-4, atol=1e-5)
    for found, one in zip(gradients, wanted, strict=True):
        assert np.isfinite(found).all()
        assert_allclose(found, one, rtol=1e-3, atol=1e-4)


@every_layer
def test_what_begins_elsewhere_or_leaves_steps_out_is_computed_by_keras(kind: Layer) -> None:
    """An initial state and a mask are heeded."""
    ours, theirs = make_pair(kind, return_sequences=True)
    x = make_windows()
    begun = [np.full((4, 5), 0.3, np.float32)] * (2 if issubclass(kind, LSTM) else 1)
    mask = np.arange(5) != np.array([[0], [2], [3], [4]])

    for given in ({"initial_state": begun}, {"mask": mask}):
        assert_array_equal(ours(x, **given), theirs(x, **given))
        assert np.abs(np.asarray(ours(x, **given)) - ours(x)).max() > 1e-2


@pytest.mark.parametrize("dropped", ["dropout", "recurrent_dropout"])
@every_layer
def test_dropout_is_computed_by_keras(kind: Layer, dropped: str) -> None:
    """In training it drops what Keras's layer of the same seed does."""
    ours, theirs = make_pair(kind, seed=1, **{dropped: 0.5})
    x = make_windows()

    found = ours(x, training=True)

    assert_array_equal(found, theirs(x, training=True))
    assert np.abs(np.asarray(found) - ours(x, training=False)).max() > 1e-2


def make_network(kind: Layer, *, folded: bool, sequences: bool) -> keras.Model:
    """Return a layer of 5 units behind a projection of 3 channels, with random weights that folding does not change."""
    inputs = keras.Input((5, 3))
    x, kernel, bias = Projection(6)(inputs)
    layer = kind(5, return_sequences=sequences)
    network = keras.Model(inputs, layer(x, **({"projection": (inputs, kernel, bias)} if folded else {})))
    generator = np.random.default_rng(4)
    network.set_weights([generator.normal(0.0, 0.7, one.shape) for one in network.get_weights()])
    return network


@pytest.mark.parametrize(("sequences", "compiled"), [(False, False), (True, True)])
@every_layer
def test_a_projection_and_the_layer_behind_it_may_be_taken_as_one(
    kind: Layer, *, sequences: bool, compiled: bool
) -> None:
    """States and gradients, the projection's too, differ by the rounding of float32."""
    folded, plain = (make_network(kind, folded=one, sequences=sequences) for one in (True, False))

    made, gradients = answers(folded, make_windows(), compiled=compiled and kind is not LSTM)

    expected, wanted = answers(plain, make_windows(), compiled=False)
    assert_allclose(made, expected, rtol=1e-5, atol=1e-6)
    for found, one in zip(gradients, wanted, strict=True):
        assert_allclose(found, one, rtol=1e-4, atol=1e-5)


def make_stack(kind: Layer, units: int) -> keras.Model:
    """Return two layers over a projection of 3 channels, with random weights."""
    inputs = keras.Input((5, 3))
    network = keras.Model(inputs, stack(kind, inputs, units=units, layers=2, every_step=False))
    generator = np.random.default_rng(4)
    network.set_weights([generator.normal(0.0, 0.7, one.shape) for one in network.get_weights()])
    return network


@every_layer
def test_a_stack_of_them_has_the_weights_of_keras_s_own(kind: Layer) -> None:
    """Same names, shapes and order, whether the projection is folded or, of channels no fewer than units, is not."""
    for units, folded in ((4, True), (3, False)):
        network = make_stack(kind, units)
        inputs = keras.Input((5, 3))
        x = keras.layers.Dense(units, name="input_projection")(inputs)
        for depth in (1, 2):
            x = KERAS[kind](units, return_sequences=True, name=f"recurrent_{depth}")(x)

        theirs = keras.Model(inputs, x)

        assert isinstance(network.get_layer("input_projection"), Projection) is folded
        assert [(one.path, one.shape) for one in network.weights] == [(one.path, one.shape) for one in theirs.weights]


@every_layer
def test_a_folded_stack_is_saved_and_read_again(kind: Layer, tmp_path: Path) -> None:
    """With the projection that the first layer is handed."""
    network = make_stack(kind, 6)
    network.save(tmp_path / "network.keras")

    again = keras.models.load_model(tmp_path / "network.keras")

    assert isinstance(again.get_layer("input_projection"), Projection)
    assert isinstance(again.get_layer("recurrent_1"), kind)
    assert_array_equal(again.predict(make_windows(), verbose=0), network.predict(make_windows(), verbose=0))


@every_layer
def test_networks_saved_with_the_layer_of_keras_still_load(kind: Layer, tmp_path: Path) -> None:
    """What was trained before this layer was written forecasts what it did."""
    _, theirs = make_pair(kind)
    inputs = keras.Input((5, 3))
    network = keras.Model(inputs, theirs(inputs))
    network.save(tmp_path / "network.keras")

    again = keras.models.load_model(tmp_path / "network.keras")

    assert isinstance(again.layers[-1], KERAS[kind])
    assert_array_equal(again.predict(make_windows(), verbose=0), network.predict(make_windows(), verbose=0))
