import math
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose

from models.accuracy import (
    Array,
    coverage,
    mae,
    mase,
    mean_mase,
    pinball,
    row_means,
    scale_or_nan,
    seasonal_scale,
    smape,
)
from models.errors import ScaleZero, SeriesTooShort
from models.series import Series
from service.store.scoring.score import LoggedForecast, naive_baseline
from service.store.scoring.score import score as score_live
from training.data.holdout import hold_out
from training.evaluation.scores import Predictions, score
from training.fit.validation import Validation, evaluate

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # its docstrings hold \h, which Python warns of when it first compiles them
    from utilsforecast import losses

HORIZON, HISTORY, LEVELS = 18, 60, (0.1, 0.5, 0.9)


def make_forecast(seed: int) -> tuple[Array, Array, Array, Array]:
    """Return a target, a forecast, a history and rising quantiles, all random."""
    random = np.random.default_rng(seed)
    target, forecast = random.normal(5, 3, (2, HORIZON))
    quantiles = np.sort(random.normal(5, 3, (HORIZON, len(LEVELS))), axis=1)
    return target, forecast, random.normal(5, 3, HISTORY), quantiles


def as_frame(**columns: Array) -> pd.DataFrame:
    """Return a long frame as utilsforecast wants it."""
    length = len(next(iter(columns.values())))
    return pd.DataFrame({"unique_id": "a", "ds": np.arange(length), **columns})


@pytest.mark.parametrize("seed", range(3))
def test_point_errors_agree_with_utilsforecast(seed: int) -> None:
    """The textbook formulas, computed by others."""
    target, forecast, history, _ = make_forecast(seed)
    frame, past = as_frame(y=target, model=forecast), as_frame(y=history)

    assert_allclose(mae(target, forecast), losses.mae(frame, ["model"])["model"].item())
    assert_allclose(smape(target, forecast), 200 * losses.smape(frame, ["model"])["model"].item())
    expected = losses.mase(frame, ["model"], seasonality=12, train_df=past)["model"].item()
    assert_allclose(mase(target, forecast, history, 12), expected)


@pytest.mark.parametrize("seed", range(3))
def test_quantile_errors_agree_with_utilsforecast(seed: int) -> None:
    """Pinball loss level by level, and all levels together; coverage too."""
    target, _, _, quantiles = make_forecast(seed)
    columns = {f"model{level}": quantiles[:, k] for k, level in enumerate(LEVELS)}
    frame = as_frame(y=target, **columns)

    for k, level in enumerate(LEVELS):
        expected = losses.quantile_loss(frame, {"model": f"model{level}"}, q=level)["model"].item()
        assert_allclose(pinball(target, quantiles[:, [k]], [level]), expected)
    multi = losses.mqloss(frame, {"model": list(columns)}, quantiles=np.array(LEVELS))["model"].item()
    assert_allclose(pinball(target, quantiles, LEVELS), multi)
    renamed = frame.rename(columns={"model0.1": "model-lo-80", "model0.9": "model-hi-80"})
    expected = losses.coverage(renamed, ["model"], level=80)["model"].item()
    assert_allclose(coverage(target, quantiles[:, 0], quantiles[:, 2]), expected)


def test_gaps_in_the_target_are_left_out() -> None:
    """A step without truth neither helps nor hurts."""
    target, forecast, history, quantiles = make_forecast(0)
    kept = np.arange(HORIZON) % 3 > 0
    gappy = np.where(kept, target, np.nan)

    assert mae(gappy, forecast) == mae(target[kept], forecast[kept])
    assert smape(gappy, forecast) == smape(target[kept], forecast[kept])
    assert mase(gappy, forecast, history, 12) == mase(target[kept], forecast[kept], history, 12)
    assert_allclose(pinball(gappy, quantiles, LEVELS), pinball(target[kept], quantiles[kept], LEVELS))
    assert coverage(gappy, quantiles[:, 0], quantiles[:, 2]) == coverage(
        target[kept], quantiles[kept, 0], quantiles[kept, 2]
    )


def test_without_any_truth_there_is_no_error() -> None:
    """No target observed: NaN, and no warning."""
    nothing, something = np.full(3, np.nan), np.ones(3)

    errors = [mae(nothing, something), smape(nothing, something)]
    errors += [pinball(nothing, something[:, np.newaxis], [0.5]), coverage(nothing, something, something)]

    assert all(math.isnan(error) for error in errors)


@given(arrays(float, HORIZON, elements=st.floats(-1e6, 1e6)), arrays(float, HORIZON, elements=st.floats(-1e6, 1e6)))
def test_smape_lies_between_0_and_200(target: Array, forecast: Array) -> None:
    """M4's bounds; zero forecast as zero counts as perfect."""
    assert 0 <= smape(target, forecast) <= 200 * (1 + 1e-12)
    assert smape(target, target) == 0


