import json
from statistics import NormalDist

import numpy as np
import pytest
from crepes import ConformalRegressor
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray

from models.intervals import (
    CALIBRATED_LEVELS,
    Conformal,
    Floats,
    credibility,
    interval_sides,
    read_quantiles,
    spread_of,
    tidy_level,
    uncross,
)
from models.spec import TRAINED_QUANTILES as TRAINED

MIDDLE = TRAINED.index(0.5)
TABLES = arrays(np.float64, (3, len(TRAINED)), elements=st.floats(-1e9, 1e9))
NORMAL = np.array([NormalDist().inv_cdf(level) for level in TRAINED])


@pytest.mark.parametrize(("level", "sides"), [(80, (0.1, 0.9)), (95, (0.025, 0.975)), (50, (0.25, 0.75))])
def test_an_interval_leaves_as_much_below_as_above(level: float, sides: tuple[float, float]) -> None:
    """Its sides are clean numbers, fit to be keys."""
    assert interval_sides(level) == sides


@given(st.floats(0, 100, exclude_min=True, exclude_max=True))
def test_the_sides_of_any_interval_are_quantile_levels(level: float) -> None:
    """However near to 0 or 100 the level is, both lie strictly between 0 and 1."""
    lower, upper = interval_sides(level)

    assert 0 < lower <= 0.5 <= upper < 1


def test_levels_are_freed_of_rounding() -> None:
    """0.1 + 0.2 is the trained level 0.3; what is next to nothing is not nothing."""
    assert tidy_level(0.1 + 0.2) == 0.3
    assert 0 < tidy_level(1e-15) < tidy_level(1e-8)


@given(TABLES)
def test_trained_levels_are_read_as_they_are(table: Floats) -> None:
    """No interpolation where there is nothing between."""
    rising = np.sort(table, axis=-1)

    assert_array_equal(read_quantiles(rising, TRAINED, TRAINED), rising)
    assert_array_equal(read_quantiles(rising, TRAINED, TRAINED[::-1]), rising[..., ::-1])


@given(TABLES, st.lists(st.floats(0.001, 0.999), min_size=2, max_size=20))
def test_a_higher_level_is_never_a_lower_value(table: Floats, levels: list[float]) -> None:
    """Between the trained levels and beyond them, the reading rises with the level."""
    rising = np.sort(table, axis=-1)

    read = read_quantiles(rising, TRAINED, sorted(levels))

    steps = np.diff(read, axis=-1)
    assert (steps >= -1e-12 * np.abs(rising).max()).all()


def test_between_two_levels_the_reading_is_linear() -> None:
    """Half-way between 0.1 and 0.2 lies 0.15."""
    table = np.arange(9.0)[None]

    assert_allclose(read_quantiles(table, TRAINED, [0.15, 0.875]), [[0.5, 7.75]])


def test_beyond_the_outermost_level_tails_are_normal() -> None:
    """Quantiles of a normal distribution are carried on as that distribution has them."""
    wanted = (0.001, 0.01, 0.975, 0.9999)

    read = read_quantiles(10 + 3 * NORMAL, TRAINED, wanted)

    assert_allclose(read, [10 + 3 * NormalDist().inv_cdf(level) for level in wanted])


@given(TABLES)
def test_uncrossed_quantiles_rise(table: Floats) -> None:
    """Whatever comes in, what goes out is monotone, and the median is what it was."""
    rising = uncross(table, TRAINED)

    assert (np.diff(rising, axis=-1) >= 0).all()
    assert_array_equal(rising[..., MIDDLE], table[..., MIDDLE])


@given(TABLES)
def test_quantiles_that_do_not_cross_stay(table: Floats) -> None:
    """Uncrossing changes nothing that is in order, so doing it twice is doing it once."""
    rising = np.sort(table, axis=-1)

    assert_array_equal(uncross(rising, TRAINED), rising)
    assert_array_equal(uncross(uncross(table, TRAINED), TRAINED), uncross(table, TRAINED))


