from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.calendar.frequency import Frequency
from models.calendar.timestamps import (
    EARLIEST,
    LATEST,
    STYLES,
    load_timezone,
    refine_style,
    to_instants,
    to_local_times,
)
from models.calendar.zoned_grid import format_timestamps, parse_timestamp, timestamps_from
from models.errors import TimestampInvalid

READ = {
    "1939": ("1939-01-01", "YYYY"),
    "1939-05": ("1939-05-01", "YYYY-MM"),
    "1939-Q2": ("1939-04-01", "YYYY-Qq"),
    "1939Q4": ("1939-10-01", "YYYYQq"),
    "1939-05-31": ("1939-05-31", "YYYY-MM-DD"),
    "2024-02-29": ("2024-02-29", "YYYY-MM-DD"),
    "1939-05-31T07:30": ("1939-05-31T07:30", "YYYY-MM-DDThh:mm"),
    "1939-05-31 07:30:15": ("1939-05-31T07:30:15", "YYYY-MM-DD hh:mm:ss"),
    "1939-05-31t07:30:15z": ("1939-05-31T07:30:15", "YYYY-MM-DDThh:mm:ssZ"),
    "1939-05-31T07:30:15.25": ("1939-05-31T07:30:15.250", "YYYY-MM-DDThh:mm:ss.fff"),
    "1939-05-31T07:30:15.123456000": ("1939-05-31T07:30:15.123456", "YYYY-MM-DDThh:mm:ss.ffffff"),
    "1939-05-31T07:30+01:00": ("1939-05-31T07:30", "YYYY-MM-DDThh:mm+01:00"),
    "1939-05-31T07:30:00-0330": ("1939-05-31T07:30", "YYYY-MM-DDThh:mm:ss-03:30"),
    "1939-05-31 07:30:00 +05": ("1939-05-31T07:30", "YYYY-MM-DD hh:mm:ss+05:00"),
    "0001-01-01": ("0001-01-01", "YYYY-MM-DD"),
    "9999-12-31T23:59:59.999999": ("9999-12-31T23:59:59.999999", "YYYY-MM-DDThh:mm:ss.ffffff"),
}
REFUSED = [
    "1939-05-31T24:01",
    "1939-05-31T24:00:01",
    "9999-12-31T24:00",
    "1939-05T24:00",
    "",
    "x",
    "NaT",
    "today",
    "now",
    "39",
    "1939-13",
    "1939-00",
    "1939-02-29",
    "1939-1-1",
    "31.05.1939",
]
REFUSED += ["1939-05-31T25:00", "1939-05-31T07:60", "1939-05-31T07:30:61", "1939-05-31T07:30+24:00", "1939-Q5", "1939Q"]
REFUSED += ["0000", "0000-12-31", "10000-01-01", "-1939-01-01", "99999", "1939-05-31T07:30:00.1234567", "1939-05T07:30"]
REFUSED += ["0001-01-01T00:00+01:00", "9999-12-31T23:59-00:01", "\u0661939", "1939-05-31\n", "1939" * 1000]


@pytest.mark.parametrize(("text", "expected"), READ.items())
def test_a_timestamp_is_read_as_written(text: str, expected: tuple[str, str]) -> None:
    """The wall clock and the way it was written both survive."""
    stamp = parse_timestamp(text)

    assert (stamp.value, stamp.style) == (np.datetime64(expected[0], "us"), expected[1])
    assert stamp.value.dtype == "M8[us]"


@pytest.mark.parametrize("text", ["1939-12-31T24:00", "1939-12-31 24:00:00Z", "1939-12-31T24:00:00.000+01:00"])
def test_the_end_of_a_day_is_the_next_midnight(text: str) -> None:
    """As ISO 8601 has it, on the clock of the text."""
    assert parse_timestamp(text).value == np.datetime64("1940-01-01", "us")


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_no_timestamp_is_refused(text: str) -> None:
    """No date, a date that never was, a word that numpy would take, or a year out of range: TIMESTAMP_INVALID."""
    with pytest.raises(TimestampInvalid) as caught:
        parse_timestamp(text, pointer="/start")

    assert caught.value.pointer == "/start"
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("value", [5, 1.5, None, True, [], {}, b"1939", [10**5000], datetime(2020, 1, 1, tzinfo=UTC)])
def test_what_is_no_text_is_refused(value: object) -> None:
    """JSON may send anything; the answer is typed all the same."""
    with pytest.raises(TimestampInvalid):
        parse_timestamp(value)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text", [text for text in READ if text[-1] not in "zZ5" and text[-6:] != "456000" and " +" not in text]
)
def test_writing_is_the_inverse_of_reading(text: str) -> None:
    """An answer speaks the dialect of its question."""
    stamp = parse_timestamp(text)

    written = format_timestamps(np.array([stamp.value]), stamp.style)[0]

    assert written.replace(":", "") == text.replace(":", "")


@given(st.datetimes(), st.sampled_from(STYLES), st.sampled_from(["", "Z", "+05:30", "-11:00"]), st.sampled_from("T "))
def test_every_style_is_its_own_inverse(moment: datetime, style: str, tail: str, separator: str) -> None:
    """Whatever we write, we read back in the same style."""
    style = style.replace("T", separator) + (tail if "hh" in style else "")
    shift = timedelta(days=1) if moment.year == 1 else -timedelta(days=1) if moment.year == 9999 else timedelta(0)
    written = format_timestamps(np.array([moment + shift], "M8[us]"), style)

    stamp = parse_timestamp(written[0])

    assert stamp.style == style
    assert format_timestamps(np.array([stamp.value]), style) == written


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    """No text makes anything but a timestamp within range or TIMESTAMP_INVALID."""
    try:
        stamp = parse_timestamp(text)
    except TimestampInvalid:
        return
    assert EARLIEST <= stamp.value <= LATEST


