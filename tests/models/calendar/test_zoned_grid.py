import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from models.calendar.zoned_grid import (
    Frequency,
    Timestamps,
    format_timestamps,
    parse_frequency,
    parse_timestamp,
    season_position,
    steps_between,
    timestamps_from,
)
from models.errors import TimestampInvalid, TimestampsOffCalendar

ALIASES = [
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
    "BQE-JAN",
    "BQS",
    "BQS-FEB",
]
ALIASES += [
    "YE",
    "YE-MAR",
    "YS",
    "YS-JUL",
    "BYE",
    "BYE-JUN",
    "BYS",
    "BYS-APR",
    "W",
    "W-MON",
    "W-TUE",
    "W-SAT",
    "D",
    "B",
    "C",
]
ALIASES += [
    "h",
    "min",
    "s",
    "ms",
    "us",
    "15min",
    "2W",
    "3ME",
    "5MS",
    "1h30min",
    "2B",
    "3D",
    "2QE",
    "2YS",
    "36h",
    "250ms",
]
ALIASES += ["bh", "2bh", "CBME", "CBMS"]
STARTS = ["2019-11-13 09:00", "2000-01-01 09:00", "2023-02-28", "1899-12-31 23:00"]
UNITS = ["M", "2M", "Q", "3Q", "Y", "W", "2W", "D", "5D", "B", "3B", "h", "15min", "s", "ms", "us"]


def stamp(text: str) -> np.datetime64:
    """Return the datetime64[us] that a text says."""
    return parse_timestamp(text).value


def dates(start: str, alias: str, count: int) -> list[str]:
    """Return the first timestamps of a series as dates."""
    return format_timestamps(timestamps_from(stamp(start), parse_frequency(alias), count), "YYYY-MM-DD")


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("alias", ALIASES)
def test_timestamps_agree_with_pandas(alias: str, start: str) -> None:
    """From any start that lies on it, every alias steps as pandas' own offset does, through leap years."""
    expected = pd.date_range(start, periods=60, freq=alias, unit="us").to_numpy()

    got = timestamps_from(expected[0], parse_frequency(alias), 60)

    np.testing.assert_array_equal(got, expected)
    assert got.dtype == "M8[us]"


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        ("2023-01-31", ["2023-01-31", "2023-02-28", "2023-03-31", "2023-04-30"]),
        ("2024-01-31", ["2024-01-31", "2024-02-29", "2024-03-31", "2024-04-30"]),
        ("2023-02-28", ["2023-02-28", "2023-03-31", "2023-04-30", "2023-05-31"]),
        ("2024-02-28", ["2024-02-28", "2024-03-28", "2024-04-28", "2024-05-28"]),
        ("2023-01-30", ["2023-01-30", "2023-02-28", "2023-03-30", "2023-04-30"]),
        ("2023-12-01", ["2023-12-01", "2024-01-01", "2024-02-01", "2024-03-01"]),
    ],
)
@pytest.mark.parametrize("alias", ["M", "MS", "monthly"])
def test_months_follow_the_start(alias: str, start: str, expected: list[str]) -> None:
    """A first day stays first, a last day last, another stays itself, clipped: whatever the alias says."""
    assert dates(start, alias, 4) == expected


def test_a_month_stamped_exact_keeps_its_day() -> None:
    """A series on the 28th does not slide to the 31st because it began in February."""
    timestamps = timestamps_from(stamp("2023-02-28"), Frequency("M", "exact"), 3)

    assert format_timestamps(timestamps, "YYYY-MM-DD") == ["2023-02-28", "2023-03-28", "2023-04-28"]


def test_leap_days_return_every_four_years() -> None:
    """A year that starts on 29 February ends its Februaries: 28th, and 29th again in 2028."""
    assert dates("2024-02-29", "Y", 5) == ["2024-02-29", "2025-02-28", "2026-02-28", "2027-02-28", "2028-02-29"]


def test_the_time_of_day_survives() -> None:
    """Readings at 07:30 stay at 07:30."""
    timestamps = timestamps_from(stamp("2023-01-31T07:30"), parse_frequency("M"), 2)

    assert timestamps[1] == stamp("2023-02-28T07:30")


def test_skipped_steps_are_left_out() -> None:
    """The future begins where the past ends."""
    start, frequency = stamp("1939-01"), parse_frequency("M")

    np.testing.assert_array_equal(
        timestamps_from(start, frequency, 3, skip=4), timestamps_from(start, frequency, 7)[4:]
    )
    assert timestamps_from(start, frequency, 0).shape == (0,)


