"""Scores of a logged forecast, compared with models/accuracy.py."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from models import accuracy
from models.baselines import seasonal_naive
from models.calendar.zoned_grid import parse_frequency, timestamps_from
from models.errors import SeriesTooShort
from models.series import Series
from models.spec import TRAINED_QUANTILES
from service.store.scoring.score import LoggedForecast, NaiveBaseline, StepScore, naive_baseline, score
from service.store.scoring.time_matching import tolerance_of
from tests.service.forecast_log import LEVELS, actuals_of, make_forecast, score_one


def make_history(seed: int = 0, length: int = 40) -> Series:
    """Return months from 2020-01 on with two gaps."""
    values = np.random.default_rng(seed).normal(10.0, 3.0, length)
    values[[5, 17]] = math.nan
    return Series.make(values, start="2020-01-01", frequency="M")


def score_stamps(forecast: LoggedForecast, *stamps: str) -> list[StepScore]:
    """Return the scores of a forecast if 7.0 was observed at some timestamps."""
    return score_one(forecast, {np.datetime64(stamp, "us"): 7.0 for stamp in stamps})


@given(seed=st.integers(0, 10_000), horizon=st.integers(1, 30), known=st.integers(1, 30))
def test_mean_scores_are_those_of_models_accuracy(seed: int, horizon: int, known: int) -> None:
    """MASE, also of seasonal naive, pinball and coverage, however many steps have been observed."""
    history = make_history(seed)
    forecast = make_forecast(history, horizon, seed + 1)
    observed = dict(list(actuals_of(forecast, seed + 2).items())[:known])
    target = np.array([observed.get(stamp, math.nan) for stamp in forecast.timestamps])

    scores = score_one(forecast, observed)

    def mean(name: str) -> float:
        return float(np.mean([getattr(one, name) for one in scores]))

    naive = seasonal_naive(history, horizon, 12)
    scale = accuracy.seasonal_scale(history.values, 12)
    pinball = accuracy.pinball(target, forecast.quantiles, LEVELS)
    mase = accuracy.mase(target, forecast.median, history.values, 12)
    assert mean("absolute_scaled_error") == pytest.approx(mase, abs=1e-9)
    assert mean("naive_scaled_error") == pytest.approx(accuracy.mase(target, naive, history.values, 12), abs=1e-9)
    assert mean("pinball") == pytest.approx(pinball, abs=1e-9)
    assert mean("scaled_pinball") == pytest.approx(pinball / scale, abs=1e-9)
    for level, (lower, upper) in {80.0: (0.1, 0.9), 95.0: (0.025, 0.975)}.items():
        sides = forecast.quantiles[:, LEVELS.index(lower)], forecast.quantiles[:, LEVELS.index(upper)]
        assert np.mean([one.covered[level] for one in scores]) == pytest.approx(accuracy.coverage(target, *sides))
    assert [one.step for one in scores] == (np.flatnonzero(~np.isnan(target)) + 1).tolist()


@given(
    st.lists(st.one_of(st.floats(-1e6, 1e6), st.just(math.nan)), min_size=1, max_size=30),
    st.integers(1, 30),
    st.sampled_from([1, 2, 7, 12]),
)
def test_the_baseline_is_seasonal_naive_and_its_scale(values: list[float], horizon: int, season: int) -> None:
    """Also with gaps, with one value, and with less than a season."""
    series = Series.make(values if np.isfinite(values).any() else [*values, 1.0])
    try:
        scale = accuracy.seasonal_scale(series.values, season) or math.nan
    except SeriesTooShort:
        scale = math.nan

    baseline = naive_baseline(series, horizon, season)

    assert_allclose(baseline.naive, seasonal_naive(series, horizon, season))
    assert_allclose(baseline.scale, scale, rtol=1e-12)


def test_only_observed_steps_are_scored() -> None:
    """Observations outside the horizon score nothing."""
    forecast = make_forecast(make_history())
    stamps = forecast.timestamps
    observed = {stamps[3]: 9.0, np.datetime64("2019-01-01", "us"): 1.0}

    scores = score_one(forecast, observed)

    assert [(one.step, one.observed, one.timestamp) for one in scores] == [(4, 9.0, stamps[3])]


@pytest.mark.parametrize("values", [[5.0] * 30, [5.0], [1.0, math.nan, 3.0], [1e308, -1e308] * 20])
def test_without_a_scale_only_pinball_and_coverage_are_scored(values: list[float]) -> None:
    """Scaled errors are None, not infinite."""
    history = Series.make(values, start="2020-01-01", frequency="M")
    forecast = replace(make_forecast(make_history()), baseline=naive_baseline(history, 12, 12))

    scores = score_one(forecast, actuals_of(forecast))

    assert all(one.absolute_scaled_error is None and one.naive_scaled_error is None for one in scores)
    assert all(one.scaled_pinball is None and math.isfinite(one.pinball) for one in scores)
    assert all(set(one.covered) == {80.0, 95.0} for one in scores)


def test_coverage_is_scored_for_the_intervals_of_the_forecast() -> None:
    """None at 95 % without the quantiles 0.025 and 0.975; both bounds belong to the interval."""
    forecast = make_forecast(make_history(), levels=TRAINED_QUANTILES)
    lower, upper = forecast.quantiles[0, 0], forecast.quantiles[1, -1]

    scores = score_one(forecast, dict(zip(forecast.timestamps, (lower, upper, 1e6), strict=False)))

    assert [dict(one.covered) for one in scores] == [{80.0: True}, {80.0: True}, {80.0: False}]


@pytest.mark.parametrize(
    ("frequency", "step", "observed"),
    [
        ("M", "2023-05-01", "2023-05-31"),
        ("M", "2023-05-31", "2023-05-01"),
        ("Q", "2023-04-01", "2023-06-30"),
        ("Q-NOV", "2023-03-01", "2023-05-31"),
        ("Y", "2023-01-01", "2023-12-31"),
        ("Y-JUN", "2022-07-01", "2023-06-30"),
    ],
)
def test_any_date_of_a_month_quarter_or_year_is_that_period(frequency: str, step: str, observed: str) -> None:
    """Some people write the first day and others the last."""
    stamps = timestamps_from(np.datetime64(step, "us"), parse_frequency(frequency), 3)
    baseline = NaiveBaseline(np.zeros(3), 1.0)
    name = parse_frequency(frequency).name
    forecast = LoggedForecast(stamps, name, (0.5,), np.zeros((3, 1)), np.zeros(3), baseline)

    assert [one.step for one in score_stamps(forecast, observed)] == [1]
    assert abs(np.datetime64(observed, "us") - stamps[0]) <= np.timedelta64(tolerance_of(name), "us")


@pytest.mark.parametrize(
    "stamps",
    [
        ["2023-05-03", "2023-05-04"],
        ["2023-05-01", "2023-05-02"],
        ["2023-05-01", "2023-05-01T06:00"],
        ["2023-05-31T23:00"],
        ["2023-04-30"],
    ],
    ids=["two in one month", "two, one at the step", "hours", "an instant", "another month"],
)
def test_days_and_instants_do_not_score_a_month(stamps: list[str]) -> None:
    """Several observations in a month are not the month."""
    forecast = replace(make_forecast(make_history(), 1), timestamps=np.array(["2023-05-01"], "M8[us]"))

    assert score_stamps(forecast, *stamps) == []


@pytest.mark.parametrize(
    ("frequency", "step", "beside"),
    [
        ("D", "2023-05-01", "2023-05-01T06:00"),
        ("D", "2023-05-01", "2023-04-30T18:00"),
        ("W-SUN", "2023-05-07", "2023-05-08"),
        ("h", "2023-05-07T06:00", "2023-05-07T06:15"),
        ("B", "2023-05-05", "2023-05-05T12:00"),
    ],
)
def test_an_observation_with_neighbours_inside_the_step_scores_nothing(frequency: str, step: str, beside: str) -> None:
    """One hour is not its day, although it has the day's timestamp."""
    forecast = replace(make_forecast(make_history(), 1), timestamps=np.array([step], "M8[us]"), frequency=frequency)

    assert len(score_stamps(forecast, step)) == 1
    assert len(score_stamps(forecast, beside)) == (frequency != "h" and beside[:10] == step)
    assert score_stamps(forecast, step, beside) == []


def test_observations_of_every_day_score_business_days() -> None:
    """Those of the weekend do not matter."""
    days = timestamps_from(np.datetime64("2023-05-04", "us"), parse_frequency("D"), 7)
    steps = timestamps_from(days[0], parse_frequency("B"), 4)
    forecast = replace(make_forecast(make_history(), 4), timestamps=steps, frequency="B")

    assert len(score_one(forecast, dict.fromkeys(days, 7.0))) == 4


def test_forecasts_scored_together_have_the_scores_of_each_alone() -> None:
    """Of different levels, horizons and scales, with and without actual values."""
    some = [
        make_forecast(make_history(seed), 3 + seed, seed, levels=(LEVELS, TRAINED_QUANTILES)[seed % 2])
        for seed in range(6)
    ]
    some[2] = replace(some[2], baseline=NaiveBaseline(some[2].baseline.naive, math.nan))
    actuals = [np.where(np.arange(len(one.median)) < place, 9.0 + place, math.nan) for place, one in enumerate(some)]

    together = score(some, actuals)

    assert together == [score([one], [actual])[0] for one, actual in zip(some, actuals, strict=True)]
    assert [len(one) for one in together] == list(range(6))
