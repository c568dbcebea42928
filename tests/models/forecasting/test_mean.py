"""Means: right values by hand, and on the corpus of test_as_before.py the average of the quantiles that a forecast states."""

from collections.abc import Callable
from statistics import NormalDist

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from models.forecast import Forecast
from models.forecaster import Forecaster
from models.forecasting.mean import MEAN_LEVELS, mean_of
from models.forecasting.request import ForecasterRequest
from models.intervals import read_quantiles
from models.series import Series
from models.spec import TRAINED_QUANTILES
from tests.models.forecasting.test_as_before import CASES, forecasters, outcome_of

PLAIN = {"plain", "informed"}
"""Models without offsets, so that nothing crosses."""


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Forecaster]:
    """Return the corpus' models."""
    return forecasters(tmp_path_factory.mktemp("corpus"))


@pytest.mark.parametrize(
    ("quantile", "mean", "tolerance"),
    [
        (lambda level: 3 + 2 * NormalDist().inv_cdf(level), 3.0, 1e-12),
        (lambda level: -np.log(1 - level), 1.0, 0.004),
        (lambda level: np.exp(NormalDist().inv_cdf(level)), np.exp(0.5), 0.014),
        (lambda level: max(NormalDist().inv_cdf(level), 0.0), 1 / np.sqrt(2 * np.pi), 0.003),
        (lambda _level: 0.1, 0.1, 0.0),
        (lambda _level: 1.7e308, 1.7e308, 0.0),
    ],
    ids=["normal", "exponential", "lognormal", "normal, at least 0", "constant", "large"],
)
def test_the_mean_of_a_known_distribution(quantile: Callable[[float], float], mean: float, tolerance: float) -> None:
    """The error is the one that is documented; a constant is its own mean exactly."""
    levels = np.array([[quantile(level)] for level in MEAN_LEVELS])

    assert_allclose(mean_of(levels), [mean], rtol=tolerance)


@pytest.mark.parametrize(
    ("trained", "mean", "tolerance"),
    [
        (-np.log(1 - np.array(TRAINED_QUANTILES)), 0.96, 0.005),
        ([0.0] * 8 + [1.0], 0.05 + NormalDist().pdf(NormalDist().inv_cdf(0.9)) / NormalDist().inv_cdf(0.9), 0.002),
        ([0.0] * 9, 0.0, 0.0),
    ],
    ids=["exponential", "sales in a fifth of the steps", "fewer sales"],
)
def test_the_mean_from_trained_levels(trained: list[float], mean: float, tolerance: float) -> None:
    """Linear between them, normal tails beyond; nothing is known of sales that are rarer than the outermost level."""
    quantiles = np.maximum(read_quantiles(np.asarray(trained), TRAINED_QUANTILES, MEAN_LEVELS), 0.0)

    assert_allclose(mean_of(quantiles[:, None]), [mean], atol=tolerance)


@pytest.mark.parametrize("name", CASES)
def test_a_mean_is_the_average_of_the_stated_quantiles(name: str, known: dict[str, Forecaster]) -> None:
    """Beyond one pass, in turns, calibrated, with bounds, in closed hours; the other numbers stay as they are."""
    model, fields, options = CASES[name]
    one = Series.make(id=name, **fields)

    found = outcome_of(known[model], one, {**options, "mean": True})

    usual = outcome_of(known[model], one, options)
    stated = outcome_of(known[model], one, {**options, "quantiles": (*options.get("quantiles", ()), *MEAN_LEVELS)})
    if not isinstance(found, Forecast):
        assert type(found) is type(usual)
        return
    assert isinstance(usual, Forecast)
    assert isinstance(stated, Forecast)
    assert found.mean is not None
    assert usual.mean is None
    averaged = stated.quantiles[:, np.isin(stated.quantile_levels, MEAN_LEVELS)]
    assert_allclose(found.mean, averaged.mean(axis=1), rtol=1e-12, atol=1e-15)
    assert (averaged[:, 0] <= found.mean).all()
    assert (found.mean <= averaged[:, -1]).all()
    assert (np.clip(found.mean, *one.bounds) == found.mean).all()
    assert found.shown.mean is not None
    assert found.shown.mean.shape == found.shown.median.shape
    assert_array_equal(found.median, usual.median)
    if model in PLAIN:
        assert_array_equal(found.quantiles, usual.quantiles)


def test_a_request_without_a_mean_does_not_see_one_beside_it(known: dict[str, Forecaster]) -> None:
    """In one batch each request has what it asks for."""
    one = Series.make(np.arange(40.0))

    outcomes = known["calibrated"].forecast_many(
        [
            ForecasterRequest([one], 20, mean=True),
            ForecasterRequest([one, one], 20),
            ForecasterRequest([one], 3, mean=True),
        ]
    )

    has_mean = [[found.mean is not None for found in part if isinstance(found, Forecast)] for part in outcomes]
    assert has_mean == [[True], [False, False], [True]]


def test_an_overflow_is_not_finite(known: dict[str, Forecaster]) -> None:
    """A mean that is not finite is found, as other numbers are."""
    (found,) = known["plain"].forecast([Series.make([1.0, 2.0])], 1)

    assert found.is_finite
    assert not Forecast("", None, "", None, (0.5,), found.quantiles, found.median, mean=np.array([np.inf])).is_finite
