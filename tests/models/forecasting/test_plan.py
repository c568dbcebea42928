from collections.abc import Sequence

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from models.forecasting.plan import make_plan
from models.intervals import CALIBRATED_LEVELS, Conformal, read_quantiles, spread_of, uncross
from models.spec import TRAINED_QUANTILES, ModelSpec

HORIZON = 5
NO_TENTHS = (0.05, 0.25, 0.5, 0.75, 0.95)


def spec(trained: Sequence[float]) -> ModelSpec:
    """Return the specification of a model with these trained levels."""
    return ModelSpec("m", "lstm", "many_to_many", "M", 12, 60, 60, 12, tuple(trained))


@pytest.mark.parametrize("trained", [TRAINED_QUANTILES, NO_TENTHS])
@pytest.mark.parametrize(("levels", "quantiles"), [((80,), ()), ((50, 99), (0.07, 0.3)), ((), (0.999,))])
@pytest.mark.parametrize("calibrated", [False, True])
def test_a_batch_is_calibrated_as_its_definition_says(
    trained: Sequence[float], levels: Sequence[float], quantiles: Sequence[float], *, calibrated: bool
) -> None:
    """Quantiles at any level, plus offsets in units of the spread, without crossings, whichever levels are trained."""
    random = np.random.default_rng(0)
    raw = np.sort(random.normal(size=(4, HORIZON + 2, len(trained))), axis=2)
    raw[1], raw[2, 0, 0], raw[3, 1] = raw[1, :, ::-1], np.nan, -0.0
    offsets = random.normal(size=(3, len(CALIBRATED_LEVELS))) * (np.asarray(CALIBRATED_LEVELS) != 0.5)
    conformal = Conformal(np.asarray(CALIBRATED_LEVELS), offsets) if calibrated else None
    plan = make_plan(spec(trained), conformal, HORIZON, levels, quantiles)

    table = plan.calibrate(raw)

    expected = read_quantiles(raw[:, :HORIZON], trained, plan.levels)
    if conformal is not None:
        expected = expected + conformal.at(plan.levels, HORIZON) * spread_of(raw[:, :HORIZON], trained)
    expected = uncross(expected, plan.levels)
    assert_allclose(table.transpose(0, 2, 1), expected, rtol=1e-12, atol=1e-15)
    assert not np.signbit(table[table == 0]).any()
    assert_array_equal(np.asarray(plan.levels)[plan.reported], plan.quantile_levels)
