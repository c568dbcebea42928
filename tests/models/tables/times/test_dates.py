"""Dates are read in any column, in the one form that fits all its cells."""

import datetime as dt
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from models.calendar.timestamps import NO_OFFSET
from models.tables.faults import CellFault, TableInvalid
from models.tables.options import ReadOptions
from models.tables.read import read_columns, read_sheet
from models.tables.times.date_forms import is_dated
from models.tables.times.dates import Times, read_times
from models.tables.times.eras import find_eras


def read(cells: list[Any], form: str | None = None) -> Times:
    """Return the times of cells that begin in row 2."""
    return read_times(pa.array(cells), "ds", np.arange(2, 2 + len(cells)), form)


def check_eras(cells: list[Any], ids: list[str] | None = None) -> dict[int, CellFault]:
    """Read cells, and return the faults of the eras of their series."""
    rows = np.arange(2, 2 + len(cells))
    return find_eras(
        read(cells).walls, pa.array(cells), "ds", rows, None if ids is None else pa.array(ids).dictionary_encode()
    )


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("2024-01-31", "2024-01-31"),
        ("2024-01", "2024-01-01"),
        ("2024", "2024-01-01"),
        (2024, "2024-01-01"),
        ("20240131", "2024-01-31"),
        (20240131, "2024-01-31"),
        (20240131.0, "2024-01-31"),
        ("20240131.0", "2024-01-31"),
        ("2024.0", "2024-01-01"),
        ("202401", "2024-01-01"),
        (202401, "2024-01-01"),
        ("202401310630", "2024-01-31T06:30"),
        ("20240131T063000Z", "2024-01-31T06:30"),
        ("1q24", "2024-01-01"),
        ("2024.Q2", "2024-04-01"),
        ("2024_Q2", "2024-04-01"),
        ("2024.01.31.", "2024-01-31"),
        ("2024. 1. 31.", "2024-01-31"),
        ("31. 1. 2024", "2024-01-31"),
        ("Jan-24", "2024-01-01"),
        ("Jan 2024", "2024-01-01"),
        ("Januar 2024", "2024-01-01"),
        ("Mär. 24", "2024-03-01"),
        ("2024 Dez", "2024-12-01"),
        ("31. Oktober 2024", "2024-10-31"),
        ("31-Jan-24", "2024-01-31"),
        ("Jan 31, 2024", "2024-01-31"),
        ("Wed, 31 Jan 2024 06:30:00 GMT", "2024-01-31T06:30"),
        ("01/2021", "2021-01-01"),
        ("2021/01", "2021-01-01"),
        ("2021M01", "2021-01-01"),
        ("2021/1/31", "2021-01-31"),
        ("2023-W40", "2023-10-02"),
        ("2023W40", "2023-10-02"),
        ("2023-W40-3", "2023-10-04"),
        ("1990Q2", "1990-04-01"),
        ("Q2 1990", "1990-04-01"),
        ("2Q24", "2024-04-01"),
        ("2Q 1999", "1999-04-01"),
        ("24Q2", "2024-04-01"),
        ("Q2 '24", "2024-04-01"),
        ("Q2-24", "2024-04-01"),
        ("2. Quartal 2024", "2024-04-01"),
        ("2nd quarter 2024", "2024-04-01"),
        ("2e trimestre 2024", "2024-04-01"),
        ("2H24", "2024-07-01"),
        ("H2 2024", "2024-07-01"),
        ("H1'24", "2024-01-01"),
        ("2024H2", "2024-07-01"),
        ("2024-h2", "2024-07-01"),
        ("2. Halbjahr 2024", "2024-07-01"),
        ("Week 40, 2023", "2023-10-02"),
        ("31JAN24:06:30:00", "2024-01-31T06:30"),
        ("3 maj 2024", "2024-05-03"),
        ("01.02.2024 06:30", "2024-02-01T06:30"),
        ("01.02.24 06:30 Uhr", "2024-02-01T06:30"),
        ("1/31/2024 3:00 PM", "2024-01-31T15:00"),
        ("31/1/2024 12:00 a.m.", "2024-01-31T00:00"),
        ("2024-01-31 06:30 UTC", "2024-01-31T06:30"),
        ("2024-01-31T06:30:00.000+02:00", "2024-01-31T06:30"),
        ("2024-01-31T06:30:00.1234567Z", "2024-01-31T06:30:00.123456"),
        ("1706682600", "2024-01-31T06:30"),
        ("1706682600.5", "2024-01-31T06:30:00.5"),
        ("1706682600000000000", "2024-01-31T06:30"),
        ("w/e 06-Jan-24", "2024-01-06"),
        ("1 W/E 01/13/24", "2024-01-13"),
        ("Week Ending 2024-01-06", "2024-01-06"),
        ("Mo, 08.01.2024", "2024-01-08"),
        ("mar 13/02/2024", "2024-02-13"),
        ("Mar 2024", "2024-03-01"),
        ("2024年1月31日", "2024-01-31"),
        ("2024년 1월", "2024-01-01"),
        ("2021m1", "2021-01-01"),
        ("2023w5", "2023-01-30"),
        ("04MAR2024:06:30:00", "2024-03-04T06:30"),
        (1706682600000, "2024-01-31T06:30"),
    ],
)
def test_a_date_is_read(cell: object, expected: str) -> None:
    """As text or as a number, by CSV and by Parquet."""
    found = read([cell, None])

    assert found.walls[0] == np.datetime64(expected)
    assert [fault.what for fault in found.faults.values()] == ["the date is missing"]


