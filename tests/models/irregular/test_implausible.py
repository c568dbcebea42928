import numpy as np
import pytest

from models.accuracy import seasonal_scale
from models.irregular.implausible import find_implausible
from models.values import Values

RNG = np.random.default_rng(0)
USUAL = 100 + 10 * np.sin(np.arange(400) / 7 * 2 * np.pi) + RNG.normal(0, 3, 400)


def changed(at: int | list[int], to: float, values: Values = USUAL) -> Values:
    """Return values with some changed."""
    values = values.copy()
    values[at] = to
    return values


@pytest.mark.parametrize("sentinel", [-127, -999.25, 999.99, 850, 6999, -9999.8, 1e308, -1e308])
@pytest.mark.parametrize("at", [[3, 50, 300], [100, 250, 399], [100, 101, 102], [*range(20, 50), 7]])
def test_far_numbers_that_repeat_are_found(sentinel: float, at: list[int]) -> None:
    """No list has them all; up to a tenth of the values."""
    hours = 15 + 8 * np.sin(np.arange(400) / 24 * 2 * np.pi).round(1)

    assert find_implausible(changed(at, sentinel, hours)).tolist() == sorted(at)


@pytest.mark.parametrize(
    "sentinel", [-99, -273.15, -273.2, -459.67, -999, -9999, -999.9, 9999, 32767, 65535, 1e30, 3.4028235e38]
)
@pytest.mark.parametrize("at", [[200], [0], [399], [3, 50, 51, 52, 300], list(range(100, 180))])
def test_sentinels_are_found(sentinel: float, at: list[int]) -> None:
    """Once or often, alone or in a row, at the end or amid."""
    assert find_implausible(changed(at, sentinel)).tolist() == at


def test_a_sentinel_that_repeats_is_not_hidden_by_another_far_value() -> None:
    """As -127 and 85 of one sensor; those that many values are near to, or that stand there once, are left alone."""
    room = 25 + 2 * np.sin(np.arange(400) / 24 * 2 * np.pi).round(1)
    one_far, many_far = changed(200, 85.0, room), changed([7, 90, 201, 310], 85.0, room)

    assert find_implausible(changed([40, 41, 300], -127.0, one_far)).tolist() == [40, 41, 300]
    assert not find_implausible(changed([40], -127.0, one_far)).size
    assert not find_implausible(changed([40, 41, 300], -127.0, many_far)).size


@pytest.mark.parametrize("at", [[3, 50, 300], list(range(202, 302, 9)), list(range(100, 250)), [*range(10), 399]])
def test_minus_one_is_found_if_all_other_values_are_positive_and_far(at: list[int]) -> None:
    """At even steps, too; not if others are near it, if it stands twice, or as the level that was reached."""
    narrow = 86 + RNG.uniform(-6, 6, 400).round(1)

    assert find_implausible(changed(at, -1.0, narrow)).tolist() == at
    for usual in (
        narrow - 75,
        narrow * RNG.uniform(0.5, 1.5, 400),
        changed(60, 0.0, narrow),
        changed(60, -2.0, narrow),
    ):
        assert not find_implausible(changed(at, -1.0, usual)).size
    assert not find_implausible(changed(at[:2], -1.0, narrow)).size
    assert not find_implausible(changed(list(range(380, 400)), -1.0, narrow)).size
    assert not find_implausible(np.where(np.arange(100) % 3 == 0, -1.0, 20.0)).size  # a game that is lost or won


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (changed(7, 10_000.0), [7]),
        (changed([7, 100], -1e6), [7, 100]),
        (changed([5, 9], 1e308, USUAL[:12]), [5, 9]),
        (changed([10, 11], 1e308, USUAL[:40]), [10, 11]),
        (changed(4, -999.0, changed(100, 65535.0)), [4, 100]),
        (changed(20, 65535.0, np.full(50, 5.0)), [20]),
        (changed(20, 32767.0, np.zeros(50)), [20]),
        (np.array([35, 40, 38, 29, 19, 33, 65535, 22, 30.0]), [6]),
        (changed([0, 5], np.nan, changed(9, -9999.0)), [9]),
    ],
)
def test_single_impossible_points_are_found(values: Values, expected: list[int]) -> None:
    """They lie a hundred times as far from the median as any other value."""
    assert find_implausible(values).tolist() == expected


@pytest.mark.parametrize(
    "values",
    [
        USUAL,
        np.append(USUAL, USUAL * 1000),
        np.append(USUAL, [3000.0, 3100.0]),
        np.exp(np.arange(200) / 8),
        RNG.pareto(1, 500),
        RNG.lognormal(0, 2, 500),
        RNG.standard_cauchy(500),
        np.where(RNG.random(500) < 0.1, RNG.poisson(5, 500), 0).astype(float),
        changed(100, 300.0, np.where(RNG.random(500) < 0.1, RNG.poisson(5, 500), 0).astype(float)),
        changed([50, 200, 350], 2500.0),
        changed(list(range(730, 738)), 3500.0, np.resize(USUAL, 738)),
        changed([9, 50, 130], 900.0, np.where(np.arange(200) % 3, 0.0, 1.0)),
        changed([9, 50, 130], 60.0, RNG.poisson(3, 200).astype(float)),
        changed(50, 999.0, USUAL * 10),
        changed(20, 1.0, np.zeros(50)),
        changed(20, 6.0, np.full(50, 5.0)),
        np.array([1.0, 2.0, -9999.0]),
        np.full(20, np.nan),
    ],
)
def test_what_is_rare_is_not_implausible(values: Values) -> None:
    """Level shifts, growth, heavy tails, intermittent demand and peaks are what series do."""
    assert not find_implausible(values).size


def test_a_glitch_does_not_make_mase_flattering() -> None:
    """The scale is that of the other values."""
    assert seasonal_scale(changed(200, 65535.0), 7) == pytest.approx(seasonal_scale(USUAL, 7), rel=0.02)
