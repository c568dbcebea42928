"""Small files that went wrong: the dates and values of their series are right."""

from pathlib import Path

import numpy as np
import pytest

from models import starters
from models.calendar.exact_frequency import FiscalPeriods
from models.calendar.zoned_grid import Frequency
from training.data.series_options import SeriesOptions
from training.data.series_set import read_series

CASES = Path(__file__).parent / "cases"


@pytest.mark.parametrize(
    ("name", "frequency", "length", "codes", "said"),
    [
        ("hourly_one_0830", "h", 480, ["DATE_OUTLIER"], "Row 202, series 'a': 2024-01-09T08:30 lies off"),
        ("weekly_one_shifted", "W-MON", 60, ["DATE_OUTLIER"], "Row 32, series 'a': 2022-08-02 lies off"),
        ("fifteen", "15min", 960, [], ""),
        ("hourly_jitter", "h", 300, ["TIMESTAMPS_SNAPPED"], "up to 3 s off the steps of h"),
    ],
)
def test_a_file_has_its_usual_step(name: str, frequency: str, length: int, codes: list[str], said: str) -> None:
    """One wrong stamp and jitter change nothing but what is said."""
    data = read_series(CASES / f"{name}.csv")

    assert (data.frequency.name, len(data.series[0]), data.inferred) == (frequency, length, True)
    assert not np.isnan(data.series[0].values).any()
    assert [one.code for one in data.findings] == codes
    assert all(said in one.detail for one in data.findings)


def test_fiscal_months_are_refused_or_read_as_periods() -> None:
    """With a season they are months without dates, never weeks with gaps."""
    for frequency in (None, "W-SAT", "W", "D"):
        with pytest.raises(FiscalPeriods, match=r"4 or 5 weeks apart.*first day of each calendar month"):
            read_series(CASES / "fiscal_445.csv", frequency=frequency)

    data = read_series(CASES / "fiscal_445.csv", reading=SeriesOptions(season_length=12))

    assert (data.frequency.name, len(data.series[0]), data.series[0].start) == ("M", 36, None)


@pytest.mark.parametrize("outliers", ["clip", "mask"])
def test_a_glitch_does_not_lead_the_network(outliers: str) -> None:
    """The forecasts stay where the other values are, and row and value are named."""
    data = read_series(CASES / "glitch.csv")

    for one, low, high in zip(data.series[:2], (45, 75), (65, 95), strict=True):
        (found,) = starters.load_starter(data.frequency).forecast([one], 28, outliers=outliers)
        assert low < found.quantiles.min()
        assert found.quantiles.max() < high
        assert "VALUES_IMPLAUSIBLE" in {warning.code for warning in found.warnings}
    (said,) = data.findings
    assert "65535 (series 'a', row 122), -9999 (series 'b', rows 212, 252, 292 and 3 more)" in said.detail


def test_implausible_values_are_gaps_for_training() -> None:
    """Neither contexts nor targets have them."""
    data = read_series(CASES / "glitch.csv", reading=SeriesOptions(outliers="mask"))

    assert [int(np.isnan(one.values).sum()) for one in data.series] == [1, 6, 0]
    assert "treated as gaps" in data.findings[0].detail
    later = read_series(CASES / "glitch.csv", reading=SeriesOptions(outliers="mask later"))
    assert later.findings == data.findings
    assert not any(np.isnan(one.values).any() for one in later.series)


def test_missing_days_may_be_days_without_sales(tmp_path: Path) -> None:
    """Counts without a zero are asked about; with `zero` each series is filled up to the last date of the file."""
    path = tmp_path / "d.csv"
    path.write_text(
        "unique_id,ds,y\na,2024-01-01,3\na,2024-01-04,1\na,2024-01-05,2\na,2024-01-09,2\nb,2024-01-01,4\nb,2024-01-02,4\n"
    )

    asked, filled = (
        read_series(path, frequency="D"),
        read_series(path, frequency="D", reading=SeriesOptions(missing="zero")),
    )

    assert "--missing zero" in next(one.hint for one in asked.findings if one.code == "MISSING_OR_ZERO")
    assert [one.values.tolist() for one in filled.series] == [[3, 0, 0, 1, 2, 0, 0, 0, 2], [4, 4, 0, 0, 0, 0, 0, 0, 0]]
    assert [one.code for one in filled.findings] == ["GAP_ZERO"]


def test_fifteen_minutes_know_the_day() -> None:
    """A day ahead is better than the same time yesterday; a history of a day has no season yet, and a warning."""
    (series,) = read_series(CASES / "fifteen.csv").series
    forecaster = starters.load_starter(Frequency("15min"))

    errors = []
    for cut in (96 * 7, 96 * 8, 96 * 9):
        (found,) = forecaster.forecast([series.before(cut)], 96)
        actual, yesterday = series.values[cut : cut + 96], series.values[cut - 96 : cut]
        errors.append([np.abs(one - actual).mean() for one in (found.median, yesterday)])
    (short,) = forecaster.forecast([series.before(96)], 5)

    assert np.mean(errors, axis=0)[0] < 0.9 * np.mean(errors, axis=0)[1]
    assert (len(found.median), len(short.median)) == (96, 5)
    assert [one.code for one in (*found.warnings, *short.warnings)] == ["SEASON_UNKNOWN"]
