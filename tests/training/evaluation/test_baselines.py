from io import StringIO

import numpy as np
import pytest

from models.series import Series
from tests.training.fakes import make_series
from training.config.training import BASELINES
from training.data.holdout import hold_out
from training.evaluation import classical
from training.evaluation.baselines import BaselineWish, backtest_baselines
from training.evaluation.comparison import BaselineResult, Comparison, Sample
from training.evaluation.scores import predict_baseline, score
from training.progress import Progress


def said(progress: Progress) -> str:
    """Return what a terminal was told."""
    assert isinstance(progress.console.file, StringIO)
    return progress.console.file.getvalue()


def test_baselines_come_in_the_order_of_the_wish(series: list[Series], progress: Progress) -> None:
    """All four by default, on the same origin."""
    split = hold_out(series, 12, season_length=12)

    found = backtest_baselines(split, BaselineWish(), progress)

    assert tuple(found) == BASELINES
    assert {one.scores.ids for one in found.values()} == {("a", "b", "c")}
    assert all(np.isfinite(one.scores.mase).all() for one in found.values())
    assert "auto_ets and auto_theta: all 3 series" in said(progress)


def test_without_the_classical_ones_nothing_is_fitted(
    series: list[Series], progress: Progress, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They can be turned off, and then cost nothing."""
    monkeypatch.setattr(classical, "fit_all", None)
    split = hold_out(series, 12, season_length=12)

    assert list(backtest_baselines(split, BaselineWish(("climatology",)), progress)) == ["climatology"]


def test_a_sample_is_stated_and_scored_on_its_own_series(series: list[Series], progress: Progress) -> None:
    """Two of three series: their rows alone, their histories and targets, and a line that says so."""
    split = hold_out(series, 12, season_length=12)

    found = backtest_baselines(split, BaselineWish(("seasonal_naive", "auto_theta"), series=2), progress)

    sample = found["auto_theta"].sample
    assert sample is not None
    assert (len(sample.places), sample.of, sample.observations) == (2, 3, 2 * 84)
    assert found["auto_theta"].scores.ids == tuple(series[at].id for at in sample.places)
    same = found["auto_theta"].same_rows(found["seasonal_naive"].scores)
    np.testing.assert_array_equal(same.mase, found["seasonal_naive"].scores.mase[list(sample.places)])
    assert "auto_theta: 2 of 3 series (168 observations, seed 0)" in said(progress)


def test_gaps_failures_and_shortened_histories_are_said(progress: Progress) -> None:
    """What was done for these two alone stands on the terminal and in the sample."""
    values = make_series().values.copy()
    values[40] = np.nan
    gappy = Series.make(values, id="gappy", start="2000-01-01", frequency="M")
    short = Series.make([1.0, 2.0, 4.0, 3.0], id="short", start="2000-01-01", frequency="Y")
    split = hold_out([gappy, short], 1, season_length=1)

    found = backtest_baselines(split, BaselineWish(("seasonal_naive", "auto_ets")), progress)

    sample = found["auto_ets"].sample
    assert sample is not None
    assert (sample.interpolated, sample.failed) == (1, 1)
    assert "1 gaps interpolated for these alone" in said(progress)
    assert "FIT_FAILED: auto_ets: 1 series got a seasonal naive, short (NotImplementedError: tiny datasets)." in said(
        progress
    )


def test_the_budget_is_divided_among_origins(
    series: list[Series], progress: Progress, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three origins together cost what one does."""
    monkeypatch.setattr(classical, "BUDGET", 3 * 84)
    split = hold_out(series, 12, season_length=12)

    found = backtest_baselines(split, BaselineWish(("seasonal_naive", "auto_theta"), origins=3), progress)

    assert len(found["auto_theta"].scores.ids) == 1


def test_no_processes_no_rows(series: list[Series], progress: Progress, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the processes were killed the others stay, and it is said."""
    monkeypatch.setattr(classical, "_run", lambda *_question: {})
    split = hold_out(series, 12, season_length=12)

    assert tuple(backtest_baselines(split, BaselineWish(), progress)) == ("seasonal_naive", "climatology")
    assert "these rows are missing" in said(progress)


def test_samples_of_several_origins_are_counted_together() -> None:
    """The series are the newest origin's, the work is everyone's."""
    newest, older = (Sample((0, 1), 3, 100, 0, 2, 1, 1), Sample((0, 1), 3, 76, 0, 1, 0, 0))

    whole = Sample.join([newest, older])

    assert whole.to_dict() == {
        "series": 2, "of": 3, "observations": 176, "seed": 0, "interpolated": 3, "shortened": 1, "failed": 1,
    }  # fmt: skip


def test_skill_of_a_sampled_baseline_is_against_the_naive_on_the_same_series(series: list[Series]) -> None:
    """A seasonal naive on one of three series has no skill over itself, whatever the others' errors are."""
    split = hold_out(series, 12, season_length=12)
    predictions = predict_baseline("seasonal_naive", split)
    whole = BaselineResult(score(split, predictions), predictions, 1.0)
    part = predict_baseline("seasonal_naive", split.only([1]))
    sampled = BaselineResult(score(split.only([1]), part), part, 1.0, Sample((1,), 3, 84, 0, 0, 0, 0))

    comparison = Comparison((), {"seasonal_naive": whole, "auto_ets": sampled})

    assert comparison.baseline_metrics("auto_ets")["backtest.skill_seasonal_naive"] == pytest.approx(0.0)
    assert comparison.samples()["auto_ets"]["series"] == 1
