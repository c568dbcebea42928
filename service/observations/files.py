"""Files: posted CSV and Parquet files as columns of ids, timestamps and values."""

import csv
import io
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.calendar.timestamps import Timestamps
from models.columns import find_separator
from service.errors import FieldInvalid, FileInvalid
from service.observations.columns import Faults, RawColumns, check_count
from service.observations.layout import Layout, find_layout, no_ids

PARQUET = b"PAR1"
"""The first bytes of a Parquet file."""

MAX_EXPANSION = 64
"""How many times larger than the body a Parquet file's columns may be."""

Column = Sequence[Any] | NDArray[Any]


def read_csv(body: bytes, limit: int) -> RawColumns:
    """Return the columns of a UTF-8 CSV file with a header, separated by comma, semicolon or tab; an empty cell is a gap.

    Raises:
        FileInvalid: If the file cannot be read.
        FieldMissing, FieldInvalid: If a column is missing or ambiguous.
        BatchTooLarge: If it has more than `limit` rows.
    """
    try:
        text = body.decode("utf-8-sig")
        separator = find_separator(text.partition("\n")[0])
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
        header = [name.strip() for name in next(reader, [])]
        layout = find_layout(header)
        rows = [row for row in reader if row]
    except (UnicodeDecodeError, csv.Error) as error:
        raise FileInvalid(f"The CSV cannot be read: {error}.", hint="Send UTF-8 with a header.") from error
    check_count(len(rows), limit)
    width = len(header)
    faults: Faults = {place: _width_error(len(row), width) for place, row in enumerate(rows) if len(row) != width}
    for place in faults:
        rows[place] = (rows[place] + [""] * width)[:width]

    def cells(name: str) -> list[str]:
        place = header.index(name)
        return [row[place].strip() for row in rows]

    values = [_numbers(cells(name)) for name in layout.values]
    return _make_columns(layout, cells(layout.id) if layout.id else None, cells(layout.time), values, faults)


def read_parquet(body: bytes, limit: int) -> RawColumns:
    """Return the columns of a Parquet file.

    Raises:
        FileInvalid: If the file cannot be read, or unpacks to more than MAX_EXPANSION times its size.
        FieldMissing, FieldInvalid: If a column is missing or ambiguous.
        BatchTooLarge: If it has more than `limit` rows.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(io.BytesIO(body))
        check_count(file.metadata.num_rows, limit)
        layout = find_layout(file.schema_arrow.names)
        wanted = [*([layout.id] if layout.id else []), layout.time, *layout.values]
        groups = [file.metadata.row_group(number) for number in range(file.metadata.num_row_groups)]
        if sum(group.total_byte_size for group in groups) > MAX_EXPANSION * len(body):
            raise FileInvalid("The Parquet file unpacks to far more than its size.", hint="Send it in smaller parts.")
        texts = [name for name in wanted if pa.types.is_string(file.schema_arrow.field(name).type)]
        table = pq.read_table(io.BytesIO(body), columns=wanted, read_dictionary=texts, use_threads=False)
        columns = {name: _plain(table.column(name)) for name in wanted}
    except (pa.ArrowException, OSError, OverflowError) as error:
        reason = str(error).splitlines()[0][:200]
        raise FileInvalid(f"The Parquet file cannot be read: {reason}.", hint="Write it again.") from error
    ids = [None if one is None else str(one) for one in _cells(columns[layout.id])] if layout.id else None
    times = columns[layout.time]
    if isinstance(times, np.ndarray) and times.dtype.kind == "f":
        times = [f"{year:.0f}" for year in times.tolist()]
    return _make_columns(layout, ids, times, [columns[name] for name in layout.values], {})


def _make_columns(
    layout: Layout, ids: Sequence[Any] | None, times: Column, values: Sequence[Column], faults: Faults
) -> RawColumns:
    """Return the rows of a long file, or the cells of a wide one as rows; its empty cells are not observations.

    Raises:
        FieldMissing: If a file without ids has a timestamp twice, or a column without numbers.
    """
    if ids is not None:
        return RawColumns(ids, times, values[0], faults=faults)
    if len(set(_cells(times))) < len(times):
        raise no_ids("timestamps repeat")
    rows: list[tuple[str, int, Any]] = [("", place, None) for place in faults]
    for name, column in zip(layout.values, values, strict=True):
        cells = [(name, place, cell) for place, cell in enumerate(_cells(column)) if not _is_empty(cell)]
        if cells and not any(isinstance(cell, float | int) for *_, cell in cells):
            raise no_ids(f"the column {name[:40]} has no numbers")
        rows += [one for one in cells if one[1] not in faults]
    series, places, found = (list(column) for column in zip(*rows, strict=True)) if rows else ([], [], [])
    stamps = times[places] if isinstance(times, np.ndarray) else [times[place] for place in places]
    return RawColumns(series, stamps, found, faults=dict(enumerate(faults.values())), places=places)


def _cells(column: Column) -> Sequence[Any]:
    return column.tolist() if isinstance(column, np.ndarray) else column


def _is_empty(cell: object) -> bool:
    return cell is None or (isinstance(cell, float) and math.isnan(cell))


def _plain(column: Any) -> Any:  # noqa: ANN401 (pyarrow ships no types)
    """Return a column of times or numbers as an array, any other as a list."""
    import pyarrow as pa

    kind = column.type
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        naive = column.cast(pa.timestamp("us"), safe=False) if kind != pa.timestamp("us") else column
        stamps: NDArray[np.datetime64] = naive.to_numpy().astype("M8[us]")
        return [None if one is None else f"{one}Z" for one in _texts(stamps)] if getattr(kind, "tz", None) else stamps
    if pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_decimal(kind):
        return column.cast(pa.float64(), safe=False).to_numpy()
    return column.to_pylist()


def _texts(stamps: Timestamps) -> list[str | None]:
    """Return times as ISO 8601 text, None for NaT."""
    return [
        None if missing else text
        for text, missing in zip(np.datetime_as_string(stamps).tolist(), np.isnat(stamps).tolist(), strict=True)
    ]


def _numbers(texts: list[str]) -> Sequence[Any]:
    """Return each text as a number, None for an empty one, and the text itself if it is not a number."""
    try:
        numbers = [float(text) if text else None for text in texts]
    except ValueError:
        return [_number(text) for text in texts]
    return [_number(text) for text in texts] if any("_" in text for text in texts) else numbers


def _number(text: str) -> float | str | None:
    try:
        return (text if "_" in text else float(text)) if text else None  # only Python reads 1_000 as a number
    except ValueError:
        return text


def _width_error(cells: int, width: int) -> FieldInvalid:
    return FieldInvalid(
        f"The row has {cells} cells, the header {width}.",
        pointer="value",
        hint="Send a cell for each column, an empty one for a gap; quote a cell that contains the separator.",
    )
