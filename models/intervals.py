"""Intervals: any quantile from the trained ones, conformal calibration per step, and quantiles that never cross.

Split conformal prediction: on origins that the network did not train on, how far did the truth lie outside each
central interval (negative where inside)? The distance that a share of them equal to the interval's level stays below is
added on both sides, so that the interval covers as often as it says and keeps the network's own skew. Distances are
measured in units of the forecast's spread q0.9 - q0.1, so that one set of offsets serves calm and wild series alike.

Origins of one time are no independent witnesses: a calm year is calm for all series at once. What the offsets are worth
is read off how much more coverage varies from one time to another than chance would have it, and they are weighed
against the network's own quantiles accordingly.

Sources: Romano, Patterson & Candès (2019), Conformalized quantile regression, equation 8, here per step; Bühlmann &
Gisler (2005), A course in credibility theory and its applications, chapter 3, for the weight.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
"""Levels closer than this are one."""

ENOUGH_SCORES = 200
"""Scores wanted for one step's offsets; with fewer, neighbouring steps lend theirs."""

MISCOVERAGE = 0.05
"""How far, as a standard deviation, a network's 80 % intervals are expected to be from 80 % before anything is measured."""

FEWEST_TOGETHER = 5
"""Origins of one time below which their coverage says nothing of that time."""

NARROWEST_TAIL = 1e-9
"""No quantile level is told apart from 0 or 1 by less, so that each has a finite distance to the median."""


def tidy_level(level: float) -> float:
    """Return a quantile level in (0, 1) rounded to nine digits, 0.30000000000000004 to 0.3, and never to 0 or 1."""
    return min(max(round(float(level), 9), NARROWEST_TAIL), 1.0 - NARROWEST_TAIL)


def interval_sides(level: float) -> tuple[float, float]:
    """Return the two quantile levels that bound a central interval: 80 gives 0.1 and 0.9."""
    tail = (100.0 - level) / 200.0
    return tidy_level(tail), tidy_level(1.0 - tail)


def read_quantiles(quantiles: Floats, trained: Sequence[float], wanted: Sequence[float]) -> Floats:
    """Return the quantiles at any level from those at the trained levels.

    Between trained levels linear in the level; beyond the outermost, the distance to the median grows as that of a
    normal distribution does.

    Args:
        quantiles: Rising along the last axis, shape (..., len(trained)).
        trained: Rising levels in (0, 1) that hold 0.5.
        wanted: Levels in (0, 1), any order.

    Returns:
        Shape (..., len(wanted)).
    """
    left, right, weight = _reading(tuple(trained), tuple(wanted))
    with np.errstate(invalid="ignore"):  # a forecast that overflowed is the caller's to refuse
        read: Floats = quantiles[..., left] + weight * (quantiles[..., right] - quantiles[..., left])
    return read


@lru_cache(maxsize=256)
def _reading(trained: tuple[float, ...], wanted: tuple[float, ...]) -> tuple[Indices, Indices, Floats]:
    """Return for each wanted level the two trained ones it is read between, and how far from the first."""
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
    """Return the quantiles made monotone outwards from the median; those that do not cross stay as they are.

    Args:
        quantiles: Shape (..., len(levels)).
        levels: Rising levels that hold 0.5.
    """
    middle = list(levels).index(0.5)
    lower = np.minimum.accumulate(quantiles[..., middle::-1], axis=-1)[..., ::-1]
    upper = np.maximum.accumulate(quantiles[..., middle:], axis=-1)
    return np.concatenate([lower[..., :-1], upper], axis=-1) + 0.0  # and no answer says -0.0


def spread_of(quantiles: Floats, levels: Sequence[float]) -> Floats:
    """Return q0.9 - q0.1 of each step, with a last axis of 1."""
    outer = read_quantiles(quantiles, levels, (0.1, 0.9))
    return outer[..., 1:] - outer[..., :1]


@dataclass(frozen=True, slots=True)
class Conformal:
    """Offsets that make each quantile mean what it says.

    Attributes:
        levels: Calibrated levels, rising, shape (levels,).
        offsets: To be added, in units of the forecast's spread, shape (horizon, levels).
    """

    levels: Floats
    offsets: Floats

    @classmethod
    def fit(cls, targets: Floats, quantiles: Floats, trained: Sequence[float], times: Indices | None = None) -> Self:
        """Return the offsets learned from forecasts on origins that training did not see.

        Args:
            targets: What came, NaN where unknown, shape (origins, horizon).
            quantiles: What was forecast, shape (origins, horizon, len(trained)).
            trained: Their levels.
            times: When each origin was, counted in steps, shape (origins,); None where origins are independent.
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
        """Return the offsets for any levels and steps, the last step's beyond the calibrated horizon.

        Returns:
            Shape (horizon, len(levels)); zero at the median, which stays the network's own.
        """
        wanted = np.clip(np.asarray(levels), self.levels[0], self.levels[-1])
        right = np.clip(np.searchsorted(self.levels, wanted), 1, len(self.levels) - 1)
        share = (wanted - self.levels[right - 1]) / (self.levels[right] - self.levels[right - 1])
        rows: Floats = self.offsets[np.minimum(np.arange(horizon), len(self.offsets) - 1)]
        between: Floats = (1 - share) * rows[:, right - 1] + share * rows[:, right]
        return between

    def to_dict(self) -> dict[str, Any]:
        """Return the offsets as plain data."""
        return {"levels": self.levels.tolist(), "offsets": self.offsets.round(6).tolist()}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self | None:
        """Return what `to_dict` wrote; None from empty data."""
        return cls(np.asarray(data["levels"]), np.asarray(data["offsets"])) if data else None


def credibility(targets: Floats, bounds: Floats, times: Indices) -> float:
    """Return what measured offsets are worth, from 0 to 1: the less, the more coverage varies from time to time.

    Coverage of the origins of one time, at one step, varies by chance alone with variance p(1 - p) / n. What is above
    that is common to all series at that time, and is averaged only over the horizons that the origins span.

    Args:
        targets: What came, shape (origins, horizon).
        bounds: The 80 % intervals forecast, shape (origins, horizon, 2).
        times: When each origin was, in steps, shape (origins,).
    """
    known = np.isfinite(targets)
    inside = known & (bounds[..., 0] <= targets) & (targets <= bounds[..., 1])
    _, place = np.unique(times, return_inverse=True)
    counts, hits = np.zeros((2, place.max() + 1, targets.shape[1]))
    np.add.at(counts, place, known)
    np.add.at(hits, place, inside)
    told = counts >= FEWEST_TOGETHER
    if told.sum() <= 1:
        return 1.0
    mean = hits[told].sum() / counts[told].sum()
    excess = np.square(hits[told] / counts[told] - mean) - mean * (1 - mean) / counts[told]
    common = max(0.0, float(np.average(excess, weights=counts[told])))
    horizons = 1.0 + (times.max() - times.min()) / targets.shape[1]
    return float(MISCOVERAGE**2 / (MISCOVERAGE**2 + common / horizons))


def _offsets_at(scores: Floats, step: int) -> Floats:
    """Return one step's offsets of the upper levels, from its own scores and, where they are few, its neighbours'.

    The offset of the interval between levels 1 - τ and τ is the ceil((n + 1)(2τ - 1))-th smallest of n scores.

    Args:
        scores: How far the truth lay outside each interval, shape (origins, horizon, HALF), narrowest interval first.
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
