from io import StringIO

import numpy as np
import pytest

from models.series import Series
from tests.training.fakes import make_series
from training.config.training import BASELINES
from training.data.holdout import Split, hold_out
from training.evaluation import classical
from training.evaluation.baselines import BaselineRequest, backtest_baselines
from training.progress import Progress


def output(progress: Progress) -> str:
    """Return what was printed."""
    assert isinstance(progress.console.file, StringIO)
    return progress.console.file.getvalue()


def test_baselines_are_in_the_order_of_the_request(split: Split, progress: Progress) -> None:
    """The default is all four, at the same origin."""
    found = backtest_baselines(split, BaselineRequest(), progress)

    assert tuple(found) == BASELINES
    assert {one.scores.ids for one in found.values()} == {("a", "b", "c")}
    assert all(np.isfinite(one.scores.mase).all() for one in found.values())
    assert "auto_ets and auto_theta: all 3 series" in output(progress)


def test_a_sample_is_scored_on_its_own_series(series: list[Series], split: Split, progress: Progress) -> None:
    """Two of three series are fitted, scored and reported; another baseline is compared on the same two."""
    found = backtest_baselines(split, BaselineRequest(("seasonal_naive", "auto_theta"), series=2), progress)

    sample = found["auto_theta"].sample
    assert sample is not None
    assert (len(sample.indices), sample.total, sample.observations) == (2, 3, 2 * 84)
    assert found["auto_theta"].scores.ids == tuple(series[index].id for index in sample.indices)
    same = found["auto_theta"].same_rows(found["seasonal_naive"].scores)
    np.testing.assert_array_equal(same.mase, found["seasonal_naive"].scores.mase[list(sample.indices)])
    assert "auto_theta: 2 of 3 series (168 observations, seed 0)" in output(progress)


def test_gaps_and_failures_are_reported(progress: Progress) -> None:
    """A filled gap and a failed fit are in the sample and in the output."""
    values = make_series().values.copy()
    values[40] = np.nan
    gappy = Series.make(values, id="gappy", start="2000-01-01", frequency="M")
    short = Series.make([1.0, 2.0, 4.0, 3.0], id="short", start="2000-01-01", frequency="Y")
    split = hold_out([gappy, short], 1, season_length=1)

    found = backtest_baselines(split, BaselineRequest(("auto_ets",)), progress)

    sample = found["auto_ets"].sample
    assert sample is not None
    assert (sample.interpolated, sample.failed) == (1, 1)
    assert "1 gaps interpolated" in output(progress)
    assert "FIT_FAILED: auto_ets: 1 series got a seasonal naive, short (NotImplementedError: tiny" in output(progress)


def test_origins_share_the_budget(split: Split, progress: Progress, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a budget for three series, each of three origins fits one."""
    monkeypatch.setattr(classical, "BUDGET", 3 * 84)

    found = backtest_baselines(split, BaselineRequest(("auto_theta",), origins=3), progress)

    assert len(found["auto_theta"].scores.ids) == 1


def test_killed_processes_leave_the_other_baselines(
    split: Split, progress: Progress, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without worker processes there are no classical baselines, and the output says why."""
    monkeypatch.setattr(classical, "_run", lambda *_arguments: {})

    assert tuple(backtest_baselines(split, BaselineRequest(), progress)) == ("seasonal_naive", "climatology")
    assert "were killed" in output(progress)
