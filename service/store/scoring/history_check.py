"""History check: whether the history that a forecast was made from agrees with the stored observations of its series."""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from models.calendar.frequency import Frequency
from models.calendar.timestamps import Timestamps
from models.calendar.zoned_grid import parse_frequency, timestamps_from
from service.store.blobs import Floats, microseconds
from service.store.scoring.actuals import Observed, match_steps

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


def choose_steps(length: int, forecast_ids: Sequence[str]) -> NDArray[np.int64]:
    """Return which steps of histories of one length are kept: the newest, and DRAWN older ones within REACH.

    Args:
        length: Of the histories.
        forecast_ids: Random, and chosen by the service: they decide which older steps are drawn.

    Returns:
        Rising, shape (histories, points).
    """
    start, end = max(0, length - REACH), max(0, length - NEWEST)
    newest = np.broadcast_to(np.arange(end, length), (len(forecast_ids), length - end))
    if end - start <= DRAWN:
        older = np.broadcast_to(np.arange(start, end), (len(forecast_ids), end - start))
    else:  # one at random in each of DRAWN equal parts
        digests = [hashlib.blake2b(one.encode(), digest_size=2 * DRAWN).digest() for one in forecast_ids]
        chance = np.frombuffer(b"".join(digests), dtype="<u2").reshape(-1, DRAWN) / 65_536
        older = start + ((_PARTS + chance) * ((end - start) / DRAWN)).astype(np.int64)
    return np.concatenate([older, newest], axis=1)


def times_in_reach(
    start: int | None, frequency: Frequency | None, timezone: str | None, length: int
) -> NDArray[np.int64] | None:
    """Return the times of the newest steps of a history, REACH or all, in microseconds since 1970; None without dates.

    Args:
        start: Its first timestamp, in the same unit, or None.
        frequency: Its frequency, or None.
        timezone: Its timezone, or None.
        length: Its steps.
    """
    return None if start is None or frequency is None else _times(start, frequency, timezone, length)


def agrees(sample: HistorySample, observed: Observed, frequency: str) -> bool:
    """Return whether a history agrees with observations: at a step at least, and at SHARE of those that are observed.

    A gap in the history where there is an observation counts as a difference.

    Args:
        sample: Steps of the history, on the clock of the observations.
        observed: Observations of the series.
        frequency: Of the forecast; months, quarters and years are matched by any date of the period.
    """
    known = match_steps(observed, sample.timestamps, parse_frequency(frequency))
    compared = ~np.isnan(known)
    if not compared.any():
        return False
    allowed = TOLERANCE * float(np.abs(known[compared]).max())
    equal = np.abs(sample.values[compared] - known[compared]) <= allowed  # NaN is not
    return int(equal.sum()) >= math.ceil(SHARE * len(equal))


@lru_cache(maxsize=1024)
def _times(start: int, frequency: Frequency, timezone: str | None, length: int) -> NDArray[np.int64]:
    """Return `times_in_reach`; cached, since the series of one request often have the same."""
    first = max(0, length - REACH)
    return microseconds(timestamps_from(np.datetime64(start, "us"), frequency, length - first, timezone, skip=first))
