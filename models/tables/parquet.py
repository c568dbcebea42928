"""Parquet: a table of pyarrow as a sheet."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from models.columns import EXPORT_METADATA, TIMEZONE
from models.errors import Finding
from models.tables.faults import TableInvalid
from models.tables.sheet import Sheet, make_sheet
from models.tables.times.periods import period_of, starts_of

MOST_BYTES = 2 * 1024**3
"""Most bytes of all columns after unpacking."""

BATCH_ROWS = 1_000_000

WIDTHS = {"BOOLEAN": 1, "INT32": 8, "INT64": 8, "INT96": 12, "FLOAT": 8, "DOUBLE": 8}
"""Bytes of a value in memory; text has no fixed width."""

TEXT, FIXED = "BYTE_ARRAY", "FIXED_LEN_BYTE_ARRAY"


def read_parquet(source: Any) -> Sheet:  # noqa: ANN401 - a path or a file-like object
    """Return a Parquet file as a sheet; its first row is row 2, as below a header.

    Raises:
        TableInvalid: If it cannot be read, or unpacks to more than MOST_BYTES.
    """
    import pyarrow as pa

    try:
        file = open_parquet(source)
        flat = flat_columns(file.metadata)
        _check_bytes(unpacked_bytes(file.metadata, flat))
        texts = [one.path for one in flat.values() if one.physical_type == TEXT]
        table = read_flat(open_parquet(source, read_dictionary=texts), flat)
        _check_bytes(sum(text_bytes(table.column(name)) for name in texts))
        left = [name for name in file.schema_arrow.names if name not in table.column_names]
        return sheet_of(table, left)
    except (pa.ArrowException, OSError, OverflowError, UnicodeDecodeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise TableInvalid(f"is not a Parquet file ({reason}).", hint="Check the file.") from error


def open_parquet(source: Any, **options: Any) -> Any:  # noqa: ANN401 - pyarrow's
    """Return a Parquet file of pyarrow, opened; pandas reads the descriptions of its own types, and may not understand them.

    Raises:
        pyarrow.ArrowException, OSError: If the file is damaged.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.ParquetFile(source, **options)
    except pa.ArrowException:
        raise
    except (KeyError, TypeError, ValueError) as error:
        raise pa.ArrowInvalid(f"a type of pandas has no valid description ({error})") from error


def flat_columns(metadata: Any) -> dict[int, Any]:  # noqa: ANN401 - pyarrow's
    """Return the columns that are not lists or objects, by their place."""
    columns = [metadata.schema.column(place) for place in range(metadata.num_columns)]
    return {place: one for place, one in enumerate(columns) if not one.max_repetition_level and "." not in one.path}


def unpacked_bytes(metadata: Any, flat: Mapping[int, Any]) -> int:  # noqa: ANN401 - pyarrow's
    """Return how many bytes columns have in memory by the metadata of their file, text without its repetitions.

    Row groups are asked, not their columns: pyarrow ends the process if the metadata of a column is damaged.
    """
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    width = sum(map(_width, flat.values()))
    return sum(max(group.num_rows, 0) * width + max(group.total_byte_size, 0) for group in groups)


def _width(column: Any) -> int:  # noqa: ANN401 - pyarrow's
    return int(column.length if column.physical_type == FIXED else WIDTHS.get(column.physical_type, 4))


def read_flat(file: Any, flat: Mapping[int, Any]) -> Any:  # noqa: ANN401 - pyarrow's
    """Return the columns of a Parquet file, checked; it is read row by row: a column may claim more values than there are rows.

    Raises:
        pyarrow.ArrowException, OSError, UnicodeDecodeError: If the file is damaged.
    """
    import pyarrow as pa

    names = [one.path for one in flat.values()]
    batches = list(file.iter_batches(batch_size=BATCH_ROWS, columns=names, use_threads=False))
    schema = batches[0].schema if batches else pa.schema([file.schema_arrow.field(name) for name in names])
    table = pa.Table.from_batches(batches, schema.with_metadata(file.schema_arrow.metadata))
    table.validate(full=True)
    return table


def text_bytes(column: Any) -> int:  # noqa: ANN401 - pyarrow's
    """Return how many bytes a column of text, read as a dictionary, has with its repetitions."""
    import pyarrow.compute as pc

    total = 0
    for chunk in column.chunks:
        lengths = pc.binary_length(chunk.dictionary).to_numpy(zero_copy_only=False)
        places = chunk.indices.drop_null().to_numpy(zero_copy_only=False)
        total += int(lengths[places].sum(dtype=np.int64)) if len(lengths) else 0
    return total


def _check_bytes(size: int) -> None:
    if size > MOST_BYTES:
        raise TableInvalid(
            f"unpacks to {size:,} bytes; at most {MOST_BYTES:,} are read.", hint="Split it, or take out columns."
        )


def sheet_of(table: Any, left_out: Sequence[str] = ()) -> Sheet:  # noqa: ANN401 - pyarrow's
    """Return a table of pyarrow as a sheet, without columns of lists and objects; `left_out` were not read."""
    columns = [_column(field, column) for field, column in zip(table.schema, table.columns, strict=True)]
    kept = [(name, column) for name, column in zip(table.column_names, columns, strict=True) if column is not None]
    left = [*left_out, *(name for name, column in zip(table.column_names, columns, strict=True) if column is None)]
    findings = (Finding("COLUMNS_IGNORED", f"Not read, since they have no numbers or text: {', '.join(left)}."),)
    rows = np.arange(2, 2 + table.num_rows, dtype=np.int64)
    sheet = make_sheet(
        [name for name, _ in kept], [column for _, column in kept], rows, findings=findings if left else ()
    )
    is_export = {key.encode() for key in EXPORT_METADATA} <= (table.schema.metadata or {}).keys()
    return replace(sheet, is_export=is_export and TIMEZONE in sheet.columns)


def _column(field: Any, chunks: Any) -> Any:  # noqa: ANN401 - pyarrow's
    period = period_of(field)
    return _plain(chunks) if period is None else starts_of(chunks, period, field.name)


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
