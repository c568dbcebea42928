"""Strays: dates so far from all others that they are likelier mistakes than observations."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from models.calendar import Frequency
from models.errors import DataInvalid
from models.grid import fewest_steps
from training.rows import Rows, shown

MOST_GAPS = 100
"""Empty grid steps, in a row or for each observed value, above which a stray date is likelier than a gap."""


def refuse_strays(path: Path, groups: Sequence[Rows], frequency: Frequency) -> None:
    """Refuse a file whose newest or oldest date is farther from all others than these are from each other.

    One mistaken year makes a series end centuries after what a network can read, and the other series end too early.

    Raises:
        DataInvalid: With row, series and date.
    """
    valued = [group for group in groups if np.isfinite(group.y).any()]
    ends = [group.ds[at] for group in valued for at in (slice(2), slice(-2, None))]
    dates = np.unique(np.concatenate(ends)) if ends else np.array([], "M8[us]")
    if len(dates) <= 2:  # noqa: PLR2004 - of two dates neither is the stray one
        return
    for place, side in ((-1, "after"), (0, "before")):
        (stray, nearest), farthest = dates[[place, -2 if place else 1]], dates[0 if place else -1]
        steps = fewest_steps(min(stray, nearest), max(stray, nearest), frequency)
        if steps > MOST_GAPS and abs(stray - nearest) > abs(nearest - farthest):
            group = next(one for one in valued if one.ds[place] == stray)
            raise DataInvalid(
                f"{path}, row {group.row[place]}: series {group.id!r} has the date {shown(stray)}, {steps} steps of "
                f"{frequency.name} or more {side} every other date of the file.",
                hint="Correct the date, or take out the row.",
            )


def name_gap(group: Rows) -> str:
    """Return between which dates of a series the widest gap lies, as a sentence; nothing for a single date."""
    if len(group.ds) < 2:  # noqa: PLR2004 - a gap lies between two
        return ""
    at = int(np.argmax(np.diff(group.ds)))
    ends = [f"{shown(group.ds[end])} (row {group.row[end]})" for end in (at, at + 1)]
    return f" There is no row between {ends[0]} and {ends[1]}."
