"""Figures of summed scores, and live errors compared with a backtest."""

import math
from collections import Counter

import pytest

from service.monitoring.score_figures import (
    BacktestFigures,
    accuracy_figures,
    bucket_of,
    by_bucket,
    by_version,
    compare_versions,
    compare_with_backtest,
)
from service.store.scoring.rollups import ScoreSums

BACKTEST = {
    "model": {"mase": 0.8, "mase_by_step": [0.6, 0.8, None]},
    "seasonal_naive": {"mase": 1.0, "mase_by_step": [1.0, 1.2, None]},
}


def test_figures_are_means() -> None:
    """Each over its own count: steps without a scale or an interval do not count."""
    figures = accuracy_figures(ScoreSums(10, 8, 4.0, 8.0, 2.0, 7, 10, 3, 4))

    assert figures == {
        "scores": 10,
        "mase": 0.5,
        "naive_mase": 1.0,
        "skill": 0.5,
        "pinball": 0.25,
        "coverage": {"80": 0.7, "95": 0.75},
    }


def test_without_a_count_a_figure_is_none() -> None:
    """Not zero, and not an error."""
    figures = accuracy_figures(ScoreSums(scores=3))

    assert figures["scores"] == 3
    assert [figures[name] for name in ("mase", "naive_mase", "skill", "pinball")] == [None] * 4
    assert figures["coverage"] == {"80": None, "95": None}


def test_every_step_has_one_bucket() -> None:
    """The last bucket is open."""
    labels = Counter(bucket_of(step) for step in range(1, 1001))

    assert labels == {"1": 1, "2-6": 5, "7-12": 6, "13-24": 12, "25-48": 24, "49+": 952}


def test_steps_add_up_to_their_buckets_and_versions() -> None:
    """No step is lost or counted twice."""
    rows = [(("m", "1", step), ScoreSums(scores=step, error=0.5)) for step in range(1, 8)] + [
        (("m", "2", 1), ScoreSums(scores=9))
    ]

    buckets, versions = by_bucket(rows), by_version(rows)

    assert buckets["m", "1", "2-6"] == ScoreSums(scores=20, error=2.5)
    assert sum(one.scores for one in buckets.values()) == sum(one.scores for _, one in rows)
    assert versions["m", "2"] == {1: ScoreSums(scores=9)}
    assert list(versions["m", "1"]) == list(range(1, 8))


def test_live_errors_are_compared_step_by_step() -> None:
    """A step counts as often as it was scored; steps without a backtest do not count."""
    live = {
        1: ScoreSums(scaled=3, error=3 * 0.9, naive_error=3 * 1.0),
        2: ScoreSums(scaled=1, error=1 * 1.2, naive_error=1 * 2.4),
        3: ScoreSums(scaled=5, error=50.0),
        9: ScoreSums(scaled=5, error=50.0),
    }

    found = compare_with_backtest(live, BacktestFigures.from_spec(BACKTEST))

    assert found is not None
    assert found.scores == 4
    assert found.mase == pytest.approx((2.7 + 1.2) / 4)
    assert found.expected_mase == pytest.approx((3 * 0.6 + 0.8) / 4)
    assert found.ratio == pytest.approx(3.9 / 2.6)
    assert found.naive_ratio == pytest.approx((3.0 + 2.4) / (3.0 + 1.2))


@pytest.mark.parametrize("backtest", [{}, {"mase": 0.7}, {"model": {"mase": 0.7}}, {"model": {"mase_by_step": []}}])
def test_without_a_backtest_nothing_is_compared(backtest: dict[str, object]) -> None:
    """A starter has none, and another artifact may have another form."""
    assert compare_with_backtest({1: ScoreSums(scaled=1, error=1.0)}, BacktestFigures.from_spec(backtest)) is None


def test_a_backtest_without_seasonal_naive_is_compared() -> None:
    """The ratio of seasonal naive is NaN."""
    backtest = BacktestFigures.from_spec({"model": {"mase_by_step": [0.5]}})

    found = compare_with_backtest({1: ScoreSums(scaled=2, error=2.0, naive_error=2.0)}, backtest)

    assert found is not None
    assert found.ratio == 2
    assert math.isnan(found.naive_ratio)
    assert backtest.at(1) == {"mase": 0.5, "naive_mase": None}
    assert backtest.at(2) == {"mase": None, "naive_mase": None}


def test_versions_are_compared_over_the_steps_that_both_have() -> None:
    """A challenger that is scored for a short time has none of the later steps, which are harder."""
    rows = [
        (("sales", "7", 1), ScoreSums(scores=10, scaled=10, error=6.0, naive_error=10.0)),
        (("sales", "6", 1), ScoreSums(scores=40, scaled=40, error=32.0, naive_error=40.0)),
        (("sales", "6", 2), ScoreSums(scores=40, scaled=40, error=80.0, naive_error=80.0)),
        (("rain", "7", 2), ScoreSums(scores=9, scaled=9, error=9.0, naive_error=9.0)),
    ]

    assert compare_versions(rows, "sales", ["7", "6"]) == [
        {"version": "7", "scores": 10, "mase": 0.6, "skill": pytest.approx(0.4)},
        {"version": "6", "scores": 40, "mase": 0.8, "skill": pytest.approx(0.2)},
    ]
    assert compare_versions(rows, "sales", ["7", "5"]) == compare_versions((), "sales", []) == []
