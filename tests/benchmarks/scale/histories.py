"""Histories: many monthly series that are made of a few real ones."""

from pathlib import Path

import numpy as np
import pandas as pd

LENGTH = 60
SERIES_A_FILE = 20_000


def write_histories(source: Path, folder: Path, count: int) -> Path:
    """Write series into Parquet files: windows of real ones at random places, in other units, shortest ids first.

    Args:
        source: Parquet file with `unique_id, ds, y`.
        folder: New folder.
        count: Number of series.
    """
    folder.mkdir(parents=True)
    generator = np.random.default_rng(0)
    frame = pd.read_parquet(source, columns=["unique_id", "y"])
    real = [part.to_numpy(dtype=np.float64) for _, part in frame.groupby("unique_id", sort=True)["y"]]
    real = [one for one in real if len(one) >= LENGTH and np.isfinite(one).all()]
    dates = pd.date_range("2015-01-01", periods=LENGTH, freq="MS")
    for number, first in enumerate(range(0, count, SERIES_A_FILE)):
        size = min(SERIES_A_FILE, count - first)
        values = np.empty((size, LENGTH))
        for row, which in enumerate(generator.integers(0, len(real), size)):
            start = generator.integers(0, len(real[which]) - LENGTH + 1)
            values[row] = real[which][start : start + LENGTH] * generator.uniform(0.5, 2.0)
        ids = np.repeat([f"s{one:08d}" for one in range(first, first + size)], LENGTH)
        long = pd.DataFrame({"unique_id": ids, "ds": np.tile(dates, size), "y": values.ravel()})
        long.to_parquet(folder / f"{number:04d}.parquet", index=False)
    return folder
