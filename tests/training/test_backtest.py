from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from utilsforecast import losses

from models import artifact
from models.errors import DataInvalid
from models.series import Series
from tests.artifacts import make_artifact
from tests.training.fakes import make_series
from training import backtest
from training.backtest import Predictions


def around(median: np.ndarray, width: float = 1.0) -> Predictions:
    """Return predictions with an interval of a width on each side."""
    return Predictions(median, median - width, median + width)


def test_what_is_held_out_is_not_in_the_histories(series: list[Series]) -> None:
    """Histories end at the cutoff, targets begin there."""
    split = backtest.hold_out(series, 12, season_length=12)

    for one, history, target in zip(series, split.histories, split.targets, strict=True):
        np.testing.assert_array_equal(np.concatenate([history.values, target]), one.values)


def test_each_further_origin_lies_a_horizon_earlier(series: list[Series]) -> None:
    """The second block ends where the first begins."""
    split = backtest.hold_out(series, 12, season_length=12, blocks=2)

    np.testing.assert_array_equal(split.targets[0], series[0].values[-24:-12])
    assert len(split.histories[0]) == len(series[0]) - 24


def test_series_without_scale_are_dropped_and_counted(series: list[Series]) -> None:
    """A constant, a too short and an unobserved series are not scored; the constant one may still be learnt from."""
    constant = Series.make([5.0] * 96, id="constant", start="2000-01-01", frequency="M")
    short = Series.make([1.0] * 12, id="short", start="2000-01-01", frequency="M")
    silent = Series.make([*make_series().values[:84], *[None] * 12], id="silent", start="2000-01-01", frequency="M")

    split = backtest.hold_out([*series, constant, short, silent], 12, season_length=12)

    assert [one.id for one in split.scored_histories] == ["a", "b", "c"]
    assert split.dropped == 3
    assert split.left_out == {
        "constant": "its values repeat themselves, so errors have no scale",
        "short": "too short: 12 points, 12 held out",
        "silent": "nothing observed in the held-out points",
    }
    assert backtest.tell_left_out(split)[0].detail.startswith("3 of 6 series: constant (its values repeat")
    assert "constant" in [one.id for one in split.histories]


def test_nothing_to_score_is_refused() -> None:
    """Series no longer than the horizon cannot be backtested, and the error says so in numbers."""
    with pytest.raises(DataInvalid, match="too short: 12 points, 12 held out"):
        backtest.hold_out([make_series(length=12)], 12, season_length=12)


def test_scores_are_those_of_the_textbook(series: list[Series]) -> None:
    """MASE, sMAPE, MAE and coverage agree with utilsforecast."""
    split = backtest.hold_out(series, 12, season_length=12)
    median = split.targets + np.random.default_rng(0).normal(size=split.targets.shape)
    long = pd.concat(
        pd.DataFrame({"unique_id": one.id, "ds": range(12), "y": target, "m": row, "lo": row - 1, "hi": row + 1})
        for one, target, row in zip(series, split.targets, median, strict=True)
    )
    train = pd.concat(
        pd.DataFrame({"unique_id": one.id, "ds": range(len(one)), "y": one.values}) for one in split.histories
    )

    summary = backtest.score(split, around(median)).summary()

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
    split = backtest.hold_out([gappy], 12, season_length=12)
    exact = around(np.nan_to_num(split.targets))

    scores = backtest.score(split, exact)

    assert scores.summary()["mase"] == 0.0
    assert scores.summary()["coverage_80"] == 1.0
    assert scores.mase_by_step == [0.0] * 6 + [None] * 6


def test_zero_against_zero_is_no_error(series: list[Series]) -> None:
    """SMAPE of nothing forecast and nothing met is nothing."""
    values = series[0].values.copy()
    values[-12:] = 0.0
    split = backtest.hold_out([Series.make(values, start="2000-01-01", frequency="M")], 12, season_length=12)

    assert backtest.score(split, around(np.zeros((1, 12)))).summary()["smape"] == 0.0


def test_network_and_baseline_forecast_the_same_block(series: list[Series], tmp_path: Path) -> None:
    """A network that is a seasonal naive scores as the seasonal naive does."""
    split = backtest.hold_out(series, 12, season_length=12)
    forecaster = artifact.load(make_artifact(tmp_path / "m", horizon=12))

    network = backtest.score(split, backtest.predict_network(forecaster, split))
    baseline = backtest.score(split, backtest.predict_baseline("seasonal_naive", split))

    np.testing.assert_allclose(network.mase, baseline.mase)
    assert backtest.skill(network.summary(), baseline.summary()) == pytest.approx(0.0)
    assert backtest.measure_latency(forecaster, split) > 0


def test_an_ensemble_is_the_mean_of_its_members(series: list[Series]) -> None:
    """Quantile by quantile, so that sides stay in order."""
    split = backtest.hold_out(series, 12, season_length=12)

    mean = backtest.predict_ensemble([around(split.targets - 1), around(split.targets + 1, 3.0)])

    np.testing.assert_allclose(mean.median, split.targets)
    np.testing.assert_allclose(mean.upper - mean.lower, 4.0)


def test_origins_are_joined_row_by_row(series: list[Series]) -> None:
    """Two origins of three series are six rows of three series."""
    parts = []
    for blocks in (1, 2):
        split = backtest.hold_out(series, 12, season_length=12, blocks=blocks)
        parts.append(backtest.score(split, around(split.targets + blocks)))

    whole = backtest.join(parts)

    assert len(whole.mase) == 6
    assert whole.summary()["series_scored"] == 3
    assert whole.summary()["mae"] == pytest.approx(1.5)


def test_series_left_out_are_counted_past_the_first_three(series: list[Series]) -> None:
    """A file of many short series is told in one line."""
    short = [make_series(f"s{number}", length=9 + number) for number in range(5)]

    (finding,) = backtest.tell_left_out(backtest.hold_out([*series, *short], 12, season_length=12))

    assert finding.detail.startswith("5 of 8 series: s0 (too short: 9 points, 12 held out)")
    assert finding.detail.endswith("and 2 more.")
