"""Zones: the timezones of the series in an export of the service, whose timestamps are UTC instants."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from models.calendar.timestamps import to_local_times
from training.data.long_frame import Rows

DAY = np.timedelta64(1, "D")
SHORT_DAY = np.timedelta64(23, "h")
"""Length of the day on which clocks go forward."""


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
