from functools import partial

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray
from sklearn.linear_model import Ridge

from models.networks.build import build
from models.networks.covariates import RIDGE, AtTargets, Effects, NormalizeCovariates
from tests.models.networks.made import CONTEXT, HORIZON, make_contexts, make_network, make_options, make_phases

Floats = NDArray[np.float64]

PAST, AHEAD = 1, 2
make_informed = partial(make_options, past_covariates=PAST, future_covariates=AHEAD)


def make_columns(batch: int, *, seed: int = 0) -> tuple[Floats, Floats]:
    """Return history and future of three covariates of which two are known ahead, a tenth of it unknown."""
    generator = np.random.default_rng(seed)
    columns = generator.normal(5.0, 2.0, (batch, CONTEXT + HORIZON, PAST + AHEAD))
    columns[generator.random(columns.shape) < 0.1] = np.nan
    return columns[:, :CONTEXT], columns[:, CONTEXT:, PAST:]


def scaled(past: Floats, ahead: Floats, *, seen: int = CONTEXT) -> dict[str, Floats]:
    """Return a window's covariates as a network sees them."""
    layer = NormalizeCovariates(AHEAD, seen)
    return {key: np.asarray(value) for key, value in layer(past, ahead).items()}


def test_without_covariates_a_network_has_neither_input_nor_weight_for_them() -> None:
    """So that nothing changes for who has none."""
    plain, informed = build(make_options("lstm")), build(make_informed("lstm"))

    assert [one.name for one in plain.inputs] == ["context", "phase"]
    assert not [one.path for one in plain.weights if "covariate" in one.path]
    assert [one.name for one in informed.inputs][2:] == ["past_covariates", "future_covariates"]


def test_a_covariate_is_scaled_by_its_window() -> None:
    """Price in euros or cents, the network sees the same; what is unknown is 0 and masked."""
    past, ahead = make_columns(4)

    first, other = scaled(past, ahead), scaled(100 * past - 7, 100 * ahead - 7)

    assert_allclose(first["local"], other["local"], atol=1e-5)
    whole = np.concatenate([past[..., PAST:], ahead], axis=1)
    assert_array_equal(first["mask"][..., PAST:], np.isfinite(whole))
    assert_array_equal(first["local"][..., PAST:][np.isnan(whole)], 0.0)
    u = 3 * np.sinh(first["local"][..., PAST:].astype(np.float64) / 2)
    assert_allclose(np.std(np.where(np.isnan(whole), np.nan, u)[0, :, 0][np.isfinite(whole[0, :, 0])]), 1.0, rtol=1e-4)


@pytest.mark.parametrize("constant", [0.0, 0.1, -1e9])
def test_a_constant_covariate_says_nothing(constant: float) -> None:
    """It is the mean of its window, and no number near infinity."""
    found = scaled(np.full((1, CONTEXT, 3), constant), np.full((1, HORIZON, 2), constant))

    assert_allclose(found["local"], 0.0, atol=1e-4)


def test_the_training_set_scales_too() -> None:
    """Mean and deviation are taken over all that is known, and saved with the network."""
    past, ahead = make_columns(200)
    layer = NormalizeCovariates(AHEAD, CONTEXT)
    layer(past, ahead)

    layer.adapt(past)

    mean, deviation = (np.asarray(one).ravel() for one in layer.get_weights())
    assert_allclose(mean, np.nanmean(past, axis=(0, 1)))
    assert_allclose(deviation, np.nanstd(past, axis=(0, 1)))
    assert layer.trainable_weights == []


def effects(y: Floats, x: Floats, *, steps: int = 1, lag: int = 0) -> Floats:
    """Return the effects of one covariate, (batch, steps, horizon); NaN is unknown."""
    layer = Effects(1, steps, HORIZON, (lag,))
    whole = (np.nan_to_num(y), np.isfinite(y), np.nan_to_num(x)[..., None], np.isfinite(x)[..., None])
    return np.asarray(layer(*(np.asarray(one, dtype=np.float64) for one in whole)))[..., 0]


