"""Actuals: which observation of a series stands for a step, if one does; arithmetic without a database."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from models.calendar.frequency import MONTH_NAMES, MONTHS_IN, Frequency
from models.calendar.timestamps import Timestamps
from models.calendar.zoned_grid import timestamps_from

DAY_UNITS = frozenset({"D", "B", "W"})
"""Units whose steps are dates, whatever the time of day."""
HALF_A_DAY = np.timedelta64(12, "h")
Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Observed:
    """Observations of a series; `make` puts them in order.

    Attributes:
        timestamps: Rising, each once, shape (count,), datetime64[us].
        values: Without NaN, shape (count,), the series' units.
    """

    timestamps: Timestamps
    values: Floats

    @classmethod
    def make(cls, timestamps: Timestamps, values: Floats) -> Self:
        """Return observations in any order; of two at one time, which a clock that is set back may show, the last counts."""
        if (timestamps[1:] > timestamps[:-1]).all():
            return cls(timestamps, values)
        rising, last = np.unique(timestamps[::-1], return_index=True)
        return cls(rising, values[::-1][last])


def match_actuals(observed: Observed, steps_at: Timestamps, step: Frequency) -> Floats:
    """Return the actual value of each step, shape (horizon,), NaN where there is none.

    As `match_steps`; and of several observations in one step none counts: an hour is not its day.
    """
    stamps = observed.timestamps
    if step.unit in DAY_UNITS:
        observed = Observed(stamps, np.where(_are_crowded(stamps), np.nan, observed.values))
    values = match_steps(observed, steps_at, step)
    if step.unit in MONTHS_IN:
        return values
    if step.unit in DAY_UNITS:
        steps_at, stamps = dates_of(steps_at), dates_of(stamps)
    values[_has_neighbours(steps_at, stamps, step)] = np.nan
    return values


def match_steps(observed: Observed, steps_at: Timestamps, step: Frequency) -> Floats:
    """Return the observation at each step, shape (horizon,), NaN where there is none.

    It has the timestamp of the step. For days and weeks it may have any time of the date, and for months, quarters and years
    any date of the period, since some people write the first day and others the last, but it must be the only one there.
    """
    stamps, values = observed.timestamps, observed.values
    if step.unit in MONTHS_IN:
        periods, wanted = periods_of(stamps, step), periods_of(steps_at, step)
    elif step.unit in DAY_UNITS:
        periods, wanted = (dates_of(one).view(np.int64) for one in (stamps, steps_at))
    else:
        return _look_up(stamps.view(np.int64), values, steps_at.view(np.int64))
    others = periods[1:] != periods[:-1]
    alone = np.ones(len(stamps), dtype=np.bool_)
    alone[1:] &= others
    alone[:-1] &= others
    if step.unit in MONTHS_IN:
        alone &= stamps == dates_of(stamps)
    return _look_up(periods[alone], values[alone], wanted)


def _look_up(known: Integers, values: Floats, wanted: Integers) -> Floats:
    """Return the value of each wanted number, NaN where it is unknown; the known ones rise."""
    if not len(known):
        return np.full(len(wanted), np.nan)
    places = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
    return np.where(known[places] == wanted, values[places], np.nan)


def _has_neighbours(steps_at: Timestamps, stamps: Timestamps, step: Frequency) -> NDArray[np.bool_]:
    """Return which steps, shape (horizon,), have another observation nearer than the next step."""
    if step.unit == "B":  # Friday and Monday are neighbours, and Sunday belongs to neither
        width = np.full(len(steps_at), np.timedelta64(1, "D"), dtype="m8[us]")
        before, after = steps_at - width, steps_at + width
    else:
        two = steps_at if len(steps_at) > 1 else timestamps_from(steps_at[0], step, 2)
        before = np.concatenate([steps_at[:1] - (two[1:2] - two[:1]), steps_at[:-1]])
        after = np.concatenate([steps_at[1:], steps_at[-1:] + (two[-1:] - two[-2:-1])])
    others = np.searchsorted(stamps, after, "left") - np.searchsorted(stamps, before, "right")
    return np.asarray(others > np.isin(steps_at, stamps))


def _are_crowded(stamps: Timestamps) -> NDArray[np.bool_]:
    """Return which timestamps, rising, have another nearer than half a day: they are hours, whatever their dates."""
    near = np.diff(stamps) < HALF_A_DAY
    crowded = np.zeros(len(stamps), dtype=np.bool_)
    crowded[1:] |= near
    crowded[:-1] |= near
    return crowded


def dates_of(stamps: Timestamps) -> Timestamps:
    """Return the midnight before each timestamp."""
    return stamps.astype("M8[D]").astype("M8[us]")


def periods_of(stamps: Timestamps, step: Frequency) -> Integers:
    """Return the number of the month, quarter or year of each timestamp."""
    months = stamps.astype("M8[M]").astype(np.int64)
    return (months - 1 - MONTH_NAMES.index(step.anchor)) // MONTHS_IN[step.unit] if step.anchor else months
