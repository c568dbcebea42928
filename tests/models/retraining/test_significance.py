import numpy as np
import pytest
from scipy import stats

from models.retraining.significance import Floats, Uncertainty, estimate_uncertainty


def make_residuals(series: int, times: int, seed: int, *, shared: float = 0.0) -> Floats:
    """Return the residuals of a mean of values with unit variance, of which all series share a part."""
    generator = np.random.default_rng(seed)
    values = np.sqrt(1 - shared) * generator.normal(size=(series, times))
    values += np.sqrt(shared) * generator.normal(size=(1, times))
    return np.asarray((values - values.mean()) / values.size)


@pytest.mark.parametrize("shared", [0.0, 0.5])
def test_the_standard_error_is_that_of_the_mean(shared: float) -> None:
    """It is near the true one for independent series and for series with shared shocks."""
    series, times = 40, 24
    truth = ((1 - shared) / (series * times) + shared / times) ** 0.5

    found = [
        estimate_uncertainty(make_residuals(series, times, seed, shared=shared)).standard_error for seed in range(200)
    ]

    assert np.median(found) == pytest.approx(truth, rel=0.2)


def test_shared_shocks_leave_few_degrees_of_freedom() -> None:
    """Forty correlated series are fewer than forty observations."""
    apart, together = (estimate_uncertainty(make_residuals(40, 24, 1, shared=shared)) for shared in (0.0, 0.9))

    assert apart.degrees > 30
    assert together.degrees < 6


def test_one_step_of_independent_series_gives_the_t_test() -> None:
    """It is the one-sample t-test of scipy."""
    values = np.random.default_rng(0).normal(0.3, 1.0, 20)

    found = estimate_uncertainty((values - values.mean())[:, None] / 20)

    assert found.degrees == 19
    assert found.p_value(values.mean()) == pytest.approx(stats.ttest_1samp(values, 0.0, alternative="greater").pvalue)
    assert found.lower(values.mean(), 0.95) == pytest.approx(stats.ttest_1samp(values, 0.0).confidence_interval().low)


def test_a_single_series_has_its_long_run_variance() -> None:
    """For white noise it is the plain variance, with few degrees of freedom; one point has none."""
    found = [estimate_uncertainty(make_residuals(1, 72, seed)) for seed in range(300)]

    assert {one.degrees for one in found} == {7.0}
    assert np.mean([one.standard_error**2 for one in found]) == pytest.approx(1 / 72, rel=0.15)
    assert estimate_uncertainty(np.ones((1, 1))) == Uncertainty(float("inf"), 0.0)
    assert estimate_uncertainty(np.ones((0, 12))).degrees == 0


def test_autocorrelation_increases_the_standard_error() -> None:
    """A slow wave has a larger one than the same values in random order."""
    wave = np.sin(np.linspace(0, 2 * np.pi, 48))[None]
    shuffled = np.random.default_rng(0).permutation(wave[0])[None]

    assert estimate_uncertainty(wave).standard_error > 2 * estimate_uncertainty(shuffled).standard_error


def test_variances_of_two_periods_add_up() -> None:
    """Periods are independent, so with one series their variances add, and nearly their degrees of freedom."""
    before, after = make_residuals(1, 24, 0), make_residuals(1, 24, 1)

    apart = [estimate_uncertainty(one) for one in (before, after)]
    both = estimate_uncertainty(before, -after)

    assert both.standard_error**2 == pytest.approx(sum(one.standard_error**2 for one in apart))
    assert max(one.degrees for one in apart) <= both.degrees <= sum(one.degrees for one in apart)


def test_extreme_standard_errors_have_limits() -> None:
    """Without spread the estimate is its own bound; without degrees of freedom there is no bound."""
    exact, unknown = estimate_uncertainty(np.zeros((5, 3))), Uncertainty(float("inf"), 0.0)

    assert exact.lower(0.1, 0.95) == 0.1
    assert (exact.p_value(0.1), exact.p_value(0.0), exact.p_value(-0.1)) == (0.0, 1.0, 1.0)
    assert np.isnan(unknown.lower(0.1, 0.95))
    assert unknown.p_value(0.1) == 1.0
