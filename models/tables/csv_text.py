"""CSV: text to columns of text, with each row that has another number of cells than the header."""

import csv
import io
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from models.columns import SEPARATORS, find_separator
from models.errors import Finding
from models.tables.faults import FILE, CellFault, TableInvalid
from models.tables.sheet import Sheet, make_sheet

SEPARATOR_LINE = re.compile(r'"?sep=(.)"?,*\r?\n', re.IGNORECASE)
"""The first line that says to Excel what separates the cells."""

MOST_COLUMNS = 100_000
"""Most columns: each takes a kilobyte and more, however short its cells are."""

MOST_OTHERS = 10_000
"""Rows with another number of cells than the header, beyond which a file is refused if most of its rows are such."""

NumberedRow = tuple[int, list[str]]
"""A row and its place."""

SAMPLE_ROWS, SAMPLE_LETTERS = 20, 20_000
LEAST_ALIKE = 0.8
"""Share of the first rows that have as many cells as the header if the separator is right."""

WIDTH_HINT = "Give a cell for each column, an empty one for a gap; quote a cell that contains the separator."

LEAST_YEARS = 3
"""Years from which on they are names of columns, as in tables of statistical offices."""

_FORMULA = r'^="([^"]*)"$'
_YEAR = re.compile(r"(?:1[89]|20|21)\d\d")
_GROUPED = re.compile(r"\d{1,3}(,\d{3})*(\.\d+)?$")
_THREE_DIGITS = re.compile(r"\d{3}(\.\d+)?$")


def read_csv(
    text: str,
    findings: tuple[Finding, ...] = (),
    *,
    raw: bytes | None = None,
    most_columns: int = MOST_COLUMNS,
    most_rows: int | None = None,
) -> Sheet:
    """Return CSV text with a header as columns of text.

    Args:
        text: The file.
        findings: What was noticed on the way.
        raw: The same text in UTF-8, if it is at hand.
        most_columns: A file with more columns is refused before they are made.
        most_rows: Of rows that differ in width no more are read than one above it; the caller refuses the sheet then.

    Raises:
        TableInvalid: If the text is empty, a quote is never closed, or the header is unusable.
    """
    line = SEPARATOR_LINE.match(text)
    body = text[line.end() :] if line else text
    _refuse_preamble(body, 1 + bool(line))
    separator = line[1] if line else _guess_separator(body)
    first = 2 + bool(line)
    data = raw if raw is not None and not line else None
    header = _read_header(body, separator)
    if len(header) > most_columns:
        raise TableInvalid(
            f"has {len(header):,} columns; at most {most_columns:,} are read.",
            hint="Give a long file: a column each for id, time and value.",
            about=FILE,
        )
    plain = _read_plain(body, data, header, separator, first, findings) if header else None
    return plain or _read_rows(body, separator, first, findings, most_rows)


def _read_header(text: str, separator: str) -> list[str]:
    """Return the cells of the first row that has some; none if it cannot be read."""
    try:
        rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
        return _names(next((row for row in rows if row), []))
    except csv.Error:
        return []


def _names(header: Sequence[str]) -> list[str]:
    return [re.sub(_FORMULA, r"\1", cell) for cell in header]


def _guess_separator(text: str) -> str:
    """Return what separates the cells: what gives most of the first rows the header's width, before what is most frequent.

    A comma comes last, since it separates decimals where semicolons separate cells.
    """
    lines = text.lstrip("\r\n")[:SAMPLE_LETTERS].splitlines()[:SAMPLE_ROWS]
    header, rows = (lines or [""])[0], [line for line in lines[1:] if line.strip()]
    for sign in sorted(SEPARATORS, key=",".__eq__):
        widths = [len(row) for row in csv.reader([header, *rows], delimiter=sign)]
        if widths and widths[0] > 1 and sum(width == widths[0] for width in widths[1:]) > LEAST_ALIKE * len(rows):
            return sign
    return find_separator(header)


