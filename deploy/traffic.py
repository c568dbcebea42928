"""Traffic: clients that forecast and post observations without pause, and remember what was acknowledged."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from io import BytesIO

import httpx
import pyarrow.parquet

PAUSE_SECONDS = 0.05
SHORT_SECONDS = 5.0
FIRST_DAY = date(2000, 1, 1)


@dataclass(slots=True)
class Traffic:
    """What the clients saw.

    Attributes:
        forecast: Time of the response, by forecast id.
        failed: What forecasts received that is no forecast.
        observed: Value of each day that the service has acknowledged.
        refused: Attempts to post that were not acknowledged, and were repeated.
        killed: Each container that was killed, and when.
    """

    forecast: dict[str, float] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)
    observed: dict[str, float] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    killed: list[tuple[str, float]] = field(default_factory=list)

    def counts(self) -> dict[str, int]:
        """Return how many of each there are."""
        return {"forecasts": len(self.forecast), "failed": len(self.failed), "refused": len(self.refused)}


@contextmanager
def traffic(client: httpx.Client, series: str) -> Iterator[Traffic]:
    """Forecast and post observations in two threads until the end of the block."""
    seen, done = Traffic(), threading.Event()
    threads = [
        threading.Thread(target=_forecast, args=(client, seen, done)),
        threading.Thread(target=_observe, args=(client, series, seen, done)),
    ]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        done.set()
        for thread in threads:
            thread.join()


def lost(client: httpx.Client, series: str, seen: Traffic) -> list[str]:
    """Return the days whose value was acknowledged, and is not in the service's export."""
    export = client.get("/observations/export", timeout=60).raise_for_status().content
    rows = pyarrow.parquet.read_table(BytesIO(export)).to_pylist()
    stored = {row["ds"].date().isoformat(): row["y"] for row in rows if row["unique_id"] == series}
    return [day for day, value in seen.observed.items() if stored.get(day) != value]


def _forecast(client: httpx.Client, seen: Traffic, done: threading.Event) -> None:
    series = {"id": "traffic", "start": "1935-01", "frequency": "M", "values": [float(i % 12) for i in range(60)]}
    while not done.wait(PAUSE_SECONDS):
        try:
            response = client.post("/forecast", json={"series": [series], "horizon": 12}, timeout=SHORT_SECONDS)
        except httpx.HTTPError as error:
            seen.failed.append(f"{type(error).__name__}: {error}")
            continue
        if response.is_success and not response.json()["errors"]:
            seen.forecast[response.json()["forecasts"][0]["forecast_id"]] = time.time()
        else:
            seen.failed.append(f"{response.status_code} {response.text[:300]}")


def _observe(client: httpx.Client, series: str, seen: Traffic, done: threading.Event) -> None:
    """Post one day after the other; each is repeated until the service has acknowledged it."""
    number = 0
    while not done.wait(PAUSE_SECONDS):
        day, value = (FIRST_DAY + timedelta(days=number)).isoformat(), float(number)
        row = {"id": series, "timestamp": day, "value": value}
        try:
            response = client.post(
                "/observations", json={"frequency": "D", "observations": [row]}, timeout=SHORT_SECONDS
            )
        except httpx.HTTPError as error:
            seen.refused.append(type(error).__name__)
            continue
        if response.is_success and response.json()["accepted"] == 1:
            seen.observed[day] = value
            number += 1
        else:
            seen.refused.append(f"{response.status_code} {response.text[:300]}")
