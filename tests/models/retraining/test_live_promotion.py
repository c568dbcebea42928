"""Whether live scores let a challenger become champion."""

import json

import numpy as np
import pytest

from models.retraining.live_promotion import ScoredSteps, decide_live_promotion


def make_scores(factor: float, *, series: int = 12, days: int = 8, seed: int = 0) -> ScoredSteps:
    """Return errors at three steps, alike for every factor but for noise of its own."""
    shared, own = np.random.default_rng(7), np.random.default_rng(seed)
    return {
        (f"s{one}", f"2026-11-{day + 1:02d}", step): (float(factor * shared.gamma(4, 0.25) * own.gamma(50, 0.02)), 2)
        for one in range(series)
        for day in range(days)
        for step in (1, 2, 3)
    }


@pytest.mark.parametrize(
    ("factor", "allowed", "words"),
    [
        (0.8, True, "not significantly larger (95% interval of the difference from -"),
        (1.0, True, "not significantly larger"),
        (1.3, False, "larger by at least 0."),
    ],
)
def test_a_challenger_may_be_as_good_as_the_champion_and_not_worse(factor: float, *, allowed: bool, words: str) -> None:
    """The reason has both errors, and what they rest on."""
    found = decide_live_promotion(make_scores(factor), make_scores(1.0, seed=1), versions=("7", "6"), fewest=500)

    assert found.allowed is allowed
    assert words in found.reason
    assert found.reason.startswith("Live error of version 7 is ")
    assert found.reason.endswith("on 576 scored forecasts of both on 12 series and 8 days.")
    assert found.figures["mase_challenger"] / found.figures["mase_champion"] == pytest.approx(factor, rel=0.05)
    json.dumps(found.to_dict(), allow_nan=False)


def test_only_the_same_series_days_and_steps_count() -> None:
    """Many scores of other series are no evidence."""
    ours, theirs = make_scores(0.5), {("other", *at[1:]): one for at, one in make_scores(1.0).items()}

    found = decide_live_promotion({**ours, ("other", "2026-11-01", 1): (0.1, 9)}, theirs, versions=("7", "6"), fewest=3)

    assert not found.allowed
    assert not found.has_enough_scores
    assert found.reason == (
        "Too few live scores: 2 scored forecasts of both on 1 series and 1 days; 3 are needed, of the same series, days and "
        "steps."
    )


def test_one_series_on_one_day_is_not_tested() -> None:
    """However many forecasts it has."""
    one = {("a", "2026-11-01", 1): (0.5, 900)}

    found = decide_live_promotion(one, one, versions=("7", "6"), fewest=100)

    assert not found.allowed
    assert "cannot be tested" in found.reason


def test_equal_forecasts_may_replace_each_other() -> None:
    """Without any difference there is nothing significant."""
    assert decide_live_promotion(make_scores(1.0), make_scores(1.0), versions=("7", "6"), fewest=1).allowed
