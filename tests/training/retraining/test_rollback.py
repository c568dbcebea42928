import json
from typing import Any

import numpy as np
import pytest

from training.retraining.rollback import decide_rollback
from training.service_client.live_evidence import LiveEvidence


def make_evidence(  # noqa: PLR0913 - what evidence is made of
    version: str, skill: float, *, series: int = 20, periods: int = 6, seed: int = 0, hard: float = 1.0
) -> LiveEvidence:
    """Return three scores a month of each series, seasonal naive's errors `hard` scales in the mean."""
    generator = np.random.default_rng(seed)
    naive = hard * generator.gamma(8, 1 / 8, (series, periods))
    errors = (1 - skill) * naive * generator.gamma(16, 1 / 16, (series, periods))
    rows = [
        {
            "series": f"s{row}",
            "period": f"2024-{column + 1:02d}",
            "scores": 3,
            "mase": float(errors[row, column]),
            "naive_mase": float(naive[row, column]),
        }
        for row in range(series)
        for column in range(periods)
    ]
    return LiveEvidence.of(version, rows)


def test_a_champion_that_lost_its_predecessors_skill_goes_back() -> None:
    """Far worse beside the naive than the one before: the reason names both skills."""
    found = decide_rollback(make_evidence("2", 0.0, seed=1), make_evidence("1", 0.3))

    assert found.roll_back
    assert (found.fresh, found.predecessor) == ("2", "1")
    assert found.figures["lower"] > 0
    assert found.figures["loss"] == pytest.approx(0.3, abs=0.1)
    assert found.reason.startswith("Live skill of version 2 is ")
    json.dumps(found.to_dict(), allow_nan=False)


def test_a_champion_as_good_as_its_predecessor_stays() -> None:
    """And one that is better; the sentence says that it may be chance."""
    for skill in (0.3, 0.5):
        found = decide_rollback(make_evidence("2", skill, seed=1), make_evidence("1", 0.3))

        assert not found.roll_back
        assert "not lower by more than chance" in found.reason


def test_harder_months_are_no_fault_of_the_model() -> None:
    """Errors twice as large, the naive's too: skill is the same."""
    found = decide_rollback(make_evidence("2", 0.3, seed=1, hard=2.0), make_evidence("1", 0.3))

    assert not found.roll_back
    assert abs(found.figures["loss"]) < 0.1


@pytest.mark.parametrize(
    ("fresh", "words"),
    [
        ({"periods": 2}, "in 2 periods of version 2"),
        ({"series": 1, "periods": 3}, "9 scores in 3 periods of version 2"),
    ],
)
def test_too_little_evidence_moves_nothing(fresh: dict[str, Any], words: str) -> None:
    """However bad it looks; what is there and what is needed are said."""
    found = decide_rollback(make_evidence("2", -3.0, **fresh), make_evidence("1", 0.3))

    assert not found.roll_back
    assert words in found.reason
    assert "30 in 3 are needed" in found.reason


def test_only_series_of_both_are_compared() -> None:
    """A hard series that the predecessor never saw takes no part, nor do its months."""
    fresh = make_evidence("2", 0.3, series=21, seed=1)
    fresh.errors[fresh.series.index("s20")] = 1e6

    found = decide_rollback(fresh, make_evidence("1", 0.3))

    assert not found.roll_back
    assert (found.figures["series"], found.figures["scores"]) == (20, 360)


def test_rows_without_a_scale_are_left_out() -> None:
    """They have no scaled error to add; and a naive without error leaves no skill to compare."""
    row = {"series": "a", "period": "2024-01", "scores": 3, "mase": None, "naive_mase": None}

    assert LiveEvidence.of("1", [row]).series == ()
    flawless = make_evidence("1", 0.3)
    flawless.naive_errors[:] = 0.0
    assert not decide_rollback(make_evidence("2", 0.0), flawless).roll_back


def test_champions_as_good_as_before_are_rarely_taken_back() -> None:
    """At most 5 of 100, each looked at after 3, 4, … and 12 months."""
    taken = 0
    for seed in range(100):
        before, now = (make_evidence("1", 0.3, series=6, periods=12, seed=2 * seed + one) for one in (0, 1))
        looks = [part_of(now, months) for months in range(3, 13)]
        taken += any(decide_rollback(look, before).roll_back for look in looks)

    assert taken <= 5


def part_of(evidence: LiveEvidence, months: int) -> LiveEvidence:
    """Return the first months of evidence."""
    parts = (one[:, :months] for one in (evidence.errors, evidence.naive_errors, evidence.scores))
    return LiveEvidence("2", evidence.series, evidence.periods[:months], *parts)
