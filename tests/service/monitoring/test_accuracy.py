"""Accuracy: accuracy_figures of tallies, and live errors beside a backtest's."""

import math

import pytest

from service.monitoring.accuracy import (
    BUCKETS,
    BacktestFigures,
    ErrorDecay,
    accuracy_figures,
    backtest_at,
    bucket_of,
    by_bucket,
    by_version,
    compare_with_backtest,
)
from service.store.score_sums import ScoreSums

BACKTEST = {
    "model": {"mase": 0.8, "mase_by_step": [0.6, 0.8, None]},
    "seasonal_naive": {"mase": 1.0, "mase_by_step": [1.0, 1.2, None]},
}


def test_figures_are_means_of_what_was_counted() -> None:
    """Each over its own count: steps without a scale or an interval take no part."""
    told = accuracy_figures(ScoreSums(10, 8, 4.0, 8.0, 2.0, 7, 10, 3, 4))

    assert told == {
        "scores": 10,
        "mase": 0.5,
        "naive_mase": 1.0,
        "skill": 0.5,
        "pinball": 0.25,
        "coverage": {"80": 0.7, "95": 0.75},
    }


def test_nothing_counted_says_nothing() -> None:
    """None, not zero and not a crash."""
    told = accuracy_figures(ScoreSums(scores=3))

    assert told["scores"] == 3
    assert [told[name] for name in ("mase", "naive_mase", "skill", "pinball")] == [None] * 4
    assert told["coverage"] == {"80": None, "95": None}


def test_every_step_has_one_bucket() -> None:
    """They follow each other without a gap; the last is open."""
    labels = [bucket_of(step) for step in range(1, 1001)]

    assert list(dict.fromkeys(labels)) == ["1", "2-6", "7-12", "13-24", "25-48", "49+"]
    assert len(BUCKETS) == 6
    assert (labels[0], labels[1], labels[5], labels[6], labels[47], labels[48]) == (
        "1",
        "2-6",
        "2-6",
        "7-12",
        "25-48",
        "49+",
    )


def test_steps_add_up_to_their_buckets_and_versions() -> None:
    """Nothing is lost, nothing counted twice."""
    rows = [(("m", "1", step), ScoreSums(scores=step, error=0.5)) for step in range(1, 8)] + [
        (("m", "2", 1), ScoreSums(scores=9))
    ]

    buckets, versions = by_bucket(rows), by_version(rows)

    assert buckets["m", "1", "2-6"] == ScoreSums(scores=20, error=2.5)
    assert sum(one.scores for one in buckets.values()) == sum(one.scores for _, one in rows)
    assert versions["m", "2"] == {1: ScoreSums(scores=9)}
    assert list(versions["m", "1"]) == list(range(1, 8))


def test_live_errors_are_compared_step_by_step() -> None:
    """A step counts as often as it was scored; steps that the backtest does not know take no part."""
    live = {
        1: ScoreSums(scaled=3, error=3 * 0.9, naive_error=3 * 1.0),
        2: ScoreSums(scaled=1, error=1 * 1.2, naive_error=1 * 2.4),
        3: ScoreSums(scaled=5, error=50.0),
        9: ScoreSums(scaled=5, error=50.0),
    }

    found = compare_with_backtest(live, BacktestFigures.of(BACKTEST))

    assert isinstance(found, ErrorDecay)
    assert found.scores == 4
    assert found.mase == pytest.approx((2.7 + 1.2) / 4)
    assert found.expected_mase == pytest.approx((3 * 0.6 + 0.8) / 4)
    assert found.ratio == pytest.approx(3.9 / 2.6)
    assert found.naive_ratio == pytest.approx((3.0 + 2.4) / (3.0 + 1.2))


@pytest.mark.parametrize("backtest", [{}, {"mase": 0.7}, {"model": {"mase": 0.7}}, {"model": {"mase_by_step": []}}])
def test_without_a_backtest_nothing_has_decayed(backtest: dict[str, object]) -> None:
    """A starter has none; an artifact of another make may say it otherwise."""
    assert compare_with_backtest({1: ScoreSums(scaled=1, error=1.0)}, BacktestFigures.of(backtest)) is None


def test_a_backtest_without_seasonal_naive_still_compares() -> None:
    """Its ratio is not a number."""
    promise = BacktestFigures.of({"model": {"mase_by_step": [0.5]}})

    found = compare_with_backtest({1: ScoreSums(scaled=2, error=2.0, naive_error=2.0)}, promise)

    assert found is not None
    assert found.ratio == 2
    assert math.isnan(found.naive_ratio)
    assert backtest_at(promise, 1) == {"mase": 0.5, "naive_mase": None}
    assert backtest_at(promise, 2) == {"mase": None, "naive_mase": None}
