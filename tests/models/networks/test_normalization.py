from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray

from models.networks.normalization import Normalize, NormalizeGlobally, Restore, squash, unsquash
from tests.models.networks.made import CONTEXT, SEASON, Floats, make_contexts


def normalize(context: Floats, *, seen: int = CONTEXT, transform: str = "none") -> dict[str, NDArray[Any]]:
    """Return what the layer makes of contexts, as numpy."""
    parts = Normalize(SEASON, seen, transform)(tf.constant(context))
    return {key: np.asarray(value) for key, value in parts.items()}


def restore(parts: dict[str, NDArray[Any]]) -> Floats:
    """Return the values brought back to raw units, (batch, context_length)."""
    scaled = np.asarray(unsquash(parts["values"]))[:, None, :, None]
    raw: Floats = np.asarray(Restore()(scaled, parts["level"], parts["scale"], parts["logged"]))[:, 0, :, 0]
    return raw


def test_unsquash_is_the_inverse_of_squash() -> None:
    """From the faintest to a hundred thousand scales away, both ways and both signs."""
    values = np.concatenate([-np.geomspace(1e5, 1e-3, 50), [0.0], np.geomspace(1e-3, 1e5, 50)]).astype(np.float32)

    assert_allclose(unsquash(squash(values)), values, rtol=1e-3, atol=1e-5)


def test_squash_is_asinh_and_keeps_order() -> None:
    """The formula is z = 2 asinh(u / 3), finite and rising however far out."""
    values = np.array([-np.inf, -1e30, -3.0, -0.1, 0.0, 0.1, 3.0, 1e30, np.inf], dtype=np.float32)

    squashed = np.asarray(squash(values))

    assert_allclose(squashed[2:7], 2 * np.arcsinh(values[2:7] / 3), rtol=1e-5, atol=1e-6)
    assert np.isfinite(squashed).all()
    assert (np.diff(squashed) >= 0).all()


def test_level_and_scale_are_those_of_the_textbook() -> None:
    """Level is the mean of the last season, scale the mean absolute seasonal difference, in float64."""
    context = make_contexts(5)

    parts = normalize(context)

    assert parts["level"].dtype == parts["scale"].dtype == np.float64
    assert_allclose(parts["level"][:, 0], context[:, -SEASON:].mean(axis=1))
    assert_allclose(parts["scale"][:, 0], np.abs(context[:, SEASON:] - context[:, :-SEASON]).mean(axis=1))
    assert_array_equal(parts["unit"], parts["scale"])


def test_gaps_are_left_out_of_level_and_scale() -> None:
    """The last season is the last twelve values observed; a pair with a gap has no difference."""
    context = make_contexts(1)
    context[0, [3, 20, 30, 35]] = np.nan

    parts = normalize(context)

    known = context[0][np.isfinite(context[0])]
    assert_allclose(parts["level"], known[-SEASON:].mean())
    assert_allclose(parts["scale"], np.nanmean(np.abs(context[0, SEASON:] - context[0, :-SEASON])))
    assert_array_equal(parts["mask"][0] == 1, np.isfinite(context[0]))
    assert_array_equal(parts["values"][0, [3, 20, 30, 35]], np.zeros(4))


def test_too_few_seasons_are_scaled_by_their_steps() -> None:
    """Where fewer than six pairs lie a season apart, neighbours are compared."""
    context = make_contexts(1)
    context[0, : -SEASON - 5] = np.nan

    assert_allclose(normalize(context)["scale"], np.nanmean(np.abs(np.diff(context[0]))))


@pytest.mark.parametrize("value", [-40.0, 1e-6, 3e12])
def test_one_value_is_scaled_by_a_tenth_of_itself(value: float) -> None:
    """It is its own level."""
    context = np.full((1, CONTEXT), np.nan)
    context[0, -4] = value

    parts = normalize(context)

    assert_allclose(parts["level"], value)
    assert_allclose(parts["scale"], 0.1 * abs(value))


@pytest.mark.parametrize("context", [np.zeros(CONTEXT), np.full(CONTEXT, -7.5), np.full(CONTEXT, np.nan)])
def test_a_window_that_never_moves_has_a_scale_above_zero(context: Floats) -> None:
    """Zeros, a constant, nothing at all: finite, and not divided by zero."""
    parts = normalize(context[None])

    assert (parts["scale"] > 0).all()
    assert all(np.isfinite(parts[key]).all() for key in ("values", "level", "scale", "unit"))


def test_a_season_repeated_to_the_letter_stays_in_range() -> None:
    """Its seasonal differences are nothing; a hundredth of its amplitude keeps the values within hundreds of scales."""
    context = np.tile(np.sin(np.arange(SEASON)), 3)[None]

    assert np.abs(unsquash(normalize(context)["values"])).max() < 300


