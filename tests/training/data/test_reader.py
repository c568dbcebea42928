from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from models.errors import DataInvalid
from training.config.training import Columns
from training.data.long_frame import group_rows
from training.data.reader import read_table


def write(path: Path, *lines: str) -> Path:
    """Write lines to a file and return its path."""
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_long_file_keeps_ids_dates_values_and_lines(tmp_path: Path) -> None:
    """A long file comes through as it is; an empty value is a gap, and ids stay text."""
    path = write(tmp_path / "d.csv", "unique_id,ds,y", "007,1939-01,1.5", "007,1939-02,")

    table = read_table(path, Columns())

    assert table.layout == "long"
    assert [table.rows.ids[code] for code in table.rows.codes] == ["007", "007"]
    assert table.rows.ds.tolist() == [pd.Timestamp("1939-01-01"), pd.Timestamp("1939-02-01")]
    np.testing.assert_array_equal(table.rows.y, [1.5, np.nan])
    assert table.rows.row.tolist() == [2, 3]


def test_a_single_series_needs_no_id(tmp_path: Path) -> None:
    """Years and values alone are a series, named for the value column."""
    path = write(tmp_path / "d.csv", "ds,y", "1939,1", "", "1940,2")

    table = read_table(path, Columns())

    assert [table.rows.ids[code] for code in table.rows.codes] == ["y", "y"]
    assert table.rows.row.tolist() == [2, 4]


def test_a_wide_file_gives_each_column_its_own_beginning_and_end(tmp_path: Path) -> None:
    """A wide file is a rectangle, its series are not: empty ends are not gaps, empty middles are."""
    path = write(tmp_path / "d.csv", "Month,oxford,durham,empty", "1939-01,1,,", "1939-02,,5,", "1939-03,3,,")

    table = read_table(path, Columns())

    assert table.layout == "wide"
    assert [table.rows.ids[code] for code in table.rows.codes] == ["oxford", "oxford", "oxford", "durham"]
    np.testing.assert_array_equal(table.rows.y, [1, np.nan, 3, 5])
    assert [finding.code for finding in table.findings] == ["SERIES_ALL_MISSING"]


def test_columns_can_be_named(tmp_path: Path) -> None:
    """A long file with words of its own is read by the names given; what is not named is not used, and said."""
    path = write(tmp_path / "d.csv", "station,when,temp,rain", "ox,1939-01,1,9", "ox,1939-02,2,9")

    table = read_table(path, Columns("station", "when", "temp"))

    assert table.rows.y.tolist() == [1.0, 2.0]
    assert "rain" in table.findings[0].detail


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (("ds,y", "1939-01,1", "1939-13,2"), "row 3, column 'ds': '1939-13' is not a date"),
        (("ds,y", "1939-01,1", "1939-02,warm"), "row 3, column 'y': 'warm' is not a number"),
        (
            ("ds,y", "1939-01,1,5"),
            "row 2: The row has 3 cells, the header 2. A comma inside a number such as 1,5 needs quotes",
        ),
        (("ds,y", "1939-01,1", "1939-02"), "row 3: The row has 1 cell, the header 2"),
        (("ds,y", '"1939-01",1', '"1939\n-02",1', "1939-03,1,"), "row 4: The row has 3 cells"),
        (("ds,y,y", "1939-01,1,2"), "has the name 'y' twice, for columns 2 and 3"),
        (("ds,y,", "1939-01,1,2"), "has no name for column 3"),
        (("sep=;", "ds;y", "1939-01;warm"), "row 3, column 'y': 'warm' is not a number"),
        (("ds,y", '"1939-01,1'), "cannot be read"),
        (("ds,y", "1939-01,inf"), "row 2, column 'y': 'inf' is infinite"),
        (("ds,y", "1939-01,True"), "row 2, column 'y': 'True' is not a number"),
        (("ds,y", ",1"), "row 2, column 'ds': the date is missing"),
        (("unique_id,ds,y", ",1939-01,1"), "row 2, column 'unique_id': the id is missing"),
        (("station,month,temp", "ox,1939-01,1"), "--id-column"),
        (("ds,y", "03/02/1939,1"), "day or month first"),
        (("ds,y",), "holds no rows"),
        (("ds", "1939"), "one column"),
    ],
)
def test_a_wrong_cell_is_named_by_row_and_column(tmp_path: Path, lines: tuple[str, ...], words: str) -> None:
    """Whatever a cell has that it should not have is found by file, row and column."""
    path = write(tmp_path / "d.csv", *lines)

    with pytest.raises(DataInvalid) as caught:
        read_table(path, Columns())

    assert words in str(caught.value)
    assert "d.csv" in str(caught.value)


