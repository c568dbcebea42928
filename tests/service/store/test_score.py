"""Scoring: a kept forecast beside what was observed since, held to models/accuracy.py."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import accuracy
from models.baselines import seasonal_naive
from models.calendar.on_calendar import parse_frequency, timestamps_from
from models.series import Series
from models.spec import TRAINED_QUANTILES
from service.store.score import LONGEST_PERIOD, LoggedForecast, NaiveBaseline, naive_baseline, score

SIDES = (0.025, *TRAINED_QUANTILES, 0.975)


def make_history(seed: int = 0, length: int = 40) -> Series:
    """Return months from 2020-01 on, two gaps among them."""
    values = np.random.default_rng(seed).normal(10.0, 3.0, length)
    values[[5, 17]] = math.nan
    return Series.make(values, start="2020-01-01", frequency="M")


def make_kept(history: Series, horizon: int = 12, seed: int = 1, levels: tuple[float, ...] = SIDES) -> LoggedForecast:
    """Return a forecast of random rising quantiles after a history."""
    random = np.random.default_rng(seed)
    quantiles = np.sort(random.normal(10.0, 3.0, (horizon, len(levels))), axis=1)
    future = history.future(horizon)
    assert future is not None
    median = quantiles[:, levels.index(0.5)]
    return LoggedForecast(future, "M", levels, quantiles, median, naive_baseline(history, horizon, 12))


def truth_of(kept: LoggedForecast, seed: int = 2) -> dict[np.datetime64, float]:
    """Return an observation at every step."""
    values = np.random.default_rng(seed).normal(10.0, 3.0, len(kept.timestamps))
    return dict(zip(kept.timestamps, values.tolist(), strict=True))


@given(seed=st.integers(0, 10_000), horizon=st.integers(1, 30), known=st.integers(1, 30))
def test_the_mean_over_steps_is_what_accuracy_says(seed: int, horizon: int, known: int) -> None:
    """MASE, the naive's MASE, pinball and coverage agree to 1e-9, whatever part of the horizon has been observed."""
    history = make_history(seed)
    kept = make_kept(history, horizon, seed + 1)
    observed = dict(list(truth_of(kept, seed + 2).items())[:known])
    target = np.array([observed.get(stamp, math.nan) for stamp in kept.timestamps])
    some = np.flatnonzero(~np.isnan(target))

    scores = score(kept, observed)

    def mean(name: str) -> float:
        return float(np.mean([getattr(one, name) for one in scores]))

    naive = seasonal_naive(history, horizon, 12)
    scale = accuracy.seasonal_scale(history.values, 12)
    pinball = accuracy.pinball(target, kept.quantiles, SIDES)
    assert mean("absolute_scaled_error") == pytest.approx(
        accuracy.mase(target, kept.median, history.values, 12), abs=1e-9
    )
    assert mean("naive_scaled_error") == pytest.approx(accuracy.mase(target, naive, history.values, 12), abs=1e-9)
    assert mean("pinball") == pytest.approx(pinball, abs=1e-9)
    assert mean("scaled_pinball") == pytest.approx(pinball / scale, abs=1e-9)
    for level, (lower, upper) in {80.0: (0.1, 0.9), 95.0: (0.025, 0.975)}.items():
        sides = kept.quantiles[:, SIDES.index(lower)], kept.quantiles[:, SIDES.index(upper)]
        assert np.mean([one.covered[level] for one in scores]) == pytest.approx(accuracy.coverage(target, *sides))
    assert [one.step for one in scores] == (some + 1).tolist()


def test_steps_without_a_truth_have_no_score() -> None:
    """An observation elsewhere, and one that is NaN, score nothing."""
    kept = make_kept(make_history())
    observed = {kept.timestamps[3]: 9.0, kept.timestamps[4]: math.nan, np.datetime64("2019-01-01", "us"): 1.0}

    scores = score(kept, observed)

    assert [(one.step, one.observed, one.timestamp) for one in scores] == [(4, 9.0, kept.timestamps[3])]


def test_a_revised_observation_scores_anew() -> None:
    """The same forecast with another truth gives that truth's errors, and leaves the other steps as they were."""
    kept = make_kept(make_history())
    observed = truth_of(kept)
    first = score(kept, observed)

    revised = score(kept, {**observed, kept.timestamps[2]: float(kept.median[2])})

    assert revised[2].absolute_scaled_error == 0
    assert revised[:2] + revised[3:] == first[:2] + first[3:]


