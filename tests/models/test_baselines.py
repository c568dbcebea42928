import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from models.accuracy import coverage
from models.baselines import BASELINES, baseline_forecast, climatology, seasonal_naive
from models.series import Series
from models.spec import TRAINED_QUANTILES


def make_series(seed: int, years: int = 40) -> Series:
    """Return months with a season of their own and noise."""
    random = np.random.default_rng(seed)
    season = 10 * np.sin(np.arange(12 * years) * np.pi / 6)
    return Series.make(season + random.normal(0, 1, 12 * years), id="made", start="1950-01", frequency="M")


def test_seasonal_naive_repeats_the_last_season() -> None:
    """Next January is like the last."""
    series = Series.make(np.arange(30.0))

    assert_array_equal(seasonal_naive(series, 15, 12), [*range(18, 30), 18, 19, 20])


def test_seasonal_naive_looks_back_past_gaps() -> None:
    """If last January is missing, the January before it counts; if all are, the last value."""
    series = Series.make([1, 2, None, 4, None, None, 7, None, None])

    assert_array_equal(seasonal_naive(series, 3, 3), [7, 2, 7])


def test_climatology_is_the_mean_of_the_last_30_of_the_same_season() -> None:
    """The 31st year back no longer counts."""
    years = np.arange(40.0)
    series = Series.make(np.stack([years, 2 * years], axis=1).ravel())

    assert_array_equal(climatology(series, 3, 2), [years[-30:].mean(), 2 * years[-30:].mean(), years[-30:].mean()])


def test_climatology_counts_observed_values_only() -> None:
    """A gap is not a zero, and thirty values are thirty however many gaps lie between."""
    values = np.where(np.arange(120) % 2, np.nan, np.arange(120.0))

    assert_array_equal(climatology(Series.make(values), 1, 1), [np.arange(60, 120, 2).mean()])


def make_days(years: float, seed: int = 0) -> Series:
    """Return days with a year of ten degrees, a Sunday of its own and weather."""
    days = np.arange(round(365.2425 * years))
    season = 10 * np.cos(days * 2 * np.pi / 365.2425) - 3.0 * (days % 7 == 6)
    noise = np.random.default_rng(seed).normal(0, 1, len(days))
    return Series.make(season + noise, id="made", start="2001-01-01", frequency="D")


def test_climatology_of_days_is_of_their_time_of_the_year() -> None:
    """The same weekday around the same date of every year before: June is not May, and Sunday is not Monday."""
    whole = make_days(9.6)
    cutoff = len(whole) - 90

    forecast = baseline_forecast("climatology", whole.before(cutoff), 90)

    truth = whole.values[cutoff:]
    weeks = climatology(Series.make(whole.values[:cutoff]), 90, 7)
    assert np.mean(np.abs(truth - forecast.median)) < 0.9
    assert np.mean(np.abs(truth - weeks)) > 2.0
    assert 0.7 < coverage(truth, forecast.intervals[0].lower, forecast.intervals[0].upper) < 0.9


@pytest.mark.parametrize("years", [1.9, 2.1])
def test_climatology_needs_a_year_twice(years: float) -> None:
    """As a network does; before that the season is the week."""
    days = make_days(years)

    weekly = climatology(Series.make(days.values), 28, 7)

    assert np.array_equal(climatology(days, 28, 7), weekly) is (years < 2)


def test_where_the_time_of_the_year_was_never_observed_the_week_counts() -> None:
    """One old value makes no year: the days ahead are as the same weekdays were."""
    values = np.full(1500, np.nan)
    values[0], values[1200:] = 100.0, np.resize([100.0] * 5 + [20.0] * 2, 300)
    series = Series.make(values, start="2019-01-07", frequency="D")

    assert_array_equal(climatology(series, 14, 7), climatology(Series.make(values), 14, 7))


def test_climatology_of_business_days_knows_the_year_too() -> None:
    """Their years have 261 steps less a little, and it does not run away in ten of them."""
    dates = pd.bdate_range("2001-01-01", periods=2600)
    season = Series.make(10 * np.cos(dates.day_of_year * 2 * np.pi / 365.2425), start="2001-01-01", frequency="B")

    found = climatology(season.before(2540), 60, 5)

    assert np.abs(season.values[2540:] - found).max() < 1.0


def test_climatology_of_days_looks_past_gaps_and_far_ahead() -> None:
    """A year that is missing is not counted; beyond a year ahead there are the years before."""
    values = make_days(6).values.copy()
    values[-400:-20] = np.nan
    series = Series.make(values, start="2001-01-01", frequency="D")

    far = climatology(series, 800, 7)

    assert np.isfinite(far).all()
    assert np.abs(far[:365] - far[364:729]).mean() < 1.5


