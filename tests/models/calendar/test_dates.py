from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from models.calendar.dates import read_start, read_timestamps
from models.errors import TimestampInvalid, TimestampsDuplicated, TimestampsOutOfOrder
from models.series import Series

BERLIN = "Europe/Berlin"
HOURS = ["2024-10-27T02:00+02:00", "2024-10-27T02:00+01:00", "2024-10-27T03:00+01:00"]


@pytest.mark.parametrize(
    "start",
    [
        "2024-03-30",
        date(2024, 3, 30),
        np.datetime64("2024-03-30"),
        np.datetime64("2024-03-30", "ns"),
        pd.Timestamp("2024-03-30"),
    ],
)
def test_a_start_may_be_any_kind_of_date(start: object) -> None:
    """Text, date, datetime64 of any unit and pandas Timestamps say the same."""
    assert read_start(start, None).stamps[0] == np.datetime64("2024-03-30")


@pytest.mark.parametrize(
    "start", [5, 1.5, True, [], ["2024"], {}, pd.NaT, np.datetime64("NaT"), np.datetime64(2**62, "us"), b"2024"]
)
def test_a_start_that_is_no_date_is_refused(start: object) -> None:
    """Numbers, lists, NaT and years out of range are TIMESTAMP_INVALID at /start."""
    with pytest.raises(TimestampInvalid) as caught:
        read_start(start, None)

    assert caught.value.pointer == "/start"


@pytest.mark.parametrize(
    ("items", "style"),
    [
        (["2024-01", "2024-02"], "YYYY-MM"),
        (["2024-01-01", "2024-01-02"], "YYYY-MM-DD"),
        (["2024", "2025"], "YYYY"),
        (["2024-Q1", "2024-Q2"], "YYYY-Qq"),
        (["2024-01-01T00:00", "2024-01-01T01:00"], "YYYY-MM-DDThh:mm"),
        (["2024-01-01 00:00", "2024-01-01 01:00"], "YYYY-MM-DD hh:mm"),
        (["2024-01-01", "2024-01-01T01:00:00"], "YYYY-MM-DDThh:mm:ss"),
        (pd.date_range("2024-01-01", periods=2), "YYYY-MM-DD"),
        (list(pd.date_range("2024-01-01", periods=2)), "YYYY-MM-DD"),
        (pd.date_range("2024-01-01", periods=2, freq="90s").to_numpy(), "YYYY-MM-DDThh:mm:ss"),
        (pd.Series(pd.date_range("2024-01-01", periods=2, freq="90ms")), "YYYY-MM-DDThh:mm:ss.ffffff"),
        (np.array(["2024-01-01", "2024-01-02"], dtype=object), "YYYY-MM-DD"),
        ((date(2024, 1, 1), date(2024, 1, 2)), "YYYY-MM-DD"),
    ],
)
def test_timestamps_keep_their_style(items: object, style: str) -> None:
    """Of several styles the finest counts; dates that are not text are written as short as they can be."""
    assert read_timestamps(items, None).style == style


@pytest.mark.parametrize(
    ("items", "pointer"),
    [
        ("2024-01-01", "/timestamps"),
        (5, "/timestamps"),
        ({"a": 1}, "/timestamps"),
        ([], "/timestamps"),
        (np.array([["2024-01-01"]], "M8[us]"), "/timestamps"),
        (["2024-01-01", 1704153600], "/timestamps/1"),
        (["2024-01-01", None], "/timestamps/1"),
        (["2024-01-01", "2024-02-30"], "/timestamps/1"),
        (["2024-01-01", "2024-01-02T00:00Z"], "/timestamps/1"),
        (["2024-01-01", ["2024-01-02"]], "/timestamps/1"),
        (["0000-01-01", "0001-01-01"], "/timestamps/0"),
        (np.array(["2024-01-01", "NaT"], "M8[us]"), "/timestamps/1"),
        (np.array([0, 2**62], "M8[us]"), "/timestamps/1"),
    ],
)
def test_timestamps_that_are_none_are_pointed_at(items: object, pointer: str) -> None:
    """The error says which one is wrong."""
    with pytest.raises(TimestampInvalid) as caught:
        read_timestamps(items, None)

    assert caught.value.pointer == pointer


