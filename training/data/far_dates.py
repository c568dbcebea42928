"""Far dates: refusal of a file with dates so far from all others that they are likelier mistakes than observations."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from models.calendar.zoned_grid import Frequency
from models.errors import DataInvalid
from models.irregular.far_dates import MOST_FAR_DATES, find_far_dates
from training.data.long_frame import Rows, shown


def refuse_far_dates(path: Path, groups: Sequence[Rows], frequency: Frequency | None = None) -> None:
    """Refuse a file whose newest or oldest dates are farther from all others than these are from each other.

    One mistaken year makes a series end centuries after what a network can read, and the other series end too early.

    Raises:
        DataInvalid: With row, series and date.
    """
    valued = [group for group in groups if np.isfinite(group.y).any()]
    ends = [group.ds[at] for group in valued for at in (slice(MOST_FAR_DATES + 1), slice(-MOST_FAR_DATES - 1, None))]
    dates = np.unique(np.concatenate(ends)) if ends else np.array([], "M8[us]")
    for far in find_far_dates(dates, frequency):
        group, row = next((one, one.row[one.ds == far.date][0]) for one in valued if (one.ds == far.date).any())
        raise DataInvalid(
            f"{path}, row {row}: series {group.id!r} has the date {shown(far.date)}, {far.distance} of the file.",
            hint="Correct the date, or take out the row.",
        )


def name_gap(group: Rows) -> str:
    """Return between which dates of a series the widest gap lies, as a sentence; nothing for a single date."""
    if len(group.ds) < 2:  # noqa: PLR2004 - a gap lies between two
        return ""
    at = int(np.argmax(np.diff(group.ds)))
    ends = [f"{shown(group.ds[end])} (row {group.row[end]})" for end in (at, at + 1)]
    return f" There is no row between {ends[0]} and {ends[1]}."