@pytest.mark.parametrize(
    ("cells", "style"),
    [
        (["2024-01-31 06:30 UTC", "2024-01-31 07:30 UTC"], "YYYY-MM-DDThh:mm:ssZ"),
        (["31.01.2024 06:30 +02:00"], "YYYY-MM-DDThh:mm:ss+02:00"),
        (["31.01.2024 06:30 +02:00", "31.01.2024 06:30 +01:00"], "YYYY-MM-DDThh:mm:ss"),
        (["31.01.2024 06:30"], "YYYY-MM-DDThh:mm:ss"),
        (["2024-01-31 06:30:00Z"], "YYYY-MM-DD hh:mm:ssZ"),
    ],
)
def test_an_offset_that_all_times_have_is_written_again(cells: list[str], style: str) -> None:
    """As Z where it is none; where offsets change, the timezone decides."""
    assert read(cells).style == style


def test_the_whole_column_tells_day_from_month() -> None:
    """A day above twelve anywhere settles it; where none is, the options are named."""
    assert read(["03/02/2024", "13/02/2024"]).walls[0] == np.datetime64("2024-02-03")
    assert read(["03/02/2024", "03/13/2024"]).walls[0] == np.datetime64("2024-03-02")
    assert read(["02/02/2024"]).walls[0] == np.datetime64("2024-02-02")
    with pytest.raises(TableInvalid, match=r"Row 3, column 'ds'.*--date-format '%d/%m/%Y' or --date-format '%m/%d/%Y'"):
        read(["02/02/2024", "03/02/2024"])
    with pytest.raises(TableInvalid, match="--date-format 'W/E %d/%m/%Y' or --date-format 'W/E %m/%d/%Y'"):
        read(["W/E 03/02/2024"])
    with pytest.raises(TableInvalid, match="Take the weekdays out, and give --date-format '%d/%m/%Y'"):
        read(["Sa 03/02/2024"])
    assert read(["03/02/24"], "%m/%d/%y").walls[0] == np.datetime64("2024-03-02")


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["24-01-01", "24-01-02", "24-01-03"], "2024-01-01"),
        (["24/01/01", "24/02/01", "24/03/01"], "2024-01-01"),
        (["24-01-30 06:00", "24-02-02 06:00", "24-02-03 06:00"], "2024-01-30T06:00"),
        (["99-01-01"], "1999-01-01"),
        (["20/02/24", "22/02/24", "21/02/24"], "2024-02-20"),
        (["30/01/24", "02/02/24", "03/02/24"], "2024-01-30"),
        (["01/15/24"], "2024-01-15"),
        (["24-01-01"], "--date-format '%d-%m-%y' or --date-format '%y-%m-%d'"),
        (["01/01/20", "01/01/21", "01/01/22"], "'%d/%m/%y' or --date-format '%m/%d/%y' or --date-format '%y/%m/%d'"),
        (["01/02/24", "02/02/24", "03/02/24"], "day or month or year first"),
    ],
)
def test_dates_tell_years_of_two_digits_from_days(cells: list[str], expected: str) -> None:
    """By their steps, or else the column is refused."""
    if expected[:2].isdigit():
        assert read(cells).walls[0] == np.datetime64(expected)
        return
    with pytest.raises(TableInvalid, match=re.escape(expected)):
        read(cells)