@pytest.mark.parametrize(
    ("items", "error"),
    [
        (["2024-01-01", "2024-01-02", "2024-01-02"], TimestampsDuplicated),
        (["2024-01-01", "2024-01-03", "2024-01-02"], TimestampsOutOfOrder),
        ([HOURS[1], HOURS[1], HOURS[1]], TimestampsDuplicated),
        ([HOURS[0], HOURS[1], HOURS[0]], TimestampsOutOfOrder),
    ],
)
def test_timestamps_must_rise(items: list[str], error: type[Exception]) -> None:
    """Each kind of disorder has its own error, at the first place that shows it."""
    with pytest.raises(error) as caught:
        read_timestamps(items, None)

    assert caught.value.pointer in ("/timestamps/1", "/timestamps/2")  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("tail", "zone"), [("", None), ("Z", None), ("Z", BERLIN), ("+05:30", None), ("+05:30", BERLIN), ("-0330", BERLIN)]
)
@given(moments=st.sets(st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1)), min_size=1, max_size=20))  # noqa: DTZ001
def test_texts_read_at_once_are_read_as_each_alone(moments: set[datetime], tail: str, zone: str | None) -> None:
    """Texts written alike go through numpy together; the answer is that of one after the other."""
    texts = [moment.isoformat(timespec="milliseconds") + tail for moment in sorted(moments)]
    assume(len(set(texts)) == len(texts))

    dates = read_timestamps(texts, zone)

    alone = [read_start(text, zone) for text in texts]
    np.testing.assert_array_equal(dates.stamps, [one.stamps[0] for one in alone])
    assert dates.style == alone[0].style


def test_a_fixed_offset_stays() -> None:
    """Wall clocks at +05:30 stay at +05:30."""
    dates = read_timestamps(["2024-01-01T00:00+05:30", "2024-01-02T00:00+05:30"], None)

    assert dates.stamps[0] == np.datetime64("2024-01-01")
    assert dates.style == "YYYY-MM-DDThh:mm+05:30"


@pytest.mark.parametrize(
    "texts", [HOURS, ["2024-03-30T00:00+01:00", "2024-03-31T00:00+01:00", "2024-04-01T00:00+02:00"]]
)
def test_offsets_that_change_are_those_of_a_timezone(texts: list[str]) -> None:
    """The two 02:00 of a night that clocks go back are an hour apart; midnights are days although one has 23 hours."""
    dates = read_timestamps(texts, None)
    series = Series.make([1.0, 2.0, 3.0], timestamps=texts, frequency="h" if texts is HOURS else "D")

    np.testing.assert_array_equal(dates.stamps, read_timestamps(texts, BERLIN).stamps)
    assert [one.code for one in series.findings] == ["TIMEZONE_FOUND"]
    assert (dates.timezone, len(series), series.timezone) == (BERLIN, 3, BERLIN)


def test_offsets_of_no_usual_timezone_stay() -> None:
    """One time of day is that of local days, other times are written with the offset that came last."""
    days = read_timestamps(["2024-01-01T00:00+01:00", "2024-01-02T00:00+07:00", "2024-01-03T00:00+07:00"], None)
    hours = read_timestamps(["2024-01-01T00:00+01:00", "2024-01-01T07:00+07:00", "2024-01-01T08:00+07:00"], None)

    assert np.diff(days.stamps).tolist() == [timedelta(days=1)] * 2
    assert np.diff(hours.stamps).tolist() == [timedelta(hours=1)] * 2
    assert (hours.stamps[-1], hours.style) == (np.datetime64("2024-01-01T08:00"), "YYYY-MM-DDThh:mm+07:00")
    assert [one.code for one in days.findings + hours.findings] == ["TIMEZONE_DROPPED"] * 2


