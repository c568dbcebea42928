"""Bulk: a large load of observations, posted in parts, and the parts that a service has stored."""

import hashlib
import io
import os
import signal
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tests.service.home import eventually
from tests.service.server_process import NO_REGISTRY, PROGRAM, ServerProcess
from tests.system.programs import postgres, revived

START = np.datetime64("2000-01-01", "us")
HOUR = np.timedelta64(1, "h")
RETRY_SECONDS = 0.2


def make_part(part: int, rows: int) -> pa.Table:
    """Return a part of the load: hours of a series of its own."""
    values = np.random.default_rng(part).normal(size=rows)
    columns = {"unique_id": [f"s{part:05d}"] * rows, "ds": START + np.arange(rows) * HOUR, "y": values}
    return pa.table(columns)


def parquet(table: pa.Table) -> bytes:
    """Return a table as a Parquet file."""
    file = io.BytesIO()
    pq.write_table(table, file)
    return file.getvalue()


@dataclass(slots=True)
class Poster:
    """A client that posts part after part.

    Attributes:
        parts: Count of parts.
        rows: Rows of a part.
        address: URL of the service; it may change.
        retries: Whether to send a part again that was not acknowledged, or to stop.
        acknowledged: Parts that were answered with 200 and accepted.
        failures: Count of other requests.
    """

    parts: int
    rows: int
    address: str
    retries: bool = False
    acknowledged: list[int] = field(default_factory=list)
    failures: int = 0

    def run(self) -> None:
        """Post all parts."""
        for part in range(self.parts):
            body = parquet(make_part(part, self.rows))
            while not self._is_accepted(body):
                self.failures += 1
                if not self.retries:
                    return
                time.sleep(RETRY_SECONDS)
            self.acknowledged.append(part)

    def _is_accepted(self, body: bytes) -> bool:
        try:
            kind = {"content-type": "application/octet-stream"}
            answer = httpx.post(f"{self.address}/observations", content=body, headers=kind, timeout=60)
        except httpx.HTTPError:
            return False
        return answer.status_code == httpx.codes.OK and answer.json()["accepted"] == self.rows


def stored(address: str) -> dict[str, NDArray[np.float64]]:
    """Return the stored values of each series, in the order of time."""
    content = httpx.get(f"{address}/observations/export", timeout=120).raise_for_status().content
    table = pq.read_table(io.BytesIO(content))
    ids = np.array(table.column("unique_id").to_pylist())
    values = table.column("y").to_numpy()
    names, starts = np.unique(ids, return_index=True)
    return dict(zip(names.tolist(), np.split(values, starts[1:]), strict=True))


def digest(values: dict[str, NDArray[np.float64]]) -> str:
    """Return the SHA-256 of names and values, in the order of the names."""
    total = hashlib.sha256()
    for name in sorted(values):
        total.update(name.encode() + values[name].tobytes())
    return total.hexdigest()


def sent(parts: int, rows: int) -> dict[str, NDArray[np.float64]]:
    """Return all parts of a load, as `stored` returns them."""
    return {f"s{part:05d}": make_part(part, rows).column("y").to_numpy() for part in range(parts)}


def load_with_kills(folder: Path, parts: int, rows: int) -> tuple[Poster, float]:
    """Post a load into PostgreSQL while service and database are killed with SIGKILL once each.

    Returns:
        The poster, and the seconds until all parts were acknowledged.

    Raises:
        AssertionError: If the stored values are not those of the load.
    """
    with postgres() as server:
        with serve(folder / "one", server.url) as first:
            poster = Poster(parts, rows, str(first.client.base_url), retries=True)
            began, thread = time.monotonic(), threading.Thread(target=poster.run)
            thread.start()
            eventually(lambda: len(poster.acknowledged) > parts // 4, "the load does not start")
            os.kill(first.process.pid, signal.SIGKILL)
        with serve(folder / "two", server.url) as second:
            poster.address = str(second.client.base_url)
            eventually(lambda: len(poster.acknowledged) > parts // 2, "the load does not continue")
            server.kill()
            with revived(server):
                thread.join()
                seconds = time.monotonic() - began
                assert digest(stored(poster.address)) == digest(sent(parts, rows))
    return poster, seconds


def serve(home: Path, url: str = "") -> ServerProcess:
    """Run a service without a registry."""
    return ServerProcess(home, program=NO_REGISTRY + PROGRAM, ALMANAC_DATABASE_URL=url)
