import numpy as np
import pytest
from scipy import stats

from training.evaluation.significance import Floats, Uncertainty, uncertainty


def make_residuals(series: int, times: int, seed: int, *, shared: float = 0.0) -> Floats:
    """Return residuals of a mean of unit variance, part of it shared by all series, their own mean taken out."""
    generator = np.random.default_rng(seed)
    values = np.sqrt(1 - shared) * generator.normal(size=(series, times))
    values += np.sqrt(shared) * generator.normal(size=(1, times))
    return np.asarray((values - values.mean()) / values.size)


@pytest.mark.parametrize("shared", [0.0, 0.5])
def test_the_standard_error_is_that_of_the_mean(shared: float) -> None:
    """Of independent series as of series with shocks in common: what the mean really varies by, near enough."""
    series, times = 40, 24
    truth = ((1 - shared) / (series * times) + shared / times) ** 0.5

    found = [uncertainty(make_residuals(series, times, seed, shared=shared)).standard_error for seed in range(200)]

    assert np.median(found) == pytest.approx(truth, rel=0.2)


def test_shocks_in_common_leave_few_degrees_of_freedom() -> None:
    """Forty series that err together are no forty observations."""
    apart, together = (uncertainty(make_residuals(40, 24, 1, shared=shared)) for shared in (0.0, 0.9))

    assert apart.degrees > 30
    assert together.degrees < 6


def test_independent_series_alone_give_the_t_test() -> None:
    """One time: the textbook's test of a mean."""
    values = np.random.default_rng(0).normal(0.3, 1.0, 20)
    oracle = stats.ttest_1samp(values, 0.0, alternative="greater")

    found = uncertainty((values - values.mean())[:, None] / 20)

    assert found.degrees == 19
    assert found.p_value(values.mean()) == pytest.approx(oracle.pvalue)
    assert found.lower(values.mean(), 0.95) == pytest.approx(stats.ttest_1samp(values, 0.0).confidence_interval().low)


def test_a_single_series_is_judged_by_its_course() -> None:
    """White noise: the long-run variance is the plain one, on few degrees of freedom; one point tells nothing."""
    found = [uncertainty(make_residuals(1, 72, seed)) for seed in range(300)]

    assert {one.degrees for one in found} == {7.0}
    assert np.mean([one.standard_error**2 for one in found]) == pytest.approx(1 / 72, rel=0.15)
    assert uncertainty(np.ones((1, 1))) == Uncertainty(float("inf"), 0.0)
    assert uncertainty(np.ones((0, 12))).degrees == 0


def test_shocks_that_last_count_for_more() -> None:
    """A slow swing of a single series is less sure than the same values in any order."""
    swing = np.sin(np.linspace(0, 2 * np.pi, 48))[None]
    shuffled = np.random.default_rng(0).permutation(swing[0])[None]

    assert uncertainty(swing).standard_error > 2 * uncertainty(shuffled).standard_error


def test_two_stretches_add_up() -> None:
    """Chance before and after is independent: with one series the variances add, and so do the degrees, nearly."""
    before, after = make_residuals(1, 24, 0), make_residuals(1, 24, 1)

    apart = [uncertainty(one) for one in (before, after)]
    both = uncertainty(before, -after)

    assert both.standard_error**2 == pytest.approx(sum(one.standard_error**2 for one in apart))
    assert max(one.degrees for one in apart) <= both.degrees <= sum(one.degrees for one in apart)


def test_certainty_is_said_as_such() -> None:
    """No spread at all: the estimate is the bound; where nothing tells there is none."""
    sure, blind = uncertainty(np.zeros((5, 3))), Uncertainty(float("inf"), 0.0)

    assert sure.lower(0.1, 0.95) == 0.1
    assert (sure.p_value(0.1), sure.p_value(0.0), sure.p_value(-0.1)) == (0.0, 1.0, 1.0)
    assert np.isnan(blind.lower(0.1, 0.95))
    assert blind.p_value(0.1) == 1.0
