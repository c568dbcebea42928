"""A file of any format is read as the same ids, timestamps and values, or refused by name."""

import datetime as dt
import gzip
import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from models.tables import content, parquet
from models.tables import workbook as workbook_module
from models.tables.cells import column_of
from models.tables.csv_text import MOST_OTHERS, read_csv
from models.tables.faults import TableInvalid
from models.tables.options import ReadOptions
from models.tables.read import ParsedTable, read_columns, read_sheet
from models.tables.sheet import make_sheet

FRAME = pd.DataFrame({"unique_id": ["007", "NA"], "ds": ["2024-01-31", "2024-02-29"], "y": [1.5, 1028.0]})
USUAL = ReadOptions()


def workbook(sheets: dict[str, list[list[Any]]]) -> bytes:
    """Return an .xlsx file with text as inline strings and numbers as they are."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as book:
        kinds = "application/vnd.openxmlformats-officedocument.spreadsheetml"
        parts = "".join(
            f'<Override PartName="/xl/worksheets/sheet{at}.xml" ContentType="{kinds}.worksheet+xml"/>'
            for at in range(1, len(sheets) + 1)
        )
        book.writestr(
            "[Content_Types].xml",
            '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
            '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
            f'<Override PartName="/xl/workbook.xml" ContentType="{kinds}.sheet.main+xml"/>{parts}</Types>',
        )
        office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
        package = "http://schemas.openxmlformats.org/package/2006/relationships"
        main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
        book.writestr(
            "_rels/.rels",
            f'<Relationships xmlns="{package}"><Relationship Id="r1" Type="{office}/officeDocument" '
            'Target="xl/workbook.xml"/></Relationships>',
        )
        names = "".join(
            f'<sheet name="{name}" sheetId="{at}" r:id="r{at}"/>' for at, name in enumerate(sheets, start=1)
        )
        book.writestr(
            "xl/workbook.xml", f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets>{names}</sheets></workbook>'
        )
        links = "".join(
            f'<Relationship Id="r{at}" Type="{office}/worksheet" Target="worksheets/sheet{at}.xml"/>'
            for at in range(1, len(sheets) + 1)
        )
        book.writestr("xl/_rels/workbook.xml.rels", f'<Relationships xmlns="{package}">{links}</Relationships>')
        for at, rows in enumerate(sheets.values(), start=1):
            cells = "".join(f"<row>{''.join(map(_cell, row))}</row>" for row in rows)
            book.writestr(
                f"xl/worksheets/sheet{at}.xml", f'<worksheet xmlns="{main}"><sheetData>{cells}</sheetData></worksheet>'
            )
    return file.getvalue()


def _cell(value: object) -> str:
    return (
        f"<c><v>{value}</v></c>" if isinstance(value, float | int) else f'<c t="inlineStr"><is><t>{value}</t></is></c>'
    )


ROWS = [list(FRAME.columns), *FRAME.to_numpy().tolist()]
CSV = FRAME.to_csv(index=False).encode()
FORMATS: dict[str, Callable[[], bytes]] = {
    "d.csv": lambda: CSV,
    "index.csv": lambda: FRAME.to_csv().encode(),
    "utf16.csv": lambda: CSV.decode().encode("utf-16"),
    "spaces.csv": lambda: CSV.replace(b"unique_id,ds", "\ufeff unique_id ,\u00a0ds".encode()),
    "tabs.csv": lambda: CSV.replace(b",", b"\t"),
    "bars.csv": lambda: CSV.replace(b",", b"|"),
    "sep.csv": lambda: b"sep=;\r\n" + CSV.replace(b",", b";").replace(b"\n", b"\r\n"),
    "quoted.csv": lambda: b'"' + CSV.strip().replace(b",", b'","').replace(b"\n", b'"\n"') + b'"\n',
    "trailing.csv": lambda: CSV.replace(b"\n", b",\n"),
    "d.csv.gz": lambda: gzip.compress(CSV),
    "d.parquet": FRAME.to_parquet,
    "index.parquet": lambda: FRAME.set_index("unique_id").to_parquet(),
    "filtered.parquet": lambda: FRAME.set_index(np.array([3, 7])).to_parquet(),
    "d.jsonl": lambda: FRAME.to_json(orient="records", lines=True).encode(),
    "d.json": lambda: FRAME.to_json(orient="records", indent=1).encode(),
    "d.xlsx": lambda: workbook({"Notes": [], "Data": ROWS}),
}


def far_cell(place: str) -> bytes:
    """Return a workbook with one more cell, at a place."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(workbook({"A": ROWS}))) as book, zipfile.ZipFile(file, "w") as changed:
        for part in book.infolist():
            text = book.read(part).replace(b"</sheetData>", f'<row><c r="{place}"/></row></sheetData>'.encode())
            changed.writestr(part.filename, text, zipfile.ZIP_DEFLATED)
    return file.getvalue()


