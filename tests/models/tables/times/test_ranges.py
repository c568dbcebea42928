"""Periods in one cell are read as their starts; offsets from UTC are none."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from models.tables.times.dates import Times, read_times

HOURS = pd.date_range("2024-01-01", periods=72, freq="h")
WEEKS = pd.date_range("2023-01-02", periods=60, freq="W-MON")


def read(cells: list[str]) -> Times:
    """Return the times of cells that begin in row 2."""
    return read_times(pa.array(cells), "ds", np.arange(2, 2 + len(cells)))


@pytest.mark.parametrize("date", ["%Y-%m-%d", "%d.%m.%Y"])
@pytest.mark.parametrize("between", ["-", " - ", "\u2013"])
@pytest.mark.parametrize("minutes", [15, 60, 480])
def test_a_clock_after_a_clock_is_an_end_and_no_offset(date: str, between: str, minutes: int) -> None:
    """Read as offsets, hours from 00:00-01:00 to 11:00-12:00 were two hours apart; a note among them is a fault of its own."""
    starts = pd.date_range("2024-01-01", periods=40, freq=f"{minutes}min")
    cells = [f"{one:{date} %H:%M}{between}{one + pd.Timedelta(minutes=minutes):%H:%M}" for one in starts]

    found = read(cells)

    assert found.instants().tolist() == starts.to_numpy().astype("M8[us]").tolist()
    assert found.findings[0].detail == f"{cells[0]!r} is a period; it is read as its start."
    assert list(read([*cells, "total"]).faults) == [40]


@pytest.mark.parametrize("zone", ["America/New_York", "America/Anchorage", "America/St_Johns"])
@pytest.mark.parametrize("frequency", ["h", "D", "8h"])
def test_offsets_west_of_utc_stay_offsets(zone: str, frequency: str) -> None:
    """Also where clocks change."""
    times = pd.date_range("2024-01-01", periods=400, freq=frequency, tz=zone)

    found = read([one.isoformat(sep=" ", timespec="minutes") for one in times])

    assert found.instants().tolist() == times.tz_convert(None).to_numpy().astype("M8[us]").tolist()


@pytest.mark.parametrize("form", ["%Y-%m-%d", "%d.%m.%Y", "%m/%d/%Y"])
@pytest.mark.parametrize("between", ["/", "-", "\u2013", " - ", " to "])
def test_two_dates_are_a_period_also_without_spaces(form: str, between: str) -> None:
    """As pandas writes weekly periods; seasons such as 2023-2024 are years."""
    cells = [f"{one:{form}}{between}{one + pd.Timedelta(days=6):{form}}" for one in WEEKS]

    found = read(cells)

    assert found.walls.tolist() == WEEKS.to_numpy().astype("M8[us]").tolist()
    assert read(["2021-2022", "2022-2023", "2023-2024"]).walls[0] == np.datetime64("2021-01-01")
