"""What ships as temperatures.csv, and the rules by which it was made."""

import itertools

import numpy as np
import pandas as pd
import pytest

from training.datasets.make_temperatures import OUTPUT, celsius, monthly_means, temperatures


@pytest.fixture(scope="module")
def shipped() -> pd.DataFrame:
    """Return the file that ships."""
    return pd.read_csv(OUTPUT, parse_dates=["ds"])


def make_tables() -> dict[str, pd.DataFrame]:
    """Return small tables shaped as the packages ship theirs."""
    days = pd.date_range("1981-01-01", "1981-02-28", freq="D")
    months = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
    return {
        "nino": pd.DataFrame({"YEAR": [1950, 1951], **{m: [20.0 + i, 21.0 + i] for i, m in enumerate(months)}}),
        "nottingham": pd.DataFrame({"rownames": [1, 2], "time": [1920.0, 1920.083333], "value": [50.0, 32.0]}),
        "melbourne": pd.DataFrame({"Date": days.strftime("%Y-%m-%d"), "Min_Temp": 10.0, "Max_Temp": 20.0}),
        "clemson": pd.DataFrame({"rownames": 1, "date": days.strftime("%Y-%m-%d"), "tmin": 50.0, "tmax": 68.0}),
    }


def test_at_least_four_series_and_ninety_years_of_months_ship(shipped: pd.DataFrame) -> None:
    """The main job has real data enough: four series or more, 90 years of months or more."""
    assert list(shipped.columns) == ["unique_id", "ds", "y"]
    assert shipped["unique_id"].nunique() >= 4
    assert len(shipped) >= 90 * 12


def test_every_value_is_a_plausible_monthly_mean_in_celsius(shipped: pd.DataFrame) -> None:
    """Nothing stayed in Fahrenheit, nothing is missing: all lies between -15 and 45 °C."""
    assert shipped["y"].notna().all()
    assert shipped["y"].between(-15, 45).all()


def test_each_month_of_a_series_stands_once_in_order_on_its_first_day(shipped: pd.DataFrame) -> None:
    """No duplicates, no disorder, one calendar."""
    assert (shipped["ds"].dt.day == 1).all()
    for _, one in shipped.groupby("unique_id"):
        assert one["ds"].is_monotonic_increasing
        assert one["ds"].is_unique


def test_minima_lie_below_maxima(shipped: pd.DataFrame) -> None:
    """A station's mean daily minimum is below its mean daily maximum, every month."""
    wide = shipped.pivot_table(index="ds", columns="unique_id", values="y")

    for place in ("melbourne", "clemson"):
        both = wide[[f"{place}_min", f"{place}_max"]].dropna()
        assert (both[f"{place}_min"] < both[f"{place}_max"]).all()


def test_the_seasons_are_those_of_each_place(shipped: pd.DataFrame) -> None:
    """July is the warmest month in Nottingham and Clemson, and among the coldest in Melbourne."""
    mean = shipped.pivot_table(index="unique_id", columns=shipped["ds"].dt.month, values="y")

    assert mean.loc["nottingham"].idxmax() == 7
    assert mean.loc["clemson_max"].idxmax() == 7
    assert mean.loc["melbourne_max"].idxmin() == 7


def test_fahrenheit_becomes_celsius() -> None:
    """Water freezes at 32 °F and 0 °C, boils at 212 °F and 100 °C."""
    assert celsius(pd.Series([32.0, 212.0])).tolist() == pytest.approx([0.0, 100.0])


@pytest.mark.parametrize(("missing", "kept"), [(0, 1), (3, 1), (4, 0), (30, 0)])
def test_a_month_counts_while_at_most_three_days_are_missing(missing: int, kept: int) -> None:
    """A mean of fewer days would not be the month's."""
    daily = pd.Series(10.0, index=pd.date_range("2000-01-01", periods=31, freq="D"))
    daily.iloc[:missing] = np.nan

    assert len(monthly_means(daily)) == kept


def test_absent_days_are_missing_days() -> None:
    """A day that is not in the table counts like one without a value."""
    daily = pd.Series(10.0, index=pd.date_range("2000-01-05", "2000-02-29", freq="D"))

    assert monthly_means(daily).index.tolist() == [pd.Timestamp("2000-02-01")]


def test_a_slip_of_the_pen_is_no_weather() -> None:
    """A day 40 °C away from its calendar month's median does not enter the mean."""
    daily = pd.Series(20.0, index=pd.date_range("2000-07-01", periods=31, freq="D"))
    daily.iloc[10] = -57.8

    assert monthly_means(daily).tolist() == [20.0]


def test_the_table_is_made_from_the_packages_tables() -> None:
    """Six series, sorted, in °C with two decimals, from tables shaped as the packages ship them."""
    table = temperatures(make_tables())

    names = ["clemson_max", "clemson_min", "melbourne_max", "melbourne_min", "nino_1_2", "nottingham"]
    assert table["unique_id"].unique().tolist() == names
    last = table[table["unique_id"] == "nottingham"]
    assert last["ds"].tolist() == ["1920-01-01", "1920-02-01"]
    assert last["y"].tolist() == [10.0, 0.0]
    assert table[table["unique_id"] == "clemson_max"]["y"].tolist() == [20.0, 20.0]


def test_the_file_is_written_as_the_script_writes_it(shipped: pd.DataFrame) -> None:
    """Sorted by series and month, two decimals, one line feed a row: making it again changes no byte."""
    rows = list(zip(shipped["unique_id"], shipped["ds"], strict=True))
    assert all(before < after for before, after in itertools.pairwise(rows))

    text = pd.read_csv(OUTPUT).round({"y": 2}).to_csv(index=False, lineterminator="\n")

    assert text.encode() == OUTPUT.read_bytes()