@pytest.mark.parametrize(
    ("cells", "wrong", "words"),
    [
        (["2024-01-31", "2024-02-30"], 1, "is not a date"),
        (["31/01/2024", "01/31/2024", "31/03/2024"], 1, "like '31/01/2024' (row 2)"),
        (["2024-01-01 00:00 CET"], 0, "is not a date"),
        (["240131"], 0, "is not a date"),
        (["31 Jan 24:00"], 0, "is not a date"),
        (["10600101"], 0, "is not a date"),
        (["2024-01-31 25:00"], 0, "is not a date"),
        (["13:00 PM"], 0, "is not a date"),
    ],
)
def test_what_is_no_date_is_a_fault(cells: list[str], wrong: int, words: str) -> None:
    """Never another date."""
    found = read(cells)

    assert list(found.faults) == [wrong]
    assert np.isnat(found.walls[wrong])
    assert words in found.faults[wrong].what


@pytest.mark.parametrize(
    ("cells", "wrong", "like"),
    [
        (["2018-07-01", "2018-08-01", "2018"], {2}, "2018-07-01"),
        (["2018-07", "2018", "2019-07", "2019"], {1, 3}, "2018-07"),
        (["2018", "2019", "2020", "2021-01"], {3}, "2018"),
        (["2018-07-01", "2018-07-01 06:00"], set(), ""),
    ],
)
def test_a_year_among_dates_is_no_january(cells: list[str], wrong: set[int], like: str) -> None:
    """It may be a total, and the hint says so."""
    faults = read(cells).faults

    assert set(faults) == wrong
    assert all(f"like {like!r} (row 2)" in one.what for one in faults.values())
    assert all(("total, remove it" in one.hint) == (len(one.cell) == 4) for one in faults.values())


def test_a_month_among_days_is_read_with_a_finding() -> None:
    """Each is the first day of the month; the first row is named and the others are counted."""
    found = read(["2018-07-01", "2018-08", "2018-09-01", "2018-10"])

    assert [str(one)[:10] for one in found.walls] == ["2018-07-01", "2018-08-01", "2018-09-01", "2018-10-01"]
    assert [one.detail for one in found.findings] == [
        "Row 3: '2018-08' has no day, others have one; it is read as 2018-08-01. 1 more like it."
    ]


@pytest.mark.parametrize(("swapped", "usual"), [("%m/%d/%Y", "%d/%m/%Y"), ("%d-%m-%y", "%m-%d-%y")])
@pytest.mark.parametrize("step", [1, -1])
def test_days_and_months_that_a_spreadsheet_swapped_are_refused(swapped: str, usual: str, step: int) -> None:
    """Days 1 to 12 have the other order; with the format, or in another order of rows, they are read as written."""
    days = [dt.date(2023, 1, 1) + dt.timedelta(days=at) for at in range(60)][::step]
    cells = [f"{day:{swapped if day.day <= 12 else usual}}" for day in days]

    with pytest.raises(TableInvalid, match=r"\(row \d+\) and .* spreadsheet may have swapped") as caught:
        read(cells)

    assert f"--date-format '{usual}'" in caught.value.hint
    assert not read(cells, usual).faults
    assert not read([f"{day:{usual}}" for day in [*days[30:], *days[:30]]]).faults


