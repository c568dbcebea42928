"""Clear gain: whether a candidate errs so much less than a safe one on validation origins that it is no luck.

Origins of one series overlap and err alike, so what counts is their mean in each of several independent groups: every
series where there are many, else every stretch of a horizon's length within a series. The gain of group c is

    g_c = 1 - (loss of the candidate in c) / (loss of the safe one in c),      g = Σ w_c g_c

with weights w_c proportional to the safe one's loss. The variance of a g_c is estimated from the groups and shrunk to a
prior, because few groups say little about it:

    s² = (ν₀ s₀² + (k - 1) ŝ²) / (ν₀ + k - 1)

The gain is clear if its lower confidence bound, g - t(ν₀ + k - 1) s √(Σ w_c²), is above 0, and g at least half a per cent.

What a time brings, it brings to all series: a thousand that are validated on the same year are one witness of the next one. A
gain is steady if the bound is above 0, too, where the groups are stretches of time with all series in them. A gain that is
clear and not steady is worth a small share: for an `auto` of 59 monthly series one of 2.7 % was a loss of 4.8 % in the test.
That steady gains are safer is not shown: on 33 development sets, with statistical forecasts averaged with the starter, four of
seven steady gains and three of six others were a loss of more than 2 %.

Sources: Diebold & Mariano (1995), Comparing predictive accuracy, Journal of Business & Economic Statistics 13(3); Smyth
(2004), Linear models and empirical Bayes methods, Statistical Applications in Genetics and Molecular Biology 3(1), whose
moderated t this is; Petersen (2009), Estimating standard errors in finance panel data sets, Review of Financial Studies 22(1),
on errors that series have in common at a time.
"""

import numpy as np
from numpy.typing import NDArray

from models.intervals import MISCOVERAGE, Conformal
from training.fit.ensemble_weights import MARGIN, align, losses_by_origin
from training.fit.validation import Validation, evaluate

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

MANY_SERIES = 8
"""Series from which on each is one group; fewer are split into stretches of a horizon."""

CONFIDENCE = 0.9
"""Of the one-sided bound."""

COVERED = 0.8
"""Coverage that the weight of learned offsets is computed for."""

PRIOR_SPREAD, PRIOR_DEGREES = 0.1, 4
"""Standard deviation s₀ of the gain of a group, and degrees of freedom ν₀, before any group is seen."""

SHARED_SPREAD = 0.05
"""The same standard deviation of a stretch of time with all series in it: a single one must gain 7.7 %, three that agree 3.4 %."""


def gains_clearly(tried: Validation, safe: Validation) -> bool:
    """Return whether forecasts have a clearly lower pinball loss than safe ones, on the origins that both forecast.

    Raises:
        DataInvalid: If there is no such origin.
    """
    safe, tried = align([safe, tried])
    groups = groups_of(safe.rows, safe.cutoffs, safe.targets.shape[1])
    return is_clear(losses_by_origin(safe), losses_by_origin(tried), groups)


def gains_steadily(tried: Validation, safe: Validation) -> bool:
    """Return whether forecasts have a lower pinball loss than safe ones at one time as at another; raises as `gains_clearly`."""
    safe, tried = align([safe, tried])
    times = np.arange(len(safe.rows)) if safe.times is None else safe.times
    stretches = (times.max() - times) // safe.targets.shape[1]
    return gain_of(losses_by_origin(safe), losses_by_origin(tried), stretches, SHARED_SPREAD)[1] > 0


def groups_of(rows: Indices, cutoffs: Indices, horizon: int) -> Indices:
    """Return the group of each origin, shape (origins,): its series, or its stretch of a horizon where series are few.

    Args:
        rows: Series of each origin, shape (origins,).
        cutoffs: Cutoff of each origin, shape (origins,).
        horizon: Steps ahead.
    """
    if len(np.unique(rows)) >= MANY_SERIES:
        return rows
    newest = np.array([cutoffs[rows == row].max() for row in rows])
    stretches = np.stack([rows, (newest - cutoffs) // horizon], axis=1)
    return np.unique(stretches, axis=0, return_inverse=True)[1].reshape(-1)


def is_clear(safe: Floats, tried: Floats, groups: Indices) -> bool:
    """Return whether a candidate errs clearly less than a safe one.

    Args:
        safe: Loss of the safe candidate on each origin, shape (origins,), NaN where unknown.
        tried: Loss of the other one.
        groups: Group of each origin, as `groups_of` returns it.
    """
    gain, bound = gain_of(safe, tried, groups)
    return bound > 0 and gain >= MARGIN


def gain_of(safe: Floats, tried: Floats, groups: Indices, prior_spread: float = PRIOR_SPREAD) -> tuple[float, float]:
    """Return the relative gain and its lower confidence bound; arguments as `is_clear`. Both are 0 without any loss."""
    from scipy.special import stdtrit

    known = np.isfinite(safe) & np.isfinite(tried)
    place = np.unique(groups[known], return_inverse=True)[1].reshape(-1)
    before, after = np.bincount(place, safe[known]), np.bincount(place, tried[known])
    scaled, lost = before > 0, after[before <= 0].sum()
    if not scaled.any() or lost > 0:
        return 0.0, 0.0
    gains, weights = 1 - after[scaled] / before[scaled], before[scaled] / before.sum()
    gain, count = float(weights @ gains), len(gains)
    spread = weights @ (gains - gain) ** 2 * count  # (k - 1) times the variance of the groups
    degrees = PRIOR_DEGREES + count - 1
    variance = (PRIOR_DEGREES * prior_spread**2 + spread) / degrees
    error = float(np.sqrt(variance * (weights @ weights)))
    return gain, gain - float(stdtrit(degrees, CONFIDENCE)) * error


def evaluate_pretrained(validation: Validation, prior: Conformal) -> tuple[dict[str, float], Conformal]:
    """Return accuracy on the validation origins, and offsets between those learned there and those of the pretrained network.

    n independent groups weigh n / (n + k) with k = p (1 - p) / σ², the variance of the coverage of one group by chance over that
    of a network's coverage around p: the intervals of a few origins are no more than a guess.

    Source: Bühlmann & Gisler (2005), A course in credibility theory and its applications, chapter 3.
    """
    count = len(np.unique(groups_of(validation.rows, validation.cutoffs, validation.targets.shape[1])))
    learned = Conformal.fit(validation.targets, validation.quantiles, validation.levels, validation.times)
    return evaluate(validation, learned.mixed(prior, count / (count + COVERED * (1 - COVERED) / MISCOVERAGE**2)))
