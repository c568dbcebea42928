from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from models.networks.build import ENCODERS, SHAPES, build, serving_network, with_shape
from models.networks.errors import ArchitectureUnknown, OptionInvalid
from tests.models.networks.made import (
    ARCHITECTURES,
    CONTEXT,
    ENCODER,
    HORIZON,
    SEASON,
    Floats,
    make_contexts,
    make_network,
    make_options,
    make_phases,
)

every_architecture = pytest.mark.parametrize("architecture", ARCHITECTURES)
some_logged = pytest.mark.parametrize(
    ("architecture", "transform"), [*((one, "none") for one in ARCHITECTURES), ("gru", "log"), ("wavenet", "log")]
)


def windows_of(kind: str) -> Floats:
    """Return a batch of one window that is hard in its own way."""
    context = make_contexts(1)
    steps = np.arange(CONTEXT)
    made = {
        "a gap of a year": np.where((steps > 10) & (steps < 23), np.nan, context),
        "all but one missing": np.where(steps == 17, context, np.nan),
        "one value": np.where(steps == CONTEXT - 1, context, np.nan),
        "constant": np.full((1, CONTEXT), 42.0),
        "zeros": np.zeros((1, CONTEXT)),
        "sub-zero": context - 80.0,
        "a billion give or take one": 1e9 + np.where(steps % 2, 1.0, -1.0)[None],
        "tiny": context * 1e-12,
        "a jump": np.where(steps > 30, 1e9, context),
        "nothing": np.full((1, CONTEXT), np.nan),
    }
    return np.asarray(made[kind], dtype=np.float64)


KINDS = (
    "a gap of a year",
    "all but one missing",
    "one value",
    "constant",
    "zeros",
    "sub-zero",
    "a billion give or take one",
    "tiny",
    "a jump",
    "nothing",
)


def test_every_architecture_is_tested() -> None:
    """One that joins the table joins these tests."""
    assert tuple(ENCODERS) == ARCHITECTURES


@every_architecture
def test_shapes_and_types_are_as_promised(architecture: str) -> None:
    """Raw float64 in, raw float64 out, a quantile for every level and step."""
    answer = make_network(make_options(architecture), seed=0).answer(make_contexts(5), make_phases(5))

    assert answer["quantiles"].shape == answer["scaled"].shape == (5, 1, HORIZON, 9)
    assert answer["quantiles"].dtype == np.float64
    assert {answer[key].shape for key in ("level", "scale", "unit", "logged")} == {(5, 1)}


@every_architecture
@pytest.mark.parametrize(("factor", "shift"), [(1.8, 32.0), (1e3, 0.0), (1e-3, -7.0)])
def test_the_forecast_follows_a_change_of_units(architecture: str, factor: float, shift: float) -> None:
    """Celsius or Fahrenheit, the forecast is the same weather: f(aX + b) = a f(X) + b on any weights."""
    made = make_network(make_options(architecture), seed=1)
    celsius, phase = make_contexts(4), make_phases(4)

    fahrenheit = made.quantiles(celsius * factor + shift, phase)

    assert_allclose(fahrenheit, made.quantiles(celsius, phase) * factor + shift, rtol=1e-4)


@pytest.mark.parametrize("architecture", ["gru", "wavenet"])
def test_a_logged_forecast_follows_a_change_of_factor(architecture: str) -> None:
    """Under a logarithm f(aX) = a f(X), and what is positive stays positive."""
    made = make_network(make_options(architecture, transform="log"), seed=2, spread=0.2)
    sales = make_contexts(4)

    thousands = made.quantiles(sales * 1e3)

    assert_allclose(thousands, made.quantiles(sales) * 1e3, rtol=1e-4)
    assert (thousands > 0).all()


@some_logged
@pytest.mark.parametrize("spread", [0.3, 3.0, 30.0])
def test_quantiles_never_cross(architecture: str, transform: str, spread: float) -> None:
    """Whatever the weights, finite and in order."""
    made = make_network(make_options(architecture, transform=transform), seed=3, spread=spread)

    quantiles = made.quantiles(make_contexts(16), make_phases(16))

    assert np.isfinite(quantiles).all()
    assert (np.diff(quantiles, axis=-1) >= 0).all()


