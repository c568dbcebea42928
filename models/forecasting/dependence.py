"""Dependence: how the errors of a forecast's steps hang together, estimated from the series' own history.

The errors of steps i and j have the rank correlation of a Gaussian copula with c + (1 - c) φ^|i - j|: a part that is common to
all steps, as if the level is wrong, and a part that fades. Both depend on one number of the history: the correlation r of
neighbouring differences over a few seasons. It is about 0 for noise around a season and near 1 for a random walk.

The constants were chosen on the starters' errors on the development sets: of those whose copula is about as likely as the likeliest,
the ones with the best calibrated sums. docs/sums.md has the measurements.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

LEAST_LAG = 12
"""Differences are taken over whole seasons, and over at least so many steps, or half the history if it is shorter."""

PRIOR, PRIOR_PAIRS = 0.6, 5
"""Correlation of a history that says nothing, and the pairs of differences that it counts as."""

COMMON = (0.1, 0.3)
"""c is the first number plus r times the second."""

PERSISTENCE = (0.05, 0.5, 0.4)
"""φ is the first number plus r times the second plus r² times the third."""

OUTLYING = 3.0
"""Differences count in full up to about so many of their medians."""


@dataclass(frozen=True, slots=True)
class Dependence:
    """The correlation of two steps' errors: common + (1 - common) · persistence^distance.

    Attributes:
        common: In [0, 1].
        persistence: In [0, 1).
    """

    common: float
    persistence: float

    def totals(self, steps: int) -> Floats:
        """Return the covariance of each step's score with the sum of all scores, shape (steps,); their sum is its variance."""
        powers = np.cumsum(self.persistence ** np.arange(steps))
        fading: Floats = powers + powers[::-1] - 1.0
        return self.common * steps + (1.0 - self.common) * fading


def estimate_dependence(history: Floats, season_length: int) -> Dependence:
    """Return the dependence of the errors of forecasts of a series.

    Args:
        history: Shape (length,), the series' units, NaN for a gap.
        season_length: Steps in one season.
    """
    correlation, pairs = _neighbours(history, season_length)
    mixed = (pairs * correlation + PRIOR_PAIRS * PRIOR) / (pairs + PRIOR_PAIRS)
    share = min(max(mixed, 0.0), 1.0)
    return Dependence(
        COMMON[0] + COMMON[1] * share, PERSISTENCE[0] + PERSISTENCE[1] * share + PERSISTENCE[2] * share**2
    )


def _neighbours(history: Floats, season_length: int) -> tuple[float, int]:
    """Return the correlation of neighbouring differences, and how many pairs of them there are."""
    lag = min(season_length * -(-LEAST_LAG // season_length), max(len(history) // 2, 1))
    differences = history[lag:] - history[:-lag]
    sizes = np.abs(differences[np.isfinite(differences)])
    if not len(sizes) or not sizes.any():
        return 0.0, 0
    scale = float(np.median(sizes)) or float(sizes.mean())
    with np.errstate(over="ignore"):
        damped = np.tanh(differences / scale / OUTLYING)
    one, other = damped[:-1], damped[1:]
    known = np.isfinite(one) & np.isfinite(other)
    one, other = one[known], other[known]
    size = math.sqrt(float(one @ one) * float(other @ other))
    return (float(one @ other) / size, len(one)) if size > 0 else (0.0, 0)
