"""Opening hours and shifts beside a date are neither a part of its time nor values, whatever their type."""

import datetime as dt
import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from models.tables.faults import TableInvalid
from models.tables.options import ReadOptions
from models.tables.read import ParsedTable, read_columns, read_sheet
from tests.models.tables.times.test_hours import read, stamps

DAYS = [dt.date(2024, 1, 1) + dt.timedelta(day) for day in range(9)]
WALLS = [f"{day}T00:00" for day in DAYS]


def read_typed(**columns: object) -> ParsedTable:
    """Return the columns of a Parquet file, read."""
    body = io.BytesIO()
    pq.write_table(pa.table(columns), body)
    return read_columns(read_sheet(body.getvalue()), ReadOptions())


@pytest.mark.parametrize(
    ("names", "cells"),
    [
        ("start,end", "08:00,17:00"),
        ("opens,closes", "8:00 AM,5 PM"),
        ("Öffnungszeit,Ladenschluss", "8 Uhr,17 Uhr"),
        ("shift_start,shift_end", "22:00:00,06:00:00"),
        ("StartTime,EndTime", "08:00,17:00"),
        ("Arbeitsbeginn,Arbeitsende", "08:00,17:00"),
    ],
)
def test_times_of_a_shift_are_no_series(names: str, cells: str) -> None:
    """A wide daily file is read without them, which is said; a shop may be closed."""
    rows = [f"{day},{cells if at % 7 else 'closed,'},{at}" for at, day in enumerate(DAYS)]

    found = read([f"date,{names},sales", *rows])

    assert (list(found.values), stamps(found)) == (["sales"], WALLS)
    assert f"Not used: {names.partition(',')[0]}" in " ".join(one.detail for one in found.findings)


def test_hours_of_a_shift_in_numbers_are_refused_with_the_option_that_settles_it() -> None:
    """They may be series, as other numbers of such names are."""
    rows = [f"{day},8,17,{at}" for at, day in enumerate(DAYS)]

    with pytest.raises(TableInvalid, match=r"look like hours of the day.*Give --value-column sales"):
        read(["date,start,end,sales", *rows])
    with pytest.raises(TableInvalid, match="Take them out, or rename them"):
        read(["date,start,end,sales,visits", *(f"{row},1" for row in rows)])
    assert list(read(["date,start,end,sales", *rows], value="sales").values) == ["sales"]
    assert len(read(["date,start,end,sales", *(row.replace("17", "170") for row in rows)]).values) == 3
    assert len(read(["date,from,to", *(row.rpartition(",")[0] for row in rows)]).values) == 2


def test_a_column_of_times_with_another_name_has_the_option_that_leaves_it_out() -> None:
    """Else it may be a duration."""
    with pytest.raises(TableInvalid, match=r"Give --value-column visitors.*Write a duration as one number"):
        read(["date,sunrise,visitors", *(f"{day},08:00,{at}" for at, day in enumerate(DAYS))])


@pytest.mark.parametrize("names", [("opens", "closes"), ("open_from", "open_until"), ("start", "end")])
def test_typed_times_beside_days_that_are_whole_are_left_out(names: tuple[str, str]) -> None:
    """As those of CSV are."""
    hours = [[dt.time(hour)] * len(DAYS) for hour in (8, 17)]

    both = read_typed(ds=DAYS, **dict(zip(names, hours, strict=True)), y=[1.0] * len(DAYS))
    one = read_typed(ds=DAYS, **{names[0]: hours[0]}, y=[1.0] * len(DAYS))

    assert stamps(both) == stamps(one) == WALLS


@pytest.mark.parametrize("name", ["Messzeit", "measured_at", "t"])
def test_typed_times_of_another_name_are_joined_where_dates_repeat(name: str) -> None:
    """Hours of a day, one of them twice, or beside another time; whole days stay days, and rows alone are named, as in CSV."""
    hours = [dt.time(hour) for hour in range(9)]

    assert stamps(read_typed(ds=DAYS[:1] * 9, **{name: hours}, y=[0.0] * 9))[8] == "2024-01-01T08:00"
    assert stamps(read_typed(ds=DAYS[:1] * 9, **{name: [*hours[:8], hours[7]]}, y=[0.0] * 9))[8] == "2024-01-01T07:00"
    both = read_typed(ds=DAYS[:1] * 9, **{name: hours}, received=hours[::-1], y=[0.0] * 9)
    assert stamps(both)[8] == "2024-01-01T08:00"
    assert stamps(read_typed(ds=DAYS, time=hours, y=[1.0] * 9))[8] == "2024-01-09T08:00"
    assert stamps(read_typed(ds=DAYS, **{name: hours}, y=[0.0] * 9)) == WALLS
    late = read_typed(id=["a"] * 2, ds=DAYS[:2], **{name: [dt.time(23), dt.time(0)]}, y=[0.0] * 2)
    assert [one.code for one in late.findings] == ["PERIOD_UNCLEAR", "COLUMNS_IGNORED"]


@pytest.mark.parametrize("typed", [True, False])
def test_opening_hours_that_differ_by_shop_are_no_part_of_the_time(typed: bool) -> None:  # noqa: FBT001
    """The error names the key."""
    shops, days, hours = ["a", "b"] * 9, [day for day in DAYS for _ in "ab"], [dt.time(8), dt.time(9)] * 9
    rows = [
        f"{shop},{day},{hour:%H:%M},{at}" for at, (shop, day, hour) in enumerate(zip(shops, days, hours, strict=True))
    ]

    with pytest.raises(TableInvalid, match=r"'shop' looks like a key.*--id-column shop"):
        read_typed(shop=shops, date=days, opens=hours, sales=[1.0] * 18) if typed else read(
            ["shop,date,opens,sales", *rows]
        )


def test_typed_times_outside_of_years_are_named() -> None:
    """Python has no such times; Parquet has."""
    found = read_typed(ds=pa.array([253402300800, 0, -62135596801], pa.timestamp("s")), y=[1.0, 2.0, 3.0])

    assert {at: fault.cell for at, fault in found.faults().items()} == {
        0: "10000-01-01 00:00:00.000",
        2: "0000-12-31 23:59:59.000",
    }
