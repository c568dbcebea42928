from pathlib import Path

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from models.networks.ensemble import load_network
from models.networks.errors import OptionInvalid, ReceptiveFieldTooShort
from models.networks.wavenet import DILATIONS, Delay, Gate, Lags, encode, lags_read, receptive_field, usable_dilations
from tests.models.networks.made import Floats, make_options, random_weights


@pytest.mark.parametrize(
    ("dilations", "steps"), [((1,), 2), ((1, 2, 4), 8), ((1, 2, 4, 8, 16, 32), 64), (DILATIONS, 128), ((), 1)]
)
def test_the_receptive_field_is_one_and_the_dilations(dilations: tuple[int, ...], steps: int) -> None:
    """Kernel 2: each layer sees its dilation further."""
    assert receptive_field(dilations) == steps


@pytest.mark.parametrize(
    ("encoder_length", "kept"), [(128, DILATIONS), (64, DILATIONS[:-1]), (60, DILATIONS[:-1]), (2, (1,)), (1, ())]
)
def test_dilations_are_cut_to_what_the_encoder_reads(encoder_length: int, kept: tuple[int, ...]) -> None:
    """A tap before the first step would only ever see padding."""
    assert usable_dilations(DILATIONS, encoder_length) == kept


@pytest.mark.parametrize("dilations", [(), (0, 1), (-2,), (1.5,), (True, 2), ("1",)])
def test_dilations_are_whole_numbers_of_one_or_more(dilations: tuple[int, ...]) -> None:
    """Anything else is refused, and shown."""
    with pytest.raises(OptionInvalid, match="Dilations"):
        usable_dilations(dilations, 24)


def test_a_wavenet_that_cannot_see_a_season_is_refused() -> None:
    """Both numbers stand in the error, and a remedy."""
    with pytest.raises(ReceptiveFieldTooShort, match=r"8 steps.*12") as caught:
        make_options("wavenet", dilations=(1, 2, 4))

    assert "12" in caught.value.hint


def test_what_the_encoder_does_not_read_is_not_seen() -> None:
    """Dilations enough for a year do not help an encoder that reads half of one."""
    with pytest.raises(ReceptiveFieldTooShort, match=r"8 steps.*12"):
        make_options("wavenet", encoder_length=8)


def test_a_field_of_one_season_is_enough() -> None:
    """The newest step and the eleven before it."""
    assert make_options("wavenet", dilations=(1, 2, 4, 4)).receptive_field() == 12


@pytest.mark.parametrize("shape", ["one_to_one", "one_to_many"])
def test_shapes_of_one_value_need_no_field(shape: str) -> None:
    """A context of one value has no season to see."""
    horizon = 1 if shape == "one_to_one" else 6

    options = make_options("wavenet", shape=shape, context_length=1, encoder_length=1, horizon=horizon)

    assert options.receptive_field() == 1


def test_delay_moves_the_past_forward() -> None:
    """Zeros stand before the first step."""
    sequence = np.arange(1, 9, dtype=np.float32).reshape(1, 4, 2)

    assert_array_equal(Delay(1)(sequence), [[[0, 0], [1, 2], [3, 4], [5, 6]]])
    assert_array_equal(Delay(3)(sequence), [[[0, 0], [0, 0], [0, 0], [1, 2]]])


def test_the_gate_is_tanh_times_sigmoid() -> None:
    """One half of the channels speaks, the other says how loud."""
    channels = np.random.default_rng(0).normal(size=(2, 3, 6)).astype(np.float32)

    expected = np.tanh(channels[..., :3]) / (1 + np.exp(-channels[..., 3:]))

    assert_allclose(Gate()(channels), expected, rtol=1e-5)


def impulse_response(dilations: tuple[int, ...], steps: int) -> Floats:
    """Return how much the newest output moves when the input moves at each lag, lag 0 first."""
    inputs = keras.Input((steps, 2))
    encoder = keras.Model(inputs, encode(inputs, units=4, dilations=dilations, every_step=False))
    encoder.set_weights(random_weights(encoder, 0, 1.0))
    still = np.random.default_rng(0).normal(size=(1, steps, 2)).astype(np.float32)
    moved = np.repeat(still, steps, axis=0)
    moved[np.arange(steps), np.arange(steps)] += 1.0
    response = np.abs(np.asarray(encoder(moved)) - np.asarray(encoder(still))).max(axis=1)
    return np.asarray(response[::-1], dtype=np.float64)


@pytest.mark.parametrize("dilations", [(1,), (1, 2), (1, 2, 4), (1, 2, 4, 8)])
def test_the_receptive_field_is_exactly_what_it_says(dilations: tuple[int, ...]) -> None:
    """An impulse at any lag within it moves the newest output; one step further back, none does but by rounding."""
    field = receptive_field(dilations)

    response = impulse_response(dilations, 20)

    assert (response[:field] > 1e-4).all()
    assert (response[field:] < 1e-6).all()


@pytest.mark.parametrize("steps", [5, 13, 30])
@pytest.mark.parametrize("dilations", [(), (2, 4), (1, 2, 4, 4), (3, 1), (4, 2, 3), (1, 2, 4, 8)])
def test_the_newest_state_is_the_last_of_all(dilations: tuple[int, ...], steps: int) -> None:
    """A tree over the steps that the newest rests on gives what all steps give, before the first step too."""
    dilations = tuple(one for one in dilations if one < steps)
    inputs = keras.Input((steps, 2))
    sequence = np.random.default_rng(1).normal(size=(3, steps, 2)).astype(np.float32)
    encoders = [
        keras.Model(inputs, encode(inputs, units=4, dilations=dilations, every_step=each)) for each in (True, False)
    ]
    for encoder in encoders:
        encoder.set_weights(random_weights(encoder, 0, 0.5))

    every, newest = (np.asarray(encoder(sequence)) for encoder in encoders)

    assert [one.path for one in encoders[0].weights] == [one.path for one in encoders[1].weights]
    assert_allclose(every[:, -1], newest, rtol=1e-5, atol=1e-6)


def test_layers_read_only_what_the_newest_step_rests_on() -> None:
    """Seven dilations that double over 128 steps: 64, 32, … 1 products, not 128 of each."""
    lags = lags_read(DILATIONS, 128)

    assert [(one.stride, one.count) for one in lags] == [
        (1, 128), (2, 64), (4, 32), (8, 16), (16, 8), (32, 4), (64, 2), (1, 1)
    ]  # fmt: skip
    assert lags_read(DILATIONS[:-1], 60)[1:3] == [Lags(2, 30), Lags(4, 15)]


def test_a_network_of_all_steps_is_read_and_gone_on_with(tmp_path: Path) -> None:
    """As they were saved before only the tree was computed: the same weights, in the same order."""
    inputs = keras.Input((16, 2))
    before = keras.Model(inputs, encode(inputs, units=4, dilations=(1, 2, 4, 8), every_step=True)[:, -1])
    before.set_weights(random_weights(before, 0, 0.5))
    before.save(tmp_path / "network.keras")
    now = keras.Model(inputs, encode(inputs, units=4, dilations=(1, 2, 4, 8), every_step=False))
    sequence = np.random.default_rng(1).normal(size=(3, 16, 2)).astype(np.float32)

    read = load_network(tmp_path / "network.keras")
    now.set_weights(read.get_weights())

    assert_allclose(read(sequence), before(sequence), rtol=1e-6)
    assert_allclose(now(sequence), before(sequence), rtol=1e-5, atol=1e-6)