@pytest.mark.parametrize("write", [dt.date.isoformat, lambda day: day], ids=["text", "typed"])
def test_dates_of_a_workbook_whose_days_and_months_were_swapped_are_refused(write: Callable[[dt.date], object]) -> None:
    """As text in ISO 8601 and typed; of months come the first days of each January. Days in another order stay."""
    days = [dt.date(2023, 3, 1) + dt.timedelta(days=at) for at in range(60)]
    swapped = [day.replace(day=day.month, month=day.day) if day.day <= 12 else day for day in days]
    months = [dt.date(2020 + at // 12, 1, 1 + at % 12) for at in range(36)]

    for cells in (swapped, months):
        with pytest.raises(TableInvalid, match="only with day and month swapped"):
            read([write(day) for day in cells])

    assert not read([write(day) for day in [*days[30:], *days[:30]]]).faults
    assert not read([write(dt.date(2023, at, 5)) for at in range(1, 13)]).faults
    assert not read([write(dt.date(2023, 1, 1) + dt.timedelta(days=at)) for at in range(12)]).faults


def test_dates_that_a_workbook_has_half_as_text_are_refused_by_name() -> None:
    """13/03/2024 stays text where the month comes first; a lone cell of another kind has its own message."""
    days = [dt.date(2024, 3, 1) + dt.timedelta(days=at) for at in range(40)]
    cells = [f"{day:%Y-%d-%m}" if day.day <= 12 else f"{day:%d/%m/%Y}" for day in days]

    with pytest.raises(TableInvalid, match=r"'2024-01-03' \(row 2\) is a date and '13/03/2024' \(row 14\) is text"):
        read(cells)

    assert len(read([*(f"{day:%Y-%m-%d}" for day in days), "13/03/2024"]).faults) == 1


def test_days_that_excel_counts_are_refused_by_name() -> None:
    """45292 is a date only in a workbook."""
    with pytest.raises(TableInvalid, match="Excel's number of 2024-01-01"):
        read([45292, 45293])


@pytest.mark.parametrize("kind", [str, int, float])
def test_ten_digits_are_hours_where_all_are(kind: type) -> None:
    """Also daily ones, and 24 o'clock; fewer than three may be seconds, and so may those that lie minutes apart."""
    hours = [kind(f"202401{day:02d}{hour:02d}") for day in (30, 31) for hour in range(1, 25)]

    found = read(hours)

    assert (str(found.walls[0])[:13], str(found.walls[-1])[:13]) == ("2024-01-30T01", "2024-02-01T00")
    assert read([kind(f"202401{day:02d}00") for day in range(1, 32)]).walls[30] == np.datetime64("2024-01-31")
    assert read([1704067200, 1704070800, 1704074400]).walls[1] == np.datetime64("2024-01-01T01")
    for few in (hours[:2], [kind(f"20240101{hour}") for hour in ("00", "12")]):
        with pytest.raises(TableInvalid, match=r"or seconds since 1970\. For hours give --date-format %Y%m%d%H"):
            read(few)
    assert set(read([*map(str, map(int, hours)), "2024013299"]).faults) == {len(hours)}


def test_offsets_are_kept_beside_the_walls() -> None:
    """Each cell has its own."""
    found = read(["2024-10-27T02:00:00+02:00", "2024-10-27T02:00:00+01:00", "2024-10-27T03:00:00Z"])

    assert found.offsets.tolist() == [7200, 3600, 0]
    assert read(["2024-10-27"]).offsets.tolist() == [NO_OFFSET]


def test_typed_timestamps_keep_their_zone() -> None:
    """A named zone beside instants; a mere offset beside wall clocks."""
    stamp = [dt.datetime(2024, 1, 31, 5, tzinfo=dt.UTC)]

    named, offset = (
        read_times(pa.array(stamp, pa.timestamp("us", zone)), "ds", np.array([2])) for zone in ("Asia/Tokyo", "+01:00")
    )

    assert (str(named.walls[0])[:13], named.offsets[0], named.zone) == ("2024-01-31T05", 0, "Asia/Tokyo")
    assert (str(offset.walls[0])[:13], offset.offsets[0], offset.zone) == ("2024-01-31T06", 3600, None)


@pytest.mark.parametrize("cells", [["29/01/2567", "30/01/2567"], ["2567", "2568"], [dt.date(2567, 1, 29)]])
def test_years_of_the_buddhist_era_are_refused(cells: list[str]) -> None:
    """Their weekdays and leap days are those of another year; one usual year settles it."""
    with pytest.raises(TableInvalid, match=r"in the year 2567, .* 543 less: 2024"):
        check_eras(cells)
    check_eras(["2024-01-29", "2567-01-30"])


@pytest.mark.parametrize("cells", [["1403/01/31", "1403/02/31"], ["1445-09-01", "1445-09-02"], [dt.date(1403, 1, 31)]])
def test_persian_and_islamic_dates_are_refused(cells: list[Any]) -> None:
    """Their months are others, and their years are read as those of six centuries ago; years alone are such years."""
    with pytest.raises(TableInvalid, match=r"Persian or the Islamic calendar. Write Gregorian dates"):
        check_eras(cells)


@pytest.mark.parametrize("end", ["", "-01-01", "-12-31"])
def test_years_of_the_middle_ages_are_such_years(end: str) -> None:
    """Alone, or written as their first or their last days."""
    check_eras([f"{year}{end}" for year in (1403, 1404, 1405)])


def test_each_series_has_its_era() -> None:
    """A Persian series beside a Gregorian one is found."""
    days = ["2022-01-01", "1402-01-01", "2022-02-01", "1402-02-01"]

    assert not check_eras(days)
    found = check_eras(days, ["DE", "IR"] * 2)
    assert [(one.row, one.cell) for one in found.values()] == [(3, "1402-01-01"), (5, "1402-02-01")]
    assert "--date-format %Y-%m-%d" in found[1].hint
    with pytest.raises(TableInvalid, match=r"Row 2, column 'ds': '1402-01-01'"):
        check_eras(days[1::2] * 2, ["AF", "AF", "IR", "IR"])
    with pytest.raises(TableInvalid, match=r"--date-format %Y/%m[.]"):
        check_eras(["1402/01", "1402/02"])


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("01-Jan", "has no year"),
        ("January", "has no year"),
        ("1 maja", "has no year"),
        ("1.maj.24", "Write dates as 1939-01-31"),
        ("2022.0833", "year with a fraction"),
        ("FY24 P01", "fiscal year"),
        ("1QFY18", "fiscal year"),
        ("Q1 FY18", "fiscal year"),
        ("1H FY18", "fiscal year"),
        ("Q1 2018/19", "fiscal year"),
        ("2019P01", "fiscal year"),
        ("P13/2019", "fiscal year"),
        ("2024-001", "--date-format"),
        ("2023-S40", "weeks as 1939-W01"),
        ("2023-S1", "half-years as 1939-H1"),
        ("T1 2018", "quarters as 1939-Q1"),
        ("113/01/31", "Gregorian years of four digits"),
        ("tammi 2022", "'tammi' is not read as a month"),
        ("set 2022", "'set' is not read as a month"),
        ("2024-01-01T00:00+01:00[Europe/Berlin]", "name of the zone out"),
        ("2024-01-01 00:00:00 America/New_York", "name of the zone out"),
        ("Mon Jan 01 2024 00:00:00 GMT+0100 (Central European Standard Time)", "name of the zone out"),
    ],
)
def test_what_is_no_date_is_refused_with_what_to_write(cell: str, words: str) -> None:
    """A form of dates would not help."""
    assert words in read([cell]).faults[0].hint


