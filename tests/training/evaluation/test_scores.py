from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from utilsforecast import losses

from models import artifact
from models.errors import DataInvalid
from models.forecaster import Forecaster
from models.series import Series
from tests.artifacts import make_artifact
from training.data.holdout import Split, hold_out
from training.evaluation.scores import (
    Predictions,
    join_scores,
    measure_latencies,
    measure_latency,
    predict_baseline,
    predict_network,
    score,
    skill,
)


@pytest.fixture
def forecaster(tmp_path: Path) -> Forecaster:
    """Return a network that is a seasonal naive and reads 60 months."""
    return artifact.load(make_artifact(tmp_path / "model", context_length=60, horizon=12))


def make_predictions(median: np.ndarray) -> Predictions:
    """Return predictions with an 80 % interval of 1 on each side, and a 95 % interval of 2."""
    offsets = np.array([-2.0, -1.0, 0.0, 1.0, 2.0])
    return Predictions(median[..., None] + offsets, (0.025, 0.1, 0.5, 0.9, 0.975))


def test_scores_agree_with_utilsforecast(series: list[Series], split: Split) -> None:
    """MASE, sMAPE, MAE and coverage are those of another implementation."""
    median = split.targets + np.random.default_rng(0).normal(size=split.targets.shape)
    long = pd.concat(
        pd.DataFrame({"unique_id": one.id, "ds": range(12), "y": target, "m": row, "lo": row - 1, "hi": row + 1})
        for one, target, row in zip(series, split.targets, median, strict=True)
    )
    train = pd.concat(
        pd.DataFrame({"unique_id": one.id, "ds": range(len(one)), "y": one.values}) for one in split.histories
    )
    intervals = long.assign(**{"m-lo-80": long.lo, "m-hi-80": long.hi})

    summary = score(split, make_predictions(median)).summary()

    errors = losses.mase(long, ["m"], 12, train)["m"]
    assert (summary["mase"], summary["mase_median"]) == pytest.approx((errors.mean(), errors.median()))
    assert summary["mae"] == pytest.approx(losses.mae(long, ["m"])["m"].mean())
    assert summary["smape"] == pytest.approx(200 * losses.smape(long, ["m"])["m"].mean())
    assert summary["coverage_80"] == pytest.approx(losses.coverage(intervals, ["m"], 80)["m"].mean())
    assert summary["series_scored"] == 3


def test_gaps_in_the_truth_do_not_count(series: list[Series]) -> None:
    """A missing value changes neither errors nor coverage; a step without any value has no error."""
    values = series[0].values.copy()
    values[-6:] = np.nan
    split = hold_out([Series.make(values, start="2000-01-01", frequency="M")], 12, season_length=12)

    scores = score(split, make_predictions(np.nan_to_num(split.targets)))

    assert (scores.summary()["mase"], scores.summary()["coverage_80"]) == (0.0, 1.0)
    assert scores.mase_by_step == [0.0] * 6 + [None] * 6


def test_a_network_is_scored_like_a_baseline(split: Split, forecaster: Forecaster) -> None:
    """A network that is a seasonal naive has the errors of the seasonal naive, so its skill is 0."""
    network = score(split, predict_network(forecaster, split))
    baseline = score(split, predict_baseline("seasonal_naive", split))

    np.testing.assert_allclose(network.mase, baseline.mase)
    assert skill(network.summary(), baseline.summary()) == pytest.approx(0.0)
    assert measure_latency(forecaster, split) > 0


def test_networks_are_timed_in_turn(split: Split, forecaster: Forecaster) -> None:
    """A machine that is busy for some of the turns does not make one of two copies the slower one."""
    busy = iter(np.cumsum([0.001] * 90 + [0.009] * 50).tolist())

    first, second = measure_latencies([forecaster, forecaster], split, repeats=7, clock=lambda: next(busy))

    assert first == second == pytest.approx(1.0)


def test_predictions_have_every_quantile_in_order(split: Split, forecaster: Forecaster) -> None:
    """The nine quantiles of a forecast lie between the bounds of its 95 % interval."""
    for found in (predict_network(forecaster, split), predict_baseline("climatology", split)):
        assert found.quantiles.shape == (3, 12, 11)
        assert (found.levels[0], found.levels[-1]) == (0.025, 0.975)
        assert (np.diff(found.quantiles, axis=-1) >= 0).all()


def test_a_series_without_a_value_in_the_context_is_named(series: list[Series], forecaster: Forecaster) -> None:
    """One wrong date leaves a series with a gap longer than the network's context."""
    values = np.concatenate([series[1].values, np.full(100, np.nan), [1.0]])
    silent = Series.make(values, id="silent", start="2000-01-01", frequency="M")
    split = hold_out([series[0], silent], 12, season_length=12)

    with pytest.raises(DataInvalid, match=r"'silent' has no value in the 89 steps .* after 2007-12-01"):
        predict_network(forecaster, split)


def test_scores_of_several_origins_are_joined_row_by_row(series: list[Series]) -> None:
    """Two origins of three series are six rows of three series."""
    splits = [hold_out(series, 12, season_length=12, blocks=blocks) for blocks in (1, 2)]

    joined = join_scores(
        [score(split, make_predictions(split.targets + error)) for error, split in enumerate(splits, 1)]
    )

    assert len(joined.mase) == 6
    assert joined.summary()["series_scored"] == 3
    assert joined.summary()["mae"] == pytest.approx(1.5)


def test_coverage_and_crossings_are_measured(split: Split) -> None:
    """An error of 1.5 lies in the wider interval only; two swapped quantiles of five are one crossing in four."""
    sorted_ = make_predictions(split.targets + 1.5)
    crossed = Predictions(sorted_.quantiles[..., [0, 1, 2, 4, 3]], sorted_.levels)

    summary = score(split, sorted_).summary()

    assert (summary["coverage_80"], summary["coverage_95"], summary["crossings"]) == (0.0, 1.0, 0.0)
    assert score(split, crossed).summary()["crossings"] == 0.25