def repeated_text() -> bytes:
    """Return a Parquet file that has one long text a thousand times."""
    file = io.BytesIO()
    text = pa.array(["x" * 10_000] * 1_000).dictionary_encode()
    pq.write_table(pa.table({"id": text, "ds": ["2024-01-31"] * 1_000, "y": [1.0] * 1_000}), file)
    return file.getvalue()


@pytest.mark.parametrize(
    ("make", "name", "limits", "words"),
    [
        (lambda: far_cell("XFD1048576"), "d.xlsx", {}, "a sheet of more than 20,000,000 cells"),
        (lambda: workbook({"A": ROWS * 50}), "d.xlsx", {"MOST_BYTES": 2_000}, "unpacks to .* at most 2,000 are read"),
        (repeated_text, "d.parquet", {"MOST_BYTES": 1_000_000}, "unpacks to 10,0.0,000 bytes"),
        (FRAME.to_parquet, "d.parquet", {"MOST_BYTES": 10}, "unpacks to .* at most 10 are read"),
    ],
)
def test_a_small_file_that_would_fill_the_memory_is_refused(
    make: Callable[[], bytes], name: str, limits: dict[str, int], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A far cell of a workbook, repeated text and compressed parts are counted before they are unpacked."""
    for limit, value in limits.items():
        monkeypatch.setattr(workbook_module, limit, value)
        monkeypatch.setattr(parquet, limit, value)

    assert len(make()) < 50_000
    with pytest.raises(TableInvalid, match=words):
        read(make(), name)


@pytest.mark.parametrize(
    "data",
    [
        ",y\n2024-01-01,5\n2024-01-02,6\n",
        ",id,y\n2024-01-01,a,5\n2024-01-02,a,6\n",
        ",day,month,y\n2024-01-01,1,1,5\n2024-01-02,2,1,6\n",
        "Unnamed: 0,day,y\n2024-01-01,1,5\n2024-01-02,2,6\n",
        ",year,y\n01.01.2024,2024,5\n02.01.2024,2024,6\n",
    ],
)
def test_the_unnamed_index_of_dates_is_the_time(data: str) -> None:
    """As `to_csv()` writes it, also beside parts of the dates."""
    found = read(data.encode(), options=ReadOptions(value="y"))

    assert [str(one)[:10] for one in found.times.walls] == ["2024-01-01", "2024-01-02"]
    assert found.values["y"].values.tolist() == [5.0, 6.0]


@pytest.mark.parametrize(
    ("cells", "starts"),
    [
        (["2004/05", "2005/06", "2006/07"], ["2004-01-01", "2005-01-01", "2006-01-01"]),
        (["2023-2024", "2024-2025", "2025-2026"], ["2023-01-01", "2024-01-01", "2025-01-01"]),
        (["2004/05", "2004/06", "2004/07"], ["2004-05-01", "2004-06-01", "2004-07-01"]),
        (["KW 52/2020", "KW 53/2020", "KW 1/2021"], ["2020-12-21", "2020-12-28", "2021-01-04"]),
        (["W01 2024", "W02 2024"], ["2024-01-01", "2024-01-08"]),
        (["2024-01-01 - 2024-01-07", "2024-01-08 - 2024-01-14"], ["2024-01-01", "2024-01-08"]),
        (["01.01.2024 23:00 - 02.01.2024 00:00", "02.01.2024 00:00 - 02.01.2024 01:00"], ["2024-01-01", "2024-01-02"]),
    ],
)
def test_seasons_weeks_and_periods_are_their_starts(cells: list[str], starts: list[str]) -> None:
    """A season such as 2004/05 is not May of 2004, and a period is its start."""
    found = read(("date,y\n" + "".join(f"{cell},1\n" for cell in cells)).encode())

    assert not found.faults()
    assert [str(one)[:10] for one in found.times.walls] == starts
    assert "DATES_NOT_ISO" in {one.code for one in found.findings}


@pytest.mark.parametrize("name", ["d.csv", "d.parquet", "d.jsonl", "d.csv.gz"])
def test_only_a_workbook_has_sheets(name: str) -> None:
    """The option is refused for any other format."""
    with pytest.raises(TableInvalid, match="which has no sheets"):
        read(FORMATS[name](), name, ReadOptions(sheet="A"))


def read(data: bytes, name: str = "d.csv", options: ReadOptions = USUAL) -> ParsedTable:
    """Return a file, read."""
    return read_columns(read_sheet(data, name, options), options)


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_says_the_same(name: str) -> None:
    """Ids are text, whatever they look like."""
    found = read(FORMATS[name](), name)

    assert not found.faults()
    assert found.ids.to_pylist() == FRAME["unique_id"].tolist()
    assert found.times.walls.astype("M8[D]").astype(str).tolist() == FRAME["ds"].tolist()
    assert found.values["y"].values.tolist() == FRAME["y"].tolist()


@pytest.mark.parametrize(
    ("data", "name", "words"),
    [
        (b"PK\x03\x04 and no more", "d.xlsx", "is a ZIP archive"),
        (b"ARROW1", "d.feather", "Feather"),
        (b"BZh9", "d.csv.bz2", "bunzip2"),
        (b"\x1f\x8b and no more", "d.csv.gz", "cannot be decompressed"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "d.xls", "a workbook that cannot be read"),
        (b"<html>", "d.csv", "is HTML"),
        (b"ds,y\n2024,1\n", "d.parquet", "is not a Parquet file"),
        (b'{"ds": "2024", "y": 1}\n{"ds"', "d.jsonl", "Line 2: is not JSON"),
        (b'{"ds": "2024", "y": [1]}', "d.jsonl", "Line 1"),
        (b'{"ds": "2024", "y": 1, "y": 2}', "d.jsonl", "Line 1: has the key 'y' twice"),
        (b"2024-01-01,5\n2024-01-02,6\n", "d.csv", "has no header: its first row is '2024-01-01', '5'"),
        (b"item,2024-01,2024-02,2024-03\na,1,2,3\n", "d.csv", "has dates as columns"),
        (b"ds,y\n2024,1\0\n", "d.csv", "is not text"),
        (b"x" * 200_000 + b",y\n2024,1\n", "d.csv", "cannot be read: field larger"),
        (b"ds,y\n2024,\x81\n", "d.csv", "neither in UTF-8 nor in Windows-1252.*SHIFT_JIS"),
        (b'[{"ds": "2024", "y": [1]}]', "d.json", "Entry 1"),
        (b'[{"ds": "2024", "y": 1, "y": 2}]', "d.json", "has the key 'y' twice"),
        (b'{"ds": {"0": 1704672000000}, "y": {"0": 1}}', "d.json", "not an object of text and numbers"),
        (b"a,2024-01-01,5\na,2024-01-02,6\nb,2024-01-01,7\n", "d.csv", "has no header: its first row is 'a'"),
        (b"#group,false,false\nds,y,z\n2024,1,2\n", "d.csv", "Take out the lines above"),
        (
            b"order_date,ship_date,qty\n2024-01-01,2024-01-04,5\n2024-01-02,2024-01-09,6\n",
            "d.csv",
            "two columns of dates",
        ),
        (b"Week,y\n202301,1\n202302,2\n", "d.csv", "may be a week or a month.*2023-W01.*--date-format %Y%m"),
        (b"week,y\n2024-01,1\n2024-02,2\n", "d.csv", "may be a week or a month.*2024-W01.*--date-format %Y-%m"),
        (b"KW;y\n01/2024;1\n02/2024;2\n", "d.csv", "may be a week or a month.*2024-W01.*--date-format %m/%Y"),
        (b"week,y\n2024/12,1\n2024/13,2\n", "d.csv", "'2024/13' is a week and not a date.*2024-W13"),
        (workbook({"A": ROWS, "B": ROWS}), "d.xlsx", "2 sheets with rows: A, B.*--sheet"),
    ],
)
def test_what_cannot_be_read_is_refused_by_name(data: bytes, name: str, words: str) -> None:
    """With what to do."""
    with pytest.raises(TableInvalid, match=words):
        read(data, name)


def test_a_sheet_is_chosen_by_name() -> None:
    """A name that is not there is answered by those that are."""
    book = workbook({"A": [["ds", "y"], ["2024", 1]], "B": ROWS})

    assert read(book, "d.xlsx", ReadOptions(sheet="B")).ids.to_pylist() == ["007", "NA"]
    with pytest.raises(TableInvalid, match=r"no sheet 'C'\. It has A, B"):
        read(book, "d.xlsx", ReadOptions(sheet="C"))


def test_a_bomb_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small file may not become a large one."""
    monkeypatch.setattr(content, "MOST_BYTES", 10)

    with pytest.raises(TableInvalid, match="unpacks to more than"):
        read(gzip.compress(CSV), "d.csv.gz")


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["ds,y", "2024,1,028"], "1,028 needs quotes"),
        (["ds,y", "2024,1,028", "2025,1,029"], "1,028 needs quotes"),
        (["ds,y", "1,2024-01-01,5", "2,2024-01-02,6"], "The header lacks a name"),
        (["ds,y", "2024,1", "2025,1,"], "Take out the ','"),
        (["ds,y", "2024,1", "", "2025"], "Row 4"),
        (["ds,y", '2024,"1', '2"', "2025,1,1"], "Row 3"),
    ],
)
def test_a_row_of_another_width_is_named(lines: list[str], words: str) -> None:
    """By its row, and with the likely cause."""
    faults = read("\n".join(lines).encode()).sheet.faults

    assert words in str(faults[min(faults)].error())


