"""Far dates: newest and oldest dates so far from all others that they are likelier mistakes than observations."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from models.calendar.frequency import Frequency
from models.calendar.grid import fewest_steps
from models.calendar.timestamps import Timestamps
from models.irregular.history import LONGEST_CONTEXT, SEASONS_KEPT

MOST_GAPS = 100
"""Grid steps for each observed value above which a far date is likelier than a gap; and the fewest that make one."""

CENTURY = np.timedelta64(36525, "D")
DAYS_OF_YEAR = 365

YEAR = np.timedelta64(DAYS_OF_YEAR, "D")
FEWEST_LONE_STEPS, LONE_RATIO, NEAR = 4, 3, 12
"""A lone date lies more than a year and a season, so many steps and so many times the widest of the gaps near it away."""

MOST_FAR_DATES = 3
"""Dates a century away that are likely mistakes, at the most; more are a time of their own."""


@dataclass(frozen=True, slots=True)
class FarDate:
    """The newest or oldest date, and how far it lies from the others.

    Attributes:
        date: The far date.
        nearest: The nearest date that is none.
        count: How many dates lie on its side of the gap.
    """

    date: np.datetime64
    nearest: np.datetime64
    count: int

    @property
    def distance(self) -> str:
        """How far it lies from the others, such as "17 years after every other date"."""
        days = int(abs(self.date - self.nearest) / np.timedelta64(1, "D"))
        years = days // DAYS_OF_YEAR
        span = f"{years} years" if years > 1 else f"{days} days"
        side = "after" if self.date > self.nearest else "before"
        return f"{span} {side} {'every' if self.count == 1 else 'nearly every'} other date"


def find_far_dates(dates: Timestamps, frequency: Frequency | None = None) -> Iterator[FarDate]:
    """Yield the newest and oldest dates that are farther from all others than these are from each other.

    Before the frequency is known, up to three dates are far dates where they are a century away; once it is known, a single
    date that is farther away than any network reads.

    Args:
        dates: Rising, without repeats, shape (length,).
        frequency: Of the series, or None.
    """
    for ordered in (dates, dates[::-1]):
        for count in range(1, min(1 if frequency else MOST_FAR_DATES, len(dates) - 2) + 1):
            far, nearest = ordered[-count], ordered[-count - 1]
            if abs(far - nearest) > abs(nearest - ordered[0]) and _is_far(far, nearest, frequency):
                yield FarDate(far, nearest, count)


def find_lone_dates(dates: Timestamps, frequency: Frequency, near: int = NEAR) -> Iterator[FarDate]:
    """Yield the newest and the oldest date where it may be of a wrong year: after a gap unlike those beside it.

    Args:
        dates: Rising, without repeats, shape (length,).
        frequency: Of the series.
        near: How many gaps beside it count.
    """
    for ordered in (dates, dates[::-1]):
        if not _is_lone(ordered, near):
            continue
        far, nearest = ordered[-1], ordered[-2]
        steps = fewest_steps(min(far, nearest), max(far, nearest), frequency)
        if steps >= max(FEWEST_LONE_STEPS, *frequency.seasons):
            yield FarDate(far, nearest, 1)


def may_have_far_dates(dates: Timestamps) -> bool:
    """Return whether the newest or the oldest date is far from the others, or after a gap unlike those beside it."""
    if len(dates) < 3:  # noqa: PLR2004 - two others, and one that is far from them
        return False
    first, last = dates[-2] - dates[0], dates[-1] - dates[1]
    far = bool(dates[-1] - dates[-2] > first or dates[1] - dates[0] > last)
    return far or may_have_lone_dates(dates)


def may_have_lone_dates(dates: Timestamps, near: int = NEAR) -> bool:
    """Return whether the newest or the oldest date lies after a gap unlike those beside it."""
    if dates[-1] - dates[0] <= YEAR:  # as of most rows that are posted
        return False
    return any(_is_lone(ordered, near) for ordered in (dates, dates[::-1]))


def _is_lone(ordered: Timestamps, near: int) -> bool:
    """Return whether the last date is more than a year away, and farther than the dates before it are from each other."""
    gaps = np.abs(np.diff(ordered[-near - 2 :]))
    return len(gaps) > 1 and bool(gaps[-1] > max(YEAR, LONE_RATIO * gaps[:-1].max()))


def _is_far(far: np.datetime64, nearest: np.datetime64, frequency: Frequency | None) -> bool:
    """Return whether a date is a century from another, or, where the frequency is known, farther than networks read."""
    if frequency is None:
        return bool(abs(far - nearest) > CENTURY)
    steps = fewest_steps(min(far, nearest), max(far, nearest), frequency)
    return steps > max(MOST_GAPS, min(SEASONS_KEPT * max(frequency.seasons), LONGEST_CONTEXT))
