"""Numbers beside years are what the header says; where it says nothing and months are doubtful, the column is refused."""

import numpy as np
import pyarrow as pa
import pytest

from models.tables.faults import TableInvalid
from models.tables.times.dates import Times, read_times

QUARTERS = [(2015 + at // 4, at % 4 + 1) for at in range(12)]
FORMS = ["{1}/{0}", "{0}/{1}", "{0}-{1}", "{0}.{1}", "{0}-0{1}", "{0}0{1}"]


def read(cells: list[str] | list[float], name: str) -> Times:
    """Return the times of the cells of a column that begin in row 2."""
    return read_times(pa.array(cells), name, np.arange(2, 2 + len(cells)))


@pytest.mark.parametrize("name", ["Quartal", "quarter", "Fiscal Qtr", "trimestre", "Trimester", "YearQ"])
@pytest.mark.parametrize("form", FORMS)
def test_quarters_are_read_where_the_header_says_so(name: str, form: str) -> None:
    """As text, and as numbers of a workbook."""
    found = read([form.format(*one) for one in QUARTERS], name)

    assert [str(one)[:7] for one in found.walls[:5]] == ["2015-01", "2015-04", "2015-07", "2015-10", "2016-01"]
    assert (found.style, found.findings[0].code) == ("YYYY-Qq", "DATES_NOT_ISO")
    assert read([2015.4, 2016.1], name).walls[0] == np.datetime64("2015-10-01")


@pytest.mark.parametrize("name", ["Halbjahr", "half", "semester", "Semestre"])
def test_half_years_are_read_where_the_header_says_so(name: str) -> None:
    """They begin in January and July."""
    assert [str(one)[:7] for one in read(["2/2015", "1/2016"], name).walls] == ["2015-07", "2016-01"]


@pytest.mark.parametrize("form", FORMS)
def test_quarters_without_a_name_are_refused(form: str) -> None:
    """Unless the header has months, or they do not follow one another."""
    cells = [form.format(*one) for one in QUARTERS]

    with pytest.raises(
        TableInvalid, match=r"may be a quarter or a month\. Write quarters as 2015-Q1; .* --date-format %"
    ):
        read(cells, "date")
    with pytest.raises(TableInvalid, match="may be a half-year or a month"):
        read([cell for cell, (_, number) in zip(cells, QUARTERS, strict=True) if number <= 2], "date")
    assert read(cells, "Monat").walls[1] == np.datetime64("2015-02-01")
    assert not read(cells[:4], "date").faults


@pytest.mark.parametrize("name", ["YearWk", "YrWk", "yyyyww", "kw", "ISO_week"])
def test_weeks_are_known_by_many_names(name: str) -> None:
    """As months they would be wrong, or missing."""
    with pytest.raises(TableInvalid, match="may be a week or a month"):
        read(["202401", "202402"], name)
