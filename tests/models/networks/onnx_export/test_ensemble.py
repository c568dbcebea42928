from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from numpy.typing import NDArray

from models.artifact import open_network
from models.networks.errors import OptionInvalid
from models.networks.onnx_export.ensemble import merge_graphs
from tests.artifacts import seasonal_naive

Floats = NDArray[np.float64]


def answer(model: onnx.ModelProto, context: Floats, folder: Path) -> Floats:
    """Return what a graph forecasts for contexts whose dates are unknown."""
    path = folder / "network.onnx"
    path.write_bytes(model.SerializeToString())
    found: Floats = open_network(path).run(
        None, {"context": context, "phase": np.full(len(context), -1, dtype=np.int32)}
    )[0]
    return found


def make_context(length: int = 60, batch: int = 3, seed: int = 0) -> Floats:
    """Return noise around ten."""
    return 10.0 + np.random.default_rng(seed).normal(size=(batch, length))


def test_the_whole_is_the_weighted_mean_of_its_members(tmp_path: Path) -> None:
    """Quantile by quantile: of forecasts one too low and three too high, by a quarter and three."""
    low, high = (seasonal_naive(12, 60, 12, shift) for shift in (-1.0, 3.0))
    context = make_context()

    found = answer(merge_graphs([low, high], [0.25, 0.75]), context, tmp_path)

    assert_allclose(found, 0.25 * answer(low, context, tmp_path) + 0.75 * answer(high, context, tmp_path), rtol=1e-12)


def test_a_member_of_a_shorter_context_is_given_the_newest_part(tmp_path: Path) -> None:
    """The whole asks for the longest context; each member forecasts as it would alone."""
    long, short = seasonal_naive(12, 60, 12, 0.0), seasonal_naive(12, 24, 12, 0.0)
    context = make_context()
    context[:, 36:48] += 100.0  # in both contexts, but not in the season that is repeated

    merged = merge_graphs([short, long], [0.5, 0.5])

    assert {one.name: one.type.tensor_type.shape.dim[-1].dim_value for one in merged.graph.input}["context"] == 60
    alone = 0.5 * (answer(short, context[:, -24:], tmp_path) + answer(long, context, tmp_path))
    assert_allclose(answer(merged, context, tmp_path), alone, rtol=1e-12)


def test_a_member_that_sees_nothing_does_not_count(tmp_path: Path) -> None:
    """Where the newest part holds no value, the members that look further back forecast alone."""
    long, short = seasonal_naive(12, 60, 12, 0.0), seasonal_naive(12, 24, 12, 50.0)
    context = make_context()
    context[0, -24:] = np.nan

    found = answer(merge_graphs([long, short], [0.5, 0.5]), context, tmp_path)

    assert np.isfinite(found[1:]).all()
    assert_allclose(found[0], answer(long, context, tmp_path)[0], rtol=1e-12)
    assert_allclose(found[1:].mean() - answer(long, context, tmp_path)[1:].mean(), 25.0, rtol=1e-9)


@settings(max_examples=20, deadline=None)
@given(
    shares=st.lists(st.floats(1e-3, 1.0), min_size=1, max_size=5), scale=st.floats(1e-6, 1e9), seed=st.integers(0, 1000)
)
def test_quantiles_that_do_not_cross_apart_do_not_cross_together(
    shares: list[float], scale: float, seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Not by a rounding either, whatever the weights and however small the distances beside the values."""
    members = [seasonal_naive(12, 60, 12, float(place)) for place in range(len(shares))]
    merged = merge_graphs(members, [one / sum(shares) for one in shares])

    found = answer(merged, scale * make_context(seed=seed), tmp_path_factory.mktemp("merged"))

    assert (np.diff(found, axis=-1) >= 0).all()


@pytest.mark.parametrize("weights", [[], [1.0], [0.5, 0.6], [1.5, -0.5], [1.0, 0.0]])
def test_weights_that_do_not_fit_are_refused(weights: list[float]) -> None:
    """One for each member, above 0, of sum 1."""
    with pytest.raises(OptionInvalid, match="one weight above 0 for each member"):
        merge_graphs([seasonal_naive(12, 60, 12, 0.0)] * 2, weights)


def test_members_of_different_horizons_are_refused() -> None:
    """They cannot be averaged step by step."""
    with pytest.raises(OptionInvalid, match=r"\[6, 9\], \[12, 9\]") as caught:
        merge_graphs([seasonal_naive(12, 60, 6, 0.0), seasonal_naive(12, 60, 12, 0.0)], [0.5, 0.5])

    assert "same horizon" in caught.value.hint
