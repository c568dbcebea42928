"""Two columns of times beside a date are the periods of a meter, or opening hours and shifts beside days that are whole."""

import itertools

import numpy as np
import pytest

from models.tables.faults import TableInvalid
from models.tables.options import ReadOptions
from models.tables.read import ParsedTable, read_columns, read_sheet
from tests.models.tables.times.test_hours import read, stamps


def read_strictly(lines: list[str], **options: object) -> ParsedTable:
    """Return CSV lines, read as posted observations."""
    sheet = read_sheet("\n".join(lines).encode())
    return read_columns(sheet, ReadOptions(**options), strict=True)  # type: ignore[arg-type]


QUARTERS = [f"{minute // 60 % 24:02d}:{minute % 60:02d}" for minute in range(0, 1_455, 15)]
WALLS = [str(one) for one in np.datetime64("2024-01-01T00:00") + 15 * np.arange(192).astype("m8[m]")]


def meter(*, by_end: bool = False) -> list[str]:
    """Return two days of quarter hours as rows; with `by_end`, each has the date on which it ends."""
    periods = list(enumerate(itertools.pairwise(QUARTERS)))
    days = [(day, at, start, end) for day in (1, 2) for at, (start, end) in periods]
    return [f"0{day + (by_end and end == '00:00')}.01.2024;{start};{end};{at}" for day, at, start, end in days]


@pytest.mark.parametrize(
    "names",
    [
        "Zeit von;Zeit bis",
        "from;to",
        "start time;end time",
        "Von;Bis",
        "Uhrzeit von;Uhrzeit bis",
        "von:;bis:",
        "period_start;period_end",
        "Hour Start;Hour End",
    ],
)
def test_a_period_between_two_clocks_is_read_by_its_start(names: str) -> None:
    """As meters of energy write quarter hours; the end is left out."""
    found = read([f"Datum;{names};kWh", *meter()])

    assert stamps(found) == WALLS
    assert list(found.values) == ["kWh"]


def test_periods_end_a_second_before_the_next_or_stand_in_numbers_of_hours() -> None:
    """Some rows may stand elsewhere, and a last row has no times."""
    seconds = [
        line.replace(end, f"{start[:3]}{int(start[3:]) + 14}:59")
        for line in meter()
        for start, end in [line.split(";")[1:3]]
    ]
    hours = [f"01.01.2024;{hour};{hour + 1};1" for hour in range(24)]

    assert stamps(read(["Datum;von;bis;kWh", *seconds[5:], *seconds[:5]])) == WALLS[5:] + WALLS[:5]
    assert stamps(read(["Datum;von;bis;kWh", *hours])) == WALLS[:96:4]
    assert len(read(["Datum;von;bis;kWh", *meter(), "Summe;;;5"]).faults()) == 1


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("rows", [192, 96])
@pytest.mark.parametrize("ids", ["", "A;B"])
def test_rows_dated_by_the_midnight_at_which_they_end_are_of_the_day_before(order: int, rows: int, ids: str) -> None:
    """The last quarter hour of each day came 24 hours late; a finding says so."""
    lines = [f"{line};{one}" for line in meter(by_end=True)[:rows][::order] for one in ids.split(";")]

    found = read([f"Datum;von;bis;kWh;{'id' if ids else 'note'}", *lines], value="kWh")

    assert stamps(found) == [wall for wall in WALLS[:rows][::order] for _ in ids.split(";")]
    assert "PERIOD_ENDING" in {one.code for one in found.findings}
    assert "PERIOD_ENDING" not in {one.code for one in read(["Datum;von;bis;kWh", *meter()[::order]]).findings}


def test_two_halves_of_a_day_do_not_show_by_which_end_they_are_dated() -> None:
    """A file of falling dates looks like one whose nights have the date of their end: none is moved."""
    lines = [
        f"0{day}.01.2024;{start}:00;{end}:00;1" for day in (3, 2, 1) for start, end in (("12", "00"), ("00", "12"))
    ]

    assert stamps(read(["Datum;von;bis;kWh", *lines]))[::2] == [
        "2024-01-03T12:00",
        "2024-01-02T12:00",
        "2024-01-01T12:00",
    ]


DATES = [
    [f"2024-01-{day:02d}" for day in range(1, 29)],
    [f"2024{month:02d}01" for month in range(1, 13)],
    [f"2024年{month}月1日" for month in range(1, 13)],
    [f"20{year}-Q{quarter}" for year in (18, 19) for quarter in range(1, 5)],
    [f"2023-W{week:02d}" for week in range(1, 9)],
    [f"KW {week}/2023" for week in range(1, 9)],
    [f"{month:02d}/2022" for month in range(1, 13)],
    [f"{month}-22" for month in ("Jan", "Feb", "Mar", "Apr")],
    [str(1_704_067_200 + 86_400 * day) for day in range(9)],
]


@pytest.mark.parametrize("dates", DATES, ids=[one[0] for one in DATES])
@pytest.mark.parametrize("hours", [("08:00", "18:00"), ("22:30", "06:30"), ("00:00", "00:00"), ("00:00", "24:00")])
def test_hours_beside_dates_that_do_not_repeat_are_left_out(dates: list[str], hours: tuple[str, str]) -> None:
    """Opening hours, shifts and sleep: the dates of each series are whole."""
    rows = [f"{one},{date},{hours[0]},{hours[1]},{at}" for one in "ab" for at, date in enumerate(dates)]

    found = read(["unique_id,ds,start,to,y", *rows])
    bare = read(["unique_id,ds,y", *(",".join(row.split(",")[:2] + row.split(",")[4:]) for row in rows)])

    assert stamps(found) == stamps(bare)


