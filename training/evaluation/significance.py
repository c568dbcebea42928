"""Significance: how far chance may carry a difference of two models' errors over series and time."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

SURELY_SHARED = 0.95
"""Confidence at which series that err together are taken to share shocks that may last for several steps."""


@dataclass(frozen=True, slots=True)
class Uncertainty:
    """How far an estimate may lie from the truth.

    Attributes:
        standard_error: Infinite where nothing tells.
        degrees: Of freedom of Student's t; 0 where nothing tells.
    """

    standard_error: float
    degrees: float

    def lower(self, estimate: float, confidence: float) -> float:
        """Return the lower end of the two-sided interval around an estimate; NaN where nothing tells."""
        from scipy.special import stdtrit

        if not self.degrees:
            return float("nan")
        return estimate - float(stdtrit(self.degrees, (1 + confidence) / 2)) * self.standard_error

    def p_value(self, estimate: float) -> float:
        """Return how likely an estimate as high is where the truth is 0, one-sided; 1 where nothing tells."""
        from scipy.special import stdtr

        if not self.degrees or estimate == 0:
            return 1.0
        if self.standard_error == 0:
            return float(estimate < 0)
        return float(stdtr(self.degrees, -estimate / self.standard_error))


@dataclass(frozen=True, slots=True)
class _Variance:
    """A variance and its degrees of freedom."""

    value: float
    degrees: float


def uncertainty(*stretches: Floats) -> Uncertainty:
    """Return the standard error of an estimate that errs by the sum of all residuals.

    A Diebold-Mariano test for many series. Residuals of one series may depend on each other however they like; those of
    different series at about the same time may share shocks, and shocks may last:

        variance = that of the series' sums, as if series were independent                               (clusters)
                 + what the shocks that they share add to it                                             (_shared)

    as in Thompson's sum over two ways of clustering, with Satterthwaite's degrees of freedom for Student's t. Where there
    are too few series to know them from each other, they are taken as they are, and the variance is that of their common
    course in time alone: the test of Diebold and Mariano with the fixed smoothing of Coroneo and Iacone.

    Args:
        stretches: Residuals of the same series over one stretch of time each, shape (series, times), weighed so that
            their sum is the estimate's error, 0 where nothing is known; chance is independent between stretches.

    Sources: Diebold & Mariano (1995), Comparing predictive accuracy, Journal of Business & Economic Statistics 13(3).
        Thompson (2011), Simple formulas for standard errors that cluster by both firm and time, Journal of Financial
        Economics 99(1). Coroneo & Iacone (2020), Comparing predictive accuracy in small samples using fixed-smoothing
        asymptotics, Journal of Applied Econometrics 35(4). Satterthwaite (1946), An approximate distribution of estimates
        of variance components, Biometrics Bulletin 2(6).
    """
    sums = np.sum([one.sum(axis=1) for one in stretches], axis=0)
    series = len(sums)
    if not series:
        return Uncertainty(float("inf"), 0.0)
    course = _add([_long_run(one.sum(axis=0)) for one in stretches])
    if series < 2 or course.degrees > series - 1:  # noqa: PLR2004 - one series has no spread
        return Uncertainty(course.value**0.5, course.degrees)
    clustered = _Variance(float(np.sum(sums**2)) * series / (series - 1), series - 1)
    whole = _add([clustered, *(_shared(one) for one in stretches)])
    return Uncertainty(whole.value**0.5, whole.degrees)


def _shared(residuals: Floats) -> _Variance:
    """Return what shocks that series share add to the variance of the sum over one stretch, at least 0.

    The larger of two estimates. By ratio: the variance of the series' common course at each time over what it would be
    were they independent, so shocks are taken to last as long as those of single series do. And where that ratio is more
    than chance: the long-run variance of the common course, less the part that independent series make of it.
    """
    from scipy.special import fdtri

    series, times = residuals.shape
    if times < 2:  # noqa: PLR2004 - one time has no spread
        return _Variance(0.0, 0.0)
    centred = residuals - residuals.mean(axis=1, keepdims=True)
    alone = float(np.sum(centred**2))
    if alone == 0:
        return _Variance(0.0, 0.0)
    ratio = float(np.sum(centred.sum(axis=0) ** 2)) / alone
    clustered = float(np.sum(residuals.sum(axis=1) ** 2)) * series / (series - 1)
    by_ratio = _Variance(clustered * max(0.0, ratio - 1), times - 1)
    if ratio <= fdtri(times - 1, (times - 1) * (series - 1), SURELY_SHARED):
        return by_ratio
    course = _long_run(residuals.sum(axis=0))
    lasting = course.value - sum(_long_run(one).value for one in residuals)
    return _Variance(lasting, course.degrees) if lasting > by_ratio.value else by_ratio


def _long_run(course: Floats) -> _Variance:
    """Return the variance of the sum of a course, shape (times,), that is 0 in the mean, whatever its autocorrelation.

    The mean square of its first 0.4 · times^(2/3) cosine transforms; Student's t then has as many degrees of freedom.

    Source: Lazarus, Lewis, Stock & Watson (2018), HAR inference: recommendations for practice, Journal of Business &
        Economic Statistics 36(4): the equal-weighted cosine estimator and how many.
    """
    times = len(course)
    if times < 2:  # noqa: PLR2004 - one time has no spread
        return _Variance(float("inf"), 0.0)
    degrees = min(max(1, round(0.4 * times ** (2 / 3))), times - 1)
    places = (np.arange(times) + 0.5) / times
    cosines = np.sqrt(2) * np.cos(np.pi * np.arange(1, degrees + 1)[:, None] * places)
    return _Variance(float(np.mean((cosines @ course) ** 2)), float(degrees))


def _add(parts: Sequence[_Variance]) -> _Variance:
    """Return the sum of independent variances with Satterthwaite's degrees of freedom; those of 0 take no part."""
    value = sum(one.value for one in parts)
    if not np.isfinite(value):
        return _Variance(float("inf"), 0.0)
    used = [one for one in parts if one.value > 0]
    if len(used) < 2:  # noqa: PLR2004 - one is as it is
        return used[0] if used else _Variance(0.0, max(one.degrees for one in parts))
    return _Variance(value, value**2 / sum(one.value**2 / one.degrees for one in used))
