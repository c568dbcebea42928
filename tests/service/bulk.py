"""Bulk: parts of a large load of observations, posted one after the other, and what a service has of them."""

import hashlib
import io
import threading
import time
from dataclasses import dataclass, field

import httpx
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

START = np.datetime64("2000-01-01", "us")
HOUR = np.timedelta64(1, "h")
RETRY_SECONDS = 0.2


def make_part(part: int, rows: int) -> pa.Table:
    """Return a part of the load: hours of a series that is its own."""
    values = np.random.default_rng(part).normal(size=rows)
    columns = {"unique_id": [f"s{part:05d}"] * rows, "ds": START + np.arange(rows) * HOUR, "y": values}
    return pa.table(columns)


def parquet(table: pa.Table) -> bytes:
    """Return a table as a file."""
    file = io.BytesIO()
    pq.write_table(table, file)
    return file.getvalue()


@dataclass(slots=True)
class Poster:
    """A client that posts part after part until it is told to stop, or all are there.

    Attributes:
        parts: How many there are.
        rows: In each.
        patient: Whether it sends a part again that was not acknowledged; else it stops there.
        address: Where the service answers now.
        acknowledged: Parts that were answered with 200, each row accepted.
        failures: Requests that were not.
    """

    parts: int
    rows: int
    address: str
    patient: bool = False
    acknowledged: list[int] = field(default_factory=list)
    failures: int = 0
    enough: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Post."""
        for part in range(self.parts):
            body = parquet(make_part(part, self.rows))
            while not (self.enough.is_set() or self._is_kept(body)):
                self.failures += 1
                if not self.patient:
                    return
                time.sleep(RETRY_SECONDS)
            if self.enough.is_set():
                return
            self.acknowledged.append(part)

    def _is_kept(self, body: bytes) -> bool:
        try:
            answer = httpx.post(f"{self.address}/observations", content=body, timeout=60)
        except httpx.HTTPError:
            return False
        return answer.status_code == httpx.codes.OK and answer.json()["accepted"] == self.rows


def stored(address: str) -> dict[str, NDArray[np.float64]]:
    """Return what a service has, values in time by series."""
    content = httpx.get(f"{address}/observations/export", timeout=120).raise_for_status().content
    table = pq.read_table(io.BytesIO(content))
    ids = np.array(table.column("unique_id").to_pylist())
    values = table.column("y").to_numpy()
    names, starts = np.unique(ids, return_index=True)
    return dict(zip(names.tolist(), np.split(values, starts[1:]), strict=True))


def digest(values: dict[str, NDArray[np.float64]]) -> str:
    """Return SHA-256 over series and values, in the order of the names."""
    total = hashlib.sha256()
    for name in sorted(values):
        total.update(name.encode() + values[name].tobytes())
    return total.hexdigest()


def sent(parts: int, rows: int) -> dict[str, NDArray[np.float64]]:
    """Return all parts as `stored` returns them."""
    return {f"s{part:05d}": make_part(part, rows).column("y").to_numpy() for part in range(parts)}
