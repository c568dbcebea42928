from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from models.errors import DataInvalid
from tests.training.fakes import make_validation
from training.fit.ensemble_weights import (
    EQUAL,
    align,
    align_sample,
    choose_weights,
    loss,
    select_origins,
    spread_of_members,
    weighted_mean,
)
from training.fit.validation import Validation


def make_noisy(noise: float, seed: int, origins: int = 200) -> Validation:
    """Return forecasts of a season whose errors are their own; all are of the same truths."""
    validation = make_validation(noise=0.2, seed=1, origins=origins)
    error = noise * np.random.default_rng(seed).normal(size=(*validation.targets.shape, 1))
    return replace(validation, quantiles=validation.targets[..., None] + 0.3 * validation.quantiles + error)


def test_networks_as_good_as_each_other_count_the_same() -> None:
    """What was learned from noise is not better than equal weights by the margin."""
    validations = {f"lstm/{seed}": make_noisy(1.0, seed) for seed in (2, 3, 4)}

    mixture = choose_weights(validations)

    assert mixture.combination == EQUAL
    assert mixture.weights == pytest.approx({"lstm/2": 1 / 3, "lstm/3": 1 / 3, "lstm/4": 1 / 3})
    assert set(mixture.losses) == {"equal", "inverse_pinball", "greedy"}


def test_a_network_that_is_far_worse_is_left_out() -> None:
    """Greedy selection never takes it, and says so by leaving its name out of the weights."""
    validations = {"lstm": make_noisy(0.5, 2), "gru": make_noisy(0.5, 3), "simple_rnn": make_noisy(9.0, 4)}

    mixture = choose_weights(validations)

    assert mixture.combination == "greedy"
    assert set(mixture.weights) == {"lstm", "gru"}
    assert sum(mixture.weights.values()) == pytest.approx(1.0)
    assert mixture.losses["greedy"] < 0.995 * mixture.losses["equal"]


def test_the_mixture_is_better_than_its_members_where_their_errors_are_their_own() -> None:
    """The reason to have one."""
    validations = {f"lstm/{seed}": make_noisy(1.0, seed) for seed in (2, 3, 4)}
    mixture = choose_weights(validations)

    whole = weighted_mean(list(validations.values()), list(mixture.weights.values()))

    assert loss(whole) < 0.8 * min(loss(one) for one in validations.values())


@settings(max_examples=20, deadline=None)
@given(noises=st.lists(st.floats(0.1, 5.0), min_size=1, max_size=4), origins=st.integers(1, 30))
def test_weights_are_shares_whatever_the_networks(noises: list[float], origins: int) -> None:
    """Above 0, of sum 1, for one network and for one origin too."""
    mixture = choose_weights({str(seed): make_noisy(noise, seed, origins) for seed, noise in enumerate(noises)})

    assert all(weight > 0 for weight in mixture.weights.values())
    assert sum(mixture.weights.values()) == pytest.approx(1.0)


def test_the_loss_of_a_sharp_forecast_is_its_error_in_units_of_the_scale() -> None:
    """Every quantile the median, two units off on a scale of four: half, as MASE says too."""
    validation = make_validation(noise=0.0, scale=4.0)
    sharp = replace(validation, quantiles=np.full_like(validation.quantiles, 2.0))

    assert loss(sharp) == pytest.approx(0.5)


def test_only_origins_that_all_forecast_are_counted_in_one_order() -> None:
    """Networks of different contexts may have been validated on different origins."""
    whole = make_validation(origins=5)
    first, second = select_origins(whole, np.array([4, 0, 2])), select_origins(whole, np.array([1, 2, 3, 4]))

    one, two = align([first, second])

    assert_array_equal(one.rows, [2, 4])
    assert_array_equal(one.targets, two.targets)
    assert_array_equal(one.quantiles, whole.quantiles[[2, 4]])


def test_networks_without_a_common_origin_are_refused() -> None:
    """There is nothing to weigh them by."""
    whole = make_validation(origins=4)

    with pytest.raises(DataInvalid, match="by all 2 networks"):
        align([select_origins(whole, np.array([0, 1])), select_origins(whole, np.array([2, 3]))])


def test_the_spread_is_the_deviation_of_medians_in_units_of_the_scale() -> None:
    """Two medians four apart deviate by two from their mean: one, on a scale of two."""
    members = [make_validation(shift=shift, scale=2.0) for shift in (0.0, 4.0)]

    assert spread_of_members(members) == pytest.approx(1.0)
    assert spread_of_members(members[:1]) == 0.0


def test_many_origins_are_thinned_evenly() -> None:
    """From the first to the last."""
    (thin,) = align_sample({"lstm": make_validation(origins=100)}, 10)

    assert_array_equal(thin.rows, np.linspace(0, 99, 10).astype(int))
    assert_allclose(thin.targets, make_validation(origins=100).targets[thin.rows])


def test_origins_keep_their_times_when_they_are_put_in_order() -> None:
    """What says how intervals of an ensemble are weighed belongs to the same origins as its forecasts."""
    one = replace(make_validation(origins=6), times=np.arange(10, 16))
    other = select_origins(one, np.array([4, 1, 3]))

    aligned = align([one, other])

    assert_array_equal(aligned[0].times, [11, 13, 14])
    assert_array_equal(aligned[1].times, [11, 13, 14])
