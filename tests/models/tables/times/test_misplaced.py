"""Dates that stand where another belongs are refused, or read as that with a finding."""

import datetime as dt

import numpy as np
import pyarrow as pa
import pytest

from models.tables.faults import TableInvalid
from models.tables.times.dates import Times, read_times


def read(cells: list[str] | list[float]) -> Times:
    """Return the times of cells that begin in row 2."""
    return read_times(pa.array(cells), "ds", np.arange(2, 2 + len(cells)))


@pytest.mark.parametrize(
    ("first", "step", "form", "words"),
    [
        (dt.date(2024, 3, 4), 7, "%Y-W%V", r"'2024-W01' stands after '2024-W52' \(row 44\), where 2025-W01 belongs"),
        (dt.date(2022, 3, 6), 7, "%Y-W%V", "where 2022-W52 belongs"),
        (dt.date(2024, 3, 4), 1, "%Y-W%V-%u", "'2024-W01-1' stands after"),
        (dt.date(2025, 4, 7), -7, "%Y-W%V", "where 2025-W01 belongs"),
    ],
)
def test_a_week_with_the_year_of_the_calendar_is_refused(first: dt.date, step: int, form: str, words: str) -> None:
    """It would be moved by a year; with the year of its Thursday it is read."""
    days = [first + dt.timedelta(days=step * at) for at in range(60 * 7 // abs(step))]

    with pytest.raises(TableInvalid, match=words):
        read([f"{day:{form}}" for day in days])

    assert not read([f"{day:{form.replace('%Y', '%G')}}" for day in days]).faults


def test_a_gap_of_a_year_is_no_misplaced_week() -> None:
    """The weeks after it follow one another."""
    assert not read([f"2022-W{at:02d}" for at in range(40, 53)] + [f"2024-W{at:02d}" for at in range(1, 9)]).faults


def test_an_october_that_lost_its_0_is_read_as_october() -> None:
    """As text and as numbers, rising and falling."""
    months = [float(f"2023.{month:02d}") for month in range(2, 13)]

    for cells in (months, [str(one) for one in months]):
        found = read(cells)

        assert (found.walls.astype("M8[M]").astype(int) % 12 + 1).tolist() == list(range(2, 13))
        assert "Row 10: '2023.1' stands beside September" in found.findings[-1].detail
    assert read(months[::-1]).walls[2] == np.datetime64("2023-10-01")
    assert read(["2023.12", "2024.1", "2024.02"]).walls[1] == np.datetime64("2024-01-01")
    with pytest.raises(TableInvalid, match=r"Row 3, .*'2024\.1' may be January or October of 2024"):
        read(["2023.11", "2024.1"])
