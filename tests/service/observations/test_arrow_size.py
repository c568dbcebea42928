"""Arrow size: bounds before unpacking, and damaged bytes."""

import io
import random
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from models.errors import AlmanacError
from service.errors import BatchTooLarge, BodyTooLarge, FieldInvalid, FileInvalid
from service.observations import arrow_size
from service.observations.arrow_size import FILE_MAGIC, read_arrow


def packed(table: Any, compression: str | None = None, *, file: bool = False) -> bytes:  # noqa: ANN401 (pyarrow)
    """Return a table as an Arrow stream or file."""
    sink = io.BytesIO()
    options = pa.ipc.IpcWriteOptions(compression=compression)
    with (pa.ipc.new_file if file else pa.ipc.new_stream)(sink, table.schema, options=options) as writer:
        writer.write_table(table)
    return sink.getvalue()


def views(count: int) -> Any:  # noqa: ANN401 (pyarrow)
    """Return views that all show the same long text."""
    text = pa.array(["x" * 100_000]).cast(pa.string_view())
    one = text.buffers()
    return pa.Array.from_buffers(
        pa.string_view(), count, [None, pa.py_buffer(one[1].to_pybytes()[:16] * count), one[2]]
    )


def repeated(value: str | bytes) -> Any:  # noqa: ANN401 (pyarrow)
    """Return a dictionary whose only value is in each row."""
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(500, "i4")), pa.array([value]))


BOMBS = {
    "compressed": (lambda: packed(pa.table({"y": np.zeros(2_000_000)}), "zstd"), BatchTooLarge),
    "text": (lambda: packed(pa.table({"id": ["x" * 3_000_000]}), "zstd"), BodyTooLarge),
    "nulls": (lambda: packed(pa.table({"y": pa.nulls(10**9)})), BatchTooLarge),
    "views": (lambda: packed(pa.table({"id": views(500)})), BodyTooLarge),
    "dictionary": (lambda: packed(pa.table({"id": repeated("x" * 100_000)})), BodyTooLarge),
    "bytes": (lambda: packed(pa.table({"id": repeated(b"x" * 100_000)})), BodyTooLarge),
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_are_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is unpacked."""
    make: Any
    make, error = BOMBS[name]
    monkeypatch.setattr(arrow_size, "MAX_BYTES", 2_000_000)

    with pytest.raises(error):
        read_arrow(make(), 1_000_000)


@pytest.mark.parametrize(
    "column",
    [
        pa.array([[1]]),
        pa.array([{"a": 1}]),
        pa.array([[1.0, 2.0]], pa.list_(pa.float64(), 2)),
        pa.RunEndEncodedArray.from_arrays(pa.array([1], "i4"), pa.array([1.0])),
        pa.DictionaryArray.from_arrays(pa.array([0]), pa.array([[1]])),
        pa.UnionArray.from_dense(pa.array([0], "i1"), pa.array([0], "i4"), [pa.array([1])]),
    ],
    ids=lambda column: str(column.type)[:9],
)
def test_nested_types_are_refused_before_they_are_read(column: Any, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ANN401 (pyarrow)
    """By the schema: lists, objects, runs and unions."""
    monkeypatch.setattr(arrow_size, "_bytes_of", None)  # called after reading

    with pytest.raises(FieldInvalid, match="'tags' is of the type"):
        read_arrow(packed(pa.table({"tags": column})), 100)


@pytest.mark.parametrize("body", [b"", FILE_MAGIC, b"PAR1", b"\xff" * 100, b"{}"])
def test_other_bodies_are_refused(body: bytes) -> None:
    """As no Arrow."""
    with pytest.raises(FileInvalid, match="Arrow"):
        read_arrow(body, 100)


@pytest.mark.parametrize("file", [False, True])
@pytest.mark.parametrize("compression", [None, "zstd"])
def test_damaged_bytes_are_errors_or_tables(compression: str | None, file: bool) -> None:  # noqa: FBT001 (a parameter)
    """They never crash the process."""
    chance = random.Random(1)  # noqa: S311 (a test)
    table = pa.table(
        {"unique_id": pa.array(["a", "b"] * 20).dictionary_encode(), "ds": ["2024-01"] * 40, "y": range(40)}
    )
    sound = packed(table, compression, file=file)
    assert read_arrow(sound, 100).num_rows == 40

    for _ in range(150):
        body = bytearray(sound)
        for _ in range(chance.randint(1, 4)):
            body[chance.randrange(len(body))] = chance.choice([0, 255, 127, 128, chance.randrange(256)])
        try:
            read_arrow(bytes(body[: chance.choice([len(body), chance.randrange(len(body))])]), 100)
        except AlmanacError as error:
            assert error.hint  # noqa: PT017 (a table is right, too)
