import contextlib
import dataclasses
import math
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from models.calendar.zoned_grid import Frequency, format_timestamps
from models.errors import (
    AlmanacError,
    FrequencyNotInferred,
    FrequencyUnknown,
    SeriesAllMissing,
    SeriesEmpty,
    SeriesError,
    SeriesInfinite,
    SeriesNotNumeric,
    SeriesTooLong,
    TimestampInvalid,
    TimestampsDuplicated,
    TimestampsMismatched,
    TimestampsOffCalendar,
    TimestampsOutOfOrder,
)
from models.irregular.repairs import MOST_REPAIRS, Repair
from models.series import Series

BARE = [35, 40, 38, 29, 19]
DAYS = ["2024-01-01", "2024-01-02", "2024-01-03"]

REFUSED: list[tuple[dict[str, Any], type[AlmanacError], str]] = [
    ({"values": []}, SeriesEmpty, "/values"),
    ({"values": [None, math.nan]}, SeriesAllMissing, "/values"),
    ({"values": [1, 1e400]}, SeriesInfinite, "/values/1"),
    ({"values": [1, None, -math.inf]}, SeriesInfinite, "/values/2"),
    ({"values": [1, 10**400]}, SeriesInfinite, "/values/1"),
    ({"values": [None, -(10**5000), math.inf]}, SeriesInfinite, "/values/1"),
    ({"values": [1, True]}, SeriesNotNumeric, "/values/1"),
    ({"values": [1, 2, "3"]}, SeriesNotNumeric, "/values/2"),
    ({"values": [1, [2]]}, SeriesNotNumeric, "/values/1"),
    ({"values": [[1], [2]]}, SeriesNotNumeric, "/values/0"),
    ({"values": [1, {"a": 10**5000}]}, SeriesNotNumeric, "/values/1"),
    ({"values": [1, 2j]}, SeriesNotNumeric, "/values/1"),
    ({"values": "12"}, SeriesNotNumeric, "/values"),
    ({"values": b"12"}, SeriesNotNumeric, "/values"),
    ({"values": None}, SeriesNotNumeric, "/values"),
    ({"values": 5}, SeriesNotNumeric, "/values"),
    ({"values": {"0": 1}}, SeriesNotNumeric, "/values"),
    ({"values": np.ones((2, 2))}, SeriesNotNumeric, "/values"),
    ({"values": np.array([True, False])}, SeriesNotNumeric, "/values"),
    ({"values": np.array(["1", "2"])}, SeriesNotNumeric, "/values"),
    ({"values": BARE, "id": 5}, SeriesError, "/id"),
    ({"values": BARE, "id": None}, SeriesError, "/id"),
    ({"values": BARE, "start": "1939-01"}, FrequencyNotInferred, "/frequency"),
    ({"values": BARE, "frequency": "X"}, FrequencyUnknown, "/frequency"),
    ({"values": BARE, "frequency": 12}, FrequencyUnknown, "/frequency"),
    ({"values": BARE, "frequency": ["M"]}, FrequencyUnknown, "/frequency"),
    ({"values": BARE, "frequency": "M", "start": 1939}, TimestampInvalid, "/start"),
    ({"values": BARE, "frequency": "M", "start": ["1939"]}, TimestampInvalid, "/start"),
    ({"values": BARE, "frequency": "M", "start": "1939-13"}, TimestampInvalid, "/start"),
    ({"values": BARE, "frequency": "M", "start": "0000-01"}, TimestampInvalid, "/start"),
    ({"values": BARE, "frequency": "Y", "start": "9998"}, TimestampInvalid, "/start"),
    ({"values": BARE, "frequency": "B", "start": "2024-01-06"}, TimestampsOffCalendar, "/start"),
    ({"values": BARE, "frequency": "D", "start": "2024", "timezone": "Mars"}, TimestampInvalid, "/timezone"),
    ({"values": BARE, "timezone": 5}, TimestampInvalid, "/timezone"),
    ({"values": [1, 2, 3], "timestamps": DAYS[:2]}, TimestampsMismatched, "/timestamps"),
    ({"values": [1, 2, 3], "timestamps": []}, TimestampsMismatched, "/timestamps"),
    ({"values": [1, 2, 3], "timestamps": "2024-01-01"}, TimestampInvalid, "/timestamps"),
    ({"values": [1, 2, 3], "timestamps": 5}, TimestampInvalid, "/timestamps"),
    ({"values": [1, 2, 3], "timestamps": {"a": 1, "b": 2, "c": 3}}, TimestampInvalid, "/timestamps"),
    ({"values": [1, 2, 3], "timestamps": [*DAYS[:2], 1704153600]}, TimestampInvalid, "/timestamps/2"),
    ({"values": [1, 2, 3], "timestamps": [*DAYS[:2], DAYS[1]]}, TimestampsDuplicated, "/timestamps/2"),
    ({"values": [1, 2, 3], "timestamps": DAYS[::-1]}, TimestampsOutOfOrder, "/timestamps/1"),
    ({"values": [1, 2, 3], "timestamps": DAYS, "frequency": "M"}, TimestampsOffCalendar, "/timestamps/1"),
    ({"values": [1, 2, 3], "timestamps": DAYS, "start": DAYS[1]}, TimestampsMismatched, "/start"),
    ({"values": [1, 2], "timestamps": DAYS[:2]}, FrequencyNotInferred, "/timestamps"),
    ({"values": [1, 2], "timestamps": ["0001-01-01", "9999-12-31"], "frequency": "s"}, SeriesTooLong, "/timestamps"),
    ({"values": [1, 2], "timestamps": ["0001-01-01", "9999-12-31"], "frequency": "bh"}, SeriesTooLong, "/timestamps"),
    ({"values": [1, 2], "timestamps": ["2024", "2024-01-02"], "frequency": "ns"}, SeriesTooLong, "/timestamps"),
]


