"""Parquet: a table of pyarrow as a sheet."""

from dataclasses import replace
from typing import Any

import numpy as np

from models.columns import EXPORT_METADATA, TIMEZONE
from models.errors import Finding
from models.tables.faults import TableInvalid
from models.tables.sheet import Sheet, make_sheet


def read_parquet(source: Any) -> Sheet:  # noqa: ANN401 - a path or a file-like object
    """Return a Parquet file as a sheet; its first row is row 2, as below a header.

    Raises:
        TableInvalid: If it cannot be read.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return sheet_of(pq.read_table(source))
    except (pa.ArrowException, OSError, OverflowError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise TableInvalid(f"is no Parquet file ({reason}).", hint="Check the file.") from error


def sheet_of(table: Any) -> Sheet:  # noqa: ANN401 - pyarrow's
    """Return a table of pyarrow as a sheet, without columns of lists and objects."""
    columns = [_plain(column) for column in table.columns]
    kept = [(name, column) for name, column in zip(table.column_names, columns, strict=True) if column is not None]
    left = [name for name, column in zip(table.column_names, columns, strict=True) if column is None]
    findings = (Finding("COLUMNS_IGNORED", f"Not read, since they have no numbers or text: {', '.join(left)}."),)
    rows = np.arange(2, 2 + table.num_rows, dtype=np.int64)
    sheet = make_sheet(
        [name for name, _ in kept], [column for _, column in kept], rows, findings=findings if left else ()
    )
    is_export = {key.encode() for key in EXPORT_METADATA} <= (table.schema.metadata or {}).keys()
    return replace(sheet, is_export=is_export and TIMEZONE in sheet.columns)


def _plain(chunks: Any) -> Any:  # noqa: ANN401 - pyarrow's
    """Return a column as text, numbers, booleans or timestamps; None if it is none of these."""
    import pyarrow as pa

    kind = chunks.type
    if pa.types.is_dictionary(kind):
        chunks, kind = chunks.cast(kind.value_type), kind.value_type
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind) or pa.types.is_binary(kind):
        chunks, kind = chunks.cast(pa.string()), pa.string()
    if pa.types.is_null(kind) or pa.types.is_float16(kind):
        chunks, kind = chunks.cast(pa.float64()), pa.float64()
    numbers = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    times = pa.types.is_timestamp(kind) or pa.types.is_date(kind) or pa.types.is_time(kind)
    if not (numbers or times or pa.types.is_string(kind) or pa.types.is_boolean(kind)):
        return None
    column = chunks.combine_chunks()
    return pa.concat_arrays(column.chunks) if isinstance(column, pa.ChunkedArray) else column