def test_a_timezone_makes_instants_of_local_times(tmp_path: Path) -> None:
    """Of an hour that clocks repeat, the second row is the second; one that they skip is refused."""
    path = write(tmp_path / "d.csv", "ds,y", "2024-10-27 02:30,1", "2024-10-27 02:30,2", "2024-10-27 03:30,3")
    table = read_table(path, Columns(timezone="Europe/Berlin"))

    assert [str(one)[11:16] for one in table.rows.ds] == ["00:30", "01:30", "02:30"]
    with pytest.raises(DataInvalid, match=r"row 2: 2024-03-31T02:30:00 does not exist in Europe/Berlin"):
        read_table(write(tmp_path / "s.csv", "ds,y", "2024-03-31 02:30,1"), Columns(timezone="Europe/Berlin"))
    with pytest.raises(DataInvalid, match=r"an offset \(row 2\) and times without \(row 3\)"):
        read_table(write(tmp_path / "m.csv", "ds,y", "2024-03-31 02:30Z,1", "2024-03-31 04:30,1"), Columns())


def test_one_offset_is_the_files_clock_and_several_are_utc(tmp_path: Path) -> None:
    """Times at one offset stay on their clock; where it changes they are brought to UTC."""
    one = write(tmp_path / "one.csv", "ds,y", "2020-01-01T00:00+01:00,1")
    two = write(tmp_path / "two.csv", "ds,y", "2020-03-29T01:00+01:00,1", "2020-03-29T03:00+02:00,2")

    assert read_table(one, Columns()).rows.ds.tolist() == [pd.Timestamp("2020-01-01")]
    assert read_table(two, Columns()).rows.ds.tolist() == [pd.Timestamp("2020-03-29T00"), pd.Timestamp("2020-03-29T01")]


def test_parquet_with_a_time_zone_keeps_local_days_and_brings_hours_to_utc(tmp_path: Path) -> None:
    """A day belongs to its own calendar; an hour must not be doubled when clocks change."""
    for step, first in (("D", "2020-10-24T00"), ("h", "2020-10-23T22")):
        stamps = pd.date_range("2020-10-24", periods=3, freq=step, tz="Europe/Berlin")
        pd.DataFrame({"ds": stamps, "y": [1.0, 2.0, 3.0]}).to_parquet(tmp_path / "d.parquet")

        table = read_table(tmp_path / "d.parquet", Columns())

        assert table.rows.ds[0] == pd.Timestamp(first)
        assert table.timezone == (None if step == "D" else "Europe/Berlin")


@pytest.mark.parametrize("name", ["d.csv", "d.parquet"])
def test_a_file_that_is_none_is_refused(tmp_path: Path, name: str) -> None:
    """Bytes of another kind, or no file at all, are an error by name and no traceback."""
    (tmp_path / name).write_bytes(b"\xff\xfe\x00nothing")

    for path in (tmp_path / name, tmp_path / f"missing-{name}"):
        with pytest.raises(DataInvalid, match=path.name):
            read_table(path, Columns())


def test_a_column_that_is_not_there_is_named_with_those_that_are() -> None:
    """A wrong column name is answered by the right ones."""
    path = Path(__file__).parents[3] / "training" / "datasets" / "temperatures.csv"

    with pytest.raises(DataInvalid, match=r"no column 'temp'\. It has unique_id, ds, y"):
        read_table(path, Columns(value="temp"))