def _refuse_preamble(text: str, first: int) -> None:
    """Raise TableInvalid if lines stand above the header.

    After them all rows have one width, the first of them no digits; or they begin with #, as in annotated CSV of InfluxDB.
    """
    lines = text[:SAMPLE_LETTERS].splitlines()[:SAMPLE_ROWS]
    filled = [(number, line) for number, line in enumerate(lines, start=first) if line.strip()]
    plain = next((at for at, (_, line) in enumerate(filled) if not line.startswith("#")), 0)
    if plain > 1 and not re.search(rf"(?:^|[{''.join(SEPARATORS)}])\s*\d", filled[plain][1]):
        raise _preamble(*filled[plain])
    for sign in sorted(SEPARATORS, key=",".__eq__):
        rows = list(csv.reader([line for _, line in filled], delimiter=sign))
        if not rows or len(rows) != len(filled) or len(rows[-1]) < 2:  # noqa: PLR2004 - a time and a value
            continue
        others = [at for at, row in enumerate(rows) if len(row) != len(rows[-1])]
        at = others[-1] + 1 if others else 0
        if 0 < at <= len(rows) - 3 and len(rows[0]) != len(rows[-1]) and _is_header(rows[at], rows[at + 1]):
            raise _preamble(*filled[at])


def _preamble(number: int, header: str) -> TableInvalid:
    return TableInvalid(
        f"has lines above its header: the table begins at line {number}, {header[:60]!r}.",
        hint="Take out the lines above it.",
        about="timestamp",
        missing=True,
    )


def _is_header(row: Sequence[str], below: Sequence[str]) -> bool:
    """Return whether a row has names, or names and then years, and the one below it something else: digits."""
    cells = [cell.strip() for cell in row]
    years = [cell for cell in cells if _YEAR.fullmatch(cell)]
    if len(years) >= LEAST_YEARS:
        cells = [cell for cell in cells if cell and cell not in years]
    return all(cell and not cell[0].isdigit() for cell in cells) and any(
        cell.strip()[:1].isdigit() for cell in below[: len(row)]
    )


def _read_plain(  # noqa: PLR0913, PLR0917 - a text and what is known of it
    text: str, raw: bytes | None, header: Sequence[str], separator: str, first: int, findings: tuple[Finding, ...]
) -> Sheet | None:
    """Return the columns of text in which every row has as many cells as the header; None if one has not."""
    import pyarrow as pa
    from pyarrow import csv as arrow

    parse = arrow.ParseOptions(
        delimiter=separator, newlines_in_values='"' in text, ignore_empty_lines=False, double_quote=True
    )
    if text[:1] in "\r\n" or any("\n" in name for name in header) or not text.partition("\n")[2]:
        return None
    names = [str(at) for at in range(len(header))]
    kinds = arrow.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False)
    read = arrow.ReadOptions(column_names=names, skip_rows_after_names=1, use_threads=True)
    try:
        table = arrow.read_csv(pa.BufferReader(text.encode() if raw is None else raw), read, parse, kinds)
    except (pa.ArrowInvalid, UnicodeEncodeError):
        return None
    columns = [_without_formula(table.column(name).combine_chunks()) for name in names]
    rows = np.arange(first, first + table.num_rows, dtype=np.int64)
    return make_sheet(header, columns, rows, separator=separator, findings=findings)