RETAIL = [
    {
        "date": f"2024-01-{day:02d}",
        "store": store,
        "item": item,
        "price": 1.25,
        "promotion": day % 2,
        "sales": day + item,
    }
    for day in range(1, 9)
    for store in ("01", "02")
    for item in (1, 2)
]


@pytest.mark.parametrize("name", ["d.csv", "d.parquet", "d.jsonl"])
def test_a_retail_file_is_read_by_the_command_that_its_error_names(name: str) -> None:
    """Keys are named, prices and promotions are not taken for them."""
    frame = pd.DataFrame(RETAIL)
    data = {"d.csv": frame.to_csv(index=False).encode(), "d.parquet": frame.to_parquet()}
    data["d.jsonl"] = "\n".join(map(json.dumps, RETAIL)).encode()

    with pytest.raises(TableInvalid, match="Give --id-column store,item --time-column date --value-column sales"):
        read(data[name], name)
    found = read(data[name], name, ReadOptions(("store,item",), "date", "sales"))

    assert found.ids.to_pylist()[:4] == ["01/1", "01/2", "02/1", "02/2"]
    assert found.layout.ignored == ("price", "promotion")


def test_keys_that_contain_the_separator_stay_apart() -> None:
    """`a/b` and `c` are not `a` and `b/c`."""
    found = read(b"p,q,ds,y\na/b,c,2024,1\na,b/c,2024,1\n", options=ReadOptions(("p", "q")))

    assert len(set(found.ids.to_pylist())) == 2