@pytest.mark.parametrize(
    "timezone", ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "UTC"]
)
@pytest.mark.parametrize("alias", ["h", "3h", "15min", "D", "2D", "W", "B", "ME", "MS", "QS"])
def test_clock_changes_agree_with_pandas(alias: str, timezone: str) -> None:
    """Days and months are local, hours absolute, through a year of clock changes."""
    expected = pd.date_range("2024-01-01", "2024-12-31", freq=alias, tz=timezone, unit="us").tz_convert("UTC")
    expected_instants = expected.tz_localize(None).to_numpy()

    got = timestamps_from(expected_instants[0], parse_frequency(alias), len(expected), timezone)

    np.testing.assert_array_equal(got, expected_instants)


def test_a_day_may_have_23_hours() -> None:
    """Midnight in Berlin is an hour closer when clocks go forward."""
    start = stamp("2024-03-30T23:00")

    midnights = timestamps_from(start, parse_frequency("D"), 3, "Europe/Berlin")

    assert np.diff(midnights).astype("m8[h]").astype(int).tolist() == [23, 24]
    assert steps_between(start, midnights[2], parse_frequency("D"), "Europe/Berlin") == 2


@given(
    st.datetimes(pd.Timestamp("1700-01-01").to_pydatetime(), pd.Timestamp("2300-01-01").to_pydatetime()),
    st.sampled_from(UNITS),
    st.integers(0, 5000),
)
def test_steps_are_the_inverse_of_timestamps(start: object, alias: str, steps: int) -> None:
    """From any start the k-th timestamp lies k steps away, forwards and backwards."""
    first, frequency = np.datetime64(start, "us"), parse_frequency(alias)  # type: ignore[call-overload]
    assume(frequency.unit != "B" or np.is_busday(first.astype("M8[D]")))

    last = timestamps_from(first, frequency, 1, skip=steps)[0]

    assert steps_between(first, last, frequency) == steps
    assert steps_between(last, first, frequency) == -steps


@pytest.mark.parametrize(
    ("start", "end", "alias"),
    [
        ("2024-01-01", "2024-02-02", "M"),
        ("2024-01-01", "2024-02-01", "Q"),
        ("2024-01-01", "2024-01-04", "2D"),
        ("2024-01-01", "2024-01-09", "W"),
        ("2024-01-01", "2024-01-06", "B"),
        ("2024-01-01T00:00", "2024-01-01T00:30", "h"),
        ("2024-01-09T09:00", "2024-01-09T09:30", "bh"),
    ],
)
def test_half_a_step_is_off_the_calendar(start: str, end: str, alias: str) -> None:
    """A timestamp between two steps is refused, and the error points at it."""
    with pytest.raises(TimestampsOffCalendar) as caught:
        steps_between(stamp(start), stamp(end), parse_frequency(alias))

    assert caught.value.pointer == "/timestamps/1"


@pytest.mark.parametrize(("start", "alias"), [("2024-01-06", "B"), ("2024-01-03T03:00", "bh")])
def test_a_start_off_the_calendar_is_refused(start: str, alias: str) -> None:
    """No business day falls on a Saturday."""
    with pytest.raises(TimestampsOffCalendar):
        timestamps_from(stamp(start), parse_frequency(alias), 3)


@pytest.mark.parametrize("alias", [*UNITS[:-3], "bh", "999999999Y", "999999999D"])
@pytest.mark.parametrize("count", [200, 20_000])
def test_the_end_of_time_is_refused(alias: str, count: int) -> None:
    """Beyond 9999 there is no date: neither an overflow nor a year that wrapped."""
    start = "9999-12-31T16:00" if alias == "bh" else "9999-12-31"

    with pytest.raises(TimestampInvalid):
        timestamps_from(stamp(start), parse_frequency(alias), count)


@given(st.integers(-(2**62), 2**62), st.sampled_from(UNITS), st.integers(1, 300), st.sampled_from([None, "Asia/Tokyo"]))
def test_any_start_gives_timestamps_in_range_or_an_error(
    microseconds: int, alias: str, count: int, timezone: str | None
) -> None:
    """No start, however far, makes an OverflowError or a date that wrapped."""
    start = np.datetime64(microseconds, "us")
    try:
        timestamps = timestamps_from(start, parse_frequency(alias), count, timezone)
    except (TimestampInvalid, TimestampsOffCalendar):
        return
    assert np.all(np.diff(timestamps).astype(np.int64) > 0)
    assert stamp("0001-01-01") <= timestamps[0] <= timestamps[-1] <= stamp("9999-12-31T23:59:59.999999")


def test_nanoseconds_have_no_dates() -> None:
    """A step that datetime64[us] cannot hold is refused, not rounded to zero."""
    with pytest.raises(TimestampInvalid):
        timestamps_from(stamp("2024"), parse_frequency("100ns"), 2)


