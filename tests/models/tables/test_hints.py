"""What is said of files that people really have fits the file, and the remedy works."""

import io
import zipfile
from collections.abc import Sequence

import numpy as np
import pytest

from models.tables.cells import advise_writing
from models.tables.content import decode
from models.tables.faults import TableInvalid
from models.tables.options import ReadOptions
from models.tables.read import ParsedTable, read_columns, read_sheet
from models.tables.workbook import _refuse_formulas
from service.observations.files import in_url

USUAL = ReadOptions()
DAYS = [f"2024-01-{day:02d}" for day in range(1, 11)]


def rows(header: str, cells: Sequence[str]) -> str:
    """Return a file with a row for each of ten days, whose cells follow the date."""
    return "\n".join([header, *(f"{day},{cell}" for day, cell in zip(DAYS, cells, strict=True))]) + "\n"


def read(text: str, options: ReadOptions = USUAL) -> ParsedTable:
    """Return a CSV file as it is read."""
    return read_columns(read_sheet(text.encode()), options)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (rows("date,sales,note", ["5,", "6,strike", *["7,"] * 8]), "Give --value-column sales, which leaves column 'note' out"),
        (rows("date,sales,note", [f"5,note {at}" for at in range(10)]), "Give --value-column sales,"),
        (rows("date,sales,promo", ["5,True", "6,False"] * 5), "Give --value-column sales,"),
        (rows("date,sales,shop", ["5,A", "6,B"] * 5), "Give --id-column shop"),
        (rows("date,sales", ["1_100"] * 10), "no numbers in column 'sales': '1_100' .row 2.. .*underscores"),
        (rows("date,sales", ["$5", "€6"] * 5), "one currency"),
        (rows("date,sales", ["USD 5.5", "EUR 6.5"] * 5), "one currency"),
        (rows("date,sales", ["EUR 5"] * 10), "give --value-column sales if they are the values"),
        (rows("date,sales", ["nr 5,50"] * 10).replace("nr 5,50", '"nr 5,50"'), "Write the number alone: 5,50"),
        (rows("date,sales", ["$(5.50)"] * 10), "with a minus: -5.50"),
        (rows("date,sales", ["$ -"] * 10), "Write 0, or leave the cell empty"),
        ("#datatype,dateTime,double\n#group,false,false\n" + rows("_time,_value", ["5"] * 10), "begins at line 3, '_time,_value'"),
        (rows("date,sales", ["many"] * 10), "'many' .row 2.. Leave gaps empty"),
        ("week,Mon,Tue,Wed,Thu,Fri\n2024-01-01,1,2,3,4,5\n2024-01-08,1,2,3,4,5\n", "one row for each day"),
        ("Year,Month,Sales\n2024,1,5\n,2,6\n,3,7\n", "year only in some rows of column 'Year'; it is empty in row 3"),
        ("Report: sales\nMade: today\n\n" + rows("date,sales", ["5"] * 10), "begins at line 4, 'date,sales'. Take out"),
        (f"Report\n{rows('date,sales', ['5'] * 10)}".replace(",", ";"), "begins at line 2, 'date;sales'"),
        (
            rows("date,shop,sales", ["A,5", *[",6"] * 9]) + "".join(f"{day},{'B' * (day == DAYS[0])},7\n" for day in DAYS),
            "Column 'shop' has text only in the first row of each group. Fill it down",
        ),
        ("date,.,b\n2024-01-01,1,2\n2024-01-02,1,2\n", "column '.', which cannot be an id"),
    ],
)  # fmt: skip
def test_a_file_is_refused_with_what_to_do(text: str, words: str) -> None:
    """Named are the column, the first cell or the line."""
    with pytest.raises(TableInvalid, match=words):
        read(text)


def test_the_first_remedy_of_a_text_column_works() -> None:
    """As an option, and as the parameter of a button of the page."""
    text = rows("date,sales,note", ["5,", "6,strike", *["7,"] * 8])
    with pytest.raises(TableInvalid) as caught:
        read(text)

    assert "`?value_column=sales`" in in_url(caught.value.hint)
    assert read(text, ReadOptions(value="sales")).layout.values == ("sales",)


@pytest.mark.parametrize(
    ("before", "after"),
    [("", "Total,99\n"), ("", "Summe,99\n"), ("", ",99\n"), (",EUR\n", ""), ("", "Total 2024,99\n")],
)
def test_a_row_of_a_total_or_a_unit_is_to_be_taken_out(before: str, after: str) -> None:
    """A misspelt date is to be written otherwise."""
    header, _, body = rows("date,sales", ["5"] * 10).partition("\n")

    fault = min(read(f"{header}\n{before}{body}{after}").times.faults.items())[1]
    misspelt = min(read(f"{header}\n{body}2024-01-99,5\n").times.faults.items())[1]

    assert fault.hint.startswith("Take the row out")
    assert "Write dates as" in misspelt.hint


def test_a_column_id_that_numbers_the_rows_is_no_id() -> None:
    """Though no other column is left for an id."""
    found = read("ID,date,sales\n" + "".join(f"{1000 + at},{day},5\n" for at, day in enumerate(DAYS)))

    assert (found.layout.values, found.layout.ids) == (("sales",), ())
    assert "ID is different in every row" in found.findings[-1].detail


@pytest.mark.parametrize("options", [USUAL, ReadOptions(thousands=",")])
def test_indian_groups_are_read(options: ReadOptions) -> None:
    """Of two digits after the first three: a lakh is 1,00,000."""
    found = read(rows("date,units", ['"11,83,000"', '"1,00,00,000.5"', *['"9,000"'] * 8]), options)

    np.testing.assert_array_equal(found.values["units"].values[:3], [1_183_000, 10_000_000.5, 9_000])


@pytest.mark.parametrize("cell", ["0:05", "1/8", "0x64", "(5)", "True", "$100"])
def test_numbers_in_other_forms_have_a_hint_of_their_own(cell: str) -> None:
    """A plain number has none."""
    assert advise_writing(cell)
    assert not advise_writing("1.5")


@pytest.mark.parametrize("name", ["UTF-16LE", "UTF-16BE"])
def test_utf16_without_a_byte_order_mark_is_named(name: str) -> None:
    """With the command that converts it."""
    with pytest.raises(TableInvalid, match=f"is in {name} .*iconv -f {name}"):
        decode("date,sales\n2024-01-01,5\n".encode(name), guess=True)


@pytest.mark.parametrize(
    ("cell", "is_refused"), [("<f>B2*2</f><v />", True), ("<f>B2*2</f><v>4</v>", False), ("", False)]
)
def test_formulas_without_values_are_named(cell: str, *, is_refused: bool) -> None:
    """No program has computed them; a column that is only empty is left out."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as book:
        book.writestr("xl/worksheets/sheet1.xml", f'<row><c r="B2"><v>2</v></c><c r="C2" s="1">{cell}</c></row>')

    if is_refused:
        with pytest.raises(TableInvalid, match="formulas without values in column 'profit'"):
            _refuse_formulas(file.getvalue(), {2: "profit"})
    else:
        _refuse_formulas(file.getvalue(), {2: "profit"})
