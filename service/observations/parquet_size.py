"""Parquet size: reads a table whose content is bounded before it is unpacked.

A dictionary makes a long text of many rows a few bytes, runs of equal numbers and nulls take none, and pages are compressed.
So the size is known only in steps: from the metadata, then from the dictionaries, which are read without repeating them.
"""

import io
from typing import Any

import numpy as np

from service.errors import BodyTooLarge, FileInvalid
from service.observations.columns import check_count

MAX_BYTES = 128 * 1024 * 1024
"""Largest size of all columns after unpacking."""
MAX_EXPANSION = 64
"""How many times larger than the body its compressed pages may be."""
WIDTHS = {"BOOLEAN": 1, "INT32": 8, "INT64": 8, "INT96": 12, "FLOAT": 8, "DOUBLE": 8}
"""Bytes of a value in memory; text has no fixed width."""
MAX_COLUMNS, MAX_GROUPS = 2_000, 1_000
"""Most columns and row groups."""
TEXT, FIXED = "BYTE_ARRAY", "FIXED_LEN_BYTE_ARRAY"


def read_table(body: bytes, limit: int) -> Any:  # noqa: ANN401 (a table of pyarrow)
    """Return the columns of a Parquet file that are numbers, times or text.

    Raises:
        BodyTooLarge: If they unpack to more than MAX_BYTES.
        FileInvalid: If it has more than MAX_COLUMNS or MAX_GROUPS, or the pages unpack to more than MAX_EXPANSION times
            the body.
        BatchTooLarge: If there are more than `limit` rows.
        pyarrow.ArrowException, OSError: If the file cannot be read.
    """
    import pyarrow.parquet as pq

    metadata = pq.read_metadata(io.BytesIO(body))
    _check_parts(
        metadata.num_columns, MAX_COLUMNS, "columns", "Send a long file: a column each for id, time and value."
    )
    _check_parts(metadata.num_row_groups, MAX_GROUPS, "row groups", "Write it with larger row groups.")
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    check_count(max(metadata.num_rows, sum(group.num_rows for group in groups)), limit)
    if sum(group.total_byte_size for group in groups) > MAX_EXPANSION * len(body):
        raise FileInvalid("The Parquet file unpacks to far more than its size.", hint="Send it in smaller parts.")
    columns = [metadata.schema.column(place) for place in range(metadata.num_columns)]
    flat = {place: one for place, one in enumerate(columns) if not one.max_repetition_level and "." not in one.path}
    texts = [one.path for one in flat.values() if one.physical_type == TEXT]
    _check_bytes(sum(_chunk_bytes(group, place, one) for group in groups for place, one in flat.items()))
    file = pq.ParquetFile(io.BytesIO(body), read_dictionary=texts)
    table = file.read(columns=[one.path for one in flat.values()], use_threads=False)
    _check_bytes(sum(_text_bytes(table.column(name)) for name in texts))
    return table


def _chunk_bytes(group: Any, place: int, column: Any) -> int:  # noqa: ANN401 (metadata of pyarrow)
    """Return how many bytes a column of a row group has in memory, text without its repetitions."""
    chunk = group.column(place)
    rows = max(chunk.num_values, group.num_rows)
    width = column.length if column.physical_type == FIXED else WIDTHS.get(column.physical_type, 4)
    return int(rows * width + chunk.total_uncompressed_size)


def _text_bytes(column: Any) -> int:  # noqa: ANN401 (a column of pyarrow)
    """Return how many bytes a column of text has with its repetitions."""
    import pyarrow.compute as pc

    total = 0
    for chunk in column.chunks:
        lengths = pc.binary_length(chunk.dictionary).to_numpy(zero_copy_only=False)
        places = chunk.indices.drop_null().to_numpy(zero_copy_only=False)
        total += int(lengths[places].sum(dtype=np.int64)) if len(lengths) else 0
    return total


def _check_parts(count: int, most: int, what: str, hint: str) -> None:
    if count > most:
        raise FileInvalid(f"The Parquet file has {count:,} {what}; at most {most:,} are read.", hint=hint)


def _check_bytes(size: int) -> None:
    if size > MAX_BYTES:
        raise BodyTooLarge(
            f"The Parquet file unpacks to {size:,} bytes; at most {MAX_BYTES:,} are read.",
            hint="Send it in smaller parts, or with `almanac observe`.",
        )
