"""Current: which series go on to the newest dates, since the errors of these alone tell what a forecast of the future errs."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.calendar import on_calendar
from models.grid import lying
from models.series import Series

Indices = NDArray[np.int64]
Booleans = NDArray[np.bool_]

CURRENT_SHARE = 0.5
"""Share of the series that must reach the newest dates for validation to be on these alone."""

ENDED_SHARE = 0.05
"""Share of the series that must have ended before. From one schedule to the next their errors fell by 7 % more than the
others' (median over stations cut in 1961 and 1965, and Tourism one to three horizons before its held-out block). A twentieth
of them moves the mean by a third of a per cent, less than the half that a choice must show."""


def start_steps(series: Sequence[Series]) -> Indices:
    """Return when each series starts, in steps of the calendar after the earliest; one without dates ends with the newest."""
    ends = np.zeros(len(series), dtype=np.int64)
    lengths = np.array([len(one) for one in series], dtype=np.int64)
    clocks = {at: clock for at, clock in enumerate(map(_clock, series)) if clock is not None}
    if not clocks:
        return ends - lengths
    rows, stamps = list(clocks), np.array(list(clocks.values()))
    frequency = next(one.frequency for one in series if one.start is not None and one.frequency is not None)
    steps, _ = lying(stamps, stamps.min(), frequency)
    ends[:] = (steps + lengths[rows]).max()
    ends[rows] = steps + lengths[rows]
    return ends - lengths


def observed_ends(series: Sequence[Series], starts: Indices) -> Indices:
    """Return when the last observed value of each series was, as steps like its start, shape (series,)."""
    known = [np.flatnonzero(np.isfinite(one.values)) for one in series]
    ends: Indices = starts + np.array([int(one[-1]) + 1 if len(one) else 0 for one in known], dtype=np.int64)
    return ends


def current_series(ends: Indices, eligible: Booleans, slack: int) -> Booleans:
    """Return which series end within so many steps of the newest; all, where those are fewer than half, or nearly all.

    Args:
        ends: When each series ends, in steps, shape (series,).
        eligible: Which can be validated on, some at least, shape (series,).
        slack: Steps, more than a publication may be late.
    """
    current: Booleans = ends > ends[eligible].max() - slack
    share = float(current[eligible].mean())
    return current if CURRENT_SHARE <= share < 1.0 - ENDED_SHARE else np.ones(len(ends), bool)


def _clock(series: Series) -> np.datetime64 | None:
    """Return when a series starts on the clock that its steps are even on, None where it has no dates."""
    if series.start is None or series.frequency is None:
        return None
    return np.datetime64(on_calendar(np.array([series.start], "M8[us]"), series.frequency, series.timezone)[0], "us")
