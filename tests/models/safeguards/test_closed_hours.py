from collections.abc import Container

import numpy as np
import pandas as pd
import pytest

from models.calendar.frequency import Frequency
from models.forecasting.open_steps import forecast_open_steps
from models.safeguards.closed_hours import find_closed
from models.series import Series
from models.starters import load_starter


def office(
    hours: Container[int], weekdays: range, days: int = 28, timezone: str | None = None, step: str = "h"
) -> Series:
    """Return a series with values at some hours of some weekdays only."""
    stamps = pd.date_range("2024-01-01", periods=days * 24, freq=step)
    stamps = stamps[[one.hour in hours and one.weekday() in weekdays for one in stamps]]
    return Series.make(np.arange(len(stamps)) % 8 + 1.0, timestamps=stamps.to_numpy(), timezone=timezone)


NIGHTS = office({*range(18, 24), 0, 1}, range(7))


@pytest.mark.parametrize(
    ("series", "open_hours", "said"),
    [
        (office(range(9, 17), range(5)), set(range(9, 17)), "from 09:00 to 17:00, Monday to Friday: 16 of 24 steps"),
        (office(range(8, 20), range(7)), set(range(8, 20)), "from 08:00 to 20:00, every day: 12 of 24 steps"),
        (NIGHTS, {*range(18, 24), 0, 1}, "from 18:00 to 02:00, every day: 16 of 24 steps"),
        (office(range(9, 17), range(6), timezone="Europe/Berlin"), set(range(9, 17)), "Monday to Saturday"),
    ],
)
def test_hours_that_never_have_a_value_are_closed(series: Series, open_hours: set[int], said: str) -> None:
    """The warning names the opening hours; steps in the others are marked."""
    day = pd.date_range("2024-01-29", periods=24, freq="h", tz=series.timezone or "UTC").tz_convert("UTC")
    stamps = np.array(day.tz_localize(None).to_numpy(), "M8[us]")

    closed = find_closed(series, stamps)

    assert closed is not None
    assert {hour for hour in range(24) if not closed.steps[hour]} == open_hours
    assert said in closed.warning.detail


@pytest.mark.parametrize(
    "series",
    [
        office(range(24), range(7)),
        office(range(9, 17), range(5), days=5),
        Series.make(
            np.where(np.random.default_rng(0).random(700) < 0.5, np.nan, 1.0), start="2024-01-01", frequency="h"
        ),
        Series.make([1.0, None, None, 2.0] * 20, start="2024-01-01", frequency="D"),
        Series.make([1.0, None, None, 2.0] * 20, frequency="h"),
    ],
)
def test_other_gaps_are_no_closed_hours(series: Series) -> None:
    """A few days, random gaps, days and series without dates have none."""
    assert find_closed(series, series.future(24)) is None


def test_a_horizon_within_closed_hours_has_no_numbers() -> None:
    """The warning says to ask for more, and no other asks whether a missing night means zero."""
    series = office(range(9, 17), range(5), days=26)

    (found,) = load_starter(series.frequency or Frequency("h")).forecast([series], 8)

    assert (len(found.shown.median), found.shown.quantiles.shape[0]) == (0, 0)
    assert "all 8 steps lie outside and are left out" in next(
        one.detail for one in found.warnings if one.code == "HOURS_CLOSED"
    )
    assert "MISSING_OR_ZERO" in {one.code for one in series.findings} - {one.code for one in found.warnings}


@pytest.mark.parametrize("days", [26, 28])
@pytest.mark.parametrize("horizon", [1, 24])
def test_a_horizon_counts_the_steps_within_opening_hours(days: int, horizon: int) -> None:
    """Over nights and weekends; series without such hours, and those of days, are forecast as they were in one batch."""
    series = [
        office(range(9, 17), range(5), days=days),
        office(range(24), range(7), days=days),
        office(range(8, 20), range(7), days=days, timezone="Europe/Berlin"),
    ]
    starter = load_starter(Frequency("h"))

    found = [one.shown for one in forecast_open_steps(starter, series, horizon)]

    assert [len(one.median) for one in found] == [horizon] * 3
    assert found[0].timestamps is not None
    stamps = pd.DatetimeIndex(found[0].timestamps)
    assert {*stamps.hour} <= {*range(9, 17)}
    assert {*stamps.day_of_week} <= {*range(5)}
    np.testing.assert_allclose(found[1].median, starter.forecast(series[1:2], horizon)[0].median, rtol=1e-5)


def days(weekdays: Container[int], weeks: int = 10, missing: float = 0.0) -> Series:
    """Return a daily series from a Monday on with values on some weekdays, a share of which is missing."""
    lost = np.random.default_rng(0).random(7 * weeks) < missing
    values = [None if day % 7 not in weekdays or lost[day] else 10.0 + day % 7 for day in range(7 * weeks)]
    return Series.make(values, start="2024-01-01", frequency="D")


@pytest.mark.parametrize(
    ("series", "open_days", "said"),
    [
        (days(range(6)), {0, 1, 2, 3, 4, 5}, "on Monday to Saturday: 2 of 14 steps"),
        (days({0, 1, 2, 3, 6}), {0, 1, 2, 3, 6}, "on Monday, Tuesday, Wednesday, Thursday, Sunday: 4 of 14 steps"),
        (days({5, 6}), {5, 6}, "on Saturday, Sunday: 10 of 14 steps"),
        (days(range(6), missing=0.1), {0, 1, 2, 3, 4, 5}, "on Monday to Saturday"),
    ],
)
def test_weekdays_that_never_have_a_value_are_closed(series: Series, open_days: set[int], said: str) -> None:
    """As hours are."""
    closed = find_closed(series, series.future(14))

    assert closed is not None
    assert {day for day in range(7) if not closed.steps[day]} == open_days
    assert said in closed.warning.detail


@pytest.mark.parametrize("series", [days(range(7)), days(range(6), weeks=4), days(range(6), missing=0.4)])
def test_other_missing_days_are_no_closed_ones(series: Series) -> None:
    """A few weeks, and days that are missing anyway, show nothing."""
    assert find_closed(series, series.future(14)) is None


def test_a_horizon_counts_open_days() -> None:
    """Six open days of a week are forecast, and a sum of them is not that of seven."""
    series = days(range(6))

    (found,) = forecast_open_steps(load_starter(series.frequency or Frequency("D")), [series], 6)

    assert found.shown.timestamps is not None
    assert [str(one)[:10] for one in found.shown.timestamps] == [f"2024-03-{day:02d}" for day in range(11, 17)]
    assert "MISSING_OR_ZERO" not in {one.code for one in found.warnings}