def test_a_column_whose_name_has_a_comma_is_one_column() -> None:
    """It comes before the columns of its parts."""
    found = read(b'a,b,"a,b",ds,y\n1,2,3,2024,1\n', options=ReadOptions(("a,b",)))

    assert found.ids.to_pylist() == ["3"]


@pytest.mark.parametrize(
    ("header", "row", "stamp"),
    [
        ("Date,Time,y", "2024-01-31,06:30,1", "2024-01-31T06:30"),
        ("Datum;Uhrzeit;y", "31.01.2024;06:30;1", "2024-01-31T06:30"),
        ("Date,Time,y", "1/31/2024,6:30 PM,1", "2024-01-31T18:30"),
        ("date,hour,y", "20240131,6,1", "2024-01-31T06:00"),
    ],
)
def test_a_time_beside_a_date_is_joined_to_it(header: str, row: str, stamp: str) -> None:
    """And said."""
    found = read(f"{header}\n{row}\n".encode())

    assert found.times.walls[0] == np.datetime64(stamp)
    assert "CLOCK_JOINED" in [finding.code for finding in found.findings]


def test_the_end_of_each_period_is_left_out() -> None:
    """As exports of energy have it beside the start."""
    found = read(
        b"Datum von;Datum bis;MWh\n"
        + b"".join(b"01.01.2024 0%d:00;01.01.2024 0%d:00;5\n" % (at, at + 1) for at in range(5))
    )

    assert (found.layout.time, found.layout.values) == ("Datum von", ("MWh",))
    assert "Not used: Datum bis." in [one.detail for one in found.findings]


def test_typed_days_are_joined_to_typed_times() -> None:
    """As of a workbook, where midnight may be a day of 1899."""
    days = column_of([dt.date(2024, 1, 31)] * 2)
    clock = column_of([dt.datetime(1899, 12, 31), dt.time(6, 30)])  # noqa: DTZ001 - a wall clock
    sheet = make_sheet(["Date", "Time", "y"], [days, clock, column_of([1.0, 2.0])], np.array([2, 3]))

    found = read_columns(sheet, USUAL)

    assert found.times.walls.astype(str).tolist() == ["2024-01-31T00:00:00.000000", "2024-01-31T06:30:00.000000"]
    clock = pa.array([dt.time(6, 30), dt.time(7)])
    typed = make_sheet(["d", "t", "y"], [days, clock, column_of([1.0, 2.0])], np.array([2, 3]))
    assert read_columns(typed, USUAL).times.walls[0] == np.datetime64("2024-01-31T06:30")


def test_dates_are_found_where_no_name_tells() -> None:
    """By their cells; the ids and the value by what the error names."""
    with pytest.raises(TableInvalid, match="--id-column Artikel --time-column Datum --value-column Umsatz"):
        read(b"Artikel;Datum;Umsatz\nKaese;01.01.2024;985\nKaese;02.01.2024;990\n")


