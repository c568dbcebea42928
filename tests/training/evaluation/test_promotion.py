import json

import numpy as np
import pytest

from tests.training.noise import Floats, Noise, shares_promoted
from training.evaluation.promotion import Evidence, decide, decide_first, decide_incomparable, paired_test

ROWS, HORIZON = 20, 24


def make_errors(mean: float, seed: int = 0) -> np.ndarray:
    """Return scaled errors of some mean, different in each series."""
    generator = np.random.default_rng(seed)
    return np.abs(generator.normal(mean, 0.1, (ROWS, HORIZON)))


def test_a_clearly_better_challenger_is_promoted() -> None:
    """Less error on the same points, by more than chance, takes the alias."""
    decision = decide(Evidence(make_errors(0.7), 0.8, 1.0), Evidence(make_errors(0.9, 1), 0.8, 1.0))

    assert decision.promote
    assert decision.figures["lower"] > 0
    assert decision.figures["pairs"] == ROWS


@pytest.mark.parametrize(("shift", "said"), [(0.01, "MASE is worse by 0.0100"), (-0.01, "MASE is better by 0.0100")])
def test_a_difference_is_told_in_the_direction_it_has(shift: float, said: str) -> None:
    """A challenger that errs more is worse, not better by a negative number."""
    champion = make_errors(0.8)
    by_series = np.where(np.arange(ROWS) % 2, 0.1, -0.1)[:, None]

    decision = decide(Evidence(champion + by_series + shift, 0.8, 1.0), Evidence(champion, 0.8, 1.0))

    assert said in decision.reason


def test_the_same_forecasts_move_nothing() -> None:
    """A tie is no evidence."""
    errors = make_errors(0.8)

    decision = decide(Evidence(errors, 0.8, 1.0), Evidence(errors, 0.8, 1.0))

    assert not decision.promote
    assert "Not better" in decision.reason


def test_better_on_a_few_series_only_is_chance() -> None:
    """A mean that one series makes does not survive drawing the series again."""
    champion = make_errors(0.8)
    challenger = champion + 0.001
    challenger[0] -= 0.5

    test = paired_test(challenger, champion)

    assert test.difference > 0
    assert test.lower < 0


def test_worse_coverage_keeps_the_champion() -> None:
    """Better medians with broken intervals are not better forecasts, whether too narrow or too wide."""
    for coverage in (0.5, 1.0):
        decision = decide(Evidence(make_errors(0.6), coverage, 1.0), Evidence(make_errors(0.9, 1), 0.8, 1.0))

        assert not decision.promote
        assert "Coverage" in decision.reason


def test_worse_latency_keeps_the_champion() -> None:
    """A slower model is not promoted silently."""
    decision = decide(Evidence(make_errors(0.6), 0.8, 5.0), Evidence(make_errors(0.9, 1), 0.8, 1.0))

    assert not decision.promote
    assert "5.00 ms" in decision.reason


def test_force_promotes_and_says_so() -> None:
    """What a person forces is recorded with the objections it went over."""
    decision = decide(Evidence(make_errors(0.9), 0.8, 1.0), Evidence(make_errors(0.6, 1), 0.8, 1.0), force=True)

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


def test_the_same_evidence_decides_the_same() -> None:
    """No chance is in it, and the decision is plain data, where nothing can be told too."""
    decisions = [
        decide(Evidence(make_errors(0.8), 0.8, 1.0), Evidence(make_errors(0.81, 1), 0.8, 1.0)) for _ in range(2)
    ]
    blind = decide(Evidence(np.full((2, 3), np.nan), 0.8, 1.0), Evidence(np.full((2, 3), np.nan), 0.8, 1.0))

    assert decisions[0] == decisions[1]
    json.dumps(decisions[0].to_dict(), allow_nan=False)
    assert not blind.promote
    assert blind.figures["lower"] is None


def test_gaps_in_the_truth_are_left_out() -> None:
    """Points without a truth take no part; a series without any is no pair."""
    champion, challenger = make_errors(0.9), make_errors(0.7, 1)
    champion[:, -4:] = np.nan
    challenger[:, -4:] = np.nan
    champion[0] = challenger[0] = np.nan

    test = paired_test(challenger, champion)

    assert test.lower > 0
    assert np.isfinite(test.difference)


@pytest.mark.parametrize("errors", [0.0, 1.0, 0.25])
def test_identical_errors_never_promote(errors: float) -> None:
    """Not one sample, whatever their size: nothing differs by more than chance."""
    same = np.full((5, 12), errors)

    test = paired_test(same, same)

    assert (test.difference, test.p_value) == (0.0, 1.0)
    assert not test.lower > 0


def test_a_single_point_is_no_evidence() -> None:
    """One series, one step: nobody can tell skill from chance, and the decision says so."""
    decision = decide(Evidence(np.array([[0.5]]), 0.8, 1.0), Evidence(np.array([[0.9]]), 0.8, 1.0))

    assert not decision.promote
    assert "too few points" in decision.reason


def test_origins_of_one_series_are_no_series_of_their_own() -> None:
    """A series that is better at ten origins is one series; ten series would be evidence."""
    generator = np.random.default_rng(0)
    champion = np.abs(generator.normal(1.0, 0.01, (17, 6)))
    challenger = champion + 0.01
    challenger[7:] = champion[7:] - 0.05
    names = (*"abcdefg", *"h" * 10)

    apart, together = paired_test(challenger, champion), paired_test(challenger, champion, groups=names)

    assert (apart.series, together.series, together.pairs) == (17, 8, 17)
    assert apart.lower > 0 > together.lower
    assert apart.difference == together.difference


def test_a_series_without_a_truth_at_its_newest_origin_keeps_its_place_in_time() -> None:
    """Origins are counted, not the rows that have values: the older block stays the older block."""
    errors = [np.abs(np.random.default_rng(seed).normal(1.0, 0.3, (4, 6))) for seed in (0, 1)]
    for one in errors:
        one[1] = np.nan
    names = ("a", "b", "a", "b")

    test = paired_test(*errors, groups=names)

    assert (test.series, test.pairs) == (2, 3)
    assert np.isfinite(test.lower)


def promotes(challenger: Floats, champion: Floats, groups: tuple[str, ...]) -> bool:
    """Return whether the paired test finds the challenger better."""
    return paired_test(challenger, champion, groups=groups).lower > 0


@pytest.mark.parametrize(
    "noise",
    [
        Noise(),
        Noise(horizon=24, lasting=0.8),
        Noise(origins=3, shared=0.3, lasting=0.5),
        Noise(uneven=1.0, tails=3, gaps=0.2),
        Noise(series=6, origins=3, horizon=24, shared=0.5, lasting=0.5),
        Noise(series=2, horizon=24),
        Noise(series=10, horizon=1),
        Noise(series=1, origins=3, horizon=12),
    ],
    ids=str,
)
def test_a_challenger_that_is_no_better_is_rarely_promoted(noise: Noise) -> None:
    """At most 5 of 100 draws, in each of these kinds of noise: alike in skill, different in luck."""
    assert shares_promoted(noise, [promotes], 400)[0] <= 0.05


@pytest.mark.parametrize(
    "noise",
    [Noise(origins=3), Noise(horizon=24, agreeing=0.5), Noise(origins=3, agreeing=0.8, uneven=0.5, growing=1.0)],
    ids=str,
)
def test_ten_per_cent_better_on_fifty_series_is_promoted(noise: Noise) -> None:
    """At least 90 of 100 draws."""
    assert shares_promoted(noise, [promotes], 200, better=0.1)[0] >= 0.9
