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
