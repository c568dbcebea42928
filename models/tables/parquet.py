"""Parquet: a table of pyarrow as a sheet."""

from typing import Any

import numpy as np

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
    """Return a table of pyarrow as a sheet; raise TableInvalid if a column has lists or objects."""
    columns = [_plain(table.column(at).combine_chunks(), name) for at, name in enumerate(table.column_names)]
    rows = np.arange(2, 2 + table.num_rows, dtype=np.int64)
    return make_sheet(_names(table), columns, rows)


def _names(table: Any) -> list[str]:  # noqa: ANN401 - pyarrow's
    """Return the names, that of a pandas index as it was before it had a reserved one."""
    return [str(name) for name in table.column_names]


def _plain(column: Any, name: str) -> Any:  # noqa: ANN401 - pyarrow's
    """Return a column as text, numbers, booleans or timestamps."""
    import pyarrow as pa

    if isinstance(column, pa.ChunkedArray):
        column = pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    kind = column.type
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return column.cast(pa.string())
    if pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        raise TableInvalid(f"column {name!r} has cells of type {kind}.", hint="Write text, numbers or timestamps.")
    if pa.types.is_null(kind):
        return column.cast(pa.float64())
    return column.cast(pa.float32()).cast(pa.float64()) if pa.types.is_float16(kind) else column