def forecasts(generator: np.random.Generator, origins: int, horizon: int, width: float) -> tuple[Floats, Floats]:
    """Return normal targets of growing spread and forecasts of them that are `width` times as wide as they should be."""
    deviation = (1 + np.arange(horizon)) * generator.uniform(0.5, 5.0, (origins, 1))
    targets = 20 + deviation * generator.normal(size=(origins, horizon))
    return targets, 20 + width * deviation[..., None] * NORMAL


@pytest.mark.parametrize("width", [0.3, 1.0, 3.0])
@pytest.mark.parametrize("level", [50, 80, 95])
def test_calibrated_intervals_hold_as_often_as_they_say(width: float, level: float) -> None:
    """Too narrow or too wide before, on new origins the truth lies within as often as the level says."""
    generator = np.random.default_rng(0)
    conformal = Conformal.fit(*forecasts(generator, 2000, 4, width), TRAINED)
    targets, quantiles = forecasts(generator, 4000, 4, width)
    sides = interval_sides(level)

    bounds = read_quantiles(quantiles, TRAINED, sides) + conformal.at(sides, 4) * spread_of(quantiles, TRAINED)

    inside = (bounds[..., 0] <= targets) & (targets <= bounds[..., 1])
    assert_allclose(inside.mean(axis=0), level / 100, atol=0.03)


@pytest.mark.parametrize("level", [80.0, 90.0, 95.0, 98.0])
def test_intervals_are_those_of_crepes(level: float) -> None:
    """Where quantiles are symmetric, ours is conformal regression normalised by the spread, step by step."""
    generator = np.random.default_rng(1)
    median = generator.normal(50.0, 20.0, (400, 2, 1))
    width = generator.uniform(0.5, 4.0, (400, 2, 1))
    quantiles = median + width * NORMAL
    targets = median[..., 0] + 2.5 * width[..., 0] * generator.standard_t(4, (400, 2))
    spread = spread_of(quantiles, TRAINED)
    sides = interval_sides(level)

    conformal = Conformal.fit(targets, quantiles, TRAINED)

    ours = read_quantiles(quantiles, TRAINED, sides) + conformal.at(sides, 2) * spread
    for step in range(2):
        errors, sigmas = targets[:, step] - median[:, step, 0], spread[:, step, 0]
        theirs = ConformalRegressor().fit(errors, sigmas=sigmas)
        expected = theirs.predict_int(median[:, step, 0], sigmas=sigmas, confidence=level / 100)
        assert_allclose(ours[:, step], expected, rtol=1e-9)


def shocked(common: float, origins: int = 600, times: int = 6) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """Return targets, 80 % intervals and times; each time a share of the error is common to all series."""
    generator = np.random.default_rng(4)
    when = np.arange(origins) % times
    shock = generator.normal(0.0, 1.0, times)[when]
    own = generator.normal(0.0, 1.0, (origins, 4))
    targets = np.sqrt(common) * shock[:, None] + np.sqrt(1 - common) * own
    half = NormalDist().inv_cdf(0.9) * np.ones((origins, 4))
    return targets, np.stack([-half, half], axis=-1), 4 * when


def test_independent_origins_are_believed() -> None:
    """Coverage that varies from time to time only by chance leaves the measured offsets as they are."""
    assert credibility(*shocked(0.0)) > 0.9


def test_origins_of_common_shocks_are_believed_less() -> None:
    """A calm or wild time of all series says little of the next; and the less, the fewer times there are."""
    assert credibility(*shocked(0.8)) < 0.5
    assert credibility(*shocked(0.8, times=3)) < credibility(*shocked(0.8, times=12))


def test_origins_that_stand_alone_in_time_are_independent() -> None:
    """Where no two series are of one time there is nothing in common to see."""
    targets, bounds, _ = shocked(0.0)

    assert credibility(targets, bounds, np.arange(len(targets))) == 1.0


