"""Parquet export: observations as a Parquet file, written page by page while it is sent."""

from collections.abc import Iterable, Iterator
from typing import Any

from models.calendar.timestamps import Timestamps
from service.store.blobs import Floats

Page = tuple[list[str], Timestamps, Floats]


def parquet_of(iterate_pages: Iterable[Page]) -> Iterator[bytes]:
    """Yield a Parquet file of `unique_id` (text), `ds` (timestamp, microseconds) and `y` (float64, null for a gap).

    If it breaks off, the footer is missing and no reader accepts the file.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema([("unique_id", pa.string()), ("ds", pa.timestamp("us")), ("y", pa.float64())])
    buffer = _Buffer()
    with pq.ParquetWriter(pa.PythonFile(buffer, mode="w"), schema, compression="zstd") as writer:
        for ids, timestamps, values in iterate_pages:
            columns: list[Any] = [ids, timestamps, pa.array(values, from_pandas=True)]
            writer.write_table(pa.table(columns, schema=schema))
            yield buffer.take()
    yield buffer.take()


class _Buffer:
    """A file whose content is removed when it is taken."""

    closed = False

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, part: bytes) -> int:
        """Append a part."""
        self._parts.append(bytes(part))
        return len(part)

    def flush(self) -> None:
        """Do nothing: nothing is buffered elsewhere."""

    def close(self) -> None:
        """Mark the file as closed; its content can still be taken."""
        self.closed = True

    def take(self) -> bytes:
        """Return what was written since the last call."""
        taken = b"".join(self._parts)
        self._parts.clear()
        return taken
