import numpy as np
import pytest
from numpy.testing import assert_array_equal

from models.calendar.holidays import check_countries, count_holidays
from models.errors import ConfigInvalid
from models.series import Series


def counts(start: str, frequency: str, count: int, *, skip: int = 0, timezone: str | None = None) -> list[float]:
    """Return the German holidays in each step of a series."""
    series = Series.make([1.0], start=start, frequency=frequency, timezone=timezone)
    return list(count_holidays("DE", series, skip, count))


def test_a_day_is_a_holiday_or_none() -> None:
    """Christmas Eve is none in Germany; 25 and 26 December are, and so is New Year."""
    assert counts("2021-12-24", "D", 9) == [0, 1, 1, 0, 0, 0, 0, 0, 1]
    assert counts("2021-12-23", "B", 4) == [0, 0, 0, 0]


@pytest.mark.parametrize("start", ["2021-01", "2021-01-01", "2021-01-31"])
def test_a_month_has_as_many_as_fall_into_it(start: str) -> None:
    """However its stamp lies: January one, April two (Easter), May three, … as in the calendar of 2021."""
    assert counts(start, "M", 12) == [1, 0, 0, 2, 3, 0, 0, 0, 0, 1, 0, 2]


def test_longer_steps_follow_their_stamps() -> None:
    """Quarters by start or end; a year has the nine of the whole country; a week ends on its stamp."""
    assert counts("2021-01-01", "QS", 4) == counts("2021-03-31", "Q", 4) == [1, 5, 0, 3]
    assert counts("2021-12-31", "Y", 1) == [9]
    assert counts("2021-12-26", "W", 2) == [2, 1]
    assert counts("2021-12-25", "2D", 2) == [2, 0]


def test_hours_go_by_the_local_day() -> None:
    """23 o'clock in London is Christmas in Berlin already."""
    assert counts("2021-12-24T22:00:00Z", "h", 3, timezone="Europe/Berlin") == [0, 1, 1]
    assert counts("2021-12-24T22:00:00Z", "h", 3, timezone="Europe/London") == [0, 0, 1]


def test_skipped_steps_are_left_out() -> None:
    """The horizon of a series is counted as its history is."""
    assert counts("2021-01", "M", 4, skip=9) == counts("2021-01", "M", 13)[9:]


def test_without_dates_nothing_is_known() -> None:
    """Every count is NaN, none is 0."""
    assert_array_equal(count_holidays("DE", Series.make([1.0]), 0, 3), [np.nan] * 3)


@pytest.mark.parametrize(("country", "hint"), [("de", "DE"), ("Germany", "DE"), ("XX", "DE")])
def test_an_unknown_country_is_refused_with_near_matches(country: str, hint: str) -> None:
    """By code or by name."""
    check_countries(["DE", "FR"])

    with pytest.raises(ConfigInvalid, match=country) as caught:
        check_countries(["DE", country])

    assert hint in caught.value.hint