@pytest.mark.parametrize(("request_", "error", "pointer"), REFUSED)
def test_an_unsound_series_is_refused(request_: dict[str, Any], error: type[AlmanacError], pointer: str) -> None:
    """Each fault has its own type, a pointer to the place and a remedy."""
    with pytest.raises(AlmanacError) as caught:
        Series.make(**request_)

    assert (type(caught.value), caught.value.pointer) == (error, pointer)
    assert caught.value.hint
    assert len(str(caught.value)) < 400


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from([*DAYS, "M", "D"]),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["id", "start", "frequency", "timestamps", "timezone"]), JSON), JSON)
def test_any_json_makes_a_series_or_a_typed_error(fields: dict[str, Any], values: object) -> None:
    """The service may hand over whatever it was sent."""
    with contextlib.suppress(AlmanacError):
        assert len(Series.make(values, **fields)) >= 1


@given(st.lists(st.none() | st.floats(allow_infinity=False) | st.integers(-(10**300), 10**300), max_size=50))
def test_a_series_in_hand_is_sound(values: list[float | None]) -> None:
    """Finite or NaN, at least one observed, float64, and not to be changed."""
    try:
        series = Series.make(values)
    except (SeriesEmpty, SeriesAllMissing):
        return
    assert series.values.dtype == np.float64
    assert not np.isinf(series.values).any()
    assert series.observed == sum(value is not None and value == value for value in values) > 0  # noqa: PLR0124 - NaN
    with pytest.raises(ValueError, match="read-only"):
        series.values[0] = 1


def test_bare_values_need_no_dates() -> None:
    """Five numbers are a series; their phase is unknown."""
    series = Series.make(BARE)

    assert len(series) == 5
    assert (series.id, series.timestamps, series.future(3), series.future_phase(12)) == ("0", None, None, -1)


def test_a_start_and_a_frequency_are_dates() -> None:
    """The design's own example: four months of 1939 with a gap, then May."""
    series = Series.make([39.4, 40.9, None, 42.4], id="nottingham", start="1939-01", frequency="M")

    future = series.future(12)

    assert future is not None
    assert format_timestamps(future, series.style)[:2] == ["1939-05", "1939-06"]
    assert series.future_phase(12) == 4
    assert series.repairs == (Repair("GAP_MASKED", 2),)


def test_a_frequency_alone_is_kept() -> None:
    """Without dates a series may still say how often it is observed."""
    series = Series.make(BARE, frequency="monthly")

    assert series.frequency == Frequency("M")
    assert series.future_phase(12) == -1


def test_missing_timestamps_become_gaps() -> None:
    """The grid is made regular, and each repair says where."""
    series = Series.make([1, None, 4, 5], timestamps=["2024-01", "2024-02", "2024-04", "2024-05"])

    np.testing.assert_array_equal(series.values, [1, np.nan, np.nan, 4, 5])
    assert series.repairs == (Repair("GAP_MASKED", 1), Repair("GAP_INSERTED", 2))
    assert series.observed == 3
    assert series.frequency == Frequency("M")


def test_many_repairs_of_a_kind_are_one_entry() -> None:
    """A broken sensor does not fill the answer."""
    series = Series.make([None] * (MOST_REPAIRS + 1) + [1.0])

    assert series.repairs == (Repair("GAP_MASKED", None, MOST_REPAIRS + 1),)