@pytest.mark.parametrize("values", [[5.0] * 30, [5.0], [1.0, math.nan, 3.0], [1e308, -1e308] * 20])
def test_a_history_without_a_scale_scores_intervals_alone(values: list[float]) -> None:
    """Scaled errors are none there, not infinite; pinball and hits stand."""
    history = Series.make(values, start="2020-01-01", frequency="M")
    kept = replace(make_kept(make_history()), measure=naive_baseline(history, 12, 12))

    scores = score(kept, truth_of(kept))

    assert all(one.absolute_scaled_error is None and one.naive_scaled_error is None for one in scores)
    assert all(one.scaled_pinball is None and math.isfinite(one.pinball) for one in scores)
    assert all(set(one.covered) == {80.0, 95.0} for one in scores)


def test_hits_are_counted_of_the_intervals_that_a_forecast_has() -> None:
    """Without the quantiles 0.025 and 0.975 nothing is said of 95 per cent; both ends count as within."""
    kept = make_kept(make_history(), levels=TRAINED_QUANTILES)
    lower, upper = kept.quantiles[0, 0], kept.quantiles[1, -1]

    scores = score(kept, {kept.timestamps[0]: lower, kept.timestamps[1]: upper, kept.timestamps[2]: 1e6})

    assert [dict(one.covered) for one in scores] == [{80.0: True}, {80.0: True}, {80.0: False}]


@pytest.mark.parametrize(
    ("frequency", "asked", "written"),
    [
        ("M", "2023-05-01", "2023-05-31"),
        ("M", "2023-05-31", "2023-05-01"),
        ("Q", "2023-04-01", "2023-06-30"),
        ("Q-NOV", "2023-03-01", "2023-05-31"),
        ("Y", "2023-01-01", "2023-12-31"),
        ("Y-JUN", "2022-07-01", "2023-06-30"),
    ],
)
def test_a_period_has_one_truth_however_its_date_is_written(frequency: str, asked: str, written: str) -> None:
    """First day or last, it is the same month, quarter or year."""
    step = parse_frequency(frequency)
    stamps = timestamps_from(np.datetime64(asked, "us"), step, 3)
    kept = LoggedForecast(stamps, step.name, (0.5,), np.zeros((3, 1)), np.zeros(3), NaiveBaseline(np.zeros(3), 1.0))
    observed: dict[np.datetime64, float] = {np.datetime64(written, "us"): 7.0}

    assert [(one.step, one.observed) for one in score(kept, observed)] == [(1, 7.0)]
    assert abs(next(iter(observed)) - stamps[0]) <= LONGEST_PERIOD


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
def test_what_may_mean_something_else_is_no_truth(stamps: list[str]) -> None:
    """Days of a month are not the month, and an instant is not a date."""
    kept = replace(make_kept(make_history(), 1), timestamps=np.array(["2023-05-01"], "M8[us]"))

    assert score(kept, {np.datetime64(stamp, "us"): 7.0 for stamp in stamps}) == []


def test_days_match_by_their_own_date_alone() -> None:
    """There is no other way to write one."""
    kept = replace(
        make_kept(make_history(), 2), timestamps=np.array(["2023-05-01", "2023-05-02"], "M8[us]"), frequency="D"
    )

    assert [one.step for one in score(kept, {np.datetime64("2023-05-02", "us"): 7.0})] == [2]
    assert score(kept, {}) == []


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
def test_a_part_of_a_step_is_not_its_truth(frequency: str, step: str, beside: str) -> None:
    """One hour is not its day, and one day not its week, though it stands at their timestamp."""
    kept = replace(make_kept(make_history(), 1), timestamps=np.array([step], "M8[us]"), frequency=frequency)
    alone: dict[np.datetime64, float] = {np.datetime64(step, "us"): 7.0}

    assert len(score(kept, alone)) == 1
    assert score(kept, {**alone, np.datetime64(beside, "us"): 7.0}) == []


def test_a_weekend_is_nobodys_business_day() -> None:
    """Observations of every day are the truth of business days."""
    days = timestamps_from(np.datetime64("2023-05-04", "us"), parse_frequency("D"), 7)
    steps = timestamps_from(days[0], parse_frequency("B"), 4)
    kept = replace(make_kept(make_history(), 4), timestamps=steps, frequency="B")

    assert len(score(kept, dict.fromkeys(days, 7.0))) == 4
