"""Parquet size: reads a table whose content is bounded before it is unpacked.

A dictionary makes a long text of many rows a few bytes, runs of equal numbers and nulls take none, and pages are compressed.
So the size is known only in steps: from the metadata, then from the dictionaries, which are read without repeating them.
"""

import io
from typing import Any

from models.tables.parquet import TEXT, flat_columns, open_parquet, read_flat, text_bytes, unpacked_bytes
from service.errors import BodyTooLarge, FileInvalid
from service.observations.columns import MAX_COLUMNS, check_count

MAX_BYTES = 128 * 1024 * 1024
"""Largest size of all columns after unpacking."""
MAX_EXPANSION = 64
"""How many times larger than the body its compressed pages may be."""
MAX_GROUPS = 1_000
"""Most row groups."""


def read_table(body: bytes, limit: int) -> Any:  # noqa: ANN401 (a table of pyarrow)
    """Return the columns of a Parquet file that are numbers, times or text.

    Raises:
        BodyTooLarge: If they unpack to more than MAX_BYTES.
        FileInvalid: If it has more than MAX_COLUMNS or MAX_GROUPS, or the pages unpack to more than MAX_EXPANSION times
            the body.
        BatchTooLarge: If there are more than `limit` rows.
        pyarrow.ArrowException, OSError, UnicodeDecodeError: If the file cannot be read.
    """
    metadata = open_parquet(io.BytesIO(body)).metadata
    _check_parts(
        metadata.num_columns, MAX_COLUMNS, "columns", "Send a long file: a column each for id, time and value."
    )
    _check_parts(metadata.num_row_groups, MAX_GROUPS, "row groups", "Write it with larger row groups.")
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    check_count(max(metadata.num_rows, sum(group.num_rows for group in groups)), limit)
    if sum(group.total_byte_size for group in groups) > MAX_EXPANSION * len(body):
        raise FileInvalid("The Parquet file unpacks to far more than its size.", hint="Send it in smaller parts.")
    flat = flat_columns(metadata)
    texts = [one.path for one in flat.values() if one.physical_type == TEXT]
    _check_bytes(unpacked_bytes(metadata, flat))
    file = open_parquet(io.BytesIO(body), read_dictionary=texts)
    table = read_flat(file, flat)
    _check_bytes(sum(text_bytes(table.column(name)) for name in texts))
    return table


def _check_parts(count: int, most: int, what: str, hint: str) -> None:
    if count > most:
        raise FileInvalid(f"The Parquet file has {count:,} {what}; at most {most:,} are read.", hint=hint)


def _check_bytes(size: int) -> None:
    if size > MAX_BYTES:
        raise BodyTooLarge(
            f"The Parquet file unpacks to {size:,} bytes; at most {MAX_BYTES:,} are read.",
            hint="Send it in smaller parts, or with `almanac observe`.",
        )