@pytest.mark.parametrize(
    ("header", "cells", "options"),
    [
        ("date,country,sales", "{},DE|{},FR", "--id-column country --time-column date --value-column sales"),
        ("date,store,discount,sales", "{},1,2|{},2,2", "--id-column store --time-column date --value-column sales"),
        ("date,Load Zone,amount", "{},N|{},S", "--id-column 'Load Zone' --time-column date --value-column amount"),
        ("date,sales_region,sales", "{},1|{},2", "--id-column sales_region --time-column date --value-column sales"),
        ("date,account_nr,units_per_box,sales", "{},1,6|{},2,6", "--id-column account_nr .* --value-column sales"),
        ("store,date,sales", "S1,{}|S2,{}", "--id-column store .* if it names series. Else: Write the number alone: 1"),
    ],
)
def test_keys_are_named_whatever_words_are_in_their_names(header: str, cells: str, options: str) -> None:
    """`country` is no count, and a discount is not the value; the value is the last column."""
    days = [f"2024-01-{day:02d}" for day in range(1, 15)]
    if header.startswith("store"):  # one store after the other
        rows = [f"{cells.split('|')[day // 7].format(one)},{day}" for day, one in enumerate(days)]
    else:
        rows = [f"{cell.format(one)},{day}" for day, one in enumerate(days) for cell in cells.split("|")]

    with pytest.raises(TableInvalid, match=options):
        read("\n".join([header, *rows]).encode())


@pytest.mark.parametrize(
    "name", ["index", "", "Unnamed: 0", "#", "No.", "Nr", "Nr.", "row", "Lfd. Nr.", "S.No", "X", "...1", "_c0"]
)
def test_row_numbers_are_no_series(name: str) -> None:
    """Whether they begin at 0 or at 1."""
    for first in (0, 1):
        found = read(f"{name},date,a\n{first},2024-01-01,5\n{first + 1},2024-01-02,6\n".encode())

        assert found.layout.values == ("a",)
        assert found.findings[0].code == "ROW_NUMBERS_DROPPED"


@pytest.mark.parametrize(
    ("names", "rows"),
    [
        (",Unnamed: 0", ["0,0", "1,1"]),
        (",Unnamed: 0.1,Unnamed: 0", ["0,0,0", "1,1,1"]),
        (",Unnamed: 0.1,Unnamed: 0", ["0,0,7", "1,1,3"]),
        ("level_0,index", ["0,0", "1,1"]),
        ("level_0,index", ["0,5", "1,9"]),
        (",level_0,index", ["0,0,0", "1,1,1"]),
        ("X.1,X", ["1,1", "2,2"]),
    ],
)
def test_rows_that_were_numbered_again_are_no_series(names: str, rows: list[str]) -> None:
    """Each `to_csv()` and `reset_index()` of pandas adds a column; where rows were filtered before, the old one has gaps."""
    found = read(f"{names},date,a\n{rows[0]},2024-01-01,5\n{rows[1]},2024-01-02,6\n".encode())

    assert found.layout.values == ("a",)
    assert [one.code for one in found.findings] == ["ROW_NUMBERS_DROPPED"] * len(names.split(","))


@pytest.mark.parametrize("name", ["", "Unnamed: 0"])
def test_row_numbers_of_joined_files_are_left_out(name: str) -> None:
    """They begin again with each file; a flag without a name is still refused."""
    rows = [f"{at},2024-01-{day:02d},{region},5" for region in "AB" for at, day in enumerate(range(1, 9))]

    found = read(
        "\n".join([f"{name},date,region,sales", *rows]).encode(), options=ReadOptions(("region",), "date", "sales")
    )

    assert found.layout.values == ("sales",)
    assert [one.code for one in found.findings] == ["ROW_NUMBERS_DROPPED"]
    with pytest.raises(TableInvalid, match="has no name for column 1"):
        read(b",date,sales\n0,2024-01-01,5\n0,2024-01-02,5\n7,2024-01-03,5\n")


@pytest.mark.parametrize("name", ["Unnamed: 0", "__index_level_0__"])
def test_row_numbers_that_repeat_at_each_time_are_a_key(name: str) -> None:
    """Stores without a name of their own; dropped, two stores with equal values would be one."""
    frame = pd.DataFrame({name: [1, 2] * 8, "date": np.repeat(pd.date_range("2024-01-01", periods=8), 2), "sales": 5.0})

    with pytest.raises(TableInvalid, match="looks like a key"):
        read(frame.to_parquet(index=False), "d.parquet")


def test_numbered_names_alone_are_series() -> None:
    """Only a name that is there without its number was numbered by R or pandas."""
    rows = [f"{at},{9 * at % 7},2024-01-{at + 1:02d},5" for at in range(7)]

    assert read("\n".join(["No.1,No.2,timestamp,No.3", *rows]).encode()).layout.values == ("No.1", "No.2", "No.3")


def test_the_index_of_filtered_rows_is_no_series() -> None:
    """In Parquet it comes last, and pandas has named it; a column x that comes later may be a series that counts."""
    frame = pd.DataFrame({"date": pd.date_range("2024-01-01", periods=3), "a": [5.0, 6, 7], "x": [0.0, 1, 2]})

    for index in ([3, 9, 4], [0, 1, 0]):  # filtered, and joined
        found = read(frame.set_index(np.array(index)).to_parquet(), "d.parquet")

        assert found.layout.values == ("a", "x")
        assert [one.code for one in found.findings] == ["ROW_NUMBERS_DROPPED"]


