import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from models.covariates import CovariateNames
from models.errors import DataInvalid, FrequencyNotInferred
from models.series import Series
from tests.training.fakes import make_series, write_csv
from training.config.training import Columns
from training.data.series_set import digest, read_series


def test_series_come_back_as_they_were_written(data_file: Path, series: list[Series]) -> None:
    """A file of monthly series is those series, frequency inferred."""
    data = read_series(data_file)

    assert data.frequency.name == "M"
    assert [one.id for one in data.series] == ["a", "b", "c"]
    for read, written in zip(data.series, series, strict=True):
        np.testing.assert_allclose(read.values, written.values)
    assert data.observed == 3 * 96
    assert data.findings == ()


def test_a_missing_month_is_a_gap_and_is_counted(tmp_path: Path) -> None:
    """Rows that are missing become gaps; what was missing is said once, in numbers."""
    path = write_csv(tmp_path / "d.csv", [make_series()])
    lines = path.read_text().splitlines()
    path.write_text("\n".join(lines[:20] + lines[23:] + ["a,2008-01-01,", "a,2008-02-01,5"]) + "\n")

    data = read_series(path)

    assert np.isnan(data.series[0].values[19:22]).all()
    said = {finding.code: finding.detail for finding in data.findings}
    assert said["GAP_INSERTED"].startswith("3 timestamps are missing, in 1 of 1")
    assert said["GAP_MASKED"].startswith("1 value is empty")


def test_rows_in_any_order_are_the_same_data(tmp_path: Path, data_file: Path) -> None:
    """Order of rows changes nothing but a finding."""
    lines = data_file.read_text().splitlines()
    shuffled = tmp_path / "shuffled.csv"
    shuffled.write_text("\n".join([lines[0], *reversed(lines[1:])]) + "\n")

    data = read_series(shuffled)

    assert data.digest == read_series(data_file).digest
    assert [finding.code for finding in data.findings] == ["ROWS_SORTED"]


def test_the_digest_is_of_what_a_file_says_not_how(tmp_path: Path, data_file: Path) -> None:
    """Long or wide, CSV or Parquet: the same values have the same digest; another value has another."""
    long = pd.read_csv(data_file, parse_dates=["ds"])
    long.to_parquet(tmp_path / "long.parquet")
    long.pivot_table(index="ds", columns="unique_id", values="y").to_csv(tmp_path / "wide.csv")
    same = {read_series(path).digest for path in (data_file, tmp_path / "long.parquet", tmp_path / "wide.csv")}

    assert len(same) == 1
    assert digest([make_series() * 1.0001]) != digest([make_series()])


def test_one_timestamp_twice_is_named(tmp_path: Path) -> None:
    """A duplicate is refused with both rows, the series and the timestamp."""
    path = tmp_path / "d.csv"
    path.write_text("unique_id,ds,y\na,1939-01,1\na,1939-02,2\na,1939-02,3\n")

    with pytest.raises(DataInvalid, match=r"d\.csv, rows 3 and 4: series 'a' has 1939-02-01.* twice"):
        read_series(path)


@pytest.mark.parametrize(
    ("extra", "rows"),
    [
        ("a,1939-02,2,5\n", "rows 3 and 5 are equal"),
        ("a,1939-03,,6\na,1939-03,,6\n", "2 rows .* rows 4 and 5 are equal"),
    ],
)
def test_a_row_that_repeats_another_counts_once(tmp_path: Path, extra: str, rows: str) -> None:
    """It says nothing new; the finding names it. With another covariate it is a contradiction."""
    path = tmp_path / "d.csv"
    start = "unique_id,ds,y,price\na,1939-01,1,4\na,1939-02,2,5\na,1939-03,,6\n"
    path.write_text(start + extra + "a,1939-04,4,7\n")

    data = read_series(path, covariates=CovariateNames(("price",)))

    np.testing.assert_array_equal(data.series[0].values, [1, 2, np.nan, 4])
    (said,) = [one.detail for one in data.findings if one.code == "ROWS_REPEATED"]
    assert re.search(rows, said)
    path.write_text(start + "a,1939-02,2,6\n")
    with pytest.raises(DataInvalid, match="rows 3 and 5: series 'a' has 1939-02-01 twice"):
        read_series(path, covariates=CovariateNames(("price",)))


