"""Intervals: quantiles at any level, conformal calibration by step, and quantiles that do not cross.

Split conformal prediction: on origins that the network was not trained on, the score of an interval is the distance of the
truth outside it (negative if inside). The quantile of the scores at the interval's level is added on both sides, so that
the interval has its nominal coverage and keeps the network's skew. Distances are in units of the forecast's spread
q0.9 - q0.1, so that one set of offsets fits calm and volatile series.

Origins at the same time are not independent: a calm year is calm for all series. The offsets get a credibility weight,
which is smaller the more coverage varies from time to time beyond chance.

Sources: Romano, Patterson & Candès (2019), Conformalized quantile regression, equation 8, here per step; Bühlmann &
Gisler (2005), A course in credibility theory and its applications, chapter 3, for the weight.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from statistics import NormalDist
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

CALIBRATED_LEVELS = (0.005, 0.01, 0.025, 0.05, *(round(0.1 * k, 1) for k in range(1, 10)), 0.95, 0.975, 0.99, 0.995)

HALF = len(CALIBRATED_LEVELS) // 2
"""Calibrated levels on either side of the median."""

SAME = 1e-9
"""Levels closer than this are equal."""

ROUNDING = 1e-14
"""Largest error of rounding in the sides of an interval."""

ENOUGH_SCORES = 200
"""Scores needed for the offsets of one step; with fewer, those of neighbouring steps are added."""

MISCOVERAGE = 0.05
"""Prior standard deviation of the coverage of a network's 80 % intervals around 80 %."""

FEWEST_TOGETHER = 5
"""Fewest origins of one time whose coverage is used."""

NARROWEST_TAIL = 1e-15
"""Least distance of a quantile level from 0 and 1, so that its distance to the median is finite."""


def tidy_level(level: float) -> float:
    """Return a quantile level in (0, 1) without errors of rounding: 0.3 for 0.1 + 0.2; any other level stays as it is."""
    tidy = round(float(level), 9)
    exact = min(max(float(level), NARROWEST_TAIL), 1.0 - NARROWEST_TAIL)
    return tidy if abs(tidy - level) < ROUNDING and 0.0 < tidy < 1.0 else exact


@lru_cache(maxsize=256)
def interval_sides(level: float) -> tuple[float, float]:
    """Return the two quantile levels that bound a central interval: 80 gives 0.1 and 0.9."""
    tail = (100.0 - level) / 200.0
    return tidy_level(tail), tidy_level(1.0 - tail)


def read_quantiles(quantiles: Floats, trained: Sequence[float], wanted: Sequence[float]) -> Floats:
    """Return the quantiles at any level from those at the trained levels.

    Between trained levels they are linear in the level; beyond the outermost, the distance to the median grows as in a
    normal distribution.

    Args:
        quantiles: Rising along the last axis, shape (..., len(trained)).
        trained: Rising levels in (0, 1), 0.5 among them.
        wanted: Levels in (0, 1), any order.

    Returns:
        Shape (..., len(wanted)).
    """
    left, right, weight = interpolation(tuple(trained), tuple(wanted))
    with np.errstate(invalid="ignore"):  # the caller refuses a forecast that overflowed
        read: Floats = quantiles[..., left] + weight * (quantiles[..., right] - quantiles[..., left])
    return read


@lru_cache(maxsize=256)
def interpolation(trained: tuple[float, ...], wanted: tuple[float, ...]) -> tuple[Indices, Indices, Floats]:
    """Return for each wanted level the indices of the two trained ones to interpolate between, and the weight of the second."""
    levels, middle = np.asarray(trained), trained.index(0.5)
    found = []
    for level in wanted:
        place = int(np.searchsorted(levels, level - SAME))
        if place < len(levels) and levels[place] - level <= SAME:
            found.append((place, place, 0.0))
        elif 0 < place < len(levels):
            found.append((place - 1, place, (level - levels[place - 1]) / (levels[place] - levels[place - 1])))
        else:
            outer = 0 if place == 0 else len(levels) - 1
            found.append((middle, outer, NormalDist().inv_cdf(level) / NormalDist().inv_cdf(trained[outer])))
    left, right, weight = zip(*found, strict=True)
    return np.array(left), np.array(right), np.array(weight, dtype=np.float64)


def uncross(quantiles: Floats, levels: Sequence[float]) -> Floats:
    """Return the quantiles made monotone outwards from the median; quantiles that do not cross stay as they are.

    Args:
        quantiles: Shape (..., len(levels)).
        levels: Rising levels, 0.5 among them.
    """
    middle = list(levels).index(0.5)
    lower = np.minimum.accumulate(quantiles[..., middle::-1], axis=-1)[..., ::-1]
    upper = np.maximum.accumulate(quantiles[..., middle:], axis=-1)
    return np.concatenate([lower[..., :-1], upper], axis=-1) + 0.0  # + 0.0 turns -0.0 into 0.0


def spread_of(quantiles: Floats, levels: Sequence[float]) -> Floats:
    """Return q0.9 - q0.1 of each step, with a last axis of 1."""
    outer = read_quantiles(quantiles, levels, (0.1, 0.9))
    return outer[..., 1:] - outer[..., :1]