@pytest.mark.parametrize("name", BASELINES)
def test_a_short_series_falls_back_to_its_last_value(name: str) -> None:
    """Five months know five months; the seven others get the last value."""
    series = Series.make([35, 40, 38, 29, 19])

    assert_array_equal(BASELINES[name](series, 12, 12), [19] * 7 + [35, 40, 38, 29, 19])
    assert_array_equal(BASELINES[name](Series.make([7.0]), 3, 12), [7, 7, 7])


@pytest.mark.parametrize("name", BASELINES)
@given(
    values=st.lists(st.none() | st.floats(-1e9, 1e9), min_size=1, max_size=60).filter(
        lambda v: any(x is not None for x in v)
    ),
    horizon=st.integers(1, 40),
    season_length=st.integers(1, 24),
)
def test_a_baseline_is_always_finite_and_within_the_past(
    name: str, values: list[float | None], horizon: int, season_length: int
) -> None:
    """Gaps, one point, seasons longer than the series: a finite forecast within what was seen."""
    series = Series.make(values)

    forecast = baseline_forecast(name, series, horizon, (50, 95), season_length=season_length)

    low, high = np.nanmin(series.values), np.nanmax(series.values)
    margin = 1e-9 * max(abs(low), abs(high))
    assert forecast.median.shape == (horizon,)
    assert np.all((forecast.median >= low - margin) & (forecast.median <= high + margin))
    assert np.isfinite(forecast.quantiles).all()


@pytest.mark.parametrize("name", BASELINES)
def test_a_baseline_follows_a_change_of_units(name: str) -> None:
    """Celsius or Fahrenheit, the forecast is the same weather."""
    celsius = make_series(0)

    fahrenheit = baseline_forecast(name, celsius * 1.8 + 32, 24)

    assert_allclose(fahrenheit.quantiles, baseline_forecast(name, celsius, 24).quantiles * 1.8 + 32, rtol=1e-9)


@pytest.mark.parametrize("name", BASELINES)
def test_a_baseline_does_not_look_into_the_future(name: str) -> None:
    """What lies after the cutoff cannot change a forecast made before it."""
    series = make_series(1)
    values = series.values.copy()
    values[300:] = -999
    tampered = Series.make(values, start="1950-01", frequency="M")

    assert_array_equal(
        baseline_forecast(name, tampered.before(300), 24).quantiles,
        baseline_forecast(name, series.before(300), 24).quantiles,
    )


@pytest.mark.parametrize("name", BASELINES)
def test_a_baseline_forecast_is_a_whole_forecast(name: str) -> None:
    """Timestamps, quantiles that rise, intervals around the median in the order of the request."""
    series = make_series(2)

    forecast = baseline_forecast(name, series, 24, (95, 50))

    assert forecast.timestamps is not None
    assert forecast.timestamps[0] == np.datetime64("1990-01-01")
    assert forecast.quantile_levels == TRAINED_QUANTILES
    assert forecast.quantiles.shape == (24, 9)
    assert np.all(np.diff(forecast.quantiles, axis=1) >= 0)
    assert_allclose(forecast.quantiles[:, 4], forecast.median)
    assert [interval.level for interval in forecast.intervals] == [95, 50]
    assert np.all(forecast.intervals[0].upper >= forecast.intervals[1].upper)
    assert np.all(forecast.intervals[1].lower <= forecast.median)


@pytest.mark.parametrize("name", BASELINES)
def test_the_80_interval_covers_about_80_per_cent(name: str) -> None:
    """On noise around a season, over sixty made series, one season ahead."""
    covered = []
    for seed in range(60):
        whole = make_series(seed)
        interval = baseline_forecast(name, whole.before(468), 12).intervals[0]
        covered.append(coverage(whole.values[468:], interval.lower, interval.upper))

    assert 0.75 < np.mean(covered) < 0.85


def test_intervals_of_the_seasonal_naive_widen_by_the_season() -> None:
    """A seasonal random walk spreads as the square root of its seasons; climatology does not spread."""
    naive = baseline_forecast("seasonal_naive", make_series(3), 24).intervals[0]
    mean = baseline_forecast("climatology", make_series(3), 24).intervals[0]

    width = naive.upper - naive.lower
    assert_allclose(width[12:] / width[:12], np.sqrt(2))
    assert_allclose(mean.upper - mean.lower, mean.upper[0] - mean.lower[0])


def test_a_constant_series_has_intervals_of_no_width() -> None:
    """What never changed is expected not to change."""
    forecast = baseline_forecast("seasonal_naive", Series.make([5.0] * 30), 3, season_length=12)

    assert_array_equal(forecast.quantiles, np.full((3, 9), 5.0))


def test_the_season_comes_from_the_frequency() -> None:
    """Months have twelve; without a frequency the last value counts."""
    values = list(range(24))

    assert baseline_forecast("seasonal_naive", Series.make(values, frequency="M"), 1).median[0] == 12
    assert baseline_forecast("seasonal_naive", Series.make(values), 1).median[0] == 23
