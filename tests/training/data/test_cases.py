"""Small files that went wrong: each has its right values, or an error with the remedy."""

from pathlib import Path

import numpy as np
import pytest

from models.calendar.timestamps import format_timestamps
from models.errors import DataInvalid
from training.config.training import Columns
from training.data.reader import read_table
from training.data.series_set import read_series

CASES = Path(__file__).parent / "cases"
GERMAN = Columns("Artikel", "Datum", "Umsatz")
NAMED = Columns("item", "WeekEnding", "qty")
STORES = Columns("store,item", value="sales")
BERLIN = Columns(timezone="Europe/Berlin")


@pytest.mark.parametrize(
    ("name", "columns", "series", "first", "last"),
    [
        ("trailing_comma", Columns(), ["a"], ("2024-01-01", 1009), ("2024-02-29", 1019)),
        ("trailing_comma_yyyymmdd_wide", Columns(), ["north", "south"], ("2024-01-01", 1000), ("2024-02-29", 2059)),
        ("wide_with_index", Columns(), ["north", "south"], ("2024-01-01", 1009), ("2024-02-29", 2038)),
        ("leading_zero_sku2", Columns("SKU"), ["00123", "00456"], ("2024-01-01", 49.2), None),
        ("na_uid", Columns(), ["NA", "EU", "APAC"], ("2024-01-01", 49.2), None),
        ("store_item", STORES, ["1/1", "1/2", "1/3", "2/1", "2/2", "2/3"], ("2024-01-01", 98), None),
        ("tausender_int", Columns("Artikel", "Datum", "Umsatz", thousands="."), ["Kaese"], ("2024-01-01", 985), None),
        ("tausender_int", Columns("Artikel", "Datum", "Umsatz", decimal="."), ["Kaese"], ("2024-01-01", 985), None),
        ("yyyymmdd_named", NAMED, ["a"], ("2024-01-01", 49.2), None),
        ("yyyymm", Columns(), ["a"], ("2021-01-01", 1000.01), None),
        ("mon_yy", Columns(), ["a"], ("2021-01-01", 1000.01), None),
        ("autumn_offsets", Columns(), ["a"], ("2024-10-12T22:00", 5.01), None),
        ("autumn_offsets", BERLIN, ["a"], ("2024-10-12T22:00", 5.01), None),
        ("daily_offsets", Columns(), ["a"], ("2024-01-31T23:00", 49.8), None),
        ("daily_offsets", BERLIN, ["a"], ("2024-01-31T23:00", 49.8), None),
    ],
)
def test_a_case_has_its_right_values(
    name: str, columns: Columns, series: list[str], first: tuple[str, float], last: tuple[str, float] | None
) -> None:
    """Ids, and the first and the last row; no column is shifted and no id merged."""
    table = read_table(CASES / f"{name}.csv", columns)

    assert table.rows.ids == series
    for (stamp, value), at in ((first, 0), *(((last, -1),) if last else ())):
        assert (table.rows.ds[at], table.rows.y[at]) == (np.datetime64(stamp), value)
    assert table.timezone == ("Europe/Berlin" if "offsets" in name else None)


@pytest.mark.parametrize(
    ("name", "columns", "words"),
    [
        ("store_item", Columns(), "--id-column store,item --time-column date --value-column sales"),
        ("store_item", Columns("store", value="sales"), "--id-column store,item"),
        ("tausender_int", GERMAN, r"'1\.028' \(row 4\).*'985' \(row 2\).*--thousands '\.'"),
    ],
)
def test_a_case_that_can_be_read_in_two_ways_is_refused(name: str, columns: Columns, words: str) -> None:
    """With the rows and the options that settle it."""
    from training.data.long_frame import group_rows

    with pytest.raises(DataInvalid, match=words):
        group_rows(read_table(CASES / f"{name}.csv", columns))


def test_thousands_are_read_as_they_are_given() -> None:
    """1.028 is 1028 with --thousands, and 1.028 with --decimal."""
    thousands = read_table(CASES / "tausender_int.csv", Columns("Artikel", "Datum", "Umsatz", thousands="."))
    decimals = read_table(CASES / "tausender_int.csv", Columns("Artikel", "Datum", "Umsatz", decimal="."))

    assert (thousands.rows.y[2], decimals.rows.y[2]) == (1028, 1.028)


@pytest.mark.parametrize("columns", [Columns(), BERLIN])
@pytest.mark.parametrize(
    ("name", "following"),
    [("autumn_offsets", "2024-11-04T00:00:00+01:00"), ("daily_offsets", "2024-12-01T00:00:00+01:00")],
)
def test_changing_offsets_are_local_times_and_written_as_they_came_in(
    name: str, following: str, columns: Columns
) -> None:
    """Hours and days after the clocks went back, with their offset."""
    series = read_series(CASES / f"{name}.csv", columns=columns).series[0]
    future = series.future(1)

    assert future is not None
    assert format_timestamps(future, series.style, series.timezone) == [following]
    assert not np.isnan(series.values).any()
