import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.calendar.grid import positions
from models.calendar.zoned_grid import Timestamps, infer_frequency, parse_frequency, timestamps_from
from models.errors import FrequencyNotInferred

INFERRED = [
    "ME",
    "MS",
    "BME",
    "BMS",
    "QE",
    "QE-JAN",
    "QE-FEB",
    "QS",
    "QS-OCT",
    "QS-FEB",
    "BQE",
    "BQS-FEB",
    "YE",
    "YE-MAR",
]
INFERRED += [
    "YS",
    "YS-JUL",
    "BYE",
    "BYS-APR",
    "W-SUN",
    "W-MON",
    "W-SAT",
    "2W-WED",
    "D",
    "3D",
    "B",
    "h",
    "3h",
    "min",
    "5min",
    "15min",
    "90min",
    "s",
    "250ms",
    "us",
    "2QE",
    "5MS",
    "2YE-JUN",
    "10YS",
]


def made(alias: str, count: int, start: str = "2019-03-01") -> Timestamps:
    """Return timestamps as pandas makes them."""
    return pd.date_range(start, periods=count, freq=alias, unit="us").to_numpy()


@pytest.mark.parametrize("alias", INFERRED)
@pytest.mark.parametrize("count", [5, 8, 40, 300])
def test_regular_timestamps_tell_their_frequency(alias: str, count: int) -> None:
    """Five are enough, however the frequency is stamped; business days need a weekend among them."""
    frequency = infer_frequency(made(alias, count))

    assert frequency == parse_frequency(alias)


@pytest.mark.parametrize("alias", ["ME", "MS", "BME", "BMS", "QE", "QS-FEB", "BQE", "YE-MAR", "YS", "BYE-JUN"])
def test_an_inferred_frequency_walks_as_the_timestamps_do(alias: str) -> None:
    """Not only the name: where stamps lie in their period is learned too."""
    past, future = made(alias, 30)[:20], made(alias, 30)[20:]

    frequency = infer_frequency(past)

    np.testing.assert_array_equal(timestamps_from(past[0], frequency, 10, skip=20), future)


@given(st.sampled_from(INFERRED), st.data())
def test_gaps_do_not_hide_the_frequency(alias: str, data: st.DataObject) -> None:
    """With a third missing, first, last and one pair of neighbours kept, the frequency is still outcome."""
    timestamps = made(alias, 60)
    missing = data.draw(st.sets(st.integers(12, 58), max_size=20))

    frequency = infer_frequency(np.delete(timestamps, sorted(missing)))

    assert frequency == parse_frequency(alias)


def test_months_with_several_missing_are_months() -> None:
    """January, April, July would be quarters; January, April, June can only be months."""
    stamps = np.array(["2020-01", "2020-04", "2020-07"], "M8[us]")

    assert infer_frequency(stamps).name == "Q-DEC"
    assert infer_frequency(np.array(["2020-01", "2020-04", "2020-06"], "M8[us]")).name == "M"
    assert infer_frequency(np.append(stamps, np.datetime64("2020-11"))).name == "M"


def test_weekends_tell_days_from_business_days() -> None:
    """A fortnight without weekends is B, with them D; one week alone cannot tell and is D."""
    assert infer_frequency(made("B", 10, "2024-01-01")).name == "B"
    assert infer_frequency(made("D", 10, "2024-01-01")).name == "D"
    assert infer_frequency(made("D", 5, "2024-01-01")).name == "D"


def test_business_days_with_holidays_are_business_days() -> None:
    """Christmas and New Year off leave B what it is."""
    days = made("B", 30, "2023-12-11")

    kept = days[~np.isin(days, np.array(["2023-12-25", "2023-12-26", "2024-01-01"], "M8[us]"))]

    assert infer_frequency(kept).name == "B"


def test_a_year_of_missing_hours_is_tolerated() -> None:
    """One long gap does not outweigh neighbours that are an hour apart."""
    hours = np.concatenate([made("h", 50, "2020-01-01"), made("h", 50, "2021-01-01")])

    assert infer_frequency(hours).name == "h"


def test_month_ends_pass_leap_years() -> None:
    """February 28 and 29 are both the end of their month."""
    assert infer_frequency(np.array(["2023-02-28", "2024-02-29", "2025-02-28"], "M8[us]")).name == "Y-FEB"
    assert infer_frequency(np.array(["2024-01-31", "2024-02-29", "2024-03-31"], "M8[us]")).name == "M"
    assert infer_frequency(np.array(["2023-01-30", "2023-02-28", "2023-03-30"], "M8[us]")).name == "M"
    assert infer_frequency(np.array(["2023-02-28", "2023-03-28", "2023-04-28"], "M8[us]")).name == "M"


def test_local_hours_pass_the_clock_change_in_spring() -> None:
    """Naive hours over a night without 02:00 are hours with one gap."""
    hours = made("h", 48, "2024-03-30T12:00")

    assert infer_frequency(hours[hours != np.datetime64("2024-03-31T02:00", "us")]).name == "h"


@pytest.mark.parametrize(
    "texts",
    [
        [],
        ["2020"],
        ["2020-01", "2020-02"],
        ["2020-01-01T00:00:00", "2020-01-01T07:13:11", "2021-06-05T04:01:57"],
        ["2020-01-01", "2020-03-05", "2024-11-23", "2031-02-03"],
        ["2020-01-01", "2020-01-01", "2020-01-02"],
        ["2020-01-03", "2020-01-02", "2020-01-01"],
    ],
)
def test_too_few_or_too_irregular_timestamps_are_refused(texts: list[str]) -> None:
    """Better no frequency than a guess; the hint says to send one."""
    with pytest.raises(FrequencyNotInferred) as caught:
        infer_frequency(np.array(texts, "M8[us]"))

    assert "frequency" in caught.value.hint


@pytest.mark.parametrize("alias", ["WOM-2TUE", "WOM-4FRI", "LWOM-FRI", "2WOM-1MON", "SME", "SMS", "SMS-20"])
@pytest.mark.parametrize("count", [5, 40])
def test_unsupported_frequencies_are_not_taken_for_others(alias: str, count: int) -> None:
    """Nth weekdays are not weeks with gaps, half months are not days with gaps; the hint says what to do."""
    with pytest.raises(FrequencyNotInferred, match=r"not a supported|irregular") as caught:
        infer_frequency(made(alias, count))

    assert "M" in caught.value.hint


@given(st.lists(st.datetimes(), min_size=3, max_size=30, unique=True))
def test_an_inferred_frequency_fits_all_timestamps(moments: list[object]) -> None:
    """Whatever the timestamps, a frequency that is inferred is one that they lie on."""
    stamps = np.sort(np.array(moments, "M8[us]"))
    try:
        frequency = infer_frequency(stamps)
    except FrequencyNotInferred:
        return
    assert positions(stamps, frequency)[-1] >= len(stamps) - 1
