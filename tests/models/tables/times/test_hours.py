"""Times of day beside dates, as people write them, are read with the dates as one time; what is unclear is refused."""

import numpy as np
import pytest

from models.tables.faults import TableInvalid
from models.tables.options import ReadOptions
from models.tables.read import ParsedTable, read_columns, read_sheet

HOURS = range(24)
STARTS = [f"2024-01-0{day}T{hour:02d}:00" for day in (1, 2) for hour in HOURS]


def read(lines: list[str], **options: object) -> ParsedTable:
    """Return CSV lines, read."""
    return read_columns(read_sheet("\n".join(lines).encode()), ReadOptions(**options))  # type: ignore[arg-type]


def stamps(reading: ParsedTable) -> list[str]:
    """Return the times as text, to the minute."""
    assert not reading.faults()
    return [str(one)[:16] for one in reading.times.walls]


@pytest.mark.parametrize(
    ("name", "cells", "ends"),
    [
        ("Hour", [str(hour) for hour in HOURS], False),
        ("hour", [str(hour + 1) for hour in HOURS], True),
        ("HE", [f"{hour + 1:02d}" for hour in HOURS], True),
        ("Hour Ending", [f"{hour + 1:02d}:00" for hour in HOURS], True),
        ("time", [f"{hour:02d}00" for hour in HOURS], False),
        ("time", [f"{100 * hour}" for hour in HOURS], False),
        ("time", [f"{hour + 1:02d}00" for hour in HOURS], True),
        ("Uhrzeit", [f"{hour:02d}:00" for hour in HOURS], False),
        ("time", [f"{hour:02d}:00:00" for hour in HOURS], False),
    ],
)
@pytest.mark.parametrize("date", ["2024-01-0{day}", "2024010{day}", "0{day}.01.2024", "2024-01-0{day} 00:00:00"])
def test_an_hour_beside_a_date_is_the_start_of_its_hour(name: str, cells: list[str], ends: bool, date: str) -> None:  # noqa: FBT001
    """Hours 1 to 24 are named by their end, which a finding says; no row moves to the next day."""
    rows = [f"{date.format(day=day)},{cell},{at}" for day in (1, 2) for at, cell in enumerate(cells)]

    reading = read([f"date,{name},y", *rows])

    assert stamps(reading) == STARTS
    assert reading.values["y"].values.tolist() == [float(hour) for _ in (1, 2) for hour in HOURS]
    assert ("PERIOD_ENDING" in {one.code for one in reading.findings}) == ends


@pytest.mark.parametrize("cells", [["5"], [str(hour) for hour in range(1, 13)], [str(hour) for hour in range(1, 24)]])
def test_hours_without_0_and_24_are_in_doubt(cells: list[str]) -> None:
    """They may be a part of a day of either kind: a finding says so, and a service refuses to store them; the name settles it."""
    for name, hours in (("Hour", cells), ("hour beginning", cells), ("hour ending", cells)):
        sheet = read_sheet("\n".join([f"date,{name},y", *(f"2024-01-04,{hour},1" for hour in hours)]).encode())
        codes = {one.code for one in read_columns(sheet, ReadOptions()).findings}
        assert ("PERIOD_UNCLEAR" in codes, "PERIOD_ENDING" in codes) == (name == "Hour", name == "hour ending")
        if name == "Hour":
            with pytest.raises(TableInvalid, match="nobody can tell whether 0"):
                read_columns(sheet, ReadOptions(), strict=True)


@pytest.mark.parametrize("name", ["hour", "time"])
@pytest.mark.parametrize("form", ["{:02d}:00", "{:02d}00", "{}00", "{:02d}:00:00"])
def test_clocks_are_not_in_doubt(name: str, form: str) -> None:
    """The opening hours of a shop are no numbered hours, and a service stores them."""
    lines = [f"date,{name},y", *(f"2024-01-01,{form.format(hour)},{hour}" for hour in range(9, 18))]

    reading = read_columns(read_sheet("\n".join(lines).encode()), ReadOptions(), strict=True)

    assert stamps(reading) == STARTS[9:18]
    assert reading.values["y"].values.tolist() == [float(hour) for hour in range(9, 18)]
    assert "PERIOD_UNCLEAR" not in {one.code for one in reading.findings}


@pytest.mark.parametrize(("count", "step"), [(48, 30), (96, 15)])
def test_periods_of_a_day_are_counted_from_one(count: int, step: int) -> None:
    """As in the files of electricity markets."""
    rows = [f"2024-01-01,{at},{at}" for at in range(1, count + 1)]

    reading = read(["settlement_date,settlement_period,demand", *rows], time="settlement_date", value="demand")

    assert (reading.times.walls == np.datetime64("2024-01-01") + step * np.arange(count).astype("m8[m]")).all()


@pytest.mark.parametrize(
    "header",
    [
        [str(hour) for hour in HOURS],
        [str(hour + 1) for hour in HOURS],
        [f"HE{hour + 1}" for hour in HOURS],
        [f"H{hour + 1:02d}" for hour in HOURS],
        [f"{hour:02d}00" for hour in HOURS],
        [f"{hour:02d}:00" for hour in HOURS],
    ],
)
def test_hours_as_columns_become_rows(header: list[str]) -> None:
    """They are one hourly series, not 24 daily ones; ids beside the dates stay."""
    rows = [
        f"2024-01-0{day},{name}," + ",".join(str(100 * day + hour) for hour in HOURS)
        for name in ("a", "b")
        for day in (1, 2)
    ]

    reading = read([f"date,id,{','.join(header)}", *rows])

    assert stamps(reading) == 2 * STARTS
    assert reading.ids.to_pylist() == ["a"] * 48 + ["b"] * 48
    assert reading.values["value"].values[[0, 23, 24, 95]].tolist() == [100.0, 123.0, 200.0, 223.0]
    assert reading.sheet.rows[[0, 23, 24, 95]].tolist() == [2, 2, 3, 5]
    assert "HOURS_JOINED" in {one.code for one in reading.findings}


@pytest.mark.parametrize("header", ["date,hour,y", f"date,{','.join(map(str, range(1, 26)))}"])
def test_a_day_of_25_hours_is_refused(header: str) -> None:
    """Hour 25 does not say which hour is doubled; the remedy is a time with its offset."""
    rows = [f"2024-10-27,{hour},1" for hour in range(1, 26)] if "y" in header else ["2024-10-27" + ",1" * 25]

    with pytest.raises(TableInvalid, match="hour 25"):
        read([header, *rows])


def test_numbered_stores_are_no_hours() -> None:
    """Fewer or more numbers than hours are series, as before."""
    reading = read(["date," + ",".join(map(str, range(2, 25))), "2024-01-01" + ",1" * 23])

    assert reading.layout.wide
    assert len(reading.values) == 23


def test_a_minute_beyond_59_is_an_error_of_its_row() -> None:
    """It is not read as a quarter past the next hour."""
    reading = read(["date,time,y", "2024-01-01,10:75,1", "2024-01-02,10:15,2"])

    assert [fault.what for fault in reading.faults().values()] == ["is not a date"]
