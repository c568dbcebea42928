from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal

from models.accuracy import pinball
from models.networks.build import build
from models.networks.loss import LARGEST, layer_of, median_of, scaled_pinball
from models.networks.normalization import Normalize
from models.spec import TRAINED_QUANTILES as LEVELS
from tests.models.networks.made import CONTEXT, SEASON, Floats, make_contexts, make_network, make_options

HORIZON, STEPS = 6, 2


def outputs_of(context: Floats, transform: str = "none", seed: int = 0) -> dict[str, Any]:
    """Return a made forecast of contexts: quantiles in scaled units, and the windows' level, scale, unit, logged."""
    window = Normalize(SEASON, CONTEXT, transform)(context)
    scaled = np.random.default_rng(seed).normal(size=(len(context), STEPS, HORIZON, len(LEVELS))).astype(np.float32)
    return {"scaled": tf.constant(scaled), **{key: window[key] for key in ("level", "scale", "unit", "logged")}}


def raw(outputs: dict[str, Any]) -> Floats:
    """Return the forecast in raw units, by numpy."""
    parts = {key: np.asarray(value) for key, value in outputs.items()}
    spread = (-1, 1, 1, 1)
    linear = parts["level"].reshape(spread) + parts["scale"].reshape(spread) * parts["scaled"].astype(np.float64)
    return np.where(parts["logged"].reshape(spread), np.exp(np.minimum(linear, 700)), linear)


def loss_of(outputs: dict[str, Any], targets: Floats) -> float:
    """Return the loss as a number."""
    return float(scaled_pinball(outputs, tf.constant(targets), LEVELS))


def some_targets(batch: int) -> Floats:
    """Return targets near the contexts' level."""
    targets: Floats = np.random.default_rng(9).normal(50.0, 4.0, (batch, STEPS, HORIZON))
    return targets


@pytest.mark.parametrize("transform", ["none", "log"])
def test_the_loss_is_twice_the_pinball_in_seasonal_scales(transform: str) -> None:
    """The textbook's loss in raw units, divided by the window's scale: close to MASE, logged or not."""
    outputs, targets = outputs_of(make_contexts(1), transform), some_targets(1)

    expected = 2 * pinball(targets, raw(outputs), LEVELS) / float(outputs["unit"][0, 0])

    assert_allclose(loss_of(outputs, targets), expected, rtol=1e-4)


def test_unknown_targets_count_for_nothing() -> None:
    """The loss is the mean over what came; a window of which nothing came is as if it were not there."""
    outputs, targets = outputs_of(make_contexts(3)), some_targets(3)
    targets[0, 0, 2:], targets[2] = np.nan, np.nan

    losses = [2 * pinball(targets[k], raw(outputs)[k], LEVELS) / float(outputs["unit"][k, 0]) for k in (0, 1)]

    counts = np.isfinite(targets[:2]).sum(axis=(1, 2))
    assert_allclose(loss_of(outputs, targets), np.average(losses, weights=counts), rtol=1e-4)


def test_nothing_to_learn_is_no_loss() -> None:
    """Not NaN: 0, with a gradient of zeros."""
    outputs = outputs_of(make_contexts(2))
    targets = tf.fill((2, STEPS, HORIZON), tf.constant(np.nan, tf.float64))
    with tf.GradientTape() as tape:
        tape.watch(outputs["scaled"])
        loss = scaled_pinball(outputs, targets, LEVELS)

    assert float(loss) == 0
    assert_array_equal(tape.gradient(loss, outputs["scaled"]), np.zeros(outputs["scaled"].shape))


@pytest.mark.parametrize(("factor", "shift"), [(1.8, 32.0), (1e6, 0.0), (1e-3, -5.0)])
def test_the_loss_follows_no_change_of_units(factor: float, shift: float) -> None:
    """A series weighs the same in Celsius and Fahrenheit."""
    targets = some_targets(3)

    celsius = loss_of(outputs_of(make_contexts(3)), targets)

    changed = outputs_of(make_contexts(3) * factor + shift)
    assert_allclose(loss_of(changed, targets * factor + shift), celsius, rtol=1e-4)


def test_one_wild_window_does_not_steer_a_batch() -> None:
    """Its loss is cut, and its pull with it."""
    outputs, targets = outputs_of(make_contexts(4)), some_targets(4)
    targets[0] = 1e7
    with tf.GradientTape() as tape:
        tape.watch(outputs["scaled"])
        loss = scaled_pinball(outputs, tf.constant(targets), LEVELS)

    pulls = np.abs(np.asarray(tape.gradient(loss, outputs["scaled"]))).sum(axis=(1, 2, 3))

    assert float(loss) <= LARGEST
    assert pulls[0] < 0.01 * pulls[1:].min()


@pytest.mark.parametrize("transform", ["none", "log"])
@pytest.mark.parametrize("size", [1e-12, 1.0, 1e12])
def test_a_window_without_a_context_cannot_end_a_training(transform: str, size: float) -> None:
    """A series that begins with a gap has windows without any value, and no scale: loss and gradient stay finite."""
    outputs = outputs_of(np.full((1, CONTEXT), np.nan), transform)
    with tf.GradientTape() as tape:
        tape.watch(outputs["scaled"])
        loss = scaled_pinball(outputs, tf.constant(size * some_targets(1)), LEVELS)

    assert np.isfinite(float(loss))
    assert np.isfinite(np.asarray(tape.gradient(loss, outputs["scaled"]))).all()


def test_an_impossible_target_of_a_logged_window_stays_finite() -> None:
    """A frost after a positive context, where a logarithm has no answer."""
    outputs, targets = outputs_of(make_contexts(1), "log"), some_targets(1)
    targets[0, 0, 0] = -40.0
    with tf.GradientTape() as tape:
        tape.watch(outputs["scaled"])
        loss = scaled_pinball(outputs, tf.constant(targets), LEVELS)

    assert np.isfinite(float(loss))
    assert np.isfinite(np.asarray(tape.gradient(loss, outputs["scaled"]))).all()


def test_the_median_is_the_middle_of_the_newest_step() -> None:
    """In raw units, one number a step ahead."""
    answer = make_network(make_options("wavenet"), seed=0).answer(make_contexts(2))

    assert_array_equal(median_of(answer), answer["quantiles"][:, -1, :, 4])


def test_every_weight_belongs_to_a_layer_with_a_name() -> None:
    """Gradient norms have the names that the architecture gives."""
    network = build(make_options("gru", layers=2))

    layers = {layer_of(one) for one in network.trainable_variables}

    assert {"input_projection", "recurrent_1", "recurrent_2", "decoder", "quantile_head"} <= layers
