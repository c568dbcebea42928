"""Grid placement: values and covariates at irregular dates, put on the regular grid of their frequency."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from models.calendar.alignment import LEFT_OUT, Alignment, align
from models.calendar.dates import Dates
from models.calendar.exact_frequency import refuse_fiscal
from models.calendar.grid import fewest_steps
from models.calendar.timestamps import Timestamps, to_instants, write_exactly
from models.calendar.zoned_grid import Frequency, calendar_clock, infer_frequency
from models.covariates import Covariates
from models.errors import Finding, FrequencyError, FrequencyNotInferred, SeriesError, SeriesTooLong
from models.irregular.far_dates import FarDate, find_far_dates, find_lone_dates, may_have_far_dates
from models.irregular.repairs import Repair, list_repairs, snapped_repair
from models.values import Values, all_finite

MOST_STEPS, MOST_STEPS_A_VALUE = 10_000, 10
"""Longest grid: so many steps, and so many more for each value. A year of hours may be missing, but not a century."""

MANY_MISSING = 0.3
"""Share of missing steps from which on a series of counts without a zero is asked whether they mean zero."""

FEW = 512
"""Dates whose grid is remembered for the next series of the same dates."""

MISSING = ("gap", "zero")
"""What a missing timestamp may mean: nothing is known, or nothing happened."""


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """A series on its grid.

    Attributes:
        values: Shape (length,), NaN or 0 at steps without a timestamp.
        start: Timestamp of the first step: an instant with a timezone, else a wall clock.
        frequency: Of the grid.
        repairs: What was changed.
        findings: Date outliers, and a question where missing steps may be zeros.
        covariates: At the same steps, NaN where there is no timestamp.
    """

    values: Values
    start: np.datetime64
    frequency: Frequency
    repairs: tuple[Repair, ...]
    findings: tuple[Finding, ...]
    covariates: dict[str, Values]


def place(
    numbers: Values, dates: Dates, frequency: Frequency | None, covariates: Covariates, *, missing: str = "gap"
) -> Placed:
    """Return values at dates on a regular grid.

    Args:
        numbers: Shape (length,), NaN where nothing was observed.
        dates: One for each, rising.
        frequency: Steps of the grid; None infers it.
        covariates: By name, shape (length,) each.
        missing: `gap` or `zero`: what a step without a timestamp means.

    Raises:
        FrequencyNotInferred: If the frequency cannot be inferred.
        TimestampsOffCalendar, TimestampsDuplicated: As `models.calendar.alignment.align`.
        FiscalPeriods: If the frequency is of days or weeks, and the dates are fiscal periods of weeks.
        SeriesTooLong: If few values would fill the memory.
    """
    grid = _lay(dates, frequency)
    found = grid.found
    if grid.is_full:
        repairs = () if all_finite(numbers) else list_repairs("GAP_MASKED", np.isnan(numbers))
        repairs += _snapped(found)
        return Placed(numbers, grid.start, found.frequency, repairs, grid.findings(numbers), dict(covariates))
    absent = grid.absent
    values = grid.spread(numbers)
    repairs = list_repairs("GAP_MASKED", np.isnan(values) & ~absent)
    if missing == "zero":
        values[absent] = 0.0
    repairs += list_repairs("GAP_ZERO" if missing == "zero" else "GAP_INSERTED", absent) + _snapped(found)
    findings = grid.findings(numbers)
    if missing != "zero" and grid.own is None:
        findings += _ask_zero(numbers, absent)
    placed = {name: grid.spread(one) for name, one in covariates.items()}
    return Placed(values, grid.start, found.frequency, repairs, findings, placed)


@dataclass(frozen=True, slots=True, eq=False)
class _Grid:
    """The grid of dates, whatever the values.

    Attributes:
        clock: The dates, on the clock that the frequency counts on.
        found: The dates on the grid.
        start: Its first step: an instant with a timezone, else a wall clock.
        outliers: A finding for each date outlier.
        absent: Whether a step has no timestamp, shape (length,).
        is_full: Whether every step has one, and every timestamp a step.
        may_have_far_dates: Whether a date may be so far from all others that it is a mistake.
        own: The frequency that the dates have by themselves if it is longer than the stated one, else None.
    """

    clock: Timestamps
    found: Alignment
    start: np.datetime64
    outliers: tuple[Finding, ...]
    absent: NDArray[np.bool_]
    is_full: bool
    may_have_far_dates: bool
    own: Frequency | None

    def findings(self, numbers: Values) -> tuple[Finding, ...]:
        """Return findings: a frequency that is too fine, each date outlier and far date; dates without a value are not far dates."""
        outliers = self.outliers if self.own is None else (*self.outliers, self._too_fine(self.own))
        if not self.may_have_far_dates:
            return outliers
        return (*outliers, *_strays(numbers, self.clock, self.found.frequency))

    def _too_fine(self, own: Frequency) -> Finding:
        return Finding(
            "FREQUENCY_FINER",
            f"The frequency is {self.found.frequency.name}, but the timestamps are those of {own.name}: {int(self.absent.sum())} of "
            f"{len(self.absent)} steps have no value.",
            "/timestamps",
            f"Leave the frequency out, or give {own.name}.",
        )

    def spread(self, numbers: Values) -> Values:
        """Return numbers, one for each date, at their steps, NaN between them, shape (length,)."""
        steps = self.found.steps
        kept = steps != LEFT_OUT if self.found.outliers else slice(None)
        grid = np.full(len(self.absent), np.nan)
        grid[steps[kept]] = numbers[kept]
        return grid


def _lay(dates: Dates, frequency: Frequency | None) -> _Grid:
    """Return the grid of dates; raises as `place`."""
    if len(dates.stamps) > FEW:
        return _make_grid(dates, frequency)
    stamp = None if frequency is None else frequency.stamp
    return _remembered(dates.stamps.tobytes(), dates.timezone, frequency, stamp)


@lru_cache(maxsize=128)
def _remembered(stamps: bytes, timezone: str | None, frequency: Frequency | None, _stamp: str | None) -> _Grid:
    """Return the grid of few dates, for all series of the same dates; equal frequencies may differ in their stamp."""
    return _make_grid(Dates(np.frombuffer(stamps, "M8[us]"), "", timezone), frequency)


def _make_grid(dates: Dates, frequency: Frequency | None) -> _Grid:
    step = frequency or infer_for(dates)
    clock = calendar_clock(dates.stamps, step, dates.timezone)
    if frequency is not None:
        check_weeks(clock, frequency)
    _check_length(fewest_steps(clock[0], clock[-1], step), clock, step)
    found = align(clock, step)
    length = int(found.steps.max()) + 1
    _check_length(length, clock, found.frequency)
    absent = np.ones(length, dtype=np.bool_)
    absent[found.steps[found.steps != LEFT_OUT]] = False
    is_full = length == len(clock) and not absent.any()
    return _Grid(
        clock,
        found,
        _start(found, clock, dates),
        _outliers(found, clock),
        absent,
        is_full,
        may_have_far_dates(clock),
        _own_frequency(dates, frequency) if frequency and absent.sum() >= len(clock) - 1 else None,
    )


def _own_frequency(dates: Dates, stated: Frequency) -> Frequency | None:
    """Return the frequency of dates that miss no step of it, None if they have none or the stated one."""
    try:
        own = infer_for(dates)
        steps = align(calendar_clock(dates.stamps, own, dates.timezone), own).steps
    except (FrequencyError, SeriesError):
        return None
    return own if own != stated and int(steps.max()) < len(steps) else None


def check_weeks(clock: Timestamps, frequency: Frequency) -> None:
    """Raise FiscalPeriods if a frequency of days or weeks is stated for fiscal periods: most steps would be missing."""
    if frequency.unit in {"W", "D"}:
        refuse_fiscal(clock)


def infer_for(dates: Dates) -> Frequency:
    """Return the frequency of the local dates, or of the instants if it is shorter than a day.

    Raises:
        FrequencyNotInferred: If neither has one.
    """
    if dates.timezone is not None:
        try:
            frequency = infer_frequency(calendar_clock(dates.stamps, Frequency("D"), dates.timezone))
        except FrequencyNotInferred:
            return infer_frequency(dates.stamps)
        if frequency.nanoseconds is None:
            return frequency
    return infer_frequency(dates.stamps)


def _start(found: Alignment, clock: Timestamps, dates: Dates) -> np.datetime64:
    """Return the first point of the grid on the clock of the dates."""
    start: np.datetime64 = found.start
    if start == clock[0]:
        start = dates.stamps[0]
    elif dates.timezone is not None and found.frequency.nanoseconds is None:
        start = to_instants(np.array([start], "M8[us]"), dates.timezone)[0]
    return start


def _check_length(length: int, clock: Timestamps, frequency: Frequency) -> None:
    """Raise SeriesTooLong for a grid with so many gaps that few values could fill the memory."""
    if length <= MOST_STEPS + MOST_STEPS_A_VALUE * len(clock):
        return
    far = next(iter(_far_dates(clock, frequency)), None)
    raise SeriesTooLong(
        f"{len(clock)} values spread over {length} steps of {frequency.name} or more"
        + ("." if far is None else f": {write_exactly(far.date)} lies {far.distance}."),
        pointer="/timestamps" if far is None else f"/timestamps/{int(np.searchsorted(clock, far.date))}",
        hint=("" if far is None else f"Correct {write_exactly(far.date)} if this is wrong. ")
        + "Send a coarser frequency, or the newest part of the series.",
    )


def _far_dates(dates: Timestamps, frequency: Frequency) -> list[FarDate]:
    """Return the dates that are likely mistakes, or else those that may be of a wrong year."""
    return [*find_far_dates(dates)] or [*find_far_dates(dates, frequency)] or [*find_lone_dates(dates, frequency)]


def _snapped(found: Alignment) -> tuple[Repair, ...]:
    if not found.jittered:
        return ()
    return (snapped_repair(len(found.jittered), found.largest_shift, found.frequency),)


def _outliers(found: Alignment, clock: Timestamps) -> tuple[Finding, ...]:
    """Return a finding for each date outlier, with what becomes of its value."""
    return tuple(_outlier(found, clock, at) for at in found.outliers)


def _outlier(found: Alignment, clock: Timestamps, at: int) -> Finding:
    step = int(found.steps[at])
    detail = f"{write_exactly(clock[at])} lies off the steps of {found.frequency.name}"
    if step == LEFT_OUT:
        detail += "; the steps beside it are taken, so its value is left out."
    else:
        detail += f"; it is read as {write_exactly(found.point(step))}, the nearest step without a value."
    return Finding("DATE_OUTLIER", detail, f"/timestamps/{at}", "Correct the timestamp if this is wrong.")


def _strays(numbers: Values, clock: Timestamps, frequency: Frequency) -> tuple[Finding, ...]:
    """Return a finding for the newest or oldest date if it is so far from all others that it is likelier a mistake."""
    dates = clock[~np.isnan(numbers)]
    return tuple(
        Finding(
            "DATE_STRAY",
            f"{write_exactly(one.date)} lies {one.distance} of the series.",
            f"/timestamps/{int(np.searchsorted(clock, one.date))}",
            "Correct the date if this is wrong.",
        )
        for one in _far_dates(dates, frequency)
    )


def _ask_zero(numbers: Values, absent: NDArray[np.bool_]) -> tuple[Finding, ...]:
    """Return a question if a series of counts without a zero misses many steps, as a list of sales does."""
    if np.count_nonzero(absent) < MANY_MISSING * len(absent):
        return ()
    known = numbers[~np.isnan(numbers)]
    if not known.size or known.min() <= 0 or not np.array_equal(known, np.floor(known)):
        return ()
    return (
        Finding(
            "MISSING_OR_ZERO",
            f"{int(absent.sum())} of {len(absent)} steps have no timestamp, and no value is 0: they are treated as unknown.",
            "/timestamps",
            "If nothing happened at these steps, set `missing` to `zero`.",
        ),
    )