@pytest.mark.parametrize("first", ["", "index", "level_0"])
def test_a_number_beside_a_row_counter_may_be_an_id(first: str) -> None:
    """Only pandas writes several counters, under names of its own."""
    found = read(f"{first},nr,ds,y\n0,1,2024-01-01,5\n1,2,2024-01-01,6\n".encode(), options=ReadOptions(("nr",)))

    assert found.ids.to_pylist() == ["1", "2"]


@pytest.mark.parametrize(
    ("header", "row", "values"),
    [(",date,index", "0,{},0", ("index",)), (",date,index,no", "0,{},0,0", ("index", "no"))],
)
def test_a_series_that_counts_is_kept_apart_from_the_row_numbers(
    header: str, row: str, values: tuple[str, ...]
) -> None:
    """A single row with 0 shows nothing."""
    assert read(f"{header}\n{row.format('2024-01-01')}\n".encode()).layout.values == values


@pytest.mark.parametrize("header", ["date,Q1,Q2,Q3,Q4", "Year,S1,S2,T1,T2", "Year,H1,H2,H3,a"])
def test_series_named_like_periods_are_read(header: str) -> None:
    """Beside dates they are sensors; stores and sensors have letters of their own."""
    first = "2022-01-01" if header.startswith("date") else "2022"

    assert len(read(f"{header}\n{first},1,2,3,4\n".encode()).layout.values) == 4


@pytest.mark.parametrize("row", ["2024-01-01,0,5", "2024-01-01,1.5,5", "2024-01-01,20,5"])
def test_a_column_that_never_changes_is_a_series_unless_it_is_named_as_a_key(row: str) -> None:
    """A closed shop sells nothing, and a tariff stays for years."""
    later = row.replace("01-01", "01-02")

    assert read(f"date,tariff,b\n{row}\n{later}\n".encode()).layout.values == ("tariff", "b")


def of_years(header: str, cell: str, first: int = 1) -> str:
    """Return a file of three years with two parts each."""
    rows = [f"{year},{cell.format(part)},5\n" for year in (2021, 2022, 2023) for part in (first, first + 1)]
    return f"{header},sales\n{''.join(rows)}"