def test_mixed_frequencies_are_named(tmp_path: Path) -> None:
    """A daily series among hourly ones is not an hourly series with gaps."""
    hours = pd.DataFrame({"unique_id": "hourly", "ds": pd.date_range("2020", periods=200, freq="h"), "y": 1.0})
    days = pd.DataFrame({"unique_id": "daily", "ds": pd.date_range("2020", periods=30, freq="D"), "y": 1.0})
    pd.concat([hours, days]).to_parquet(tmp_path / "d.parquet", index=False)

    with pytest.raises(DataInvalid, match="series 'daily' has frequency D, others have h"):
        read_series(tmp_path / "d.parquet")


def test_sparse_series_of_one_frequency_are_no_mix(tmp_path: Path) -> None:
    """Their usual steps differ, their frequencies do not."""
    rows = [
        f"{key},{day:%Y-%m-%d},{day.day}"
        for key, gaps in (("a", [1, 2, 1, 4]), ("b", [4, 1, 5, 7]))
        for day in pd.Timestamp("2024-01-01") + pd.to_timedelta(np.cumsum([0, *gaps * 6]), "D")
    ]
    path = tmp_path / "d.csv"
    path.write_text("\n".join(["unique_id,ds,y", *rows]) + "\n")

    assert read_series(path).frequency.name == "D"


def test_a_timestamp_off_the_calendar_is_named_by_its_row(tmp_path: Path) -> None:
    """A date that does not lie on the frequency is found in the file."""
    path = tmp_path / "d.csv"
    rows = [f"a,{year}-01-01,1" for year in range(1990, 1999)]
    path.write_text("\n".join(["unique_id,ds,y", *rows, "a,1999-03-05,2"]) + "\n")

    with pytest.raises(DataInvalid, match=r"d\.csv, row 11, column 'ds', series 'a'"):
        read_series(path, frequency="Y")


def test_a_stray_date_is_no_gap_of_a_thousand_years(tmp_path: Path) -> None:
    """A date that would make almost everything a gap is refused, whatever frequency was given."""
    path = tmp_path / "d.csv"
    path.write_text("ds,y\n1024-01-01,1\n2024-01-02,1\n2024-01-03,1\n2024-01-04,1\n")

    with pytest.raises(DataInvalid, match="row"):
        read_series(path, frequency="D")


def test_dates_that_tell_no_frequency_ask_for_one(tmp_path: Path) -> None:
    """Two dates are a guess; the remedy is named."""
    path = tmp_path / "d.csv"
    path.write_text("ds,y\n1939-01,1\n1939-02,2\n")

    with pytest.raises(FrequencyNotInferred, match="--frequency"):
        read_series(path)
    assert len(read_series(path, frequency="M").series[0]) == 2


def test_events_with_an_id_each_are_no_series(tmp_path: Path) -> None:
    """A file of payments: not the dates are too few, but each row would be a series."""
    path = tmp_path / "d.csv"
    path.write_text("unique_id,ds,y\n" + "".join(f"ch_{at},2024-01-{at + 1:02d}T07:1{at % 10},5\n" for at in range(20)))

    with pytest.raises(
        FrequencyNotInferred, match=r"each of its 20 series has one row.*sum the events of each hour or day"
    ):
        read_series(path)
    path.write_text("ds,a,b,c\n2024-01-01,1,2,3\n")
    with pytest.raises(FrequencyNotInferred, match="1 timestamps; 3 are needed"):
        read_series(path)
    path.write_text(
        "ds,y\n" + "".join(f"2024-01-{at + 1:02d}T0{at % 7}:{at * 7 % 60:02d}:0{at % 9},5\n" for at in range(20))
    )
    with pytest.raises(FrequencyNotInferred, match=r"too irregular.*sum the events of each hour or day"):
        read_series(path)


def test_a_series_without_values_is_left_out_and_named(tmp_path: Path) -> None:
    """One empty series does not stop the others; a file of nothing else is refused."""
    path = tmp_path / "d.csv"
    rows = [f"a,1939-{month:02d},1" for month in range(1, 13)]
    path.write_text("\n".join(["unique_id,ds,y", *rows, "b,1939-01,", "b,1939-02,"]) + "\n")

    data = read_series(path)

    assert [one.id for one in data.series] == ["a"]
    assert "'b'" in data.findings[0].detail
    path.write_text("unique_id,ds,y\nb,1939-01,\nb,1939-02,\n")
    with pytest.raises(DataInvalid, match="every value is missing"):
        read_series(path, frequency="M")


def test_named_columns_reach_the_table(tmp_path: Path) -> None:
    """Names of columns are handed on."""
    path = tmp_path / "d.csv"
    path.write_text("station,when,temp\nox,1939-01,1\nox,1939-02,2\nox,1939-03,2\n")

    data = read_series(path, columns=Columns("station", "when", "temp"))

    assert data.series[0].id == "ox"