@pytest.mark.parametrize("name", ["1H12", "1Q24", "Q1 24", "2012H1", "Set 10", "Maj 10"])
def test_what_may_be_a_name_is_a_date_among_times_only(name: str) -> None:
    """So that a column of rooms or products is none of times."""
    assert not is_dated(name)


@pytest.mark.parametrize(
    "cells",
    [
        ["janv. 2018", "févr. 2018", "août 2018"],
        ["enero 2018", "feb 2018", "agosto 2018"],
        ["jan 18", "fev/18", "ago. 2018"],
        ["gen-18", "feb-18", "ago-18"],
        ["sty 2018", "luty 2018", "sierpień 2018"],
        ["1 stycznia 2018", "1 lutego 2018", "1 sierpnia 2018"],
        ["1-gen-18", "1-feb-18", "1-ago-18"],
    ],
)
def test_months_may_have_names_of_other_languages(cells: list[str]) -> None:
    """As spreadsheets of these countries write them."""
    assert read(cells).walls.astype("M8[M]").astype(str).tolist() == ["2018-01", "2018-02", "2018-08"]


def test_the_end_of_a_day_is_the_next_midnight() -> None:
    """As meters of energy write it; later times there are none."""
    found = read(["2024-01-31 23:30", "2024-01-31 24:00", "2024-01-31 24:30"])

    assert found.walls.astype("M8[m]").astype(str).tolist() == ["2024-01-31T23:30", "2024-02-01T00:00", "NaT"]


