import numpy as np
import pytest

from models.calendar.frequency import Frequency
from models.safeguards.doubtful_zeros import CODE, find_doubtful_zeros
from models.safeguards.plausible import as_read
from models.series import Series
from models.values import Values

RNG = np.random.default_rng(0)
PRESSURE = (1013 + RNG.uniform(-9, 9, 400)).round(1)
KELVIN = (290 + RNG.uniform(-6, 6, 400)).round(1)
USUAL = 85 + RNG.uniform(-5, 5, 400).round(1)
DAYS, HOURS, MONTHS = Frequency("D"), Frequency("h"), Frequency("M")


def zeros_at(at: list[int] | range, values: Values = PRESSURE) -> Values:
    """Return values of which some are 0."""
    values = values.copy()
    values[list(at)] = 0
    return values


@pytest.mark.parametrize("values", [PRESSURE, KELVIN, USUAL, PRESSURE[:85]])
@pytest.mark.parametrize("at", [[-1], [0], [50], [-2, -1], [8, 30, 31, 32, 75], [40, 41, 42, 43, 44]])
def test_few_zeros_far_below_all_others_are_doubtful(values: Values, at: list[int]) -> None:
    """Alone or in a short run, also as the last value."""
    assert find_doubtful_zeros(zeros_at(at, values), DAYS).tolist() == sorted(one % len(values) for one in at)


@pytest.mark.parametrize(
    ("values", "frequency"),
    [
        (PRESSURE, DAYS),
        (zeros_at([3, 368]), DAYS),  # a holiday
        (zeros_at([7, 19], PRESSURE[:36]), MONTHS),  # closed in August
        (zeros_at([7, 19, 31], PRESSURE[:36]), None),
        (zeros_at([3, 4, 27, 28, 75, 76]), HOURS),  # at three in the morning
        (zeros_at(range(6, 400, 13)), DAYS),
        (zeros_at(range(0, 400, 7)), DAYS),
        (zeros_at(range(200, 220)), DAYS),  # a long closure
        (zeros_at(range(397, 400)), DAYS),  # the level that was reached
        (zeros_at([60], PRESSURE - 1000), DAYS),  # °C, and above them
        (zeros_at([60], PRESSURE - 990), DAYS),
        (zeros_at([60], 1013 * RNG.uniform(0.8, 1.2, 400)), DAYS),
        (RNG.poisson(8, 400).astype(float), DAYS),
        (np.where(RNG.random(400) < 0.1, RNG.poisson(5, 400), 0).astype(float), DAYS),
        (np.maximum(np.sin(np.arange(400) / 12 * np.pi), 0), HOURS),  # solar power
        (zeros_at([60], np.full(400, 5.0)), DAYS),  # one number
        (zeros_at([3], PRESSURE[:7]), DAYS),
        (np.zeros(50), DAYS),
        (np.full(50, np.nan), DAYS),
    ],
)
def test_zeros_that_a_series_measures_are_not_doubtful(values: Values, frequency: Frequency | None) -> None:
    """Holidays, closures that recur, counts, intermittent demand, temperatures in °C."""
    assert not find_doubtful_zeros(values, frequency).size


def test_doubtful_zeros_are_named_and_read_as_they_are() -> None:
    """With index and time; `mask` makes gaps of them."""
    values = zeros_at([120, 399])
    series = Series.make(values, start="2024-01-01", frequency="D")

    found, masked = as_read(series, 365), as_read(series, 365, "mask")

    assert found.values.tolist() == values.tolist()
    (warning,) = found.findings
    assert (warning.code, warning.pointer) == (CODE, "/values/120")
    assert "0 at index 120 (2024-04-30), 0 at index 399 (2025-02-03) lie far below all other values" in warning.detail
    assert "as measured" in warning.detail
    assert np.flatnonzero(np.isnan(masked.values)).tolist() == [120, 399]
    assert [one.code for one in masked.findings] == [CODE]
