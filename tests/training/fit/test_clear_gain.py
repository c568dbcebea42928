"""A gain counts as clear only if it is more than luck."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from models.intervals import Conformal
from tests.training.fakes import make_validation
from training.fit.clear_gain import evaluate_pretrained, gains_steadily, groups_of, is_clear
from training.fit.validation import Validation, evaluate


@pytest.mark.parametrize(
    ("groups", "gain", "noise", "clear"),
    [
        (200, 0.02, 0.1, True),
        (200, 0.004, 0.0, False),
        (200, 0.01, 0.3, False),
        (3, 0.04, 0.0, False),
        (3, 0.12, 0.0, True),
        (1, 0.1, 0.0, False),
        (1, 0.5, 0.0, True),
    ],
)
def test_a_gain_is_clear_if_groups_agree(groups: int, gain: float, noise: float, *, clear: bool) -> None:
    """Many groups need a small gain, one alone a large one; half a per cent is the least."""
    place = np.repeat(np.arange(groups), 5)
    signs = np.where(np.arange(groups) % 2, 1.0, -1.0)
    tried = 1.0 - gain + noise * signs[place]

    assert is_clear(np.ones(len(place)), tried, place) is clear


@pytest.mark.parametrize(
    ("stretches", "gain", "steady"), [(1, 0.07, False), (1, 0.08, True), (3, 0.03, False), (3, 0.04, True)]
)
def test_many_series_at_one_time_are_one_witness(stretches: int, gain: float, *, steady: bool) -> None:
    """However well they agree; at several times a smaller gain will do."""
    safe = replace(make_validation(), times=60 + 12 * (np.arange(200) % stretches))

    assert gains_steadily(replace(safe, scales=safe.scales / (1.0 - gain)), safe) is steady


def test_a_loss_that_is_unknown_or_0_decides_nothing() -> None:
    """An origin without a target is left out; a candidate that errs where the safe one does not gains nothing."""
    groups = np.arange(4)

    assert is_clear(np.array([1.0, 1.0, 1.0, np.nan]), np.array([0.5, 0.5, 0.5, 9.0]), groups)
    assert not is_clear(np.array([1.0, 1.0, 1.0, 0.0]), np.array([0.5, 0.5, 0.5, 9.0]), groups)
    assert not is_clear(np.zeros(4), np.zeros(4), groups)


def test_few_series_are_split_into_stretches_of_a_horizon() -> None:
    """Origins within a horizon of each other err alike; of many series each is one group."""
    rows = np.repeat([0, 1], 6)
    cutoffs = np.tile([90, 95, 100, 101, 102, 102], 2)

    assert_array_equal(groups_of(rows, cutoffs, 6), [2, 1, 0, 0, 0, 0, 5, 4, 3, 3, 3, 3])
    assert_array_equal(groups_of(np.arange(10), np.full(10, 50), 6), np.arange(10))


@pytest.mark.parametrize(("series", "weight"), [(1, 1 / 65), (64, 1 / 2), (640, 10 / 11)])
def test_few_origins_say_little_about_intervals(series: int, weight: float) -> None:
    """One series leaves the intervals of a pretrained network about as they are; of many, those of the data count."""
    generator = np.random.default_rng(0)
    levels = (0.1, 0.5, 0.9)
    quantiles = np.tile([-1.28, 0.0, 1.28], (series, 3, 1))
    made = Validation(
        np.arange(series),
        np.full(series, 50),
        generator.normal(0.0, 2.0, (series, 3)),
        quantiles,
        np.ones(series),
        levels,
    )
    learned = evaluate(made)[1]
    prior = Conformal(learned.levels, np.full_like(learned.offsets, 0.25))

    found = evaluate_pretrained(made, prior)[1]

    np.testing.assert_allclose(found.offsets, weight * learned.offsets + (1 - weight) * 0.25)
