"""Synthetic windows stand among the real ones, in the share that is asked for and as repeatably."""

from dataclasses import replace

import numpy as np
import pytest

from models.networks.build import NetworkOptions
from models.series import Series
from training.data import augmentation
from training.data.augmentation import Mixed, can_mix, is_small, mixed, synthetic_series
from training.data.window_sampling import Dataset, make_dataset

OPTIONS = NetworkOptions("lstm", 6, 12, 36, 24, units=4, layers=1)


@pytest.fixture
def data() -> Dataset:
    """Return one dated series of months."""
    values = np.random.default_rng(0).normal(-1000.0, 1.0, 60)
    return make_dataset(
        [Series.make(values, start="1990-01", frequency="M")], context_length=36, season_length=12, horizon=6
    )


@pytest.mark.parametrize("share", [0.25, 0.5, 0.9])
def test_a_batch_has_its_share_of_synthetic_windows(data: Dataset, share: float) -> None:
    """Real ones first; all of the network's lengths, the synthetic ones without dates and with a newest value."""
    batch = Mixed(data, (12,), share).draw(np.random.default_rng(0), 40)

    synthetic, count = np.isin(batch.targets[:, 0, 0], synthetic_series((12,), 42)), round(share * 40)
    assert batch.contexts.context.shape == (40, 36)
    assert batch.targets.shape == (40, 1, 6)
    np.testing.assert_array_equal(synthetic, np.arange(40) >= 40 - count)
    real = batch.targets[~synthetic]
    assert np.isin(real[np.isfinite(real)], data.seen.values).all()
    assert (batch.contexts.phase[synthetic] == -1).all()
    assert np.isfinite(batch.contexts.context[synthetic, -1]).all()
    assert np.isfinite(batch.targets[synthetic]).all()


@pytest.mark.parametrize(("share", "size", "synthetic"), [(0.9, 4, 3), (0.001, 256, 1), (0.5, 1, 0)])
def test_no_batch_is_of_one_kind_alone(data: Dataset, share: float, size: int, synthetic: int) -> None:
    """Where it has two windows or more: who asks for a share means to learn from both."""
    batch = Mixed(data, (12,), share).draw(np.random.default_rng(0), size)

    assert np.isin(batch.targets[:, 0, 0], synthetic_series((12,), 42)).sum() == synthetic


def test_targets_go_on_where_a_synthetic_window_ends(data: Dataset) -> None:
    """Context and targets are of one series."""
    batch = Mixed(data, (12,), 0.5).draw(np.random.default_rng(1), 8)

    whole = {row[:36].tobytes(): row[36:] for row in synthetic_series((12,), 42)}
    full = [at for at in range(4, 8) if np.isfinite(batch.contexts.context[at]).all()]
    assert full
    for at in full:
        np.testing.assert_array_equal(whole[batch.contexts.context[at].tobytes()], batch.targets[at, 0])


def test_windows_and_series_are_repeatable(data: Dataset) -> None:
    """The same generator draws the same; what it draws from is never changed."""
    before = synthetic_series((12,), 42).copy()

    first, second = (Mixed(data, (12,), 0.5).draw(np.random.default_rng(7), 16) for _ in range(2))

    np.testing.assert_array_equal(first.contexts.context, second.contexts.context)
    np.testing.assert_array_equal(first.targets, second.targets)
    np.testing.assert_array_equal(before, synthetic_series((12,), 42))
    synthetic_series.cache_clear()
    np.testing.assert_array_equal(before, synthetic_series((12,), 42))


def test_without_a_share_the_windows_are_the_training_sets_own(data: Dataset) -> None:
    """Nothing of them changes."""
    assert mixed(data, OPTIONS, 0.0) is data
    assert mixed(data, OPTIONS, 0.5) == Mixed(data, (12,), 0.5)
    assert mixed(data, replace(OPTIONS, seasons=(12, 36)), 0.5) == Mixed(data, (12, 36), 0.5)


def test_synthetic_windows_need_one_origin_and_a_scale_of_their_own() -> None:
    """And they have no covariates."""
    assert can_mix(OPTIONS)
    assert not can_mix(replace(OPTIONS, future_covariates=1))
    assert not can_mix(replace(OPTIONS, shape="many_to_many_equal"))
    assert not can_mix(replace(OPTIONS, shape="one_to_many", context_length=1, encoder_length=1))


def test_few_data_are_few_values_that_training_sees(data: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is held out or missing does not count."""
    seen = int(np.isfinite(data.seen.values).sum())
    assert seen < 60

    monkeypatch.setattr(augmentation, "FEW_POINTS", seen)
    assert is_small(data)
    monkeypatch.setattr(augmentation, "FEW_POINTS", seen - 1)
    assert not is_small(data)