@given(st.floats(0.01, 1e6), st.integers(0, 50))
def test_mase_does_not_depend_on_units(factor: float, seed: int) -> None:
    """Celsius or millikelvin: the error has no units."""
    target, forecast, history, _ = make_forecast(seed)

    scaled = mase(target * factor + 7, forecast * factor + 7, history * factor + 7, 12)

    assert_allclose(scaled, mase(target, forecast, history, 12), rtol=1e-6)


def test_the_in_sample_seasonal_naive_has_mase_1() -> None:
    """That is what the scale means."""
    history = make_forecast(0)[2]

    assert_allclose(mase(history[12:], history[:-12], history, 12), 1)


def test_the_scale_of_a_short_history_is_that_of_its_neighbours() -> None:
    """A season that was not yet seen twice cannot be compared with itself."""
    history = np.array([1.0, 3.0, 2.0, 6.0])

    assert seasonal_scale(history, 12) == seasonal_scale(history, 4) == (2 + 1 + 4) / 3
    assert seasonal_scale(history, 2) == (1 + 3) / 2


def test_gaps_in_the_history_are_left_out() -> None:
    """Only pairs with both values count; where no seasonal pair is left, neighbours do."""
    assert seasonal_scale(np.array([1.0, np.nan, 3.0, 4.0, np.nan, 6.0]), 2) == 2
    assert seasonal_scale(np.array([1.0, 2.0, np.nan, np.nan]), 2) == 1


@pytest.mark.parametrize("history", [[], [1.0], [1.0, np.nan, 3.0], [np.nan, np.nan]])
def test_a_history_without_neighbours_has_no_scale(history: list[float]) -> None:
    """One value has no error to measure against."""
    with pytest.raises(SeriesTooShort):
        seasonal_scale(np.array(history), 12)
    assert math.isnan(scale_or_nan(np.array(history), 12))


def test_a_history_that_repeats_itself_has_no_mase() -> None:
    """Division by zero is an error with a name."""
    target = np.ones(3)

    assert seasonal_scale(np.ones(24), 12) == 0
    with pytest.raises(ScaleZero):
        mase(target, target, np.tile(np.arange(12.0), 3), 12)


def test_the_ends_of_an_interval_belong_to_it() -> None:
    """A truth exactly on the edge is covered."""
    assert coverage(np.array([1.0, 2.0, 3.0]), np.array([1.0, 0.0, 0.0]), np.array([2.0, 2.0, 2.0])) == 2 / 3


def test_the_median_minimises_pinball_loss_at_a_half() -> None:
    """Pinball at 0.5 is half the absolute error."""
    target, forecast, _, _ = make_forecast(1)

    assert_allclose(pinball(target, forecast[:, np.newaxis], [0.5]), mae(target, forecast) / 2)


def test_rows_count_alike_however_many_gaps_they_have() -> None:
    """The mean over series is one of series, not of points; a series without any truth is left out."""
    target = np.array([[1.0, 1.0, 1.0, 1.0], [3.0, np.nan, np.nan, np.nan], [np.nan] * 4])

    assert_allclose(row_means(target), [1.0, 3.0, np.nan])
    assert mean_mase(target, np.zeros((3, 4)), np.array([1.0, 2.0, 1.0])) == (1.0 + 1.5) / 2


def test_validation_backtest_and_live_scores_are_the_same_figures() -> None:
    """The same forecasts of the same truths have one MASE, one sMAPE and one coverage in all three."""
    random = np.random.default_rng(0)
    series = [Series.make(random.normal(9, 3, 60), id=str(k), start="2000-01", frequency="M") for k in range(5)]
    split = hold_out(series, 12, season_length=12)
    levels = (0.025, 0.1, 0.5, 0.9, 0.975)
    quantiles = np.sort(random.normal(9, 3, (5, 12, 5)), axis=-1)

    scores = score(split, Predictions(quantiles, levels)).summary()
    rows = np.arange(5)
    validated, _ = evaluate(Validation(rows, rows, split.targets, quantiles, split.scales, levels))
    live = []
    for history, target, forecast in zip(split.scored_histories, split.targets, quantiles, strict=True):
        stamps = history.future(12)
        assert stamps is not None
        kept = LoggedForecast(stamps, "M", levels, forecast, forecast[:, 2], naive_baseline(history, 12, 12))
        live += score_live([kept], [target])[0]

    assert_allclose(validated["mase"], scores["mase"], rtol=1e-12)
    assert_allclose(validated["smape"], scores["smape"], rtol=1e-12)
    assert_allclose(np.mean([step.absolute_scaled_error for step in live]), scores["mase"], rtol=1e-12)  # type: ignore[arg-type]
    assert_allclose(np.mean([step.covered[80.0] for step in live]), scores["coverage_80"], rtol=1e-12)
    assert_allclose(np.mean([step.covered[95.0] for step in live]), scores["coverage_95"], rtol=1e-12)