def test_offsets_are_worth_what_their_origins_are() -> None:
    """They shrink towards the network's own quantiles."""
    targets, _, times = shocked(0.8)
    quantiles = np.broadcast_to(0.5 * NORMAL, (*targets.shape, len(TRAINED)))

    whole = Conformal.fit(targets, quantiles, TRAINED)
    weighed = Conformal.fit(targets, quantiles, TRAINED, times)

    share = credibility(targets, read_quantiles(quantiles, TRAINED, (0.1, 0.9)), times)
    assert_allclose(weighed.offsets, share * whole.offsets)


def test_an_interval_moves_alike_on_both_sides() -> None:
    """Where the truth lies always above, both ends move away from the median: the network's own skew stays."""
    generator = np.random.default_rng(1)
    targets, quantiles = forecasts(generator, 1000, 1, 1.0)
    conformal = Conformal.fit(targets + 3 * spread_of(quantiles, TRAINED)[..., 0], quantiles, TRAINED)

    lower, upper = conformal.at((0.1, 0.9), 1)[0]
    assert upper > 2
    assert lower == -upper


def test_the_median_stays_the_networks_own() -> None:
    """Calibration is for intervals: the offset of 0.5 is zero."""
    conformal = Conformal.fit(*forecasts(np.random.default_rng(2), 300, 3, 0.5), TRAINED)

    assert_array_equal(conformal.at([0.5], 3), np.zeros((3, 1)))


def test_steps_beyond_the_calibrated_ones_take_the_last_ones_offsets() -> None:
    """A horizon that rolls on has calibrated intervals, too."""
    conformal = Conformal.fit(*forecasts(np.random.default_rng(3), 300, 3, 0.5), TRAINED)

    offsets = conformal.at((0.05, 0.95), 7)

    assert offsets.shape == (7, 2)
    assert_array_equal(offsets[3:], offsets[[2] * 4])


def test_gaps_and_flat_forecasts_teach_nothing() -> None:
    """Targets that are missing and forecasts without spread are left out; with nothing left, nothing is added."""
    targets, quantiles = forecasts(np.random.default_rng(4), 600, 2, 1.0)
    holed = np.where(np.arange(600)[:, None] % 2, np.nan, targets)

    known = Conformal.fit(targets[::2], quantiles[::2], TRAINED)

    assert_array_equal(Conformal.fit(holed, quantiles, TRAINED).offsets, known.offsets)
    flat = Conformal.fit(targets, np.full_like(quantiles, 20.0), TRAINED)
    assert_array_equal(flat.offsets, np.zeros((2, len(CALIBRATED_LEVELS))))


def test_few_origins_borrow_from_neighbouring_steps() -> None:
    """With twenty origins and ten steps, a step's offsets rest on the steps around it as well."""
    targets, quantiles = forecasts(np.random.default_rng(5), 20, 10, 1.0)

    offsets = Conformal.fit(targets, quantiles, TRAINED).offsets

    assert_array_equal(offsets[4], offsets[5])


def test_offsets_survive_their_journey_through_json() -> None:
    """To six digits of the spread; empty data, of a model without calibration, is none."""
    conformal = Conformal.fit(*forecasts(np.random.default_rng(6), 300, 3, 0.5), TRAINED)

    read = Conformal.from_dict(json.loads(json.dumps(conformal.to_dict())))

    assert read is not None
    assert_allclose(read.offsets, conformal.offsets, atol=1e-6)
    assert_array_equal(read.levels, conformal.levels)
    assert Conformal.from_dict({}) is None


def test_no_answer_says_minus_zero() -> None:
    """A lower bound of -0.0 is 0.0: JSON would show the sign."""
    mended = uncross(np.array([[-0.0, -0.0, 0.0]]), (0.1, 0.5, 0.9))

    assert not np.signbit(mended).any()