def test_hours_that_differ_and_a_format_of_dates_change_nothing() -> None:
    """A shop opens later at weekends, and its dates have a format."""
    days = [f"2024-01-{day:02d}" for day in range(1, 29)]
    rows = [f"shop,{day},{'10' if at % 7 > 4 else '08'}:00,18:00,{at}" for at, day in enumerate(days)]

    for options in ({}, {"date_format": "%Y-%m-%d"}, {"time": "ds", "value": "y"}):
        assert stamps(read(["unique_id,ds,from,to,y", *rows], **options)) == [f"{day}T00:00" for day in days]


@pytest.mark.parametrize(
    ("hours", "expected"),
    [
        ("13:45,14:00", "2024-01-31T13:45"),
        ("13:45:00,13:59:59", "2024-01-31T13:45"),
        ("13,14", "2024-01-31T13:00"),
        ("1:00 PM,2:00 PM", "2024-01-31T13:00"),
        ("23:45,24:00", "2024-01-31T23:45"),
        ("23:45,00:00", "2024-01-31T23:45"),
    ],
)
@pytest.mark.parametrize("ids", ["A", "AB"])
def test_the_newest_row_of_a_meter_has_its_time(hours: str, expected: str, ids: str) -> None:
    """A period of up to an hour, alone; over midnight nobody knows of which day it has the date, which is said."""
    found = read(["id,date,from,to,value", *(f"{one},2024-01-31,{hours},5" for one in ids)])

    assert stamps(found) == [expected] * len(ids)
    assert ("PERIOD_UNCLEAR" in {one.code for one in found.findings}) == hours.startswith("23")


def test_two_rows_around_midnight_have_their_times() -> None:
    """Of a series, in any order."""
    rows = ["A,2024-01-31,23:45,00:00,5", "A,2024-02-01,00:00,00:15,6"]

    for lines in (rows, rows[::-1]):
        found = read(["id,date,from,to,value", *lines])
        assert sorted(stamps(found)) == ["2024-01-31T23:45", "2024-02-01T00:00"]
        assert "PERIOD_UNCLEAR" not in {one.code for one in found.findings}


@pytest.mark.parametrize("header", ["from,to", "from,note", "note,until"])
@pytest.mark.parametrize(
    "rows",
    [
        ["A,2024-01-31,08:00,18:00,5", "B,2024-01-31,08:00,18:00,5"],
        ["A,2024-01-31,22:00,00:00,5", "A,2024-02-01,00:00,02:00,5"],
    ],
)
def test_rows_alone_whose_times_are_not_read_are_named_and_not_stored(header: str, rows: list[str]) -> None:
    """They may be hours of a shop, or of the value; those of a day would become one observation."""
    lines = [f"id,date,{header},value", *rows]

    found = read(lines)

    assert [one[10:] for one in stamps(found)] == ["T00:00"] * 2
    assert [one.code for one in found.findings] == ["PERIOD_UNCLEAR", "COLUMNS_IGNORED"]
    with pytest.raises(TableInvalid, match=r"has times of day in .*give --time-column date"):
        read_strictly(lines)
    assert len(read_strictly(lines, time="date").times.walls) == 2
    assert [one.code for one in read_strictly(["id,date,opens,closes,value", *rows]).findings] == ["COLUMNS_IGNORED"]


def test_wide_rows_with_times_of_periods_are_not_stored_as_days() -> None:
    """A meter sends two hours at a time; a file of days is read without the hours of a shift."""
    with pytest.raises(TableInvalid, match="'Zeit von' has no numbers"):
        read_strictly(["date,Zeit von,Zeit bis,north,south", "2024-03-01,06:00,08:00,0.5,7"])


def test_dates_that_repeat_beside_shifts_stay_dates() -> None:
    """They are refused: what stands beside them is a part of the time, which the error says."""
    lines = [f"2024-01-0{day},{hours},1" for day in (1, 2, 3) for hours in ("08:00,12:00", "13:00,17:00")]

    with pytest.raises(TableInvalid, match="hold parts of the time"):
        read(["date,from,to,y", *lines], value="y")


def test_the_command_that_names_ids_and_dates_reads_the_periods_of_several_meters() -> None:
    """Errors advise it, and the dates of each meter repeat; days that are whole beside shifts stay days."""
    lines = [f"{meter_id};{line}" for meter_id in ("001", "002") for line in meter()]
    whole = [f"{shop};0{day}.01.2024;08:00;18:00;{day}" for shop in "AB" for day in range(1, 5)]
    named = {"ids": ("Zähler",), "time": "Datum", "value": "kWh"}

    with pytest.raises(TableInvalid, match="Give --id-column Zähler --time-column Datum --value-column kWh"):
        read(["Zähler;Datum;von;bis;kWh", *lines])
    assert stamps(read(["Zähler;Datum;von;bis;kWh", *lines], **named)) == WALLS * 2
    assert stamps(read_strictly(["Zähler;Datum;von;bis;kWh", *lines], **named)) == WALLS * 2
    assert all(one.endswith("T00:00") for one in stamps(read(["Zähler;Datum;von;bis;kWh", *whole], **named)))
