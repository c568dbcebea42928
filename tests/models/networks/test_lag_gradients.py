"""SimpleRNN forgets what LSTM, GRU and WaveNet keep, and the gradient by lag shows it."""

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from models.networks.build import NetworkOptions, build
from models.networks.lag_gradients import lag_gradients
from models.networks.loss import scaled_pinball

LAG = 33
HEIGHT = 4.0


def draw(generator: np.random.Generator, size: int) -> tuple[Any, Any, Any]:
    """Return noise whose oldest value is a pulse up or down, and the same pulse as the value to be forecast."""
    context = generator.normal(0.0, 1.0, (size, LAG))
    pulse = generator.choice([-HEIGHT, HEIGHT], size)
    context[:, 0] = pulse
    context[:, -1] = 0.0
    return context, np.full(size, -1, np.int32), pulse[:, None, None]


def learn(architecture: str, steps: int = 160) -> keras.Model:
    """Return a small network trained to repeat what it saw 33 steps ago."""
    keras.utils.set_random_seed(0)
    options = NetworkOptions(architecture, 1, 1, LAG, LAG, units=16, layers=1)
    network = build(options)
    optimizer = keras.optimizers.Adam(0.01, global_clipnorm=1.0)
    optimizer.build(network.trainable_variables)

    @tf.function
    def step(context: tf.Tensor, phase: tf.Tensor, target: tf.Tensor) -> None:
        with tf.GradientTape() as tape:
            loss = scaled_pinball(network([context, phase], training=True), target, options.quantile_levels)
        variables = network.trainable_variables
        optimizer.apply(tape.gradient(loss, [one.value for one in variables]), variables)

    generator = np.random.default_rng(0)
    for _ in range(steps):
        step(*draw(generator, 64))
    return network


def recall(network: keras.Model) -> tuple[float, float]:
    """Return the mean error of the recalled pulse and the share of the gradient that lies on its lag."""
    context, phase, target = draw(np.random.default_rng(1), 256)
    median = np.asarray(network([context, phase])["quantiles"])[:, 0, :, 4]
    gradients = lag_gradients(network, context, phase)
    return float(np.abs(median - target[:, 0]).mean()), float(gradients[-1] / gradients.sum())


@pytest.mark.prove
@pytest.mark.parametrize("architecture", ["lstm", "wavenet"])
def test_gated_and_dilated_networks_keep_what_lies_far_back(architecture: str) -> None:
    """The answer lies 33 steps back under noise, and the forecast finds it there."""
    error, share = recall(learn(architecture))

    assert error < HEIGHT / 4
    assert share > 0.2


def test_a_simple_rnn_loses_what_lies_far_back() -> None:
    """Its gradient has vanished over 33 steps: as good as a guess, and looking elsewhere."""
    error, share = recall(learn("simple_rnn"))

    assert error > HEIGHT / 2
    assert share < 0.1


def test_gradients_are_ordered_by_lag_with_the_newest_first() -> None:
    """A forecast that only reads the last value has its whole gradient at lag 1."""
    network = build(NetworkOptions("simple_rnn", 1, 1, 4, 1, units=2, layers=1))
    context = np.random.default_rng(0).normal(20.0, 1.0, (8, 4))

    gradients = lag_gradients(network, context, np.zeros(8, np.int32))

    assert gradients.shape == (4,)
    assert gradients.argmax() == 0


def test_a_missing_value_has_no_gradient() -> None:
    """What was not observed cannot be remembered."""
    network = build(NetworkOptions("simple_rnn", 1, 1, 4, 4, units=2, layers=1))
    context = np.array([[np.nan, 1.0, 2.0, 4.0]])

    assert lag_gradients(network, context, np.zeros(1, np.int32))[-1] == 0.0
