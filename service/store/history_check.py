"""History check: whether the history that a forecast was made from agrees with the stored observations of its series."""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from models.calendar.frequency import MONTHS_IN, Frequency
from models.calendar.timestamps import Timestamps
from models.calendar.zoned_grid import parse_frequency, timestamps_from
from models.series import Series
from service.store.blobs import Floats
from service.store.score import only_values, periods_of

NEWEST = 16
"""Newest steps of a history that are kept until they have been compared."""
DRAWN = 16
"""Older steps that are kept, drawn at random, so that a client does not know which of them are checked."""
REACH = 256
"""Steps back from the cutoff within which they are drawn."""
SHARE = 0.9
"""Share of the compared steps that must agree: some observations are revised after a forecast."""
TOLERANCE = 1e-3
"""Difference that counts as equal, as a share of the greatest compared value: some clients round."""


_PARTS = np.arange(DRAWN)


@dataclass(frozen=True, slots=True, eq=False)
class HistorySample:
    """Some steps of a history.

    Attributes:
        timestamps: Rising, shape (points,), datetime64[us], by the clock of the forecast.
        values: NaN for a gap, shape (points,), the series' units.
    """

    timestamps: Timestamps
    values: Floats


def sample_history(series: Series, forecast_id: str) -> HistorySample | None:
    """Return the newest steps of a history and a sample of older ones, or None if it has no dates.

    Args:
        series: The history.
        forecast_id: Random, and chosen by the service: it decides which steps are drawn.
    """
    if series.start is None or series.frequency is None:
        return None
    count = len(series)
    start, newest = max(0, count - REACH), max(0, count - NEWEST)
    places = np.concatenate([_draw(forecast_id, start, newest), np.arange(newest, count)])
    times = _times(series.start, series.frequency, series.timezone, start, count - start)
    return HistorySample(times[places - start], series.values[places])


def _draw(forecast_id: str, first: int, end: int) -> NDArray[np.int64]:
    """Return DRAWN places from `first` to `end`, or all if there are fewer: one at random in each of as many equal parts."""
    if end - first <= DRAWN:
        return np.arange(first, end)
    chance = np.frombuffer(hashlib.blake2b(forecast_id.encode(), digest_size=2 * DRAWN).digest(), dtype="<u2") / 65_536
    return first + ((_PARTS + chance) * ((end - first) / DRAWN)).astype(np.int64)


def agrees(sample: HistorySample, observed: Mapping[np.datetime64, float], frequency: str) -> bool:
    """Return whether a history agrees with observations: at a step at least, and at SHARE of those that are observed.

    A gap in the history where there is an observation counts as a difference.

    Args:
        sample: Steps of the history, on the clock of the observations.
        observed: Observations of the series by timestamp, without gaps.
        frequency: Of the forecast; months, quarters and years are matched by any date of the period.
    """
    known = match_steps(sample.timestamps, observed, parse_frequency(frequency))
    compared = ~np.isnan(known)
    if not compared.any():
        return False
    allowed = TOLERANCE * float(np.abs(known[compared]).max())
    equal = np.abs(sample.values[compared] - known[compared]) <= allowed  # NaN is not
    return int(equal.sum()) >= math.ceil(SHARE * len(equal))


def match_steps(stamps: Timestamps, observed: Mapping[np.datetime64, float], step: Frequency) -> NDArray[np.float64]:
    """Return the observation at each step, NaN where there is none, shape (points,)."""
    if step.unit not in MONTHS_IN:
        return np.array([observed.get(stamp, math.nan) for stamp in stamps])
    values = only_values(observed, step)
    return np.array([values.get(period, math.nan) for period in periods_of(stamps, step)])


@lru_cache(maxsize=1024)
def _times(start: np.datetime64, frequency: Frequency, timezone: str | None, first: int, count: int) -> Timestamps:
    """Return the times of some steps; cached, since the series of one request often have the same."""
    return timestamps_from(start, frequency, count, timezone, skip=first)