@pytest.mark.parametrize(
    ("data", "options", "words"),
    [
        (",date,a\n3,2024-01-01,5\n7,2024-01-02,6\n", USUAL, "has no name for column 1.*what stands above the header"),
        ("# made by x\ndate,a\n2024-01-01,5\n2024-01-02,6\n", USUAL, "Take out the lines above it."),
        (
            "Data Source,World Development Indicators,\n\nCountry,Code,2021,2022,2023,\nAruba,ABW,1,2,3,\nChad,TCD,4,5,6,\n",
            USUAL,
            "table begins at line 3, 'Country,Code,2021",
        ),
        (
            "Date,SKU,Units\n2024-01-01,0042,5\n2024-01-02,0042,6\n",
            USUAL,
            "'SKU' looks like one: it is '0042' in each row. Give --id-column SKU --time-column Date --value-column Units",
        ),
        ("date,storeNbr,qty\n2024-01-01,7,5\n2024-01-02,7,6\n", USUAL, "Give --id-column storeNbr"),
        ("date,weight\n2024-01-01,10 kg\n2024-01-02,1 t\n", USUAL, "here are kg, t"),
        ("index,date,y\n1,2024-01-01,5\n2,2024-01-02,6\n", ReadOptions(("index",)), "'index' to use: it only counts"),
        ("region,2019,2020,2021\nA,1,2,3\nB,1,2,3\n", USUAL, "has years as columns.*a row for each date"),
        ("month,2019,2020,2021\n1,1,2,3\n2,1,2,3\n", USUAL, "has years as columns"),
        ("year,Jan,Feb,Mar,Apr,May,Jun\n2023,1,2,3,4,5,6\n", USUAL, "has months as columns.*one row for each month"),
        ("Year,Q1,Q2,Q3,Q4\n2022,1,2,3,4\n2023,1,2,3,4\n", USUAL, "quarters as columns, such as 'Q1'.*2024-Q1"),
        ("FY,I. Quartal,II. Quartal,III. Quartal,IV. Quartal\nFY2022,1,2,3,4\n", USUAL, "has quarters as columns"),
        ("a,Year,H1,H2\nx,2022,1,2\nx,2023,1,2\n", USUAL, "has half-years as columns"),
        ("season,H1,H2\n2020-21,1,2\n2021-22,1,2\n", USUAL, "has half-years as columns"),
        ("season,H1,H2\n2010/11,1,2\n2011/12,1,2\n", USUAL, "has half-years as columns"),
        ("item,2024010100,2024010101\na,1,2\n", USUAL, "has dates as columns"),
        (
            f"id,item_id,store_id,{','.join(f'd_{at}' for at in range(1, 41))}\na_1,a,1{',3' * 40}\nb_1,b,1{',NA' * 40}\n",
            USUAL,
            "has steps as columns, 'd_1' to 'd_40'.*one row for each series and step.*melt",
        ),
        (f"shop,{','.join(f'F{at}' for at in range(1, 13))}\nA{',3' * 12}\n", USUAL, "has steps as columns, 'F1'"),
        (f"Jahr,{','.join(f'KW{at:02d}' for at in range(1, 53))}\n2022{',1' * 52}\n", USUAL, "has weeks as columns"),
        (f"year,{','.join(f'M{at:02d}' for at in range(1, 13))}\n2022{',1' * 12}\n", USUAL, "has months as columns"),
        (
            of_years("fiscal_year,fiscal_month", "{}"),
            USUAL,
            "Write 'fiscal_year', 'fiscal_month' as one column.*first day",
        ),
        (of_years("FiscalYear,FiscalWeek", "{}"), USUAL, "Write 'FiscalYear', 'FiscalWeek' as one column.*first day"),
        (of_years("Year,Semester", "{}"), USUAL, "one column, such as 2024-01 or 2024-07"),
        (of_years("Year,Half", "H{}"), USUAL, "one column, such as 2024-01 or 2024-07"),
        (of_years("Anno,Mese", "{}"), USUAL, "Write 'Anno', 'Mese' as one column, such as 2024-01[.]$"),
        (of_years("year,period", "P0{}"), USUAL, "one column, such as 2024-01[.]$"),
        (of_years("year,period", "{}"), USUAL, "one column, such as 2024-01[.]$"),
        (of_years("Year,Period", "M1{}", first=2), USUAL, "Take out the rows of M13"),
        (
            of_years("Year,Period", "M0{}").replace("sales", "Value"),
            USUAL,
            "rows 2 and 3 have .*Write 'Year', 'Period' as",
        ),
        (
            "Day,Opened,Closed,kWh\n"
            + "".join(f"2024-01-0{1 + at % 2},0{at}:00,0{at + 1}:00,{at // 2}\n" for at in range(8)),
            USUAL,
            "hold parts of the time",
        ),
        (
            "Date,minute,kWh,cost\n" + "2024-01-01,1,1,1\n2024-01-01,2,1,1\n2024-01-02,1,1,1\n2024-01-02,2,1,1\n",
            USUAL,
            "'minute' holds a part of the time.*Write 'Date', 'minute' as one column",
        ),
        (
            "id,date,store_nbr,family,sales,onpromotion\n"
            + "".join(
                f"{4 * day + 2 * store + item},2024-01-0{day + 1},{store},F{item},{day},0\n"
                for day in range(4)
                for store in (0, 1)
                for item in (0, 1)
            ),
            USUAL,
            "Give --id-column store_nbr,family --time-column date --value-column sales",
        ),
    ],
)
def test_a_column_of_another_use_is_named(data: str, options: ReadOptions, words: str) -> None:
    """And never taken for a series or its key."""
    with pytest.raises(TableInvalid, match=words):
        read(data.encode(), options=options)


@pytest.mark.parametrize("series", ["H1,H2", "Q1,Q2,Q3,Q4", "2024010101,2024010102", "2012022001"])
@pytest.mark.parametrize(
    ("first", "rows"),
    [
        ("date,year", ["2024-01-30,2024", "2024-01-31,2024"]),
        ("date,capacity", [f"2024-01-{day:02d},{1999 + day}" for day in range(1, 16)]),
        ("year,month", ["2020,1", "2020,2"]),
        ("year,month", ["2020,Jan", "2020,Feb"]),
        ("month", ["2020-01", "2020-02"]),
        ("month", ["202001", "202002"]),
    ],
)
def test_series_with_names_like_periods_are_read_beside_times(first: str, rows: list[str], series: str) -> None:
    """Hospitals, sensors and items are named so, too; years alone beside them are refused."""
    names = series.split(",")
    lines = [",".join([row, *(str(10 * at + place) for place in range(len(names)))]) for at, row in enumerate(rows)]

    reading = read("\n".join([f"{first},{series}", *lines]).encode())

    assert not reading.faults()
    assert len(np.unique(reading.times.walls)) == len(rows)
    for place, name in enumerate(names):
        assert reading.values[name].values.tolist() == [10.0 * at + place for at in range(len(rows))]