@dataclass(frozen=True, slots=True)
class Conformal:
    """Conformal offsets of quantiles.

    Attributes:
        levels: Calibrated levels, rising, shape (levels,).
        offsets: Added to the quantiles, in units of the forecast's spread, shape (horizon, levels).
    """

    levels: Floats
    offsets: Floats

    @classmethod
    def fit(cls, targets: Floats, quantiles: Floats, trained: Sequence[float], times: Indices | None = None) -> Self:
        """Return the offsets learned from forecasts on origins outside the training data.

        Args:
            targets: Observed values, NaN where unknown, shape (origins, horizon).
            quantiles: Forecasts, shape (origins, horizon, len(trained)).
            trained: Their levels.
            times: Time of each origin in steps, shape (origins,); None for independent origins.
        """
        spread = spread_of(quantiles, trained)
        bounds = read_quantiles(quantiles, trained, CALIBRATED_LEVELS)
        outside = np.maximum(
            bounds[..., :HALF][..., ::-1] - targets[..., None], targets[..., None] - bounds[..., HALF + 1 :]
        )
        scores = np.where(spread > 0, outside / np.where(spread > 0, spread, 1.0), np.nan)
        upper = np.stack([_offsets_at(scores, step) for step in range(targets.shape[1])])
        offsets = np.concatenate([-upper[:, ::-1], np.zeros((len(upper), 1)), upper], axis=1)
        weight = 1.0 if times is None else credibility(targets, read_quantiles(quantiles, trained, (0.1, 0.9)), times)
        return cls(np.asarray(CALIBRATED_LEVELS), weight * offsets)

    def at(self, levels: Sequence[float], horizon: int) -> Floats:
        """Return the offsets for any levels and steps; steps beyond the calibrated horizon have those of the last one.

        Returns:
            Shape (horizon, len(levels)); zero at the median.
        """
        wanted = np.clip(np.asarray(levels), self.levels[0], self.levels[-1])
        right = np.clip(np.searchsorted(self.levels, wanted), 1, len(self.levels) - 1)
        share = (wanted - self.levels[right - 1]) / (self.levels[right] - self.levels[right - 1])
        rows: Floats = self.offsets[np.minimum(np.arange(horizon), len(self.offsets) - 1)]
        between: Floats = (1 - share) * rows[:, right - 1] + share * rows[:, right]
        return between

    def widened(self, factor: float) -> Self:
        """Return the offsets with which every quantile is about `factor` times as far from the median.

        The distance that is added to a quantile at level p is that of a normal distribution with the forecast's spread.
        """
        normal = np.array([NormalDist().inv_cdf(level) for level in self.levels.tolist()])
        outer = NormalDist().inv_cdf(0.9)
        return replace(self, offsets=self.offsets + (factor - 1.0) * normal / (2.0 * outer))

    def mixed(self, prior: Self, weight: float) -> Self:
        """Return the mean of these offsets, of this weight, and of others that were known before."""
        before = prior.at(self.levels.tolist(), len(self.offsets))
        return replace(self, offsets=weight * self.offsets + (1.0 - weight) * before)

    def to_dict(self) -> dict[str, Any]:
        """Return the offsets as plain data."""
        return {"levels": self.levels.tolist(), "offsets": self.offsets.round(6).tolist()}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self | None:
        """Return the offsets that `to_dict` wrote, or None for empty data."""
        return cls(np.asarray(data["levels"]), np.asarray(data["offsets"])) if data else None


def credibility(targets: Floats, bounds: Floats, times: Indices) -> float:
    """Return the credibility weight of measured offsets, from 0 to 1; it falls as coverage varies more from time to time.

    The coverage of n origins of one time, at one step, has the variance p(1 - p) / n by chance. Any further variance is
    common to all series at that time, and is averaged only over the horizons that the origins span.

    Args:
        targets: Observed values, shape (origins, horizon).
        bounds: Sides of the 80 % intervals, shape (origins, horizon, 2).
        times: Time of each origin in steps, shape (origins,).
    """
    known = np.isfinite(targets)
    inside = known & (bounds[..., 0] <= targets) & (targets <= bounds[..., 1])
    _, place = np.unique(times, return_inverse=True)
    counts, hits = np.zeros((2, place.max() + 1, targets.shape[1]))
    np.add.at(counts, place, known)
    np.add.at(hits, place, inside)
    used = counts >= FEWEST_TOGETHER
    if used.sum() <= 1:
        return 1.0
    mean = hits[used].sum() / counts[used].sum()
    excess = np.square(hits[used] / counts[used] - mean) - mean * (1 - mean) / counts[used]
    common = max(0.0, float(np.average(excess, weights=counts[used])))
    horizons = 1.0 + (times.max() - times.min()) / targets.shape[1]
    return float(MISCOVERAGE**2 / (MISCOVERAGE**2 + common / horizons))


def _offsets_at(scores: Floats, step: int) -> Floats:
    """Return one step's offsets of the upper levels, from its scores and, if they are few, those of neighbouring steps.

    The offset of the interval between levels 1 - τ and τ is the ceil((n + 1)(2τ - 1))-th smallest of n scores.

    Args:
        scores: Distances outside each interval, shape (origins, horizon, HALF), narrowest interval first.
        step: The step ahead, from 0.
    """
    horizon = scores.shape[1]
    reach = 0
    known = np.isfinite(scores[..., 0])
    while known[:, max(step - reach, 0) : step + reach + 1].sum() < ENOUGH_SCORES and reach < horizon:
        reach += 1
    pool = scores[:, max(step - reach, 0) : step + reach + 1].reshape(-1, HALF)
    pool = np.sort(pool[np.isfinite(pool[:, 0])], axis=0)
    if not len(pool):
        return np.zeros(HALF)
    shares = 2 * np.asarray(CALIBRATED_LEVELS[HALF + 1 :]) - 1
    ranks = np.clip(np.ceil((len(pool) + 1) * shares), 1, len(pool)).astype(np.int64)
    chosen: Floats = pool[ranks - 1, np.arange(HALF)]
    return chosen
