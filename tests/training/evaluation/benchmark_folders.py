"""Benchmark folders for tests: an INDEX.csv and Parquet files with the values that a test gives."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

Values = Mapping[str, Sequence[float]]

STARTS = {"Y": "YS", "M": "MS", "D": "D", "W": "W-SUN", "30min": "30min"}


def write_set(  # noqa: PLR0913 - the columns of INDEX.csv
    folder: Path, name: str, values: Values, *, frequency: str, horizon: int, season: int = 1
) -> Path:
    """Write a set of series that begin in 2001, add its row to INDEX.csv, and return the Parquet file."""
    frames = [
        pd.DataFrame(
            {"unique_id": key, "ds": pd.date_range("2001-01-07", periods=len(y), freq=STARTS[frequency]), "y": y}
        )
        for key, y in values.items()
    ]
    path = folder / f"{name}.parquet"
    pd.concat(frames, ignore_index=True).astype({"y": float}).to_parquet(path)
    index = folder / "INDEX.csv"
    if not index.exists():
        index.write_text("file,frequency,horizon,season,series\n")
    index.write_text(f"{index.read_text()}{name},{frequency},{horizon},{season},{len(values)}\n")
    return path
