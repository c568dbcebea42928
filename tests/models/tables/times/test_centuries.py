"""Years of two digits are of the century that the order of the rows shows, or the column is refused."""

import numpy as np
import pyarrow as pa
import pytest

from models.tables.faults import TableInvalid
from models.tables.times.dates import read_times

MONTHS = ("Jan", "May", "Sep")


def read(cells: list[str], form: str | None = None) -> list[str]:
    """Return the years and months of cells."""
    times = read_times(pa.array(cells), "ds", np.arange(2, 2 + len(cells)), form)
    assert not times.faults
    return [str(one)[:7] for one in times.walls]


def months(first: int, end: int) -> list[str]:
    """Return three months of each year, such as Jan-60."""
    return [f"{month}-{year % 100:02d}" for year in range(first, end) for month in MONTHS]


@pytest.mark.parametrize(("first", "end"), [(1960, 1976), (1950, 2000), (1950, 2024), (1970, 2024), (2000, 2030)])
@pytest.mark.parametrize("step", [1, -1])
def test_rows_in_order_settle_the_century(first: int, end: int, step: int) -> None:
    """Rising or falling; one reading is continuous."""
    found = read(months(first, end)[::step])[::step]

    assert (found[0], found[-1]) == (f"{first}-01", f"{end - 1}-09")
    assert found == sorted(found)
    assert read(months(first, end)[::step], "%b-%y")[::step] == found
    assert read([f"1/1/{year % 100:02d}" for year in range(first, end)])[0] == f"{first}-01"


def test_rows_in_no_order_are_refused_if_the_century_is_in_doubt() -> None:
    """A column that crosses the year 2000 is not in doubt; one that lies in the far future is."""
    for doubtful in (months(1966, 1972)[::2] + months(1966, 1972)[1::2], months(1950, 1960)):
        with pytest.raises(TableInvalid, match=r"may be of 19\d\d or 20\d\d\. Write years with four digits"):
            read(doubtful)
    usual = months(1995, 2024)
    assert read(usual[1::2] + usual[::2])[0] == "1995-05"


def test_four_digits_may_be_a_year_and_a_month() -> None:
    """As years they had gaps of 88; years in a row, also around a century, and the format that is given settle it."""
    short = [f"{year % 100:02d}{month:02d}" for year in (2020, 2021) for month in range(1, 13)]

    with pytest.raises(TableInvalid, match=r"'2001' may be a year.*--date-format %Y or --date-format %y%m"):
        read(short)
    assert read(short, "%y%m")[12] == "2021-01"
    assert read([str(year) for year in range(1898, 2025)])[3] == "1901-01"
    assert read([str(year) for year in range(2001, 2013)])[0] == "2001-01"
    assert read(["1905", "2005", "2105"])[1] == "2005-01"
