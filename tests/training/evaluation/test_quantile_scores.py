import math

import numpy as np
import pytest

from training.evaluation.quantile_scores import DECILES, LEVELS, relative_error, score_quantiles

NAN = math.nan


def flat(*points: float) -> np.ndarray:
    """Return forecasts of one series whose quantiles are all the same, shape (1, horizon, levels)."""
    return np.repeat(np.array(points)[np.newaxis, :, np.newaxis], len(LEVELS), axis=2)


def test_the_scores_of_a_forecast_without_spread() -> None:
    """Errors 2 above and 1 below: each decile q costs 2 q for the one and 1 - q for the other, whose mean is half."""
    scores = score_quantiles(np.array([[10.0, 5.0]]), flat(8.0, 6.0), np.array([4.0]))

    assert scores.mase == pytest.approx((2 / 4 + 1 / 4) / 2)
    assert scores.wql == pytest.approx((2 * 0.5 * 2 + 2 * 0.5 * 1) / 2 / 7.5)
    assert scores.sql == pytest.approx((2 * 0.5 * 2 + 2 * 0.5 * 1) / 2 / 4)
    assert scores.coverage == {50.0: 0.0, 80.0: 0.0, 95.0: 0.0}


def test_the_loss_of_each_decile_counts_at_its_own_level() -> None:
    """A truth of 0 under quantiles 10 q costs 2 (1 - q) 10 q at each."""
    quantiles = np.array([[[10 * level for level in LEVELS]]])

    scores = score_quantiles(np.array([[-1e-12]]), quantiles, np.array([1.0]))

    assert scores.sql == pytest.approx(np.mean([20 * (1 - q) * q for q in DECILES]))


def test_coverage_is_of_the_central_intervals_ends_included() -> None:
    """Quantiles equal to their levels: .25 and .9 end the 50 % and 80 % interval."""
    quantiles = np.repeat(np.array(LEVELS)[np.newaxis, np.newaxis, :], 4, axis=1)

    scores = score_quantiles(np.array([[0.25, 0.9, 0.026, 0.99]]), quantiles, np.array([1.0]))

    assert scores.coverage == {50.0: 0.25, 80.0: 0.5, 95.0: 0.75}


def test_gaps_and_series_without_a_scale_are_left_out() -> None:
    """A gap counts nowhere; a series without a scale counts for WQL only."""
    targets = np.array([[2.0, NAN], [8.0, 8.0]])
    quantiles = np.concatenate([flat(1.0, 99.0), flat(9.0, 9.0)])

    scores = score_quantiles(targets, quantiles, np.array([0.5, NAN]))

    assert scores.mase == pytest.approx(2.0)
    assert scores.wql == pytest.approx(1.0 / 6.0)


@pytest.mark.parametrize(
    ("pairs", "mean"),
    [
        ([(2.0, 1.0), (1.0, 8.0)], 0.5),
        ([(1.0, 2.0), (5.0, 0.0), (NAN, 1.0)], 0.5),
        ([(0.0, 1.0)], 0.01),
        ([(1.0, 0.0)], NAN),
    ],
)
def test_relative_errors_have_a_geometric_mean(pairs: list[tuple[float, float]], mean: float) -> None:
    """Undefined ones are left out, and one that is 0 does not make the mean 0."""
    assert relative_error(pairs) == pytest.approx(mean, nan_ok=True)