def test_text_in_other_encodings_is_read(tmp_path: Path) -> None:
    """UTF-16 as it says, Windows-1252 with the word that shows it; neither is another file than in UTF-8."""
    text = "unique_id,ds,y\nZürich,1939-01,1\n"
    for encoding, words in (("utf-8-sig", ()), ("utf-16", ("UTF-16",)), ("cp1252", ("Windows-1252", "Zürich"))):
        path = tmp_path / f"{encoding}.csv"
        path.write_bytes(text.encode(encoding))

        table = read_table(path, Columns())

        assert [table.rows.ids[code] for code in table.rows.codes] == ["Zürich"]
        assert all(word in table.findings[0].detail for word in words)


def test_an_empty_file_and_a_folder_are_told_apart(tmp_path: Path) -> None:
    """Each by what it is."""
    (tmp_path / "empty.csv").write_bytes(b"")

    with pytest.raises(DataInvalid, match=r"empty\.csv: is empty\."):
        read_table(tmp_path / "empty.csv", Columns())
    with pytest.raises(DataInvalid, match="is a folder"):
        read_table(tmp_path, Columns())


@pytest.mark.parametrize("form", ["{}Q{}", "{}-Q{}"])
def test_quarters_are_dates(tmp_path: Path, form: str) -> None:
    """A quarter stands for its first month."""
    path = write(tmp_path / "d.csv", "ds,y", *(f"{form.format(1990, quarter)},1" for quarter in (1, 2, 4)))

    assert read_table(path, Columns()).rows.ds.astype("M8[D]").astype(str).tolist() == [
        "1990-01-01",
        "1990-04-01",
        "1990-10-01",
    ]


def test_covariates_are_columns_beside_the_values(tmp_path: Path) -> None:
    """Numbers or true and false, empty where unknown; what is not asked for is ignored, with a warning."""
    path = write(tmp_path / "d.csv", "id,ds,y,price,open,other", "a,2020-01,1,2.5,True,x", "a,2020-02,2,,False,x")

    table = read_table(path, Columns(), ("price", "open"))

    np.testing.assert_array_equal(table.covariates["price"], [2.5, np.nan])
    np.testing.assert_array_equal(table.covariates["open"], [1, 0])
    assert [one.detail for one in table.findings] == ["Not used: other."]


def test_a_single_column_beside_covariates_is_the_value(tmp_path: Path) -> None:
    """However it is called: the covariates are taken out first."""
    path = write(tmp_path / "d.csv", "unique_id,ds,sold,price", "a,2020-01,1,2", "a,2020-02,3,4")

    table = read_table(path, Columns(), ("price",))

    assert table.layout == "long"
    assert table.rows.y.tolist() == [1, 3]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("prise", "no column 'prise'.*Did you mean 'price'"),
        ("y", "'y' holds ids"),
        ("word", "row 2, column 'word': 'x'"),
    ],
)
def test_a_covariate_that_is_no_column_of_numbers_is_refused(tmp_path: Path, name: str, words: str) -> None:
    """With the file, the column and what to do."""
    path = write(tmp_path / "d.csv", "unique_id,ds,y,price,word", "a,2020-01,1,2,x", "a,2020-02,3,4,x")

    with pytest.raises(DataInvalid, match=words):
        read_table(path, Columns(), (name,))


def test_columns_of_one_name_are_one_series(tmp_path: Path) -> None:
    """Composed and decomposed letters are one id, whose rows contradict each other then."""
    path = write(tmp_path / "d.csv", "ds,Caf\u00e9,Cafe\u0301", "2020-01,1,2", "2020-02,3,4")

    table = read_table(path, Columns())

    assert table.rows.ids == ["Caf\u00e9"]
    with pytest.raises(DataInvalid, match=r"series 'Caf\u00e9' has 2020-01-01 twice\. 1 more like it\."):
        group_rows(table)


def test_a_wide_file_has_no_place_for_covariates(tmp_path: Path) -> None:
    """Each of its columns is a series; a long file is asked for."""
    path = write(tmp_path / "d.csv", "date,shop,market,price", "2020-01,1,2,3", "2020-02,2,3,4")

    with pytest.raises(DataInvalid, match="covariates need a long file"):
        read_table(path, Columns(), ("price",))
