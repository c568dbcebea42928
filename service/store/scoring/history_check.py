"""History check: whether the history that a forecast was made from agrees with the stored observations of its series."""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Self

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
"""Difference that counts as equal, as a share of the greatest usual value: some clients round."""
MOST_AHEAD = 2
"""Newest values other than 0 that may lack an observation: a weekend that is filled in; more may be invented."""
MOST_REVISED = 1
"""Of the newest steps, how many may differ by more than SMALL: these decide a forecast."""
SMALL = 0.1
"""Difference of a revised value, as a share of the interquartile range or of its observation."""
OLDER = 10.0
"""How many times as far a differing value may lie that is older than the newest steps."""
FENCE = 1.5
"""Interquartile ranges from the quartiles to the inner fences; the outer are twice as far (Tukey 1977, Exploratory Data
Analysis)."""
ENOUGH = 8
"""Observed steps that tell what is usual at steps without an observation."""

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


def choose_steps(values: Floats, forecast_ids: Sequence[str]) -> NDArray[np.int64]:
    """Return which steps of histories of one length are kept: the newest, and DRAWN older ones within REACH.

    One of the older ones is the farthest from the mean, so that a wild value is always among them.

    Args:
        values: The histories, shape (histories, length), NaN for gaps.
        forecast_ids: Random, and chosen by the service: they decide which older steps are drawn.

    Returns:
        Rising, shape (histories, points).
    """
    count, length = values.shape
    start, end = max(0, length - REACH), max(0, length - NEWEST)
    newest = np.broadcast_to(np.arange(end, length), (count, length - end))
    if end - start <= DRAWN:
        older = np.broadcast_to(np.arange(start, end), (count, end - start))
    else:  # one at random in each of DRAWN equal parts
        digests = [hashlib.blake2b(one.encode(), digest_size=2 * DRAWN).digest() for one in forecast_ids]
        chance = np.frombuffer(b"".join(digests), dtype="<u2").reshape(-1, DRAWN) / 65_536
        width = (end - start) / DRAWN
        older = start + ((_PARTS + chance) * width).astype(np.int64)
        farthest = _farthest(values[:, start:end])
        older[np.arange(count), (farthest / width).astype(np.int64)] = start + farthest
    return np.concatenate([older, newest], axis=1)


def _farthest(values: Floats) -> NDArray[np.int64]:
    """Return the step of each row that is farthest from its mean, shape (rows,)."""
    gaps = np.isnan(values)
    with np.errstate(over="ignore", invalid="ignore"):  # sums near the end of float64
        means = np.where(gaps, 0, values).sum(axis=1) / np.maximum((~gaps).sum(axis=1), 1)
        return np.asarray(np.where(gaps, -1, np.abs(values - means[:, np.newaxis])).argmax(axis=1))


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

    A gap in the history where there is an observation counts as a difference. A value that differs lies within the inner
    fences of the observations, or is as near to its own, as revised values are; an older one may lie OLDER times as far. Of the
    newest steps, MOST_REVISED may differ by more than SMALL. One at
    a step without an observation lies within the outer fences, or between them and 0. Of the newest values, MOST_AHEAD may
    have no observation, and any number that are 0.

    Args:
        sample: Steps of the history, on the clock of the observations, the newest last.
        observed: Observations of the series.
        frequency: Of the forecast; months, quarters and years are matched by any date of the period.
    """
    known = match_steps(observed, sample.timestamps, parse_frequency(frequency))
    steps, sent = np.flatnonzero(~np.isnan(known)), sample.values
    if np.array_equal(sent, known):  # the usual case, and quick
        return True
    ahead = sent[steps[-1] + 1 :] if len(steps) else sent
    if not len(steps) or np.count_nonzero(np.nan_to_num(ahead)) > MOST_AHEAD:
        return False
    with np.errstate(over="ignore", invalid="ignore"):  # differences near the end of float64
        usual = _Usual.of(known[steps])
        errors = np.abs(sent - known)  # NaN, of a gap, is neither equal nor wrong
        near = max(usual.tolerance, SMALL * usual.spread or SMALL * usual.greatest)
        other = errors > np.maximum(near, SMALL * np.abs(known))
        wild = (errors > near) & usual.is_beyond(sent, FENCE) & (errors > FENCE * usual.spread)
        older = slice(0, max(len(sent) - NEWEST, 0))
        wild[older] &= usual.is_beyond(sent[older], OLDER * FENCE)
        return (
            int((errors <= usual.tolerance).sum()) >= math.ceil(SHARE * len(steps))
            and int(other[-NEWEST:].sum()) <= MOST_REVISED
            and not wild.any()
            and not usual.has_invented(sent[steps[0] :], known[steps[0] :])
        )


@dataclass(frozen=True, slots=True)
class _Usual:
    """What is usual of observations, whatever single wild ones there are among them.

    Attributes:
        low: Lower quartile, the series' units.
        high: Upper quartile.
        spread: Interquartile range; mean absolute difference from the median if that is 0.
        greatest: Greatest distance from 0.
    """

    low: float
    high: float
    spread: float
    greatest: float

    @property
    def tolerance(self) -> float:
        """Difference that counts as equal."""
        return TOLERANCE * self.greatest

    @classmethod
    def of(cls, known: Floats) -> Self:
        """Return it of the values of observations, at least one."""
        rising, quarter = np.sort(known), len(known) // 4
        low, high = float(rising[quarter]), float(rising[-1 - quarter])
        spread = high - low or float(np.abs(rising - rising[len(rising) // 2]).mean())
        reach = 2 * FENCE * spread
        greatest = max(min(abs(float(rising[-1])), abs(high) + reach), min(abs(float(rising[0])), abs(low) + reach))
        return cls(low, high, spread, greatest)

    def is_beyond(self, values: Floats, ranges: float) -> NDArray[np.bool_]:
        """Return which values are more than some interquartile ranges outside the quartiles; NaN is not."""
        return (values < self.low - ranges * self.spread) | (values > self.high + ranges * self.spread)

    def has_invented(self, sent: Floats, known: Floats) -> bool:
        """Return whether a value without an observation is beyond the outer fences, if most have an observation.

        0 is not, nor what lies between: it stands for a closed day.
        """
        unproven = np.isnan(known) & ~np.isnan(sent)
        count = int(unproven.sum())
        if not count or len(known) - int(np.isnan(known).sum()) < max(ENOUGH, count):
            return False
        widened = replace(
            self, low=min(self.low, self.spread * 2 * FENCE), high=max(self.high, -self.spread * 2 * FENCE)
        )
        return bool(widened.is_beyond(sent[unproven], 2 * FENCE).any())


@lru_cache(maxsize=1024)
def _times(start: int, frequency: Frequency, timezone: str | None, length: int) -> NDArray[np.int64]:
    """Return `times_in_reach`; cached, since the series of one request often have the same."""
    first = max(0, length - REACH)
    return microseconds(timestamps_from(np.datetime64(start, "us"), frequency, length - first, timezone, skip=first))
