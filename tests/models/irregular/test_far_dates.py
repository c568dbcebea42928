import numpy as np
import pytest

from models.calendar.zoned_grid import parse_frequency
from models.errors import SeriesTooLong
from models.irregular.far_dates import find_lone_dates
from models.series import Series

MONTHS = [str(np.datetime64("2019-01") + at) for at in range(59)]
DAYS = [str(np.datetime64("2022-01-01") + at) for at in range(90)]


@pytest.mark.parametrize(
    ("dates", "stray"),
    [
        ([*MONTHS, "2032-12"], "2032-12-01"),
        ([*MONTHS, "2024-12"], "2024-12-01"),
        (["2009-12", *MONTHS], "2009-12-01"),
        ([*DAYS, "2023-04-01"], "2023-04-01"),
        ([*MONTHS, "2024-03"], None),
        ([*MONTHS, "2032-11", "2032-12"], None),
        (["2016-01", "2018-01", "2020-02", "2023-01"], None),
    ],
)
def test_a_lone_date_after_a_gap_unlike_all_others_is_named(dates: list[str], stray: str | None) -> None:
    """A wrong year is named; the gaps of a series that rests now and then are not."""
    series = Series.make([1.0] * len(dates), timestamps=dates, frequency="M" if len(dates[0]) == 7 else "D")

    found = [one.detail.partition(" ")[0] for one in series.findings if one.code == "DATE_STRAY"]

    assert found == ([stray] if stray else [])


def test_a_yearly_series_is_judged_by_its_steps() -> None:
    """Two missing years are no wrong year."""
    years = np.array(["2000", "2001", "2002", "2004"], "M8[us]")

    assert not [*find_lone_dates(years, parse_frequency("Y"))]


def test_a_series_made_too_long_by_one_date_names_it() -> None:
    """Year 3023 for 2023: the remedy is to correct it, not a coarser frequency."""
    with pytest.raises(SeriesTooLong, match="3023-12-01 lies 1000 years after") as caught:
        Series.make([1.0] * 60, timestamps=[*MONTHS, "3023-12-01"], frequency="M")

    assert "Correct 3023-12-01" in caught.value.hint
