import json

import numpy as np
import pytest

from tests.training.evaluation.noise import Floats, Noise, shares_promoted
from training.evaluation.promotion import Evidence, decide, decide_first, decide_incomparable, paired_test

ROWS, HORIZON = 20, 24


def make_errors(mean: float, seed: int = 0) -> Floats:
    """Return scaled errors with this mean, different in each series."""
    generator = np.random.default_rng(seed)
    return np.abs(generator.normal(mean, 0.1, (ROWS, HORIZON)))


def test_a_significantly_better_challenger_is_promoted() -> None:
    """The figures have the test's result."""
    decision = decide(Evidence(make_errors(0.7), 0.8, 1.0), Evidence(make_errors(0.9, 1), 0.8, 1.0))

    assert decision.promote
    assert decision.figures["lower"] > 0
    assert decision.figures["pairs"] == ROWS


@pytest.mark.parametrize(("shift", "direction"), [(0.01, "worse by 0.0100"), (-0.01, "better by 0.0100")])
def test_the_reason_names_the_direction_of_the_difference(shift: float, direction: str) -> None:
    """The amount is positive in both directions."""
    champion = make_errors(0.8)
    by_series = np.where(np.arange(ROWS) % 2, 0.1, -0.1)[:, None]

    decision = decide(Evidence(champion + by_series + shift, 0.8, 1.0), Evidence(champion, 0.8, 1.0))

    assert not decision.promote
    assert direction in decision.reason


def test_improvement_on_one_series_is_not_significant() -> None:
    """A mean that one series makes does not hold for others."""
    champion = make_errors(0.8)
    challenger = champion + 0.001
    challenger[0] -= 0.5

    test = paired_test(challenger, champion)

    assert test.difference > 0 > test.lower


@pytest.mark.parametrize(
    ("challenger_ms", "champion_ms", "promoted"),
    [(1.9, 1.0, True), (2.1, 1.0, False), (12.4, 10.0, True), (12.6, 10.0, False), (4.06, 2.77, False)],
)
def test_a_challenger_may_be_slower_by_a_quarter_or_a_millisecond(
    challenger_ms: float, champion_ms: float, *, promoted: bool
) -> None:
    """Whichever is more; the reason has both times, how they were measured and what is allowed."""
    decision = decide(Evidence(make_errors(0.7), 0.8, challenger_ms), Evidence(make_errors(0.9, 1), 0.8, champion_ms))

    assert decision.promote is promoted
    said = (
        f"takes {challenger_ms:.2f} ms, the champion's {champion_ms:.2f} ms (medians of 7 measurements in turn); up to "
    )
    assert said + f"{decision.figures['forecast_ms_allowed']:.2f} ms is allowed: 25% or 1 ms more" in decision.reason


@pytest.mark.parametrize(("coverage", "forecast_ms"), [(0.5, 1.0), (1.0, 1.0), (0.8, 5.0)])
def test_worse_coverage_or_latency_keeps_the_champion(coverage: float, forecast_ms: float) -> None:
    """Intervals can be too narrow or too wide."""
    decision = decide(Evidence(make_errors(0.6), coverage, forecast_ms), Evidence(make_errors(0.9, 1), 0.8, 1.0))

    assert not decision.promote
    assert decision.figures["lower"] > 0


def test_force_promotes_and_records_the_objections() -> None:
    """A forced promotion is marked."""
    decision = decide(Evidence(make_errors(0.9), 0.8, 1.0), Evidence(make_errors(0.6, 1), 0.8, 1.0), force=True)

    assert (decision.promote, decision.forced) == (True, True)
    assert "MASE is worse" in decision.reason


@pytest.mark.parametrize("beats", [True, False])
def test_the_first_model_becomes_champion_either_way(beats: bool) -> None:  # noqa: FBT001 - a parametrised truth
    """Whether it beats the baselines is in the figures and in the reason."""
    decision = decide_first(beats_baselines=beats)

    assert decision.promote
    assert decision.figures == {"beats_baselines": beats}
    assert ("does not beat" in decision.reason) is not beats


@pytest.mark.parametrize("force", [True, False])
def test_a_champion_that_cannot_be_compared_stays_unless_forced(force: bool) -> None:  # noqa: FBT001 - a parametrised truth
    """Without a comparison there is no evidence."""
    assert decide_incomparable("It has another frequency.", force=force).promote is force


def test_a_decision_is_json_even_without_observed_values() -> None:
    """NaN becomes null."""
    unknown = Evidence(np.full((2, 3), np.nan), 0.8, 1.0)

    decision = decide(unknown, unknown)

    assert not decision.promote
    assert json.loads(json.dumps(decision.to_dict(), allow_nan=False))["figures"]["lower"] is None


def test_gaps_in_the_truth_are_left_out() -> None:
    """A series without any observed value is not counted as a pair."""
    champion, challenger = make_errors(0.9), make_errors(0.7, 1)
    for errors in (champion, challenger):
        errors[:, -4:] = np.nan
        errors[0] = np.nan

    test = paired_test(challenger, champion)

    assert test.lower > 0
    assert test.pairs == ROWS - 1


@pytest.mark.parametrize("errors", [0.0, 0.25])
def test_identical_errors_never_promote(errors: float) -> None:
    """Without any difference the p-value is 1."""
    same = np.full((5, 12), errors)

    test = paired_test(same, same)

    assert (test.difference, test.p_value) == (0.0, 1.0)
    assert not test.lower > 0


def test_a_single_point_is_not_significant() -> None:
    """One series and one step have no degrees of freedom."""
    decision = decide(Evidence(np.array([[0.5]]), 0.8, 1.0), Evidence(np.array([[0.9]]), 0.8, 1.0))

    assert not decision.promote
    assert decision.figures["degrees"] == 0


def test_several_origins_of_a_series_count_as_one_series() -> None:
    """An improvement at ten origins of one series is weaker evidence than at one origin of ten series."""
    generator = np.random.default_rng(0)
    champion = np.abs(generator.normal(1.0, 0.01, (17, 6)))
    challenger = champion + 0.01
    challenger[7:] = champion[7:] - 0.05
    groups = (*"abcdefg", *"h" * 10)

    apart, together = paired_test(challenger, champion), paired_test(challenger, champion, groups=groups)

    assert (apart.series, together.series, together.pairs) == (17, 8, 17)
    assert apart.lower > 0 > together.lower
    assert apart.difference == together.difference


def test_a_gap_at_the_newest_origin_does_not_move_older_ones() -> None:
    """A series keeps its order in time when a whole origin of it has no observed values."""
    errors = [np.abs(np.random.default_rng(seed).normal(1.0, 0.3, (4, 6))) for seed in (0, 1)]
    for one in errors:
        one[1] = np.nan

    test = paired_test(*errors, groups=("a", "b", "a", "b"))

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
    """At most 5 of 100 draws, in each of these kinds of noise."""
    assert shares_promoted(noise, [promotes], 400)[0] <= 0.05


@pytest.mark.parametrize(
    "noise",
    [Noise(origins=3), Noise(horizon=24, agreeing=0.5), Noise(origins=3, agreeing=0.8, uneven=0.5, growing=1.0)],
    ids=str,
)
def test_ten_per_cent_better_on_fifty_series_is_promoted(noise: Noise) -> None:
    """At least 90 of 100 draws."""
    assert shares_promoted(noise, [promotes], 200, better=0.1)[0] >= 0.9