@pytest.mark.parametrize("cell", ["1. listopad 2024", "1 lis 2024", "1. lip 2024", "1 listopada 2024"])
def test_a_month_of_polish_and_croatian_is_that_of_the_others(cell: str) -> None:
    """October in Croatian is November in Polish and Czech, June is July; alone, and among others of both, nobody knows."""
    for others in ([], ["1. svibanj 2024", "1 maja 2024"]):
        with pytest.raises(TableInvalid, match=r"as in Polish. Write months as 2024-10"):
            read([cell, *others])
    found = {
        other: str(read([cell, f"1 {other} 2024"]).walls[0])[:7]
        for other in ("października", "marca", "srpna", "rujna")
    }

    polish, croatian = ("2024-07", "2024-06") if "lip" in cell else ("2024-11", "2024-10")
    assert found == {"października": polish, "marca": polish, "srpna": polish, "rujna": croatian}


@pytest.mark.parametrize(("name", "month"), [("listopada", "2024-10"), ("lis", "2024-10"), ("lip", "2024-07")])
def test_a_31st_tells_the_language_of_a_month(name: str, month: str) -> None:
    """Neither November nor June has one; the message has the cell as it is."""
    found = read([f"{day}. {name} 2024." for day in (30, 31)])

    assert found.walls.astype("M8[D]").astype(str).tolist() == [f"{month}-30", f"{month}-31"]
    assert f"'30. {name} 2024.'" in found.findings[0].detail


@pytest.mark.parametrize(
    "names",
    [
        "siječanj veljača ožujak travanj svibanj lipanj srpanj kolovoz rujan listopad studeni prosinac",
        "siječnja veljače ožujka travnja svibnja lipnja srpnja kolovoza rujna listopada studenoga prosinca",
        "leden únor březen duben květen červen červenec srpen září říjen listopad prosinec",
        "ledna února března dubna května června července srpna září října listopadu prosince",
    ],
)
def test_croatian_and_czech_months_are_read(names: str) -> None:
    """In nominative and genitive, also as a column beside years."""
    months = [f"2024-{month:02d}" for month in range(1, 13)]
    lines = [f"2024,{name},1" for name in names.split()]
    table = read_columns(read_sheet("\n".join(["year,month,y", *lines]).encode()), ReadOptions())

    assert read([f"1. {name} 2024" for name in names.split()]).walls.astype("M8[M]").astype(str).tolist() == months
    assert table.times.walls.astype("M8[M]").astype(str).tolist() == months
