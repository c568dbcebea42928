"""Strays: dates so far from all others that they are likelier mistakes than observations."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from models.calendar.grid import fewest_steps
from models.calendar.on_calendar import Frequency
from models.errors import DataInvalid
from training.data.limits import LONGEST_CONTEXT, SEASONS_KEPT
from training.data.long_frame import Rows, shown

MOST_GAPS = 100
"""Grid steps for each observed value above which a stray date is likelier than a gap; and the fewest that make one."""

CENTURY = np.timedelta64(36525, "D")
DAYS_OF_YEAR = 365

MOST_STRAYS = 3
"""Dates a century away that are told to be mistakes, at the most; more are a time of their own."""


def refuse_strays(path: Path, groups: Sequence[Rows], frequency: Frequency | None = None) -> None:
    """Refuse a file whose newest or oldest dates are farther from all others than these are from each other.

    One mistaken year makes a series end centuries after what a network can read, and the other series end too early.
    Before the frequency is known, the newest or oldest three dates at the most are refused where they are a century away;
    once it is known, a single date that is farther away than any network reads.

    Raises:
        DataInvalid: With row, series and date.
    """
    valued = [group for group in groups if np.isfinite(group.y).any()]
    ends = [group.ds[at] for group in valued for at in (slice(MOST_STRAYS + 1), slice(-MOST_STRAYS - 1, None))]
    dates = np.unique(np.concatenate(ends)) if ends else np.array([], "M8[us]")
    for ordered, side in ((dates, "after"), (dates[::-1], "before")):
        for count in range(1, min(1 if frequency else MOST_STRAYS, len(dates) - 2) + 1):
            stray, nearest = ordered[-count], ordered[-count - 1]
            gap = abs(stray - nearest)
            if gap > abs(nearest - ordered[0]) and _is_far(stray, nearest, frequency):
                group, row = next((one, one.row[one.ds == stray][0]) for one in valued if (one.ds == stray).any())
                raise DataInvalid(
                    f"{path}, row {row}: series {group.id!r} has the date {shown(stray)}, {_span(gap, side)} "
                    f"{'every' if count == 1 else 'nearly every'} other date of the file.",
                    hint="Correct the date, or take out the row.",
                )


def _is_far(stray: np.datetime64, nearest: np.datetime64, frequency: Frequency | None) -> bool:
    """Return whether a date is a century from another, or, where the frequency is known, farther than networks read."""
    if frequency is None:
        return bool(abs(stray - nearest) > CENTURY)
    steps = fewest_steps(min(stray, nearest), max(stray, nearest), frequency)
    return steps > max(MOST_GAPS, min(SEASONS_KEPT * max(frequency.seasons), LONGEST_CONTEXT))


def _span(gap: np.timedelta64, side: str) -> str:
    """Return how long a gap is, in years or in days, and on which side."""
    days = int(gap / np.timedelta64(1, "D"))
    years = days // DAYS_OF_YEAR
    return f"{years} years {side}" if years > 1 else f"{days} days {side}"


def name_gap(group: Rows) -> str:
    """Return between which dates of a series the widest gap lies, as a sentence; nothing for a single date."""
    if len(group.ds) < 2:  # noqa: PLR2004 - a gap lies between two
        return ""
    at = int(np.argmax(np.diff(group.ds)))
    ends = [f"{shown(group.ds[end])} (row {group.row[end]})" for end in (at, at + 1)]
    return f" There is no row between {ends[0]} and {ends[1]}."
