"""Tests of level changes: a history that jumps once and for all is read on its new level."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.calendar.zoned_grid import parse_frequency
from models.safeguards.level_change import CODE, continue_level, find_level_change, may_stay
from models.series import Series
from models.starters import load_starter
from models.values import Values

MONTHS: Values = np.array(1000.0 + 100 * (np.arange(60) % 12))
NOISE: Values = np.array(10 + 6 * np.random.default_rng(0).random(60))


def jump(values: Values, at: int, factor: float) -> Values:
    """Return values that lie so many times as high from an index on."""
    found: Values = np.where(np.arange(len(values)) < at, values, factor * values)
    return found


@pytest.mark.parametrize(
    ("values", "season", "at", "factor", "off"),
    [
        (jump(MONTHS, 48, 0.001), 12, 48, 0.001, 1e-6),
        (jump(MONTHS, 48, 0.2), 12, 48, 0.2, 1e-6),
        (jump(MONTHS[:54], 48, 100.0), 12, 48, 100.0, 1e-6),
        (jump(NOISE, 40, 1000.0), 7, 40, 1000.0, 0.3),
        (jump(NOISE, 40, 0.01), 1, 40, 0.01, 0.3),
        (np.where(np.arange(60) % 5 == 3, np.nan, jump(MONTHS, 36, 10.0)), 12, 36, 10.0, 1e-6),
    ],
)
def test_a_jump_that_stays_is_found(values: Values, season: int, at: int, factor: float, off: float) -> None:
    """By the values at the same place of the season before it."""
    found = find_level_change(values, season)

    assert found is not None
    assert found.at == at
    assert found.factor == pytest.approx(factor, rel=off)


@pytest.mark.parametrize(
    "values",
    [
        MONTHS,
        100 * 1.3 ** np.arange(40.0),  # growth
        np.where(np.arange(60) % 12 < 6, 1.0, 90.0),  # a season
        jump(MONTHS, 48, 0.4),  # a shift that networks know
        jump(MONTHS, 55, 0.001),  # five values
        np.where((np.arange(60) > 30) & (np.arange(60) < 48), 1.0, 1000.0)
        * (1 + np.arange(60) / 60),  # a dip that ends
        jump(MONTHS, 6, 0.001),  # less than a season
        np.where((np.arange(60) > 30) & (np.arange(60) < 40), 1.0, 1000.0),  # a level that ends
        jump(MONTHS, 48, 0.001) - 5.0,  # below zero
        np.random.default_rng(1).lognormal(0, 2, 200),
        np.full(30, np.nan),
        np.array([1.0] + [np.nan] * 30 + [50.0]),
        np.array([1.0, 50.0] * 12),
        np.array([1.0] + [50.0] * 20),
        jump(np.full(40, 1e-300), 20, 1e300),  # no change of a unit
        np.where(np.arange(40) < 20, 1e-300, 1e300),
        np.where(np.arange(40) < 20, 1e300, 1e-300),
    ],
)
def test_other_histories_have_no_such_jump(values: Values) -> None:
    """Growth, seasons, small shifts, what is over, and what is too short to show a level."""
    assert find_level_change(values, 12) is None


@given(st.lists(st.sampled_from([1e-300, 1e-3, 1.0, 2.0, 50.0, 1e3, 1e300, np.nan]), max_size=40), st.integers(1, 13))
def test_any_history_has_a_change_within_it_or_none(values: list[float], season: int) -> None:
    """Whatever is missing."""
    found = find_level_change(np.array(values), season)

    assert found is None or (season <= found.at < len(values) and found.factor > 0)
    assert found is None or may_stay(np.array([values, values])).all()


def test_only_levels_that_stay_need_a_closer_look() -> None:
    """Of many histories at once; seasons, growth and what is over need none."""
    season, dip = np.where(np.arange(60) % 12 < 6, 1.0, 90.0), jump(jump(MONTHS, 20, 0.01), 40, 100.0)
    rows = [
        MONTHS,
        season,
        jump(MONTHS, 48, 0.2),
        dip,
        1.3 ** np.arange(60),
        np.where(np.arange(60) == 3, np.nan, MONTHS),
    ]

    assert may_stay(np.array(rows)).tolist() == [False, False, True, False, False, False]


def test_a_change_of_unit_leaves_the_forecast_as_it_would_be() -> None:
    """Twice, too; the warnings name where, and the history that is stored stays as it was sent."""
    usual = np.tile(MONTHS, 2)
    sent = jump(jump(usual, 40, 1000.0), 90, 1000.0)
    series, plain = (Series.make(one, start="2014-01", frequency="M") for one in (sent, 1e6 * usual))

    found, expected = load_starter(parse_frequency("M")).forecast([series, plain], 12)

    np.testing.assert_allclose(found.median, expected.median, rtol=1e-4)
    assert [one.pointer for one in found.warnings if one.code == CODE] == ["/values/40", "/values/90"]
    assert continue_level(plain, 120) is plain


HOURS = np.arange(24 * 26 + 10)
DAYS = np.arange(400)


@pytest.mark.parametrize(
    ("values", "frequency"),
    [
        (np.where(HOURS // 24 % 7 < 5, 100.0, 8.0), "h"),  # weekends
        (np.where(HOURS[: 24 * 7] // 24 % 7 < 5, 100.0, 8.0), "h"),
        (np.where(DAYS % 28 < 7, 500.0, 100.0)[:145], "D"),  # promotions
        (np.where(DAYS[:105] < 95, 100.0, 500.0), "D"),  # the first one
        (np.where((DAYS >= 355) & (DAYS < 362), 12.0, 100.0)[:361], "D"),  # a shutdown
        (np.where(np.arange(1125) % 365 < 90, 100.0, 4.0), "D"),  # skiing
    ],
)
def test_levels_that_come_back_or_have_just_begun_are_no_change(values: Values, frequency: str) -> None:
    """Two weeks show a level of days and hours."""
    series = Series.make(values, start="2024-01-01", frequency=frequency)

    assert continue_level(series, len(series)) is series