@pytest.mark.parametrize(("factor", "shift"), [(1.8, 32.0), (1e3, 0.0), (1e-3, -5.0)])
def test_a_change_of_units_leaves_the_values_alone(factor: float, shift: float) -> None:
    """The network sees the same weather; level and scale take the change."""
    context = make_contexts(4)

    celsius, fahrenheit = normalize(context), normalize(context * factor + shift)

    assert_allclose(fahrenheit["values"], celsius["values"], rtol=1e-5, atol=1e-6)
    assert_allclose(fahrenheit["level"], celsius["level"] * factor + shift)
    assert_allclose(fahrenheit["scale"], celsius["scale"] * factor)


def test_a_logged_window_forgets_its_factor() -> None:
    """Under a logarithm a change of factor is a change of level alone; the unit of the loss stays raw."""
    context = make_contexts(4)

    one, thousand = normalize(context, transform="log"), normalize(context * 1e3, transform="log")

    assert one["logged"].all()
    assert_allclose(thousand["values"], one["values"], rtol=1e-4, atol=1e-5)
    assert_allclose(thousand["scale"], one["scale"])
    assert_allclose(one["unit"], normalize(context)["scale"])


def test_only_windows_whose_every_value_is_positive_are_logged() -> None:
    """A zero or a frost keeps its window linear, and its batch mates logged; gaps do not count."""
    context = make_contexts(4)
    context[1, 5], context[2, -1], context[3, 0] = 0.0, -3.0, np.nan

    parts = normalize(context, transform="log")

    assert parts["logged"][:, 0].tolist() == [True, False, False, True]
    assert_allclose(parts["level"][1:3], normalize(context)["level"][1:3])


def test_what_lies_past_the_seen_part_does_not_scale() -> None:
    """Where every step is supervised, no step is scaled by its own future."""
    context = make_contexts(2)
    changed = context.copy()
    changed[:, 20:] += 1000.0

    before, after = normalize(context, seen=20), normalize(changed, seen=20)

    assert_array_equal(before["level"], after["level"])
    assert_array_equal(before["scale"], after["scale"])
    assert_array_equal(before["values"][:, :20], after["values"][:, :20])


@pytest.mark.parametrize("transform", ["none", "log"])
@pytest.mark.parametrize("factor", [1e-6, 1.0, 1e9])
def test_restore_is_the_inverse_of_normalize(transform: str, factor: float) -> None:
    """There and back again, to float32's precision of a scaled value."""
    context = factor * make_contexts(3)

    assert_allclose(restore(normalize(context, transform=transform)), context, rtol=1e-5)


def test_a_billion_give_or_take_one_keeps_its_ones() -> None:
    """Centred in float64 first: the way back is exact to a thousandth, where float32 would be 64 off."""
    context = 1e9 + np.random.default_rng(0).choice([-1.0, 1.0], (2, CONTEXT))

    assert_allclose(restore(normalize(context)), context, rtol=0, atol=1e-3)


def test_a_branch_that_is_not_taken_does_not_poison_the_gradient() -> None:
    """A window that cannot be logged, gaps and all, has a finite gradient through the logarithm's layer and back."""
    context = tf.constant(make_contexts(2) - 55.0)
    scaled = tf.Variable(np.full((2, 1, 3, 1), 900.0, dtype=np.float32))
    with tf.GradientTape() as tape:
        tape.watch(context)
        parts = Normalize(SEASON, CONTEXT, "log")(context)
        raw = Restore()(scaled, parts["level"], parts["scale"], parts["logged"])
        total = tf.reduce_sum(raw) + tf.reduce_sum(tf.cast(parts["values"], tf.float64))

    gradients = tape.gradient(total, [context, scaled])

    assert not np.asarray(parts["logged"]).any()
    assert all(np.isfinite(np.asarray(gradient)).all() for gradient in gradients)


def test_restored_quantiles_stay_in_order() -> None:
    """Rising levels rise in raw units too, logged or not, however far out."""
    scaled = np.linspace(-1e5, 1e5, 9, dtype=np.float32).reshape(1, 1, 1, 9)
    for logged in (True, False):
        raw = np.asarray(Restore()(scaled, np.full((1, 1), 3.0), np.full((1, 1), 0.5), np.full((1, 1), logged)))

        assert np.isfinite(raw).all()
        assert (np.diff(raw) >= 0).all()


def test_contexts_of_one_value_are_scaled_by_the_training_set() -> None:
    """Level and scale are weights: mean and standard deviation of what was trained on."""
    training = np.random.default_rng(0).normal(15.0, 4.0, 500)
    layer = NormalizeGlobally()
    layer.build(None)
    layer.adapt(training)

    parts = {key: np.asarray(value) for key, value in layer(np.array([[15.0], [np.nan]])).items()}

    assert_allclose(parts["level"], np.full((2, 1), training.mean()))
    assert_allclose(parts["scale"], np.full((2, 1), training.std()))
    assert_allclose(parts["values"][:, 0], [squash(np.float32((15 - training.mean()) / training.std())), 0], rtol=1e-4)
    assert parts["mask"][:, 0].tolist() == [1, 0]
    assert not parts["logged"].any()
