from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from utilsforecast import losses

from models import artifact
from models.errors import DataInvalid
from models.series import Series
from tests.artifacts import make_artifact
from training.data.holdout import hold_out
from training.evaluation.scores import (
    Predictions,
    join_scores,
    measure_latency,
    predict_baseline,
    predict_network,
    score,
    skill,
)


def around(median: np.ndarray, width: float = 1.0) -> Predictions:
    """Return predictions with an 80 % interval of a width on each side, and a 95 % interval of twice that."""
    offsets = np.array([-2.0, -1.0, 0.0, 1.0, 2.0]) * width
    return Predictions(median[..., None] + offsets, (0.025, 0.1, 0.5, 0.9, 0.975))


def test_scores_are_those_of_the_textbook(series: list[Series]) -> None:
    """MASE, sMAPE, MAE and coverage agree with utilsforecast."""
    split = hold_out(series, 12, season_length=12)
    median = split.targets + np.random.default_rng(0).normal(size=split.targets.shape)
    long = pd.concat(
        pd.DataFrame({"unique_id": one.id, "ds": range(12), "y": target, "m": row, "lo": row - 1, "hi": row + 1})
        for one, target, row in zip(series, split.targets, median, strict=True)
    )
    train = pd.concat(
        pd.DataFrame({"unique_id": one.id, "ds": range(len(one)), "y": one.values}) for one in split.histories
    )

    summary = score(split, around(median)).summary()

    assert summary["mase"] == pytest.approx(losses.mase(long, ["m"], 12, train)["m"].mean())
    assert summary["mase_median"] == pytest.approx(losses.mase(long, ["m"], 12, train)["m"].median())
    assert summary["mae"] == pytest.approx(losses.mae(long, ["m"])["m"].mean())
    assert summary["smape"] == pytest.approx(200 * losses.smape(long, ["m"])["m"].mean())
    assert summary["coverage_80"] == pytest.approx(
        losses.coverage(long.assign(**{"m-lo-80": long.lo, "m-hi-80": long.hi}), ["m"], 80)["m"].mean()
    )
    assert summary["series_scored"] == 3


def test_gaps_in_the_truth_do_not_count(series: list[Series]) -> None:
    """A missing truth is neither right nor wrong."""
    values = series[0].values.copy()
    values[-6:] = np.nan
    gappy = Series.make(values, id="gappy", start="2000-01-01", frequency="M")
    split = hold_out([gappy], 12, season_length=12)
    exact = around(np.nan_to_num(split.targets))

    scores = score(split, exact)

    assert scores.summary()["mase"] == 0.0
    assert scores.summary()["coverage_80"] == 1.0
    assert scores.mase_by_step == [0.0] * 6 + [None] * 6


def test_zero_against_zero_is_no_error(series: list[Series]) -> None:
    """SMAPE of nothing forecast and nothing met is nothing."""
    values = series[0].values.copy()
    values[-12:] = 0.0
    split = hold_out([Series.make(values, start="2000-01-01", frequency="M")], 12, season_length=12)

    assert score(split, around(np.zeros((1, 12)))).summary()["smape"] == 0.0


def test_network_and_baseline_forecast_the_same_block(series: list[Series], tmp_path: Path) -> None:
    """A network that is a seasonal naive scores as the seasonal naive does."""
    split = hold_out(series, 12, season_length=12)
    forecaster = artifact.load(make_artifact(tmp_path / "m", horizon=12))

    network = score(split, predict_network(forecaster, split))
    baseline = score(split, predict_baseline("seasonal_naive", split))

    np.testing.assert_allclose(network.mase, baseline.mase)
    assert skill(network.summary(), baseline.summary()) == pytest.approx(0.0)
    assert measure_latency(forecaster, split) > 0


def test_a_series_that_was_silent_for_a_whole_context_is_named(series: list[Series], tmp_path: Path) -> None:
    """A network that reads 60 months has nothing of a series whose last value is older; a wrong date makes it so."""
    values = np.concatenate([series[1].values, np.full(100, np.nan), [1.0]])
    silent = Series.make(values, id="silent", start="2000-01-01", frequency="M")
    split = hold_out([series[0], silent], 12, season_length=12)
    forecaster = artifact.load(make_artifact(tmp_path / "m", context_length=60))

    with pytest.raises(DataInvalid, match=r"'silent' has no value in the 89 steps .* after 2007-12-01; .* wrong date"):
        predict_network(forecaster, split)


def test_origins_are_joined_row_by_row(series: list[Series]) -> None:
    """Two origins of three series are six rows of three series."""
    parts = []
    for blocks in (1, 2):
        split = hold_out(series, 12, season_length=12, blocks=blocks)
        parts.append(score(split, around(split.targets + blocks)))

    whole = join_scores(parts)

    assert len(whole.mase) == 6
    assert whole.summary()["series_scored"] == 3
    assert whole.summary()["mae"] == pytest.approx(1.5)


def test_coverage_and_crossings_are_counted_at_both_levels(series: list[Series]) -> None:
    """The wider interval covers what the narrow one misses; two quantiles of five that change places cross once in four."""
    split = hold_out(series, 12, season_length=12)
    sound = around(split.targets + 1.5)
    crossed = Predictions(sound.quantiles[..., [0, 1, 2, 4, 3]], sound.levels)

    summary = score(split, sound).summary()

    assert (summary["coverage_80"], summary["coverage_95"], summary["crossings"]) == (0.0, 1.0, 0.0)
    assert score(split, crossed).summary()["crossings"] == 0.25


def test_a_network_and_the_baselines_are_scored_on_every_quantile(series: list[Series], tmp_path: Path) -> None:
    """Eleven levels, the sides of the 95 % interval outermost, in order."""
    split = hold_out(series, 12, season_length=12)
    forecaster = artifact.load(make_artifact(tmp_path / "m", horizon=12))

    for found in (predict_network(forecaster, split), predict_baseline("climatology", split)):
        assert found.quantiles.shape == (3, 12, 11)
        assert (found.levels[0], found.levels[-1]) == (0.025, 0.975)
        assert score(split, found).summary()["crossings"] == 0.0
