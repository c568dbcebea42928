"""Tests of naive baselines: many at once are those of each history alone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from models.irregular.implausible import SENTINELS
from models.series import Series
from service.store.blobs import Floats
from service.store.scoring.naive_baselines import naive_baselines
from service.store.scoring.score import naive_baseline

NUMBERS = st.one_of(
    st.sampled_from([np.nan, 0.0, 1.0, -9999.0, 65535.0, 1e308, -1e308]), st.floats(-1e6, 1e6), st.integers(0, 50)
)


@given(arrays(np.float64, array_shapes(min_dims=2, max_dims=2, max_side=30), elements=NUMBERS), st.integers(1, 13))
def test_many_baselines_are_those_of_each_history(values: Floats, season_length: int) -> None:
    """With gaps, sentinels, overflows, constants, and histories shorter than a season."""
    values[np.isnan(values).all(axis=1)] = 1.0  # a series has a value

    naive, scales = naive_baselines(values, 14, season_length)

    for row, forecast, scale in zip(values, naive, scales, strict=True):
        alone = naive_baseline(Series(row), 14, season_length)
        np.testing.assert_array_equal(forecast, alone.naive)
        np.testing.assert_allclose(scale, alone.scale, rtol=1e-12)


@pytest.mark.parametrize("number", [min(SENTINELS), 65535.0])
def test_a_sentinel_does_not_raise_the_scale(number: float) -> None:
    """The row is looked at alone."""
    values = np.tile(np.arange(12.0), (2, 4)) + np.repeat(np.arange(4.0), 12)
    values[1, 7] = number

    _, scales = naive_baselines(values, 12, 12)

    assert scales.tolist() == pytest.approx([1.0, 1.0])
