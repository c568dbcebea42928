"""Folders of Parquet files for tests, and what they are forecast as."""

import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from models import starters
from training.bulk.part_forecast import Model
from training.bulk.places import Place
from training.bulk.run import BulkRequest
from training.config.training import Columns


def make_frame(count: int = 40, length: int = 48) -> pd.DataFrame:
    """Return monthly series with what real ones have: gaps, missing dates, early ends, whole numbers, unsorted rows."""
    generator, frames = np.random.default_rng(0), []
    for number in range(count):
        dates = pd.date_range("2015-01-01", periods=length, freq="MS")
        values = 50 + 10 * np.sin(np.arange(length) / 2) + generator.normal(size=length)
        frame = pd.DataFrame({"unique_id": f"s{number:03d}", "ds": dates, "y": values})
        frames.append(spoil(frame, number))
    return pd.concat(frames, ignore_index=True)


def spoil(frame: pd.DataFrame, number: int) -> pd.DataFrame:  # noqa: PLR0911 - a fault each
    """Return a series with the fault of its number, most with none."""
    match number:
        case 5:
            return frame.assign(y=frame.y.where(frame.index % 7 != 3))
        case 6:
            return frame.drop(index=[10, 11, 12])
        case 7:
            return frame.iloc[:30]
        case 8:
            return frame.assign(y=frame.y.where(frame.index < 40))
        case 9:
            return frame.iloc[::-1]
        case 10:
            return frame.assign(y=np.round(frame.y))
        case 11:
            return frame.assign(y=7.0)
    return frame


def write_folder(frame: pd.DataFrame, folder: Path, cuts: tuple[int, ...] = (500, 1000)) -> Path:
    """Write rows into several files of small row groups, cut wherever, and return the folder."""
    folder.mkdir()
    edges = [0, *cuts, len(frame)]
    for number, (start, stop) in enumerate(itertools.pairwise(edges)):
        frame.iloc[start:stop].to_parquet(folder / f"rows-{number}.parquet", index=False, row_group_size=97)
    return folder


def ask(folder: Path, output: Path, **changes: Any) -> BulkRequest:  # noqa: ANN401 - fields
    """Return the request of a folder's forecasts by the starter."""
    model = Model(starters.NAME, starters.version())
    request = BulkRequest(model, Place.of(str(folder)), Place.of(str(output)), Columns(), (80.0,), 6)
    return replace(request, **changes)


def read_output(output: Path) -> pd.DataFrame:
    """Return the forecasts of a folder."""
    return pd.concat([pd.read_parquet(path) for path in sorted(output.glob("part-*.parquet"))], ignore_index=True)
