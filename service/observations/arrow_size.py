"""Arrow size: reads a table in Arrow's IPC format whose size is bounded before anything of it is unpacked.

Buffers may be compressed, dictionaries and views repeat a long text at the cost of a few bytes, and columns of nulls take no
bytes at all. So messages are looked through first: rows, and the sizes that compressed buffers claim; pyarrow fails if a
buffer unpacks to another size.
"""

import struct
from collections.abc import Iterator
from typing import Any

from models.tables.parquet import text_bytes
from service.errors import BodyTooLarge, FieldInvalid, FileInvalid
from service.observations.columns import MAX_COLUMNS, check_count

MAX_BYTES = 128 * 1024 * 1024
"""Largest size of all columns after unpacking."""
MAX_MESSAGES = 10_000
MAX_NAME = 60
"""Most characters of a name or a type in an error."""
FILE_MAGIC = b"ARROW1\0\0"
"""A file begins with this, then has the same messages as a stream."""
_HEADER, _LENGTH, _BUFFERS, _COMPRESSION, _DICTIONARY_DATA = 2, 0, 2, 3, 1
"""Fields of the tables Message, RecordBatch and DictionaryBatch in Arrow's Message.fbs."""


def read_arrow(body: bytes, limit: int) -> Any:  # noqa: ANN401 (a table of pyarrow)
    """Return a table of at most `limit` rows.

    Raises:
        BodyTooLarge: If it unpacks to more than MAX_BYTES.
        BatchTooLarge: If it has more than `limit` rows.
        FieldInvalid: If a column is of a nested, run-end-encoded or other type than numbers, times and text.
        FileInvalid: If it is not an Arrow stream or file, or is damaged.
    """
    import pyarrow as pa

    stream = pa.py_buffer(body).slice(len(FILE_MAGIC)) if body.startswith(FILE_MAGIC) else pa.py_buffer(body)
    try:
        _check_messages(stream, limit)
        with pa.ipc.open_stream(stream) as reader:
            if len(reader.schema) > MAX_COLUMNS:
                raise FileInvalid(
                    f"The table has {len(reader.schema)} columns.", hint="Send `unique_id`, `ds` and `y`."
                )
            _check_types(reader.schema)
            table = reader.read_all()
        table.validate(full=True)
        _check_bytes(sum(_bytes_of(column) for column in table.columns))
    except (
        pa.ArrowException,
        OSError,
        OverflowError,
        ValueError,
        TypeError,
        LookupError,
        struct.error,
        EOFError,
    ) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise FileInvalid(f"The body is not a valid Arrow stream or file: {reason}.", hint="Write it again.") from error
    return table


def _check_types(schema: Any) -> None:  # noqa: ANN401 (pyarrow)
    """Raise FieldInvalid for the first column that is neither numbers nor times nor text: pyarrow never unpacks it."""
    for field in schema:
        if not _is_flat(field.type):
            raise FieldInvalid(
                f"The column {field.name[:MAX_NAME]!r} is of the type {str(field.type)[:MAX_NAME]}, which is not read.",
                hint="Leave it out, or send it as numbers, times or text.",
            )


def _is_flat(kind: Any) -> bool:  # noqa: ANN401 (a type of pyarrow)
    import pyarrow as pa

    if pa.types.is_dictionary(kind):
        return bool(_is_text(kind.value_type) or pa.types.is_primitive(kind.value_type))
    is_nested = pa.types.is_nested(kind) or pa.types.is_run_end_encoded(kind)
    return not (is_nested or isinstance(kind, pa.BaseExtensionType) or pa.types.is_interval(kind))


def _is_text(kind: Any) -> bool:  # noqa: ANN401 (a type of pyarrow)
    """Return whether values have a length each."""
    import pyarrow as pa

    tests = (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary, pa.types.is_large_binary)
    return any(test(kind) for test in tests)


def _check_messages(stream: Any, limit: int) -> None:  # noqa: ANN401 (a buffer of pyarrow)
    """Raise an error if the messages claim too many rows or bytes."""
    import pyarrow as pa

    rows = size = 0
    for number, message in enumerate(pa.ipc.MessageReader.open_stream(stream)):
        if number >= MAX_MESSAGES:
            raise FileInvalid(f"The body has more than {MAX_MESSAGES} batches.", hint="Write larger batches.")
        if message.type not in {"record batch", "dictionary"}:
            continue
        metadata = memoryview(message.metadata)
        batch = _field(metadata, _table(metadata, 0), _HEADER)
        if batch is not None and message.type == "dictionary":
            batch = _field(metadata, _table(metadata, batch), _DICTIONARY_DATA)
        if batch is None:
            raise ValueError("a batch is missing")
        place = _table(metadata, batch)
        length = _field(metadata, place, _LENGTH)
        count = 0 if length is None else _int64(metadata, length)
        rows += count if message.type == "record batch" else 0
        check_count(max(rows, count), limit)
        size += sum(_claimed(metadata, place, memoryview(message.body) if message.body else memoryview(b"")))
        _check_bytes(size)


def _claimed(metadata: memoryview, batch: int, body: memoryview) -> Iterator[int]:
    """Yield the size of each buffer after unpacking; a compressed one begins with it, or with -1 if it is not compressed."""
    place = _field(metadata, batch, _BUFFERS)
    if place is None:
        return
    vector = place + _uint32(metadata, place)
    compressed = _field(metadata, batch, _COMPRESSION) is not None
    for number in range(_uint32(metadata, vector)):
        offset, length = struct.unpack_from("<qq", metadata, vector + 4 + 16 * number)
        claimed = _int64(body, offset) if compressed and length >= 8 and offset >= 0 else length  # noqa: PLR2004 (bytes)
        yield max(claimed, length, 0)


def _field(data: memoryview, table: int, number: int) -> int | None:
    """Return where a field of a flatbuffers table is, None if the table does not have it."""
    vtable = table - struct.unpack_from("<i", data, table)[0]
    place = 4 + 2 * number
    if vtable < 0 or place + 2 > struct.unpack_from("<H", data, vtable)[0]:
        return None
    offset = struct.unpack_from("<H", data, vtable + place)[0]
    return table + offset if offset else None


def _table(data: memoryview, place: int) -> int:
    """Return where the table is that an offset at a place refers to."""
    return place + _uint32(data, place)


def _uint32(data: memoryview, place: int) -> int:
    return int(struct.unpack_from("<I", data, place)[0])


def _int64(data: memoryview, place: int) -> int:
    return int(struct.unpack_from("<q", data, place)[0])


def _bytes_of(column: Any) -> int:  # noqa: ANN401 (a chunked array of pyarrow)
    """Return how many bytes the text of a column has with its repetitions; 0 for numbers and times."""
    import numpy as np
    import pyarrow as pa

    kind = column.type
    if pa.types.is_dictionary(kind):
        return text_bytes(column) if _is_text(kind.value_type) else 8 * len(column)
    if pa.types.is_string_view(kind) or pa.types.is_binary_view(kind):
        total = 0
        for chunk in column.chunks:
            views = np.frombuffer(chunk.buffers()[1] or b"", dtype="<i4").reshape(-1, 4)
            total += int(views[chunk.offset : chunk.offset + len(chunk), 0].sum(dtype=np.int64))
        return total
    return 0


def _check_bytes(size: int) -> None:
    if size > MAX_BYTES:
        raise BodyTooLarge(
            f"The table unpacks to {size:,} bytes; at most {MAX_BYTES:,} are read.", hint="Send it in smaller parts."
        )
