"""Zones: the timezones of the series in an export of the service, whose timestamps are UTC instants."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.calendar.timestamps import to_local_times
from models.columns import EXPORT_METADATA, TIMEZONE
from training.data.long_frame import Rows

DAY = np.timedelta64(1, "D")
SHORT_DAY = np.timedelta64(23, "h")
"""Length of the day on which clocks go forward."""


def read_zones(path: Path) -> Mapping[str, str]:
    """Return the timezone of each series of an export that has one, by id; empty for any other file."""
    if path.suffix.lower() not in {".parquet", ".pq"}:
        return {}
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        metadata = pq.read_schema(path).metadata or {}
        if not metadata.keys() >= {key.encode() for key in EXPORT_METADATA}:
            return {}
        pairs = pq.read_table(path, columns=["unique_id", TIMEZONE]).group_by(["unique_id", TIMEZONE]).aggregate([])
    except (OSError, KeyError, pa.ArrowException):
        return {}
    ids, zones = (pairs.column(name).to_pylist() for name in ("unique_id", TIMEZONE))
    return {one: zone for one, zone in zip(ids, zones, strict=True) if zone is not None}


def are_days(groups: Sequence[Rows]) -> bool:
    """Return whether the usual step of the longest series is a day or longer."""
    longest = max(groups, key=lambda group: len(group.ds))
    return len(longest.ds) < 2 or bool(np.median(np.diff(longest.ds).astype("m8[s]")) >= SHORT_DAY)  # noqa: PLR2004


def to_local_days(group: Rows, zone: str) -> Rows:
    """Return rows with local dates; where clocks skip midnight, the day begins at midnight all the same."""
    walls = to_local_times(group.ds, zone)
    days = walls.astype("M8[D]")
    after_midnight = walls - days
    if np.median(after_midnight.astype(np.int64)) == 0:
        walls = np.where(after_midnight < np.timedelta64(3, "h"), days, walls)
    return replace(group, ds=walls)


def write_instants(instants: NDArray[np.datetime64]) -> list[str]:
    """Return UTC instants as text with `Z`."""
    return [f"{one}Z" for one in np.datetime_as_string(instants).tolist()]
