"""Parquet bodies: small files that unpack to gigabytes are refused before they do."""

import io
from contextlib import suppress
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from models.errors import AlmanacError
from models.tables.options import ReadOptions
from service.errors import BatchTooLarge, BodyTooLarge, FileInvalid
from service.observations.arrow_size import read_arrow
from service.observations.columns import MAX_COLUMNS
from service.observations.files import read_parquet
from service.observations.parquet_size import MAX_BYTES, MAX_GROUPS, read_table

ROWS = 1_000_000


def repeated(value: object, kind: Any, rows: int = ROWS) -> Any:  # noqa: ANN401 (pyarrow's)
    """Return a column that has one value in every row, and is small in a file."""
    column = pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int32)), pa.array([value], kind))
    return column if pa.types.is_string(kind) else column.cast(kind)


def body(**columns: Any) -> bytes:  # noqa: ANN401 (pyarrow's)
    """Return a Parquet file."""
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer, compression="zstd")
    return buffer.getvalue()


@pytest.mark.parametrize(
    "columns",
    [
        {
            "unique_id": repeated("x" * 3500, pa.string()),
            "ds": repeated("2024-01-01", pa.string()),
            "y": pa.nulls(ROWS),
        },
        {"ds": repeated(7, pa.int64()), **{f"s{place}": pa.nulls(ROWS, pa.float64()) for place in range(20)}},
        {"ds": repeated("x" * 200, pa.string()), "y": repeated("1", pa.string())},
    ],
    ids=["long text", "wide", "text"],
)
def test_a_small_file_that_unpacks_to_much_is_refused(columns: dict[str, Any]) -> None:
    """Before it does: pyarrow never holds more than the limit."""
    content = body(**columns)
    before = pa.default_memory_pool().bytes_allocated()

    with pytest.raises(BodyTooLarge, match=f"{MAX_BYTES:,}"):
        read_parquet(content, ROWS, ReadOptions())

    assert len(content) < 400_000
    assert pa.default_memory_pool().bytes_allocated() - before < MAX_BYTES


def test_rows_are_counted_before_they_are_read() -> None:
    """From the metadata."""
    with pytest.raises(BatchTooLarge, match="1000000 observations"):
        read_parquet(body(ds=repeated("2024", pa.string()), y=pa.nulls(ROWS)), ROWS - 1, ReadOptions())


def test_columns_and_row_groups_are_counted_before_they_are_read() -> None:
    """Each of them costs time, however little it holds."""
    wide = body(**{f"s{place}": [1.0] for place in range(MAX_COLUMNS + 1)})
    buffer = io.BytesIO()
    pq.write_table(pa.table({"ds": range(MAX_GROUPS + 1)}), buffer, row_group_size=1)

    for content, words in ((wide, "2,001 columns"), (buffer.getvalue(), "1,001 row groups")):
        with pytest.raises(FileInvalid, match=words):
            read_parquet(content, ROWS, ReadOptions())


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.string_view(), pa.binary(), pa.large_binary()])
def test_text_of_every_type_is_read(kind: Any) -> None:  # noqa: ANN401 (pyarrow's)
    """As pandas, Polars and DuckDB write it."""
    ids = pa.array(["a", "b"]).cast(pa.binary() if "binary" in str(kind) else pa.string()).cast(kind)

    read = read_parquet(body(unique_id=ids, ds=pa.array(["2024-01", "2024-01"]), y=pa.array([1, 2])), 10, ReadOptions())

    assert list(read.ids) == ["a", "b"]


def test_lists_and_objects_are_not_read() -> None:
    """They may be large, and are not observations."""
    columns = {"ds": ["2024-01"], "y": [1.0], "tags": pa.array([[1, 2]]), "more": pa.array([{"a": 1}])}

    assert len(read_parquet(body(**columns), 10, ReadOptions()).ids) == 1


@pytest.mark.parametrize("change", [1, 255])
def test_damaged_metadata_are_errors_or_tables(change: int) -> None:
    """They never end the process, as pyarrow does when it is asked for a column of a group with wrong statistics."""
    sound = body(unique_id=pa.array(["a", "b"] * 3), y=pa.array([1.0, None] * 3))
    footer = len(sound) - 8 - int.from_bytes(sound[-8:-4], "little")
    assert read_table(sound, 10).num_rows == 6

    for place in range(footer, len(sound) - 8, 5):
        damaged = bytearray(sound)
        damaged[place] = (damaged[place] + change) % 256
        with suppress(AlmanacError, pa.ArrowException, OSError, UnicodeDecodeError):
            read_table(bytes(damaged), 10)


def test_text_that_is_no_utf8_is_refused() -> None:
    """Where pyarrow writes it without a look."""
    wrong = pa.Array.from_buffers(pa.string(), 1, [None, pa.py_buffer(b"\0\0\0\0\1\0\0\0"), pa.py_buffer(b"\xff")])

    with pytest.raises(FileInvalid, match="UTF"):
        read_parquet(body(ds=wrong, y=pa.array([1.0])), 10, ReadOptions())


def test_a_type_of_pandas_without_a_description_is_refused() -> None:
    """Pandas reads it once its types are known to pyarrow, and does not understand it."""
    pd.DataFrame({"ds": pd.period_range("2024", periods=2, freq="M")}).to_parquet(io.BytesIO())
    about = {b"ARROW:extension:name": b"pandas.period", b"ARROW:extension:metadata": b"[1]"}
    schema = pa.schema([pa.field("ds", pa.int64(), metadata=about)])
    table = pa.table([[1, 2]], schema=schema)
    pq.write_table(table, parquet := io.BytesIO())
    with pa.ipc.new_stream(stream := io.BytesIO(), schema) as writer:
        writer.write_table(table)

    for read, sent in ((partial(read_parquet, options=ReadOptions()), parquet), (read_arrow, stream)):
        with pytest.raises(FileInvalid):
            read(sent.getvalue(), 10)
