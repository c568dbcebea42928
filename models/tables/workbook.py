"""Workbooks: a sheet of an .xlsx, .xls or .ods file."""

import io
from collections.abc import Sequence
from typing import Any

import numpy as np

from models.errors import Finding
from models.tables.cells import column_of
from models.tables.faults import TableInvalid
from models.tables.sheet import Sheet, make_sheet

LIBRARY = "python-calamine"


def read_workbook(content: bytes, sheet: str | None = None) -> Sheet:
    """Return a sheet of a workbook: the one that is named, or the only one that has rows.

    Raises:
        TableInvalid: If the workbook cannot be read, several sheets have rows, or the header is unusable.
    """
    try:
        from python_calamine import CalamineError, CalamineWorkbook
    except ImportError as error:
        hint = f"Install Almanac with the extra `train`, or `pip install {LIBRARY}`; or save the sheet as CSV."
        raise TableInvalid("is a workbook, which needs a library to be read.", hint=hint) from error
    try:
        book = CalamineWorkbook.from_filelike(io.BytesIO(content))
        name, rows = _choose(book, sheet)
    except (CalamineError, OSError, ValueError) as error:
        raise TableInvalid(f"is a workbook that cannot be read ({error}).", hint="Save it again as .xlsx.") from error
    first = next(at for at, row in enumerate(rows) if any(cell != "" for cell in row))
    header, cells = rows[first], rows[first + 1 :]
    columns = [column_of([None if row[at] == "" else row[at] for row in cells]) for at in range(len(header))]
    places = np.arange(first + 2, first + 2 + len(cells), dtype=np.int64)
    names = [str(one) if not isinstance(one, float) or not one.is_integer() else f"{one:.0f}" for one in header]
    return make_sheet(names, columns, places, findings=(Finding("SHEET_READ", f"The sheet {name!r} is read."),))


def _choose(book: Any, sheet: str | None) -> tuple[str, Sequence[Sequence[object]]]:  # noqa: ANN401 - calamine's
    """Return the name and the rows of the sheet to read."""
    names = list(book.sheet_names)
    if sheet is not None and sheet not in names:
        raise TableInvalid(f"has no sheet {sheet!r}. It has {', '.join(names)}.", hint="See --sheet.")
    found = {
        name: book.get_sheet_by_name(name).to_python(skip_empty_area=False) for name in ([sheet] if sheet else names)
    }
    filled = [name for name, rows in found.items() if any(cell != "" for row in rows for cell in row)]
    if not filled:
        raise TableInvalid("holds no rows.", hint="Give a file with a header and at least one row.")
    if len(filled) > 1:
        hint = f"Name one with --sheet, such as --sheet {filled[0]!r}."
        raise TableInvalid(f"has {len(filled)} sheets with rows: {', '.join(filled)}.", hint=hint)
    return filled[0], found[filled[0]]