@given(st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}", fullmatch=True))
def test_numbers_that_look_like_a_date_are_read_as_python_reads_them(text: str) -> None:
    """What Python's datetime calls a date is one here, and nothing else."""
    try:
        expected = datetime.fromisoformat(text)
    except ValueError:
        with pytest.raises(TimestampInvalid):
            parse_timestamp(text)
        return
    assert parse_timestamp(text).value.item() == expected


def test_an_offset_gives_the_moment() -> None:
    """Half past seven in Adelaide is ten at night the day before in Greenwich."""
    stamp = parse_timestamp("2024-07-01T07:30:00+09:30")

    assert (stamp.offset, stamp.instant) == (34200, np.datetime64("2024-06-30T22:00", "us"))


@pytest.mark.parametrize("timezone", ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC"])
def test_local_times_agree_with_pandas(timezone: str) -> None:
    """Every half hour of a year, its clock changes included, shows what pandas shows."""
    instants = np.arange("2024-01-01", "2025-01-01", 30, dtype="M8[m]").astype("M8[us]")

    local = to_local_times(instants, timezone)

    expected = pd.DatetimeIndex(instants, tz="UTC").tz_convert(timezone).tz_localize(None)
    np.testing.assert_array_equal(local, expected.to_numpy())


@pytest.mark.parametrize("timezone", ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe"])
def test_instants_are_the_inverse_of_local_times(timezone: str) -> None:
    """In order, even the hour that a clock change repeats is distinct."""
    instants = np.arange("2024-01-01", "2025-01-01", 30, dtype="M8[m]").astype("M8[us]")

    np.testing.assert_array_equal(to_instants(to_local_times(instants, timezone), timezone), instants)


def test_a_skipped_wall_clock_moves_on() -> None:
    """02:30 on the night that clocks go forward is 03:30, an hour after 01:30."""
    walls = np.array(["2024-03-31T01:30", "2024-03-31T02:30"], "M8[us]")

    instants = to_instants(walls, "Europe/Berlin")

    assert format_timestamps(instants, "YYYY-MM-DDThh:mm", "Europe/Berlin")[1] == "2024-03-31T03:30+02:00"


@pytest.mark.parametrize("timezone", ["", "Mars/Base", "Europe", "../../etc/passwd", "/etc/passwd", "\0", "é" * 300])
def test_an_unknown_timezone_is_refused(timezone: str) -> None:
    """No name makes a file system error."""
    with pytest.raises(TimestampInvalid) as caught:
        load_timezone(timezone)

    assert caught.value.pointer == "/timezone"


def test_local_times_carry_their_offset() -> None:
    """The hour that a clock change repeats is written unambiguously, dates stay dates."""
    instants = timestamps_from(np.datetime64("2024-10-27T00:00", "us"), Frequency("h"), 2)

    written = format_timestamps(instants, "YYYY-MM-DD hh:mm", "Europe/Berlin")

    assert written == ["2024-10-27 02:00+02:00", "2024-10-27 02:00+01:00"]
    assert format_timestamps(instants, "YYYY-MM-DDThh:mmZ", "Europe/Berlin")[0] == "2024-10-27T00:00Z"
    assert format_timestamps(instants, "YYYY-MM-DD", "Europe/Berlin")[0] == "2024-10-27"


def test_local_times_out_of_range_are_refused() -> None:
    """A year 10000 in Auckland is refused, and never wraps around."""
    instants = np.array(["9999-12-31T23:00"], "M8[us]")

    with pytest.raises(TimestampInvalid):
        to_local_times(instants, "Pacific/Auckland")
    with pytest.raises(TimestampInvalid):
        to_instants(instants, "America/New_York")
    with pytest.raises(TimestampInvalid):
        to_local_times(np.array(["NaT"], "M8[us]"), "UTC")


@pytest.mark.parametrize(
    ("style", "coarsest", "refined"),
    [
        ("YYYY", "YYYY-MM", "YYYY-MM"),
        ("YYYY", "YYYY-Qq", "YYYY-MM"),
        ("YYYY-Qq", "YYYY-Qq", "YYYY-Qq"),
        ("YYYY-MM-DD", "YYYY-MM", "YYYY-MM-DD"),
        ("YYYY-MM-DD", "YYYY-MM-DDThh:mm", "YYYY-MM-DDThh:mm"),
        ("YYYY-MM-DD hh:mm+01:00", "YYYY-MM-DDThh:mm:ss", "YYYY-MM-DD hh:mm:ss+01:00"),
    ],
)
def test_a_style_too_coarse_for_its_steps_is_refined(style: str, coarsest: str, refined: str) -> None:
    """Two steps never read the same."""
    assert refine_style(style, coarsest) == refined


@pytest.mark.parametrize("tail", ["", "Z", "+01:00"])
def test_an_hour_may_lack_its_minutes(tail: str) -> None:
    """As numpy writes hours, and as files are read."""
    found = parse_timestamp(f"1939-05-31T07{tail}")

    assert (found.value, found.style) == (np.datetime64("1939-05-31T07:00"), f"YYYY-MM-DDThh:mm{tail}")