def test_an_effect_is_the_ridge_regressions() -> None:
    """Each series has its own slope, taken where value and covariate are both known."""
    generator = np.random.default_rng(0)
    x = generator.normal(size=(3, CONTEXT + HORIZON))
    y = np.array([[-2.0], [0.0], [3.0]]) * x[:, :CONTEXT] + generator.normal(size=(3, CONTEXT))
    y[generator.random(y.shape) < 0.2] = np.nan
    x[generator.random(x.shape) < 0.2] = np.nan

    found = effects(y, x)

    for row in range(3):
        both = np.isfinite(y[row]) & np.isfinite(x[row, :CONTEXT])
        model = Ridge(alpha=RIDGE).fit(x[row, :CONTEXT][both][:, None], y[row][both])
        expected = model.coef_[0] * (x[row, CONTEXT:] - x[row, :CONTEXT][both].mean())
        assert_allclose(found[row, 0], np.nan_to_num(expected), rtol=1e-5, atol=1e-6)


def test_an_effect_of_differences_is_free_of_the_season() -> None:
    """A season far larger than the effect does not hide it."""
    generator = np.random.default_rng(0)
    steps = np.arange(CONTEXT + HORIZON)
    x = generator.normal(size=(1, len(steps)))
    y = 50 * np.sin(2 * np.pi * steps[None, :CONTEXT] / 12) + 2.0 * x[:, :CONTEXT]

    found = effects(y, x, lag=12)[0, 0]

    truth = 2.0 * (x[0, CONTEXT:] - x[0, CONTEXT - 12 : CONTEXT - 12 + HORIZON])
    assert_allclose(found, truth, rtol=0.15)


@pytest.mark.parametrize("lag", [0, 12])
def test_each_supervised_step_reads_off_its_own_past(lag: int) -> None:
    """The effects at a step are those of a window that ends there."""
    generator = np.random.default_rng(0)
    x, y = generator.normal(size=(2, CONTEXT + HORIZON)), generator.normal(size=(2, CONTEXT))

    together = effects(y, x, steps=4, lag=lag)

    for step in range(4):
        end = CONTEXT - 3 + step
        alone = effects(y[:, :end], x[:, : end + HORIZON], lag=lag)
        assert_allclose(together[:, step], alone[:, 0], atol=1e-6)


def test_targets_are_the_steps_after_each_supervised_one() -> None:
    """The first is the step after the cutoff."""
    columns = np.arange(10.0)[None, :, None]

    found = np.asarray(AtTargets(1, 2, 3)(columns))

    assert_array_equal(found[0, ..., 0], [[6, 7, 8], [7, 8, 9]])


@pytest.mark.parametrize("architecture", ["lstm", "wavenet"])
def test_no_supervised_step_sees_what_it_cannot_know(architecture: str) -> None:
    """Values and past covariates after a step, and what is known ahead beyond its horizon, leave it as it is."""
    made = make_network(make_informed(architecture), seed=0, supervised_steps=8)
    context, phase = make_contexts(3), make_phases(3)
    past, ahead = make_columns(3)
    later = (context.copy(), past.copy(), ahead.copy())
    later[0][:, -5:] += 9.0
    later[1][:, -5:, :PAST] = 99.0
    later[2][:, -5:] = -99.0

    before, after = (made.answer(one[0], phase, one[1], one[2])["scaled"] for one in ((context, past, ahead), later))

    assert_allclose(after[:, : 8 - 5], before[:, : 8 - 5], atol=1e-6)
    assert np.abs(after[:, -1] - before[:, -1]).max() > 1e-3


def test_unknown_covariates_leave_a_finite_forecast() -> None:
    """All of them null: as if there were none."""
    made = make_network(make_informed("lstm"), seed=0)
    past, ahead = make_columns(3)

    found = made.answer(make_contexts(3), None, past * np.nan, ahead * np.nan)["quantiles"]

    assert np.isfinite(found).all()


def test_what_is_known_ahead_moves_its_own_step_and_no_quantile_across_another() -> None:
    """The forecast follows, all quantiles together."""
    made = make_network(make_informed("lstm"), seed=0)
    context, (past, ahead) = make_contexts(3), make_columns(3)

    one, other = (made.answer(context, None, past, columns)["quantiles"][:, 0] for columns in (ahead, 2 - ahead))

    assert np.abs(one - other).max() > 1e-2
    assert (np.diff(one, axis=-1) >= 0).all()


def test_a_network_with_covariates_is_saved_and_loaded(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Its layers are found again by their registered names."""
    made = make_network(make_informed("lstm"), seed=0)
    path = tmp_path_factory.mktemp("saved") / "network.keras"
    context, phase, (past, ahead) = make_contexts(2), make_phases(2), make_columns(2)

    made.network.save(path)

    again = keras.models.load_model(path)([context, phase, past, ahead], training=False)["quantiles"]
    assert_allclose(again, made.answer(context, phase, past, ahead)["quantiles"], rtol=1e-5, atol=1e-3)
