"""Workbooks: a sheet of an .xlsx, .xls or .ods file."""

import io
import re
import zlib
from collections.abc import Mapping, Sequence
from typing import IO, Any

import numpy as np

from models.errors import Finding
from models.tables.cells import column_of
from models.tables.faults import TableInvalid
from models.tables.sheet import Sheet, make_sheet

SPLIT = "Delete the empty rows and columns, or save the sheet as CSV or Parquet."

SHEET_READ = "SHEET_READ"
"""Code of the finding that names the sheet."""

LIBRARY = "python-calamine"


MOST_BYTES, MOST_CELLS = 1024**3, 20_000_000
"""Most bytes that the parts of a workbook may become, and most cells of a sheet, empty ones among them."""

_CELL = re.compile(rb'r="([A-Z]{0,3})([0-9]{1,7})"')
_FORMULA = re.compile(rb'<c r="([A-Z]{1,3})[0-9]+"[^>]*><f(?:[^>]*/>|[^>]*>[^<]*</f>)(?:<v ?/>|<v></v>)?</c>')
"""A cell with a formula and without a value, and its column."""
_REPEATED = re.compile(rb'number-(?:columns|rows)-repeated="([0-9]+)"[^>]*?office:value')


def _check_size(content: bytes) -> None:
    """Raise TableInvalid if a workbook becomes too large for memory: it is compressed, and one cell may be far away."""
    import zipfile

    if not content.startswith(b"PK"):
        return  # .xls is not compressed, and its sheets are small
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as book:
            size = sum(part.file_size for part in book.infolist())
            if size > MOST_BYTES:
                raise TableInvalid(f"unpacks to {size:,} bytes; at most {MOST_BYTES:,} are read.", hint=SPLIT)
            for part in book.infolist():
                if "worksheets/" in part.filename or part.filename == "content.xml":
                    _check_cells(book.open(part))
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError) as error:
        raise TableInvalid(f"is a workbook that cannot be read ({error}).", hint="Save it again as .xlsx.") from error


def _check_cells(part: IO[bytes]) -> None:
    """Raise TableInvalid if the farthest row and column of a sheet span more than MOST_CELLS, or a cell is repeated so often."""
    most_row = most_column = 0
    tail = b""
    while chunk := part.read(1 << 20):
        text = tail + chunk
        for letters, digits in set(_CELL.findall(text)):
            most_row, most_column = max(most_row, int(digits)), max(most_column, _column(letters))
        repeated = max(map(int, _REPEATED.findall(text)), default=0)
        if max(most_row * most_column, 100 * repeated) > MOST_CELLS:
            raise TableInvalid(f"has a sheet of more than {MOST_CELLS:,} cells, most of them empty.", hint=SPLIT)
        tail = text[-200:]


def _column(letters: bytes) -> int:
    """Return the number of a column, 1 for A."""
    number = 0
    for letter in letters:
        number = 26 * number + letter - 64
    return number


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
    _check_size(content)
    try:
        book = CalamineWorkbook.from_filelike(io.BytesIO(content))
        name, rows = _choose(book, sheet)
    except (CalamineError, OSError, ValueError) as error:
        raise TableInvalid(f"is a workbook that cannot be read ({error}).", hint="Save it again as .xlsx.") from error
    first = next(at for at, row in enumerate(rows) if any(cell != "" for cell in row))
    header, cells = rows[first], rows[first + 1 :]
    columns = [column_of([None if row[at] == "" else row[at] for row in cells]) for at in range(len(header))]
    _refuse_formulas(content, {at: str(name) for at, name in enumerate(header) if all(row[at] == "" for row in cells)})
    places = np.arange(first + 2, first + 2 + len(cells), dtype=np.int64)
    names = [str(one) if not isinstance(one, float) or not one.is_integer() else f"{one:.0f}" for one in header]
    return make_sheet(names, columns, places, findings=(Finding(SHEET_READ, f"The sheet {name!r} is read."),))


def _refuse_formulas(content: bytes, empty: Mapping[int, str]) -> None:
    """Raise TableInvalid if a column without values, of those given by place, has formulas: no program has computed them."""
    import zipfile

    if not empty or not content.startswith(b"PK"):
        return
    with zipfile.ZipFile(io.BytesIO(content)) as book:
        sheets = [book.read(part) for part in book.namelist() if "worksheets/sheet" in part]
    found = {_column(letters) - 1 for sheet in sheets for letters in _FORMULA.findall(sheet)}
    name = next((name for at, name in empty.items() if name and at in found), None)
    if name is not None:
        raise TableInvalid(
            f"has formulas without values in column {name!r}.",
            hint="Open it in Excel or LibreOffice and save it: that computes them.",
        )


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