@some_logged
@pytest.mark.parametrize("kind", KINDS)
def test_hard_windows_are_forecast(architecture: str, transform: str, kind: str) -> None:
    """Gaps, constants, frost, a billion, one value: finite, dates or none."""
    made = make_network(make_options(architecture, transform=transform), seed=4)
    window = np.repeat(windows_of(kind), 2, axis=0)

    quantiles = made.quantiles(window, np.array([-1, 5], dtype=np.int32))

    assert np.isfinite(quantiles).all()
    assert (np.diff(quantiles, axis=-1) >= 0).all()


@every_architecture
def test_a_billion_is_forecast_to_its_ones(architecture: str) -> None:
    """What moves by one near a billion is forecast as what moves by one near nothing, to a thousandth."""
    made = make_network(make_options(architecture), seed=5)
    window = windows_of("a billion give or take one")

    quantiles = made.quantiles(window)

    assert_allclose(quantiles - 1e9, made.quantiles(window - 1e9), rtol=0, atol=1e-3)


@every_architecture
def test_a_constant_goes_on(architecture: str) -> None:
    """A series that never moved is forecast not to move, to a millionth."""
    made = make_network(make_options(architecture), seed=6)

    assert_allclose(made.quantiles(windows_of("constant")), 42.0, rtol=1e-6)


@every_architecture
def test_batch_mates_do_not_matter(architecture: str) -> None:
    """A window among others, wild ones too, is forecast as if alone."""
    made = make_network(make_options(architecture), seed=7)
    batch = np.concatenate([make_contexts(3), windows_of("a jump"), windows_of("sub-zero"), windows_of("nothing")])
    phase = make_phases(6)

    together = made.quantiles(batch, phase)

    for row in range(6):
        alone = made.quantiles(batch[row : row + 1], phase[row : row + 1])
        assert_allclose(together[row : row + 1], alone, rtol=1e-5, atol=1e-6 * np.abs(alone).max())


@pytest.mark.parametrize("architecture", ["lstm", "wavenet"])
def test_more_padding_does_not_matter(architecture: str) -> None:
    """The same values in a longer context, NaN before them, are the same forecast of the same weights."""
    short = make_network(make_options(architecture), seed=8)
    longer = make_network(make_options(architecture, context_length=CONTEXT + SEASON), seed=8)
    context, phase = make_contexts(4), make_phases(4)

    padded = longer.quantiles(np.pad(context, ((0, 0), (SEASON, 0)), constant_values=np.nan), phase)

    assert_allclose(padded, short.quantiles(context, phase), rtol=1e-5)


@every_architecture
def test_the_place_in_the_season_matters(architecture: str) -> None:
    """Another month, another forecast; and the unknown month is a month of its own."""
    made = make_network(make_options(architecture), seed=9)
    context = np.repeat(make_contexts(1), 3, axis=0)

    unknown, january, july = made.quantiles(context, np.array([-1, 0, 6], dtype=np.int32))

    assert np.abs(january - july).max() > 1e-3
    assert np.abs(january - unknown).max() > 1e-3


@every_architecture
def test_an_untrained_network_is_a_sound_seasonal_forecast(architecture: str) -> None:
    """Training begins from the seasonal means: on a clean season the first forecast is near the season to come."""
    network = build(make_options(architecture))
    steps = np.arange(CONTEXT + HORIZON)
    season = 50 + 10 * np.sin(2 * np.pi * steps / SEASON)
    context = season[None, :CONTEXT] + np.random.default_rng(0).normal(0.0, 0.1, (1, CONTEXT))

    quantiles = np.asarray(network([context, np.array([0], dtype=np.int32)])["quantiles"])[0, 0]

    assert_allclose(quantiles[:, 4], season[CONTEXT:], atol=1.0)
    assert (np.diff(quantiles, axis=-1) > 0).all()


@pytest.mark.parametrize(
    ("architecture", "transform"), [("lstm", "none"), ("gru", "log"), ("simple_rnn", "none"), ("wavenet", "log")]
)
def test_a_network_survives_being_saved(architecture: str, transform: str, tmp_path: Path) -> None:
    """What comes back from network.keras answers to the last bit as what was saved."""
    options = make_options(architecture, transform=transform)
    network = serving_network(make_network(options, seed=10).network, options)
    inputs = [make_contexts(3), make_phases(3)]

    network.save(tmp_path / "network.keras")
    loaded = keras.models.load_model(tmp_path / "network.keras")

    assert_array_equal(np.asarray(loaded(inputs)), np.asarray(network(inputs)))