@pytest.mark.parametrize(
    "items",
    [
        HOURS,
        ["2024-10-27T02:00", "2024-10-27T02:00", "2024-10-27T03:00"],
        ["2024-10-27T00:00Z", "2024-10-27T01:00Z", "2024-10-27T02:00Z"],
    ],
)
def test_with_a_timezone_all_are_instants(items: list[str]) -> None:
    """Offsets are believed; without them the hour that comes twice in a row is the first, then the second."""
    dates = read_timestamps(items, BERLIN)

    np.testing.assert_array_equal(dates.stamps, np.arange("2024-10-27T00", "2024-10-27T03", dtype="M8[h]"))


@pytest.mark.parametrize("start", ["2024-03-31T02:30", "2024-03-31 02:30:00"])
def test_a_local_time_that_clocks_skip_is_refused(start: str) -> None:
    """As in files and observations; a midnight that they skip is the day's first moment."""
    for read, pointer in ((read_start, "/start"), (lambda one, zone: read_timestamps([one], zone), "/timestamps/0")):
        with pytest.raises(TimestampInvalid, match="2024-03-31T02:30:00 does not exist in Europe/Berlin") as caught:
            read(start, BERLIN)
        assert caught.value.pointer == pointer
    assert read_start("2024-04-26", "Africa/Cairo").stamps[0] == np.datetime64("2024-04-25T22:00")


def test_aware_datetimes_bring_their_timezone() -> None:
    """A zone that all share need not be said twice; a fixed offset is not a zone."""
    days = [datetime(2024, 3, day, tzinfo=ZoneInfo(BERLIN)) for day in (30, 31)]

    assert read_timestamps(days, None).timezone == BERLIN
    assert read_timestamps(pd.date_range("2024-03-30", periods=3, tz=BERLIN), None).timezone == BERLIN
    assert read_timestamps([day.astimezone(UTC) for day in days], None).timezone is None
    assert read_start(datetime(2024, 3, 30, tzinfo=timezone(timedelta(hours=2))), None).timezone is None


def test_persian_dates_are_refused_unless_a_frequency_is_stated() -> None:
    """With one they are read, and it is said."""
    with pytest.raises(TimestampInvalid, match="in the year 1403, which looks like one of the Persian") as caught:
        read_timestamps(["1403-01-01", "1403-01-02"], None)
    assert "state the frequency" in caught.value.hint

    found = [read_start("1403-01-01", None), read_timestamps(["1403-01-01", "1403-01-02"], None, stated="D")]
    assert [(one.code, one.pointer) for dates in found for one in dates.findings] == [
        ("ERA_UNCLEAR", "/start"),
        ("ERA_UNCLEAR", "/timestamps/0"),
    ]


def test_years_of_the_middle_ages_are_such_years() -> None:
    """Alone, as their first or last days, or of a yearly series; and it needs no remark."""
    for end in ("", "-01-01", "-12-31"):
        assert not read_timestamps([f"1403{end}", f"1404{end}"], None).findings
    assert not read_start("1403", None).findings
    assert not read_start("1403-06-30", None, "Y").findings


@pytest.mark.parametrize("day", ["2567-01-29", date(2567, 1, 29), np.datetime64("2567-01-29")])
def test_years_of_the_buddhist_era_are_refused(day: object) -> None:
    """A start, and timestamps that are all of such years: weekdays and leap days would be wrong."""
    with pytest.raises(TimestampInvalid, match="in the year 2567") as start:
        read_start(day, None)
    with pytest.raises(TimestampInvalid, match="in the year 2567") as several:
        read_timestamps([day], None)

    assert (start.value.pointer, several.value.pointer) == ("/start", "/timestamps/0")
    assert len(read_timestamps(["2024-01-29", day], None).stamps) == 2