@pytest.mark.parametrize(
    ("start", "frequency", "future"),
    [
        ("2024-01-31", "M", "2024-06-30"),
        ("2024", "Y", "2029"),
        ("2024", "Q", "2025-04"),
        ("2024-Q1", "Q", "2025-Q2"),
        ("2024-01", "D", "2024-01-06"),
        ("2024-01-01", "h", "2024-01-01T05:00"),
        ("2024-01-01 00:00", "15min", "2024-01-01 01:15"),
        ("2024-01-01T00:00Z", "D", "2024-01-06T00:00Z"),
        ("2024-01-01T00:00:00+05:30", "M", "2024-06-01T00:00:00+05:30"),
        (datetime(2024, 1, 1), "D", "2024-01-06"),  # noqa: DTZ001 - a wall clock
        (pd.Timestamp("2024-01-01T12:00"), "D", "2024-01-06T12:00:00"),
    ],
)
def test_the_future_is_written_as_the_past_was(start: object, frequency: str, future: str) -> None:
    """The style of the request returns, refined only where steps would read the same."""
    series = Series.make(BARE, start=start, frequency=frequency)

    timestamps = series.future(1)

    assert timestamps is not None
    assert format_timestamps(timestamps, series.style, series.timezone) == [future]


@pytest.mark.parametrize("alias", ["ME", "MS", "BME", "BMS", "QS-FEB", "YE", "W-TUE", "D", "B", "h", "15min"])
@pytest.mark.parametrize("given_frequency", [True, False])
def test_timestamps_or_start_say_the_same(alias: str, given_frequency: bool) -> None:  # noqa: FBT001
    """A series read from its timestamps goes on where pandas goes on, whether the frequency is sent or inferred."""
    dates = pd.date_range("2023-03-01", periods=40, freq=alias, unit="us").to_numpy()

    series = Series.make(list(range(30)), timestamps=dates[:30], frequency=alias if given_frequency else None)

    np.testing.assert_array_equal(series.timestamps, dates[:30])
    np.testing.assert_array_equal(series.future(10), dates[30:])


def test_timestamps_on_one_day_of_the_month_stay_there() -> None:
    """The 28th of February is not the end of the month if March has a 28th too."""
    series = Series.make([1, 2, 3], timestamps=["2023-02-28", "2023-03-28", "2023-04-28"], frequency="M")

    assert format_timestamps(series.future(1), series.style) == ["2023-05-28"]  # type: ignore[arg-type]


@pytest.mark.parametrize("frequency", ["D", None])
def test_local_days_pass_clock_changes(frequency: str | None) -> None:
    """Midnights in Berlin are days, sent as local text with a timezone or as moments in UTC."""
    local = Series.make(
        [1, 2, 3], timestamps=["2024-03-30", "2024-03-31", "2024-04-01"], frequency=frequency, timezone="Europe/Berlin"
    )
    utc = Series.make(
        [1, 2, 3],
        timestamps=["2024-03-29T23:00Z", "2024-03-30T23:00Z", "2024-03-31T22:00Z"],
        frequency=frequency,
        timezone="Europe/Berlin",
    )

    np.testing.assert_array_equal(local.timestamps, utc.timestamps)
    assert format_timestamps(local.future(1), local.style, local.timezone) == ["2024-04-02"]  # type: ignore[arg-type]
    assert local.future_phase(7) == 1


def test_local_hours_pass_clock_changes() -> None:
    """Two o'clock twice is two hours, and the future keeps its offset."""
    hours = ["2024-10-27T01:00", "2024-10-27T02:00", "2024-10-27T02:00"]

    series = Series.make([1, 2, 3], timestamps=hours, timezone="Europe/Berlin")

    assert series.frequency == Frequency("h")
    assert format_timestamps(series.future(1), series.style, series.timezone) == ["2024-10-27T03:00+01:00"]  # type: ignore[arg-type]
    assert series.future_phase(24) == 3


def test_arithmetic_changes_units_and_nothing_else() -> None:
    """Celsius to Fahrenheit keeps dates, gaps and id."""
    celsius = Series.make([0, None, 100], id="kettle", start="2024-01", frequency="M")

    fahrenheit = celsius * 1.8 + 32

    np.testing.assert_array_equal(fahrenheit.values, [32, np.nan, 212])
    assert dataclasses.replace(fahrenheit, values=celsius.values).repairs == celsius.repairs
    assert (fahrenheit.id, fahrenheit.start) == ("kettle", celsius.start)


def test_before_a_cutoff_is_the_past() -> None:
    """The first values, and only their repairs."""
    series = Series.make([1, None, 3, None, 5], start="2024-01", frequency="M")

    past = series.before(3)

    np.testing.assert_array_equal(past.values, [1, np.nan, 3])
    assert past.repairs == (Repair("GAP_MASKED", 1),)
    np.testing.assert_array_equal(past.future(2), series.timestamps[3:])  # type: ignore[index]


def test_before_everything_is_no_series() -> None:
    """What is left of a series is sound, or there is nothing left."""
    series = Series.make([None, 1.0])

    with pytest.raises(SeriesEmpty):
        series.before(0)
    with pytest.raises(SeriesEmpty):
        series.before(-5)
    with pytest.raises(SeriesAllMissing):
        series.before(1)