@pytest.mark.parametrize("architecture", ["lstm", "wavenet"])
def test_the_same_seed_makes_the_same_weights(architecture: str) -> None:
    """And another seed makes others."""

    def weights(seed: int) -> list[Any]:
        keras.utils.set_random_seed(seed)
        return build(make_options(architecture)).get_weights()

    first, again, other = weights(1), weights(1), weights(2)

    for one, two in zip(first, again, strict=True):
        assert_array_equal(one, two)
    assert any(not np.array_equal(one, two) for one, two in zip(first, other, strict=True))


@every_architecture
def test_supervision_at_every_step_needs_no_other_weights(architecture: str) -> None:
    """The network that trains at every step and the one that serves share their weights, one for one."""
    options = make_options(architecture, shape="many_to_many_equal")
    made = make_network(options, seed=11, supervised_steps=options.supervised_steps)

    serving = serving_network(made.network, options)

    assert made.answer(make_contexts(2))["quantiles"].shape == (2, ENCODER, HORIZON, 9)
    assert serving.output.shape == (None, HORIZON, 9)
    for one, two in zip(made.network.get_weights(), serving.get_weights(), strict=True):
        assert_array_equal(one, two)


@every_architecture
@pytest.mark.parametrize("step", [0, 10, ENCODER - 2])
def test_a_step_does_not_look_into_its_future(architecture: str, step: int) -> None:
    """Supervised at every step: what comes after a step, gaps included, changes nothing up to it, only past it."""
    options = make_options(architecture, shape="many_to_many_equal")
    made = make_network(options, seed=12, supervised_steps=ENCODER)
    context, phase = make_contexts(3), make_phases(3)
    changed = context.copy()
    changed[:, CONTEXT - ENCODER + step + 1 :] *= -3.0
    changed[0, -1] = np.nan

    before, after = (made.answer(one, phase)["quantiles"] for one in (context, changed))

    assert_array_equal(before[:, : step + 1], after[:, : step + 1])
    assert np.abs(before[:, step + 1 :] - after[:, step + 1 :]).max() > 1e-3


@every_architecture
@pytest.mark.parametrize("shape", SHAPES)
def test_each_sequence_shape_fits_its_lengths(architecture: str, shape: str) -> None:
    """One or many in, one or many out; supervised at every step where input and output are equal."""
    options = with_shape(make_options(architecture), shape)

    one_in, one_out = shape.startswith("one_to"), shape == "one_to_one"
    assert options.context_length == options.encoder_length * (1 if one_in else CONTEXT / ENCODER)
    assert options.context_length == (1 if one_in else CONTEXT)
    assert options.horizon == (1 if one_out else HORIZON)
    assert options.supervised_steps == (ENCODER if shape == "many_to_many_equal" else 1)


@pytest.mark.parametrize("architecture", ["lstm", "wavenet"])
def test_one_value_is_enough_for_many(architecture: str) -> None:
    """A context of one value is scaled by the training set and forecast, known or not."""
    options = with_shape(make_options(architecture), "one_to_many")
    made = make_network(options, seed=13, spread=0.1)

    quantiles = made.quantiles(np.array([[0.3], [np.nan]]), np.array([4, -1], dtype=np.int32))

    assert quantiles.shape == (2, HORIZON, 9)
    assert np.isfinite(quantiles).all()


def test_an_unknown_architecture_is_refused() -> None:
    """The hint lists those there are."""
    with pytest.raises(ArchitectureUnknown, match="transformer") as caught:
        make_options("transformer")

    assert all(one in caught.value.hint for one in ARCHITECTURES)


@pytest.mark.parametrize(
    "change",
    [
        {"shape": "many_to_one"},
        {"transform": "sqrt"},
        {"horizon": 0},
        {"units": 2.5},
        {"layers": True},
        {"encoder_length": CONTEXT + 1},
        {"shape": "one_to_many"},
        {"shape": "one_to_one", "context_length": 1, "encoder_length": 1},
        {"quantile_levels": (0.1, 0.9)},
        {"quantile_levels": (0.9, 0.5, 0.1)},
        {"quantile_levels": (0.1, 0.4, 0.9)},
    ],
)
def test_an_option_that_cannot_be_built_is_refused(change: dict[str, Any]) -> None:
    """Before anything is built, with the value met."""
    with pytest.raises(OptionInvalid):
        make_options("gru", **change)


def test_a_recurrent_network_sees_all_that_its_encoder_reads() -> None:
    """WaveNet sees what its dilations reach."""
    assert make_options("lstm").receptive_field() == ENCODER
    assert make_options("wavenet", encoder_length=24, dilations=(1, 2, 4, 8)).receptive_field() == 16
    assert make_options("wavenet").receptive_field() == ENCODER