@pytest.mark.parametrize(
    ("header", "row", "day"),
    [
        ("year,month,store,y", "2019,2,1,5", "2019-02-01"),
        ("Year,Month,Day,y", "2019,2,3,5", "2019-02-03"),
        ("Year,Month,y", "2019,gen,5", "2019-01-01"),
        ("Year,Month,y", "2019,maj,5", "2019-05-01"),
        ("Year,Month,y", "2019,październik,5", "2019-10-01"),
        ("year,week,y", "2022,1,5", "2022-01-03"),
        ("quarter,year,y", "2,2022,5", "2022-04-01"),
        ("Year,Quarter,y", "2022,Qtr 2,5", "2022-04-01"),
        ("Year,Quarter,Month,Day,y", "2022,Qtr 2,May,3,5", "2022-05-03"),
    ],
)
def test_a_date_in_several_columns_is_one(header: str, row: str, day: str) -> None:
    """And said."""
    found = read(f"{header}\n{row}\n".encode())

    assert found.times.walls[0] == np.datetime64(day)
    assert found.layout.values == ("y",)
    assert "DATE_JOINED" in [finding.code for finding in found.findings]


def test_the_only_column_of_values_is_no_key() -> None:
    """Whatever repeats: without it nothing is left to forecast."""
    assert read(b"date,y\n2024-01-01,5\n2024-01-01,6\n2024-01-02,5\n2024-01-02,6\n").explain_repeats() is None


def test_the_date_of_several_columns_is_named_as_the_error_says() -> None:
    """Its command reads the file."""
    data = "year,month,store,y\n" + "".join(f"2019,{at // 2 + 1},{at % 2},5\n" for at in range(8))

    assert "--id-column store --time-column date --value-column y" in str(read(data.encode()).explain_repeats())
    found = read(data.encode(), options=ReadOptions(("store",), "date", "y"))

    assert found.ids.to_pylist()[:2] == ["0", "1"]
    assert found.times.walls[2] == np.datetime64("2019-02-01")


def test_a_form_of_dates_settles_the_era() -> None:
    """Else these months are refused as Persian ones."""
    data = b"date,y\n1402-01,5\n1402-02,6\n"

    with pytest.raises(TableInvalid, match="looks like one of the Persian"):
        read(data)
    assert read(data, options=ReadOptions(date_format="%Y-%m")).times.walls[0] == np.datetime64("1402-01")


def test_a_date_index_without_a_name_is_the_time() -> None:
    """As `to_csv()` writes a frame indexed by dates."""
    found = read(b",a,b\n2024-01-01,5,6\n2024-01-02,6,7\n")

    assert found.layout.values == ("a", "b")
    assert found.times.walls[0] == np.datetime64("2024-01-01")


@pytest.mark.parametrize(
    "text",
    [
        "Datum;Umsatz (in Tsd., netto)\n01.01.2024;12,5\n02.01.2024;13,5\n",
        'Datum,"Umsatz; netto"\n01.01.2024,12.5\n02.01.2024,13.5\n',
        "Datum\tUmsatz, netto\n01.01.2024\t12,5\n02.01.2024\t13,5\n",
    ],
)
def test_the_separator_is_what_separates_the_rows(text: str) -> None:
    """Not the most frequent sign of the header."""
    found = read(text.encode())

    assert next(iter(found.values.values())).values.tolist() == [12.5, 13.5]


@pytest.mark.parametrize("row", ["1\n", "a,2024-01\n", "a,2024-01-01,5,6\n"])
def test_a_file_of_rows_of_another_width_is_refused_soon(row: str) -> None:
    """Its first row is named; if most rows are right, each wrong one has its fault, also beyond as many."""
    right = "a,2024-01-01,5\n"

    with pytest.raises(TableInvalid, match=r"Row 2: The row has .* more like it"):
        read_csv("unique_id,ds,y\n" + row * (MOST_OTHERS + 1))

    kept = read_csv("unique_id,ds,y\n" + right * (MOST_OTHERS + 2) + row * (MOST_OTHERS + 1))
    assert len(kept.faults) == MOST_OTHERS + 1


def test_row_names_without_a_header_are_named_however_many_rows_there_are() -> None:
    """Nor does it matter that no more of them are read."""
    with pytest.raises(TableInvalid) as refused:
        read_csv("date,value\n" + "1,2024-01-31,x\n" * (MOST_OTHERS + 1))

    assert "The header lacks a name for the first column" in refused.value.hint


@pytest.mark.parametrize("cells", ["", "7,2024-01-31,5,5\n"])
def test_a_cell_that_is_a_formula_of_text_is_its_text(cells: str) -> None:
    """As exports write ids and names for Excel; other formulas stay as they are."""
    rows = '="unique_id",ds,"=""y"""\n="00123",2024-01-31,="1.5"\n"=""123""",2024-01-31,2\n=A1,2024-01-31,3\n'

    found = read_columns(read_sheet((rows + cells).encode()), USUAL)

    assert found.ids.to_pylist()[:3] == ["00123", "123", "=A1"]
    assert found.values["y"].values[:3].tolist() == [1.5, 2, 3]
