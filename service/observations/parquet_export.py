"""Parquet export: observations as a Parquet file, written page by page while it is sent."""

from collections.abc import Iterable, Iterator
from typing import Any

from models.calendar.timestamps import Timestamps
from models.columns import EXPORT_METADATA
from service.store.blobs import Floats

Page = tuple[list[str], Timestamps, Floats, list[str | None]]
"""Ids, timestamps, values and timezones of rows."""


def parquet_of(iterate_pages: Iterable[Page]) -> Iterator[bytes]:
    """Yield a Parquet file of `unique_id` (text), `ds` (timestamp, microseconds), `y` (float64) and `timezone` (text).

    `y` is null for a gap. `ds` is in UTC if `timezone` has an IANA name, and a wall clock if that is null. The metadata of the
    file says that this is so, since other files may have a column of this name.

    If it breaks off, the footer is missing and no reader accepts the file.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = pa.dictionary(pa.int32(), pa.string())
    columns = [("unique_id", pa.string()), ("ds", pa.timestamp("us")), ("y", pa.float64()), ("timezone", names)]
    schema = pa.schema(columns, metadata=EXPORT_METADATA)
    buffer = _Buffer()
    with pq.ParquetWriter(pa.PythonFile(buffer, mode="w"), schema, compression="zstd") as writer:
        for ids, timestamps, values, zones in iterate_pages:
            arrays: list[Any] = [ids, timestamps, pa.array(values, from_pandas=True), pa.array(zones, names)]
            writer.write_table(pa.table(arrays, schema=schema))
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