def test_arguments_are_not_changed() -> None:
    """The caller's array stays writable, and what happens to it later does not matter."""
    values = np.arange(3.0)

    series = Series.make(values)
    values[0] = 99

    assert series.values[0] == 0


@pytest.mark.parametrize(
    "values",
    [
        (1, 2, 3),
        np.array([1, 2, 3]),
        np.array([1, 2, 3], np.float32),
        pd.Series([1, 2, 3]),
        range(1, 4),
        [np.int64(1), np.float32(2), 3],
    ],
)
def test_numbers_may_come_in_any_container(values: object) -> None:
    """List, tuple, range, array or pandas Series."""
    np.testing.assert_array_equal(Series.make(values).values, [1, 2, 3])


def test_a_series_built_directly_is_checked_too() -> None:
    """There is no way around the checks."""
    with pytest.raises(SeriesInfinite):
        Series(np.array([np.inf]))
    with pytest.raises(SeriesNotNumeric):
        Series(np.ones((2, 2)))
    with pytest.raises(FrequencyNotInferred):
        Series(np.ones(3), start=np.datetime64("2024-01-01"))


def test_a_horizon_past_the_year_9999_is_refused() -> None:
    """The series is fine, its future is not."""
    series = Series.make([1, 2, 3], start="9990", frequency="Y")

    with pytest.raises(TimestampInvalid):
        series.future(20)


@pytest.mark.parametrize(
    ("values", "whole"), [([0.0, 3.0, 2.0], True), ([0.0, float("nan"), -2.0], True), ([0.0, 2.5], False)]
)
def test_whole_numbers_are_told_from_measurements(values: list[float], *, whole: bool) -> None:
    """Gaps say nothing either way."""
    assert Series.make(values).is_whole == whole


def test_series_of_the_same_dates_are_read_alike() -> None:
    """The grid of dates is remembered, their values are each series' own: gaps, covariates, what a missing step means."""
    dates = ["2024-01-01", "2024-01-02", "2024-01-04", "2024-01-05", "2024-01-06"]

    first = Series.make([1, 2, 4, 5, 6], timestamps=dates, frequency="D")
    second = Series.make([7, None, 9, 10, 11], timestamps=dates, frequency="D", missing="zero")

    assert_array_equal(first.values, [1, 2, np.nan, 4, 5, 6])
    assert_array_equal(second.values, [7, np.nan, 0, 9, 10, 11])
    assert [[(one.code, one.index) for one in some.repairs] for some in (first, second)] == [
        [("GAP_INSERTED", 2)],
        [("GAP_MASKED", 1), ("GAP_ZERO", 2)],
    ]
    with pytest.raises(SeriesAllMissing):
        Series.make([None] * 5, timestamps=dates, frequency="D")


def test_a_timestamp_that_repeats_with_an_equal_value_counts_once() -> None:
    """With another value, or another covariate, it is an error; NaN equals NaN."""
    dates = ["2024-01", "2024-02", "2024-02", "2024-03", "2024-03", "2024-04"]
    price = [1, 2, 2, 3, 3, 4]

    one = Series.make([1, 2, 2, None, None, 4], timestamps=dates, frequency="M", past_covariates={"price": price})

    np.testing.assert_array_equal(one.values, [1, 2, np.nan, 4])
    np.testing.assert_array_equal(one.past_covariates["price"], [1, 2, 3, 4])
    assert [(repair.code, repair.count) for repair in one.repairs] == [("GAP_MASKED", 1), ("ROWS_REPEATED", 2)]
    for values, others in (([1, 2, 5, 3, 3, 4], price), ([1, 2, 2, 3, 3, 4], [1, 2, 7, 3, 3, 4])):
        with pytest.raises(TimestampsDuplicated):
            Series.make(values, timestamps=dates, frequency="M", past_covariates={"price": others})


@pytest.mark.parametrize(
    ("stamp", "named"),
    [
        ("2024-10-27T02:00", "Europe/Berlin"),
        ("2024-11-03 01:30", "America/New_York"),
        ("2024-10-26T02:00", None),
        ("2024-10-27", None),
        ("2024-10-27T02:00+01:00", None),
    ],
)
def test_an_hour_repeated_where_clocks_go_back_names_the_timezone(stamp: str, named: str | None) -> None:
    """With an equal value it counts once, though it may be an hour of its own."""
    stamps = [stamp, stamp, stamp.replace("2024", "2025")]

    repairs = Series.make([1, 1, 2], timestamps=stamps, frequency="D").repairs
    repair = next(one for one in repairs if one.code == "ROWS_REPEATED")

    assert ("Clocks go back" in repair.detail) == (named is not None)
    assert named is None or f" in {named}: " in repair.detail
