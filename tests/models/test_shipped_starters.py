"""Shipped starters: series of which everybody knows how they go on."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from models.calendar.zoned_grid import parse_frequency
from models.forecast import Forecast
from models.series import Series
from models.starters import load_starter

Values = NDArray[np.float64]
Course = Callable[[Values], Values]


def forecast(values: Values, frequency: str, horizon: int, start: str = "2019-01-01") -> Forecast:
    """Return the shipped starter's forecast of one series."""
    series = Series.make(values.tolist(), id="x", start=start, frequency=frequency)
    (found,) = load_starter(parse_frequency(frequency)).forecast([series], horizon)
    return found


def day(t: Values, steps: int) -> Values:
    """Return a sine of one day, of amplitude 20, around 100."""
    return 100 + 20 * np.sin(2 * np.pi * t / steps)


COURSES: dict[str, tuple[str, int, int, float, Course]] = {
    "one to thirty-six": ("MS", 36, 12, 0.6, lambda t: t + 1),
    "growth of ten per cent a month": ("MS", 36, 12, 7.5, lambda t: 1.1**t),
    "a season that grows with its level": (
        "MS",
        60,
        12,
        25.0,
        lambda t: (100 + 5 * t) * (1 + 0.5 * np.sin(2 * np.pi * t / 12)),
    ),
    "five months in line": ("MS", 5, 3, 1.0, lambda t: 10 + 2 * t),
    "six days in line": ("D", 6, 3, 0.5, lambda t: t + 1),
    "five weeks in line": ("W", 5, 3, 1.0, lambda t: 10 + 2 * t),
    "two weeks of days in line": ("D", 14, 7, 1.0, lambda t: 100 + 3 * t),
    "two years of weeks in line": ("W", 104, 13, 2.0, lambda t: 100 + 3 * t),
    "a season of months on a trend": ("MS", 96, 12, 2.0, lambda t: 200 + 3 * t + 10 * np.sin(np.pi * t / 6)),
    "a season of thirteen weeks": ("W", 208, 13, 3.0, lambda t: 50 + 20 * np.sin(2 * np.pi * t / 13)),
    "less than two years of weeks": ("W", 103, 26, 1.0, lambda t: 50 + 20 * np.sin(2 * np.pi * t / 52)),
    "a year of weeks": ("W", 208, 26, 1.5, lambda t: day(t, 52)),
    "a line of quarters": ("QS", 40, 8, 1.5, lambda t: 3 * t + 5),
    "a line of years": ("YS", 30, 6, 0.5, lambda t: 3 * t + 5),
    "a line of days": ("D", 100, 14, 2.0, lambda t: 2 * t + 5),
    "a line of hours": ("h", 200, 24, 4.0, lambda t: 2 * t + 5),
    "growth of three per cent a year": ("YS", 40, 6, 0.02, lambda t: 1.03**t),
    "a day of quarter hours": ("15min", 960, 96, 1.0, lambda t: day(t, 96)),
    "a day of half hours": ("30min", 480, 48, 1.0, lambda t: day(t, 48)),
    "a day of two hours": ("2h", 240, 24, 1.0, lambda t: day(t, 12)),
    "a day of six hours": ("6h", 120, 8, 2.0, lambda t: day(t, 4)),
    "a year of two months": ("2MS", 60, 6, 2.0, lambda t: day(t, 6)),
    "closed Sundays": ("D", 200, 14, 0.5, lambda t: np.where(t % 7 == 6, 0.0, 10 + t % 7)),
    "quiet weekends": ("h", 1000, 48, 2.0, lambda t: 100 + (day(t, 24) - 100) * np.where((t // 24) % 7 < 5, 1, 0.5)),
}
"""Frequency, steps of history, steps ahead, the largest mean absolute error that a person would accept, and the course."""


@pytest.mark.parametrize("name", COURSES)
def test_a_plain_course_goes_on(name: str) -> None:
    """Lines, growth, days and weeks without noise are continued, not damped and not averaged away."""
    frequency, length, horizon, most, course = COURSES[name]
    whole = np.asarray(course(np.arange(length + horizon, dtype=np.float64)), dtype=np.float64)

    found = forecast(whole[:length], frequency, horizon)

    assert np.abs(found.median - whole[length:]).mean() <= most


@pytest.mark.parametrize(("frequency", "steps"), [("3h", 8), ("4h", 6), ("8h", 3), ("12h", 2)])
def test_several_hours_know_day_and_week(frequency: str, steps: int) -> None:
    """Half as high on Saturdays and Sundays, seven weeks long, under noise of size 1: two days ahead, from a Friday on."""
    t = np.arange(53 * steps, dtype=np.float64)
    wave = np.cos(2 * np.pi * t / steps) + 1
    values = 100 + 20 * wave * np.where((t // steps) % 7 < 5, 1, 0.5)
    values += np.random.default_rng(0).normal(0.0, 1.0, len(t))

    found = forecast(values[: -2 * steps], frequency, 2 * steps, "2024-01-01")

    assert np.abs(found.median - values[-2 * steps :]).mean() < 4
    assert found.warnings == () or {one.code for one in found.warnings} == {"HORIZON_EXTENDED"}


@pytest.mark.parametrize("constant", [5.0, 0.1, -3.3, 7e-5, 123456789.0, 1e300, 0.0])
@pytest.mark.parametrize(("frequency", "length"), [("MS", 40), ("D", 9), ("h", 2)])
def test_a_constant_history_gives_the_constant(constant: float, frequency: str, length: int) -> None:
    """To the last bit, at every level, in the mean and in blocks beyond the horizon that was trained."""
    series = Series.make([constant] * length, start="2019-01-01", frequency=frequency)

    (found,) = load_starter(parse_frequency(frequency)).forecast([series], 100, mean=True)

    assert found.mean is not None
    for numbers in (found.median, found.quantiles, found.mean):
        assert (numbers == constant).all()


@pytest.mark.parametrize("first", range(7))
def test_a_weekend_is_where_it_was(first: int) -> None:
    """From whatever day the forecast begins, its two low days are a Saturday and a Sunday."""
    t = np.arange(700 + first, dtype=np.float64)
    noise = np.random.default_rng(first).normal(0.0, 1.0, len(t))
    values = 100 - 40 * ((t % 7) >= 5) + noise

    found = forecast(values, "D", 14)

    low = found.median < 80
    assert (low == ((np.arange(len(t), len(t) + 14) % 7) >= 5)).all()


def test_a_few_sales_are_a_few_sales() -> None:
    """A year of months with five sales is forecast as about none, and an upper bound of about what was sold once."""
    values = np.zeros(60)
    values[[5, 17, 23, 40, 52]] = [1, 2, 1, 3, 1]

    found = forecast(values, "MS", 12)

    assert found.median.max() < 0.5
    assert found.intervals[0].lower.min() >= 0
    assert found.intervals[0].upper.max() < 3