def test_rows_after_the_last_value_are_trimmed_and_told(tmp_path: Path) -> None:
    """A file that lists the months to forecast ends, as a history, with its last value."""
    path = tmp_path / "d.csv"
    path.write_text(
        "unique_id,ds,y\n" + "".join(f"a,2000-{month:02d},{month if month < 10 else ''}\n" for month in range(1, 13))
    )

    data = read_series(path)

    assert len(data.series[0]) == 9
    assert [one.detail for one in data.findings] == ["3 rows after the file's last value are left out."]


def test_an_hour_that_stands_twice_is_shown_as_it_was_written_and_explained(tmp_path: Path) -> None:
    """Local hours repeat when clocks go back; who has them learns to write offsets."""
    path = tmp_path / "d.csv"
    path.write_text("ds,y\n2020-10-25T01:00,1\n2020-10-25T02:00,1\n2020-10-25T02:00,2\n2020-10-25T03:00,1\n")

    with pytest.raises(DataInvalid, match=r"has 2020-10-25T02:00 twice\..*write hours with offsets"):
        read_series(path)


@pytest.mark.parametrize("header", ["time,a", "time,a,b", "time,a,b,c"])
def test_hours_that_differ_where_clocks_go_back_ask_for_the_timezone(tmp_path: Path, header: str) -> None:
    """No column of values is taken for a key; with the option, and with offsets, all columns are read."""
    names = header.split(",")[1:]
    days = [f"2024-10-{day}" for day in (26, 27, 28)]
    hours = [f"{day} {hour:02d}:00" for day in days for hour in range(24)]
    hours.insert(27, hours[26])
    rows = [",".join([time, *(str((at + place) % 5) for place in range(len(names)))]) for at, time in enumerate(hours)]
    path, written = tmp_path / "d.csv", tmp_path / "o.csv"
    path.write_text("\n".join([header, *rows]))
    written.write_text(
        "\n".join([header, *(row.replace(",", f"+0{2 - (at > 26)}:00,", 1) for at, row in enumerate(rows))])
    )

    with pytest.raises(DataInvalid, match=r"has 2024-10-27T02:00 twice\..*give --timezone Europe/Berlin"):
        read_series(path)
    for found in (read_series(path, columns=Columns(timezone="Europe/Berlin")), read_series(written)):
        assert [(one.id, len(one)) for one in found.series] == [(name, 73) for name in names]


@pytest.mark.parametrize(("day", "zone"), [("2024-10-27", "Europe/Berlin"), ("2024-10-26", None)])
def test_an_hour_repeated_where_clocks_go_back_names_the_option(tmp_path: Path, day: str, zone: str | None) -> None:
    """The two hours are equal, and with --timezone both count."""
    path = tmp_path / "d.csv"
    path.write_text("ds,y\n" + "".join(f"{day} {hour:02d}:00,{hour}\n" for hour in [0, 1, 2, 2, *range(3, 24)]))

    (found,) = [one for one in read_series(path).findings if one.code == "ROWS_REPEATED"]

    assert (f"--timezone {zone}" in found.hint) == (zone is not None)


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Europe/London", "America/New_York"])
@pytest.mark.parametrize(("frequency", "steps"), [("D", 300), ("W-MON", 60), ("MS", 30)])
@pytest.mark.parametrize("ending", ["Z", ""])
def test_local_midnights_in_utc_are_named(tmp_path: Path, zone: str, frequency: str, steps: int, ending: str) -> None:
    """With a timezone of their clock; nothing is changed. Times of one time of the day are none, nor are hours."""
    days = pd.date_range("2024-01-01", periods=steps, freq=frequency, tz=zone).tz_convert("UTC")
    path = tmp_path / "d.csv"

    def said(times: pd.DatetimeIndex) -> list[str]:
        pd.DataFrame({"ds": times.strftime(f"%Y-%m-%dT%H:%M:%S{ending}"), "y": range(len(times))}).to_csv(
            path, index=False
        )
        return [one.detail for one in read_series(path).findings if one.code == "TIMEZONE_UNCLEAR"]

    (found,) = said(days)
    assert found.endswith(f"--timezone {zone} if so.")
    assert ("End the times in Z" in found) is (ending == "")
    assert not said(days[0] + pd.timedelta_range("0h", periods=300, freq="24h"))
    assert not said(pd.date_range(days[0], periods=300, freq="h"))
