import numpy as np
import pytest
from numpy.testing import assert_allclose

from models.spec import TRAINED_QUANTILES
from tests.training.fakes import make_validation
from training.fit.validation import evaluate


def test_the_error_is_that_of_the_median_in_units_of_the_scale() -> None:
    """Two units off, on a scale of two, is a MASE of one."""
    validation = make_validation(shift=2.0, noise=0.0, scale=2.0)

    figures, _ = evaluate(validation)

    assert_allclose(figures["mase"], 1.0)
    assert figures["origins"] == len(validation.targets)


def test_calibrated_intervals_cover_what_they_say() -> None:
    """Forecasts five times too narrow are widened until four of five truths lie inside."""
    validation = make_validation(noise=5.0)
    before = np.mean(
        np.abs(validation.targets - validation.median) <= validation.quantiles[..., -1] - validation.median
    )

    figures, conformal = evaluate(validation)

    assert before < 0.3
    assert figures["coverage_80"] == pytest.approx(0.8, abs=0.03)
    assert conformal.offsets[0, -1] > 0


def test_the_median_is_the_middle_level() -> None:
    """Whatever the levels are."""
    validation = make_validation()

    assert validation.levels == TRAINED_QUANTILES
    assert_allclose(validation.median, validation.quantiles[..., 4])
