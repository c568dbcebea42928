"""Exporting: observations as a Parquet file that is written while it is read, a page in memory at a time."""

from collections.abc import Iterable, Iterator
from typing import Any

from models.calendar.timestamps import Timestamps
from service.store.blobs import Floats

Page = tuple[list[str], Timestamps, Floats]


def parquet_of(iterate_pages: Iterable[Page]) -> Iterator[bytes]:
    """Yield a Parquet file of `unique_id` (text), `ds` (timestamp, microseconds) and `y` (float64, null for a gap).

    A reader sees a file that broke off as one that is no Parquet: its foot is missing.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema([("unique_id", pa.string()), ("ds", pa.timestamp("us")), ("y", pa.float64())])
    drain = _Drain()
    with pq.ParquetWriter(pa.PythonFile(drain, mode="w"), schema, compression="zstd") as writer:
        for ids, timestamps, values in iterate_pages:
            columns: list[Any] = [ids, timestamps, pa.array(values, from_pandas=True)]
            writer.write_table(pa.table(columns, schema=schema))
            yield drain.take()
    yield drain.take()


class _Drain:
    """A file that keeps what is written only until it is taken."""

    closed = False

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, part: bytes) -> int:
        """Keep a part."""
        self._parts.append(bytes(part))
        return len(part)

    def flush(self) -> None:
        """Nothing waits anywhere else."""

    def close(self) -> None:
        """Be closed: what was written can still be taken."""
        self.closed = True

    def take(self) -> bytes:
        """Return what was written since it was last taken."""
        taken = b"".join(self._parts)
        self._parts.clear()
        return taken
