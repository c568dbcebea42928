"""Actuals: of what is observed, what stands for a step."""

import numpy as np
from numpy.testing import assert_array_equal

from models.calendar.zoned_grid import parse_frequency
from service.store.scoring.actuals import Observed, match_actuals, match_steps


def test_of_two_observations_at_one_time_the_last_counts() -> None:
    """In any order; a clock that is set back shows an hour twice."""
    stamps = np.array(["2024-01-03", "2024-01-01", "2024-01-03"], "M8[us]")
    observed = Observed.make(stamps, np.array([1.0, 2.0, 3.0]))

    steps = np.arange("2024-01-01", "2024-01-05", dtype="M8[D]").astype("M8[us]")

    assert_array_equal(match_steps(observed, steps, parse_frequency("D")), [2.0, np.nan, 3.0, np.nan])
    assert_array_equal(match_steps(Observed(stamps[:0], np.array([])), steps, parse_frequency("M")), [np.nan] * 4)


def test_a_day_is_observed_at_any_time_of_its_date_once() -> None:
    """Two values of one date are hours of it, and neither is the day."""
    stamps = np.array(["2024-01-01T12:00", "2024-01-02T06:00", "2024-01-02T12:00", "2024-01-03T12:00"], "M8[us]")
    observed, days = Observed.make(stamps, np.arange(4.0)), parse_frequency("D")

    steps = np.arange("2024-01-01", "2024-01-05", dtype="M8[D]").astype("M8[us]")

    for found in (match_steps(observed, steps, days), match_actuals(observed, steps, days)):
        assert_array_equal(found[[1, 2, 3]], [np.nan, 3.0, np.nan])
