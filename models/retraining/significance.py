"""Significance: the standard error of the difference between two models' errors over series and time."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

SHARED_CONFIDENCE = 0.95
"""Confidence at which errors of different series count as correlated, with shared shocks that may last several steps."""


@dataclass(frozen=True, slots=True)
class Uncertainty:
    """The sampling error of an estimate.

    Attributes:
        standard_error: Infinite if there are too few residuals to estimate it.
        degrees: Degrees of freedom of Student's t; 0 if there are too few residuals.
    """

    standard_error: float
    degrees: float

    def lower(self, estimate: float, confidence: float) -> float:
        """Return the lower end of the two-sided confidence interval around an estimate; NaN without degrees of freedom."""
        from scipy.special import stdtrit

        if not self.degrees:
            return float("nan")
        return estimate - float(stdtrit(self.degrees, (1 + confidence) / 2)) * self.standard_error

    def p_value(self, estimate: float) -> float:
        """Return the one-sided p-value of an estimate under the null hypothesis 0; 1 without degrees of freedom."""
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


def estimate_uncertainty(*periods: Floats) -> Uncertainty:
    """Return the sampling error of an estimate whose error is the sum of all residuals.

    A Diebold-Mariano test for many series. Residuals of one series may be correlated in any way. Residuals of different
    series may share shocks, and a shock may last for several steps:

        variance = variance of the series' sums, if series were independent                              (clusters)
                 + what shared shocks add to it                                                          (_shared)

    This is Thompson's sum over two ways of clustering, with Satterthwaite's degrees of freedom for Student's t. If there
    are too few series to cluster by, the variance is the long-run variance of the residuals summed over series: the test
    of Diebold and Mariano with the fixed smoothing of Coroneo and Iacone.

    Args:
        periods: For each period, the residuals of the same series, shape (series, times), weighted so that their sum is
            the estimate's error; 0 at gaps. Periods are independent of each other.

    Sources: Diebold & Mariano (1995), Comparing predictive accuracy, Journal of Business & Economic Statistics 13(3).
        Thompson (2011), Simple formulas for standard errors that cluster by both firm and time, Journal of Financial
        Economics 99(1). Coroneo & Iacone (2020), Comparing predictive accuracy in small samples using fixed-smoothing
        asymptotics, Journal of Applied Econometrics 35(4). Satterthwaite (1946), An approximate distribution of estimates
        of variance components, Biometrics Bulletin 2(6).
    """
    sums = np.sum([one.sum(axis=1) for one in periods], axis=0)
    series = len(sums)
    if not series:
        return Uncertainty(float("inf"), 0.0)
    common = _add([_long_run(one.sum(axis=0)) for one in periods])
    if series < 2 or common.degrees > series - 1:  # noqa: PLR2004 - one series has no spread
        return Uncertainty(common.value**0.5, common.degrees)
    clustered = _Variance(float(np.sum(sums**2)) * series / (series - 1), series - 1)
    total = _add([clustered, *(_shared(one) for one in periods)])
    return Uncertainty(total.value**0.5, total.degrees)


def _shared(residuals: Floats) -> _Variance:
    """Return what shared shocks add to the variance of the sum over one period, at least 0.

    The larger of two estimates. The first scales the variance of independent series by a ratio: the variance of the sum
    over series at each time, over the value for independent series. It assumes that shared shocks last as long as those
    of single series. The second applies only if that ratio is significant: the long-run variance of the sum over series,
    minus the share of independent series.
    """
    from scipy.special import fdtri

    series, times = residuals.shape
    if times < 2:  # noqa: PLR2004 - one time has no spread
        return _Variance(0.0, 0.0)
    centred = residuals - residuals.mean(axis=1, keepdims=True)
    independent = float(np.sum(centred**2))
    if independent == 0:
        return _Variance(0.0, 0.0)
    ratio = float(np.sum(centred.sum(axis=0) ** 2)) / independent
    clustered = float(np.sum(residuals.sum(axis=1) ** 2)) * series / (series - 1)
    by_ratio = _Variance(clustered * max(0.0, ratio - 1), times - 1)
    if ratio <= fdtri(times - 1, (times - 1) * (series - 1), SHARED_CONFIDENCE):
        return by_ratio
    common = _long_run(residuals.sum(axis=0))
    lasting = common.value - sum(_long_run(one).value for one in residuals)
    return _Variance(lasting, common.degrees) if lasting > by_ratio.value else by_ratio


def _long_run(values: Floats) -> _Variance:
    """Return the long-run variance of the sum of an autocorrelated sequence with mean 0, shape (times,).

    The mean square of its first 0.4 · times^(2/3) cosine transforms, which is also the number of degrees of freedom.

    Source: Lazarus, Lewis, Stock & Watson (2018), HAR inference: recommendations for practice, Journal of Business &
        Economic Statistics 36(4): the equal-weighted cosine estimator and the number of cosines.
    """
    times = len(values)
    if times < 2:  # noqa: PLR2004 - one time has no spread
        return _Variance(float("inf"), 0.0)
    degrees = min(max(1, round(0.4 * times ** (2 / 3))), times - 1)
    positions = (np.arange(times) + 0.5) / times
    cosines = np.sqrt(2) * np.cos(np.pi * np.arange(1, degrees + 1)[:, None] * positions)
    return _Variance(float(np.mean((cosines @ values) ** 2)), float(degrees))


def _add(parts: Sequence[_Variance]) -> _Variance:
    """Return the sum of independent variances with Satterthwaite's degrees of freedom; zero variances are ignored."""
    value = sum(one.value for one in parts)
    if not np.isfinite(value):
        return _Variance(float("inf"), 0.0)
    used = [one for one in parts if one.value > 0]
    if len(used) < 2:  # noqa: PLR2004 - nothing to combine
        return used[0] if used else _Variance(0.0, max(one.degrees for one in parts))
    return _Variance(value, value**2 / sum(one.value**2 / one.degrees for one in used))
