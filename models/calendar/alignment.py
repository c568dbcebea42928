"""Alignment: timestamps laid on the grid of a frequency, with jitter removed and date outliers named."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.calendar.frequency import Frequency
from models.calendar.frequency_names import BUSINESS_HOUR
from models.calendar.grid import Steps, fit_frequency, nearest, stamp_variants, timestamps_at
from models.calendar.timestamps import Timestamps, write_exactly
from models.errors import TimestampInvalid, TimestampsDuplicated, TimestampsOffCalendar

MOST_JITTER, LONGEST_JITTER = 0.05, np.timedelta64(1, "h")
"""A timestamp this share of a step from the grid, at most an hour, is meant to be on it."""

MOST_OUTLIERS, FEWEST_WITH_OUTLIER = 0.05, 12
"""Share of timestamps that may lie elsewhere, and the fewest timestamps of which one may."""

MOSTLY = 0.8
"""Share of timestamps on a grid, from which on the others are wrong and not the frequency."""

LEFT_OUT = -1
"""In place of the step of a timestamp that has none."""

SHOWN = 3
"""Timestamps that an error names."""

_NONE = np.timedelta64(0, "us")
_ROUNDINGS = tuple(
    np.timedelta64(microseconds, "us")
    for microseconds in (86_400_000_000, 3_600_000_000, 900_000_000, 60_000_000, 1_000_000, 100_000, 1_000)
)
"""Round times, the roundest first: a day, an hour, 15 minutes, a minute, a second, 100 and 1 milliseconds."""


@dataclass(frozen=True, slots=True, eq=False)
class Alignment:
    """Timestamps on a grid.

    Attributes:
        start: First point of the grid, on the clock of the timestamps.
        frequency: Its steps.
        steps: Of each timestamp, shape (length,), from 0; `LEFT_OUT` for an outlier whose neighbours are taken.
        jittered: Timestamps that lay near their point, as indices.
        outliers: Timestamps that lay off the grid, as indices.
        largest_shift: The farthest that jitter moved a timestamp.
    """

    start: np.datetime64
    frequency: Frequency
    steps: Steps
    jittered: tuple[int, ...] = ()
    outliers: tuple[int, ...] = ()
    largest_shift: np.timedelta64 = _NONE

    def point(self, step: int) -> np.datetime64:
        """Return a point of the grid."""
        found: np.datetime64 = timestamps_at(self.start, self.frequency, np.array([step]))[0]
        return found


def align(timestamps: Timestamps, frequency: Frequency) -> Alignment:
    """Return rising timestamps on the grid of a frequency.

    Timestamps within the tolerance move to their point. A few others, the outliers, move to the nearer of the two points
    beside them that no other timestamp has, or are left out.

    Raises:
        TimestampsOffCalendar: If too many lie off every grid of the frequency; the first are named.
        TimestampsDuplicated: If jitter puts two timestamps on one point; both are named.
        TimestampInvalid: If a step is shorter than a microsecond.
    """
    try:
        fitted, steps = fit_frequency(timestamps, frequency)
    except TimestampsOffCalendar as error:
        grid = best_grid(timestamps, frequency)
        if grid is None:
            raise
        return grid.align(error)
    return Alignment(timestamps[0], fitted, steps)


def tolerance_of(frequency: Frequency) -> np.timedelta64:
    """Return how far a timestamp may lie from its point and still be meant to be on it."""
    if frequency.nanoseconds is None:
        return LONGEST_JITTER
    return min(np.timedelta64(int(frequency.nanoseconds * MOST_JITTER) // 1000, "us"), LONGEST_JITTER)


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """A candidate: its point nearest to each timestamp, and how far that is."""

    timestamps: Timestamps
    start: np.datetime64
    frequency: Frequency
    steps: Steps
    points: Timestamps

    @property
    def distances(self) -> NDArray[np.timedelta64]:
        """Distances to the nearest points, shape (length,), zero or positive."""
        return np.asarray(np.abs(self.timestamps - self.points))

    @property
    def near(self) -> NDArray[np.bool_]:
        """Which timestamps lie on the grid or within the tolerance."""
        return np.asarray(self.distances <= tolerance_of(self.frequency))

    @property
    def votes(self) -> tuple[int, int]:
        """How many timestamps are near to the grid, and how many on it."""
        return int(self.near.sum()), int((self.timestamps == self.points).sum())

    @property
    def has_few_outliers(self) -> bool:
        """Whether few enough timestamps lie off the grid to be outliers."""
        count, outliers = len(self.timestamps), int((~self.near).sum())
        return outliers <= (max(1, int(MOST_OUTLIERS * count)) if count >= FEWEST_WITH_OUTLIER else 0)

    def align(self, error: TimestampsOffCalendar) -> Alignment:
        """Return the alignment; raises as `align`."""
        near, distances = self.near, self.distances
        if not self.has_few_outliers:
            raise self._off(error)
        self._refuse_doubles(near)
        steps = self.steps.copy()
        taken = set(steps[near].tolist())
        outliers = np.flatnonzero(~near).tolist()
        kept = near.copy()
        for at in outliers:
            beside = int(steps[at]) + (1 if self.timestamps[at] > self.points[at] else -1)
            free = [step for step in (int(steps[at]), beside) if step not in taken]
            kept[at] = bool(free)
            if free:
                steps[at] = free[0]
                taken.add(free[0])
        first = int(steps[kept].min())
        jittered = near & (distances > _NONE)
        return Alignment(
            start=timestamps_at(self.start, self.frequency, np.array([first]))[0],
            frequency=self.frequency,
            steps=np.where(kept, steps - first, LEFT_OUT),
            jittered=tuple(np.flatnonzero(jittered).tolist()),
            outliers=tuple(outliers),
            largest_shift=distances[near].max(),
        )

    def _refuse_doubles(self, near: NDArray[np.bool_]) -> None:
        rows = np.flatnonzero(near)
        twice = np.flatnonzero(np.diff(self.steps[rows]) == 0)
        if not twice.size:
            return
        one, other = rows[twice[0]], rows[twice[0] + 1]
        texts = [write_exactly(self.timestamps[at]) for at in (one, other)]
        raise TimestampsDuplicated(
            f"{texts[0]} and {texts[1]} both belong to the step {write_exactly(self.points[one])} of {self.frequency.name}.",
            pointer=f"/timestamps/{other}",
            hint="Send one value for each step.",
        )

    def _off(self, error: TimestampsOffCalendar) -> TimestampsOffCalendar:
        """Return an error that names the first outliers."""
        outliers = np.flatnonzero(~self.near)
        if not self.near.any():
            return error
        texts = ", ".join(write_exactly(self.timestamps[at]) for at in outliers[:SHOWN])
        return TimestampsOffCalendar(
            f"{len(outliers)} of {len(self.timestamps)} timestamps lie off the steps of {self.frequency.name} from "
            f"{write_exactly(self.points[self.near][0])}: {texts}{', …' if len(outliers) > SHOWN else ''}.",
            pointer=f"/timestamps/{outliers[0]}",
            hint=error.hint
            if self.near.mean() < MOSTLY
            else "Correct these timestamps, or send a frequency on whose steps they lie.",
        )


def best_grid(timestamps: Timestamps, frequency: Frequency) -> Grid | None:
    """Return the grid of a frequency that the most timestamps are near to, or None if it has none."""
    if frequency.unit == BUSINESS_HOUR:
        return None
    through = [
        grid
        for stamp in dict.fromkeys(timestamps[[0, len(timestamps) // 2, -1]].tolist())
        for variant in stamp_variants(frequency)
        if (grid := _grid(timestamps, np.datetime64(stamp, "us"), variant)) is not None
    ]
    if not through:
        return None
    best = max(through, key=lambda grid: grid.votes)
    shifts = best.distances[best.near]
    near, exact = best.votes
    if not near or 2 * exact >= near:
        return best
    return max((*_rounded(best, 2 * shifts.max()), best), key=lambda grid: grid.votes[0])


def _grid(timestamps: Timestamps, start: np.datetime64, frequency: Frequency) -> Grid | None:
    try:
        return Grid(timestamps, start, frequency, *nearest(timestamps, start, frequency))
    except (TimestampsOffCalendar, TimestampInvalid):  # no grid of business days starts on a weekend
        return None


def _rounded(grid: Grid, farthest: np.timedelta64) -> Iterator[Grid]:
    """Yield the grids in the middle of the jitter whose start is a round time, the roundest first."""
    deviations = (grid.timestamps - grid.points)[grid.near]
    middle = grid.start + np.sort(deviations)[len(deviations) // 2]
    for unit in _ROUNDINGS:
        start = round_to(middle, unit)
        found = _grid(grid.timestamps, start, grid.frequency) if abs(start - middle) <= farthest else None
        if found is not None:
            yield found


def round_to(stamp: np.datetime64, unit: np.timedelta64) -> np.datetime64:
    """Return the multiple of a unit, counted from a midnight, that is nearest to a timestamp."""
    day = stamp.astype("M8[D]").astype("M8[us]")
    size = int(unit.astype("m8[us]").astype(np.int64))
    since = int((stamp - day).astype(np.int64))
    rounded: np.datetime64 = day + np.timedelta64((since + size // 2) // size * size, "us")
    return rounded
