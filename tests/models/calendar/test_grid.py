import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.calendar.grid import fewest_steps, fit_frequency, positions, timestamps_at
from models.calendar.zoned_grid import Frequency, parse_frequency
from models.errors import TimestampInvalid, TimestampsOffCalendar

ALIASES = ["M", "MS", "BM", "2QS", "Y", "W", "D", "B", "3B", "h", "15min", "us", "bh", "2bh"]


@given(st.sampled_from(ALIASES), st.sets(st.integers(0, 200), min_size=1))
def test_positions_are_the_inverse_of_a_walk(alias: str, wanted: set[int]) -> None:
    """Any steps may be left out; those that remain know where they stand."""
    frequency = parse_frequency(alias)
    start = pd.date_range("2020-01-01 09:00", periods=1, freq=_oracle(alias), unit="us").to_numpy()[0]
    steps = np.array(sorted({0, *wanted}))

    np.testing.assert_array_equal(positions(timestamps_at(start, frequency, steps), frequency), steps)


@given(st.sampled_from(ALIASES), st.integers(0, 3000))
def test_fewest_steps_never_says_too_many(alias: str, steps: int) -> None:
    """The bound that guards the memory refuses nothing that fits."""
    frequency = parse_frequency(alias)
    start = pd.date_range("2020-01-01 09:00", periods=1, freq=_oracle(alias), unit="us").to_numpy()[0]

    end = timestamps_at(start, frequency, np.array([steps]))[0]

    assert fewest_steps(start, end, frequency) <= steps


@pytest.mark.parametrize(
    ("texts", "alias", "stamp"),
    [
        (["2023-01-31", "2023-02-28"], "MS", "start"),
        (["2023-02-28", "2023-03-28"], "M", "exact"),
        (["2024-03-29", "2024-04-30", "2024-05-31"], "M", "business_end"),
        (["2024-06-03", "2024-07-01", "2024-08-01"], "M", "business_start"),
    ],
)
def test_the_timestamps_say_where_in_the_period_they_lie(texts: list[str], alias: str, stamp: str) -> None:
    """The alias' own place counts where it fits, else the one that the timestamps show."""
    frequency, steps = fit_frequency(np.array(texts, "M8[us]"), parse_frequency(alias))

    assert (frequency, frequency.stamp) == (parse_frequency(alias), stamp)
    assert steps.tolist() == list(range(len(texts)))


def test_what_fits_in_no_place_is_off_the_calendar() -> None:
    """The error is that of the place the alias named."""
    with pytest.raises(TimestampsOffCalendar) as caught:
        fit_frequency(np.array(["2024-01-01", "2024-02-02"], "M8[us]"), Frequency("M"))

    assert caught.value.pointer == "/timestamps/1"


@pytest.mark.parametrize("edge", ["0001-01-01T00:00", "9999-12-31T09:00"])
def test_the_edges_of_pandas_calendar_are_refused_in_our_words(edge: str) -> None:
    """Python's datetime ends in 9999; what pandas raises there does not get through."""
    with pytest.raises((TimestampInvalid, TimestampsOffCalendar)):
        timestamps_at(np.datetime64(edge, "us"), Frequency("bh"), np.arange(30))


def _oracle(alias: str) -> str:
    return {"M": "ME", "BM": "BME", "Y": "YE"}.get(alias, alias)


def test_several_hours_that_clocks_moved_have_a_hint_that_helps() -> None:
    """They are counted in UTC, with a timezone too, so a timezone is no remedy."""
    moved = np.array(["2024-03-30T21", "2024-03-31T04"], dtype="datetime64[us]")

    with pytest.raises(TimestampsOffCalendar) as caught:
        positions(moved, parse_frequency("8h"))

    assert "Send local times without offset and timezone" in str(caught.value.hint)