def _read_rows(text: str, separator: str, first: int, findings: tuple[Finding, ...], most_rows: int | None) -> Sheet:
    """Return the columns of any text, row by row."""
    import pyarrow as pa

    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        filled = ((at, row) for at, row in enumerate(reader) if row)
        limited = filled if most_rows is None else itertools.islice(filled, most_rows + 2)
        found = list(_refuse_others(limited, separator, first))
    except csv.Error as error:
        line = f", line {reader.line_num + first - 2}" if reader.line_num else ""
        raise TableInvalid(f"The CSV cannot be read: {error}.", place=line, hint="Check the quotes.") from error
    if not found:
        raise TableInvalid(
            "is empty.", hint="Give a file with a header and at least one row.", about="timestamp", missing=True
        )
    (_, first_row), *below = found
    header = _names(first_row)
    rows, cells = np.array([at for at, _ in below], dtype=np.int64) + first - 1, [row for _, row in below]
    width = len(header)
    if cells and all(len(row) == width + 1 and not row[-1].strip() for row in cells):
        findings += (
            Finding("COLUMNS_EMPTY", f"Every row ends in {separator!r}; the empty cell after it is left out."),
        )
        cells = [row[:-1] for row in cells]
    faults = {
        at: _width_fault(row, header, separator, int(rows[at])) for at, row in enumerate(cells) if len(row) != width
    }
    if len(faults) == len(cells) > 1 and all(len(row) == width + 1 for row in cells):
        faults = {at: _without_name(one, separator) for at, one in faults.items()}
    for at in faults:
        cells[at] = [""] * width
    columns: list[Any] = [_without_formula(pa.array(column, pa.string())) for column in zip(*cells, strict=True)] or [
        pa.array([], pa.string())
    ] * width
    return make_sheet(header, columns, rows, separator=separator, faults=faults, findings=findings)


def _without_formula(column: Any) -> Any:  # noqa: ANN401 - pyarrow's
    """Return text with cells such as ="00123" as 00123: so exports keep Excel from taking ids for numbers."""
    import pyarrow.compute as pc

    if not pc.any(pc.starts_with(column, '="')).as_py():
        return column
    return pc.replace_substring_regex(column, _FORMULA, r"\1")


def _refuse_others(rows: Iterable[NumberedRow], separator: str, first: int) -> Iterator[NumberedRow]:
    """Yield rows with their places, the header first; raise TableInvalid if many, and most, of them have another width."""
    header: list[str] = []
    others, longer, example = 0, 0, (0, header)
    for count, (at, row) in enumerate(rows):
        yield at, row
        if not count:
            header = row
        elif len(row) != len(header) and (row[-1].strip() or len(row) != len(header) + 1):
            example = example if others else (at, row)
            others += 1
            longer += len(row) == len(header) + 1
            if others > MOST_OTHERS and 2 * others > count:
                fault = _width_fault(example[1], header, separator, example[0] + first - 1)
                raise (_without_name(fault, separator) if longer == count else fault).error(others - 1)


def _width_fault(row: Sequence[str], header: Sequence[str], separator: str, place: int) -> CellFault:
    """Return the fault of a row of another width, with the likely cause."""
    hint = WIDTH_HINT
    if len(row) > len(header):
        split = next((at for at in range(len(row) - 1) if _is_split(row[at], row[at + 1])), None)
        if not row[-1].strip():
            hint = f"Take out the {separator!r} at the end of the row."
        elif split is not None and separator == ",":
            number = f"{row[split]},{row[split + 1]}"
            hint = f'A comma inside a number such as {number} needs quotes: "{number}".'
    cells = f"The row has {len(row)} cell{'s' * (len(row) != 1)}, the header {len(header)}"
    return CellFault(place, "", FILE, "", cells, hint)


def _without_name(fault: CellFault, separator: str) -> CellFault:
    """Return the fault of a row in a file all of whose rows have one cell more than the header, with the likely cause."""
    hint = f"The header lacks a name for the first column: write {separator!r} before it. R: write.csv(…, row.names=FALSE)."
    return replace(fault, hint=hint) if fault.hint == WIDTH_HINT else fault


def _is_split(left: str, right: str) -> bool:
    """Return whether two cells may be one number whose comma is not quoted."""
    return bool(
        _GROUPED.match(left.strip().lstrip("-")) and (_THREE_DIGITS.match(right.strip()) or right.strip().isdigit())
    )
