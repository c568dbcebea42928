import json

import numpy as np
import pytest

from training.promotion import Evidence, decide, decide_first, decide_incomparable, paired_test

ROWS, HORIZON = 20, 24


def make_errors(mean: float, seed: int = 0) -> np.ndarray:
    """Return scaled errors of some mean, different in each series."""
    generator = np.random.default_rng(seed)
    return np.abs(generator.normal(mean, 0.1, (ROWS, HORIZON)))


def test_a_clearly_better_challenger_is_promoted() -> None:
    """Less error on the same points, by more than chance, takes the alias."""
    decision = decide(Evidence(make_errors(0.7), 0.8, 1.0), Evidence(make_errors(0.9, 1), 0.8, 1.0), seed=0)

    assert decision.promote
    assert decision.figures["lower"] > 0
    assert decision.figures["pairs"] == ROWS


def test_the_same_forecasts_move_nothing() -> None:
    """A tie is no evidence."""
    errors = make_errors(0.8)

    decision = decide(Evidence(errors, 0.8, 1.0), Evidence(errors, 0.8, 1.0), seed=0)

    assert not decision.promote
    assert "Not better" in decision.reason


def test_better_on_a_few_series_only_is_chance() -> None:
    """A mean that one series makes does not survive drawing the series again."""
    champion = make_errors(0.8)
    challenger = champion + 0.001
    challenger[0] -= 0.5

    test = paired_test(challenger, champion, seed=0)

    assert test.difference > 0
    assert test.lower < 0


def test_worse_coverage_keeps_the_champion() -> None:
    """Better medians with broken intervals are not better forecasts, whether too narrow or too wide."""
    for coverage in (0.5, 1.0):
        decision = decide(Evidence(make_errors(0.6), coverage, 1.0), Evidence(make_errors(0.9, 1), 0.8, 1.0), seed=0)

        assert not decision.promote
        assert "Coverage" in decision.reason


def test_worse_latency_keeps_the_champion() -> None:
    """A slower model is not promoted silently."""
    decision = decide(Evidence(make_errors(0.6), 0.8, 5.0), Evidence(make_errors(0.9, 1), 0.8, 1.0), seed=0)

    assert not decision.promote
    assert "5.00 ms" in decision.reason


def test_force_promotes_and_says_so() -> None:
    """What a person forces is recorded with the objections it went over."""
    decision = decide(Evidence(make_errors(0.9), 0.8, 1.0), Evidence(make_errors(0.6, 1), 0.8, 1.0), seed=0, force=True)

    assert decision.promote
    assert decision.forced
    assert decision.reason.startswith("Promoted by hand. Not better")


@pytest.mark.parametrize("beats", [True, False])
def test_the_first_model_is_champion_either_way(beats: bool) -> None:  # noqa: FBT001 - a parametrised truth
    """Someone has to answer; whether it beats the baselines is said."""
    decision = decide_first(beats_baselines=beats)

    assert decision.promote
    assert decision.figures == {"beats_baselines": beats}
    assert ("does not beat" in decision.reason) is not beats


@pytest.mark.parametrize("force", [True, False])
def test_a_champion_that_cannot_be_compared_stays_unless_forced(force: bool) -> None:  # noqa: FBT001 - a parametrised truth
    """No comparison, no evidence."""
    assert decide_incomparable("It has another frequency.", force=force).promote is force


def test_the_same_seed_decides_the_same() -> None:
    """The draws are seeded, and the decision is plain data."""
    decisions = [
        decide(Evidence(make_errors(0.8), 0.8, 1.0), Evidence(make_errors(0.81, 1), 0.8, 1.0), seed=3) for _ in range(2)
    ]

    assert decisions[0] == decisions[1]
    json.dumps(decisions[0].to_dict(), allow_nan=False)


def test_gaps_in_the_truth_are_left_out() -> None:
    """Points without a truth take no part; a series without any is no pair."""
    champion, challenger = make_errors(0.9), make_errors(0.7, 1)
    champion[:, -4:] = np.nan
    challenger[:, -4:] = np.nan
    champion[0] = challenger[0] = np.nan

    test = paired_test(challenger, champion, seed=0)

    assert test.lower > 0
    assert np.isfinite(test.difference)


def test_false_promotions_are_as_rare_as_the_confidence_says() -> None:
    """Two models of equal skill: the challenger is promoted in at most about one comparison of twenty."""
    promoted = 0
    for seed in range(60):
        generator = np.random.default_rng(seed)
        common = generator.normal(0, 0.2, (1, 12))
        errors = [np.abs(generator.normal(0.8, 0.3, (8, 12)) + common) for _ in range(2)]
        promoted += paired_test(errors[0], errors[1], seed=seed).lower > 0

    assert promoted <= 6
