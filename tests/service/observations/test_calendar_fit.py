from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.calendar.zoned_grid import parse_frequency, timestamps_from
from service.observations.calendar_fit import fit_to


@given(
    st.sampled_from(["M", "MS", "Q-NOV", "Y", "W-WED", "D", "B", "h", "15min", "2M", "3D"]),
    st.dates(min_value=date(1990, 1, 1), max_value=date(2030, 1, 1)),
    st.sets(st.integers(0, 60), min_size=5),
    st.integers(0, 4),
)
def test_timestamps_of_one_grid_fit_any_stored_one(frequency: str, day: date, steps: set[int], at: int) -> None:
    """Before or after it, in any order, with gaps."""
    step = parse_frequency(frequency)
    start = np.datetime64(str(day), "us")
    if step.unit == "B":
        start = np.busday_offset(start.astype("M8[D]"), 0, roll="forward").astype("M8[us]")
    stamps = timestamps_from(start, step, 61)[sorted(steps)]

    fit = fit_to(step, None, stamps[at : at + 1], stamps[::-1])

    assert fit.on_grid.all()
    assert not fit.too_far.any()


@pytest.mark.parametrize(("new", "fits"), [("2023-03-28", True), ("2023-03-31", False)])
def test_two_stored_values_fix_the_day_of_the_month(new: str, *, fits: bool) -> None:
    """28 February alone may be the last day or the 28th."""
    stored = np.array(["2023-01-28", "2023-02-28"], "M8[us]")

    assert fit_to(parse_frequency("M"), None, stored, np.array([new], "M8[us]")).on_grid.tolist() == [fits]
    assert fit_to(parse_frequency("M"), None, stored[1:], np.array([new], "M8[us]")).on_grid.all()


def test_a_long_history_may_come_after_the_newest_values() -> None:
    """Years of minutes before the stored value are not too far from it."""
    stored = np.array(["2024-06-01"], "M8[us]")
    part = timestamps_from(np.datetime64("2019-01-01", "us"), parse_frequency("min"), 1_000)

    assert not fit_to(parse_frequency("min"), None, stored, part).too_far.any()


def test_jitter_is_stored_at_its_step() -> None:
    """Exact stamps afterwards fit the same grid; half an hour off does not."""
    hours = np.datetime64("2024-01-01", "us") + np.arange(60).astype("m8[h]")
    late = hours + (np.arange(60) % 4).astype("m8[s]")

    new = fit_to(parse_frequency("h"), None, hours[:0], late)
    later = fit_to(
        parse_frequency("h"), None, hours[:3], np.array([hours[50], late[51], hours[52] + np.timedelta64(30, "m")])
    )

    assert new.on_grid.all()
    np.testing.assert_array_equal(new.points, hours)
    assert later.on_grid.tolist() == [True, True, False]
    np.testing.assert_array_equal(later.points[:2], hours[50:52])