@pytest.mark.parametrize(
    ("text", "alias", "position"),
    [
        *[
            ("1939-01", "M", 0),
            ("1939-12-31", "M", 11),
            ("2024-02-29", "BM", 1),
            ("2024-05", "2M", 2),
            ("2024-05", "5M", 0),
        ],
        *[("2024-01", "Q", 0), ("2024-03-31", "Q", 0), ("2024-10", "Q", 3), ("2024-12-31", "QE", 3)],
        *[("2024-02", "QS-FEB", 1), ("2024-01-31", "QE-JAN", 0), ("2024-12", "QS-DEC", 0), ("2024-11-30", "QE-FEB", 3)],
        *[("2024-01-01", "D", 0), ("2024-01-07", "D", 6), ("2024-01-05", "B", 4), ("2024-01-01", "W", 0)],
        *[("2024-12-31", "W", 51), ("2024-01-15", "2W", 1), ("2024-12-31", "14D", 25), ("2024-07-04", "Y", 0)],
        *[("2024-01-01T00:00", "h", 0), ("2024-01-01T23:59", "h", 23), ("2024-01-01T07:30", "15min", 30)],
        *[("2024-01-01T07:42:11", "min", 42), ("2024-01-01T07:42:11", "s", 11), ("2024-01-01T13:00", "2h", 6)],
        *[("2024-01-01T09:00", "bh", 0), ("2024-01-01T16:00", "bh", 7), ("1900", "us", 0)],
        ("0001-01-01", "D", 0),
    ],
)
def test_season_positions_begin_with_january_monday_and_midnight(text: str, alias: str, position: int) -> None:
    """The position goes by the period, so that month starts and month ends agree."""
    assert season_position(stamp(text), parse_frequency(alias)) == position


@pytest.mark.parametrize("alias", [alias for alias in ALIASES if not alias.endswith(("W", "W-MON", "W-TUE", "W-SAT"))])
def test_season_positions_advance_with_the_steps(alias: str) -> None:
    """Each step is one further through the season, and after the last comes the first."""
    timestamps: Timestamps = pd.date_range("2019-01-01 09:00", periods=80, freq=alias, unit="us").to_numpy()
    frequency = parse_frequency(alias)

    positions = [season_position(timestamp, frequency) for timestamp in timestamps]

    steps = np.arange(80) if frequency.season_length > 1 else np.zeros(80)
    assert positions == ((positions[0] + steps) % frequency.season_length).tolist()


@pytest.mark.parametrize(
    ("text", "alias", "season_length", "position"),
    [
        *[("2024-01-01", "D", 365, 0), ("2024-12-31", "D", 365, 364), ("2023-12-31", "D", 365, 364)],
        *[
            ("2024-01-02T03:00", "h", 168, 27),
            ("2024-01-02T03:15", "15min", 672, 109),
            ("2024-01-01T01:05", "min", 1440, 65),
        ],
        *[("2024-01-02T10:00", "bh", 40, 9), ("2024-01-04", "B", 260, 3), ("2024-12-31", "B", 260, 259)],
        *[("2024-01-01", "M", 7, -1), ("2024-01-01", "M", 12, 0)],
    ],
)
def test_longer_seasons_have_positions_too(text: str, alias: str, season_length: int, position: int) -> None:
    """A model may use any season of its frequency; one that the frequency does not have is unknown, -1."""
    assert season_position(stamp(text), parse_frequency(alias), season_length=season_length) == position


@given(st.datetimes(), st.sampled_from(ALIASES))
def test_every_position_lies_within_its_season(moment: object, alias: str) -> None:
    """Whatever the date, the position is one that an embedding has."""
    frequency = parse_frequency(alias)

    for season_length in frequency.seasons:
        position = season_position(np.datetime64(moment, "us"), frequency, season_length=season_length)  # type: ignore[call-overload]
        assert 0 <= position < season_length


def test_season_positions_are_local() -> None:
    """Midnight in Tokyo is hour 0, though it is 15:00 in Greenwich."""
    assert season_position(stamp("2024-01-01T15:00"), parse_frequency("h"), "Asia/Tokyo") == 0
    assert season_position(stamp("2024-01-31T15:00"), parse_frequency("M"), "Asia/Tokyo") == 1


def test_equal_frequencies_with_other_stamps_have_other_timestamps() -> None:
    """What is remembered of month ends from 29 February is not taken for the 29th of each month."""
    start = np.datetime64("2024-02-29", "us")

    found = [timestamps_from(start, Frequency("M", stamp), 2)[1] for stamp in ("end", "exact", "end")]

    assert [str(one)[:10] for one in found] == ["2024-03-31", "2024-03-29", "2024-03-31"]


def test_what_series_share_cannot_be_changed() -> None:
    """Few timestamps are remembered: they are read-only, and another series has the same."""
    start = np.datetime64("2024-01-01", "us")

    first, second = (timestamps_from(start, Frequency("D"), 3) for _ in range(2))

    assert first is second
    with pytest.raises(ValueError, match="read-only"):
        first[0] = start
