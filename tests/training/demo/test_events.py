"""Events: what they say, and when a story counts as recovered."""

import json

import pytest

from training.demo.events import Event, Score, Swap, judge_recovery, mean_error

BROKEN, HORIZON = "1987-01", 3
SWAP = Swap("1988-01", "1", "2")


def make_score(month: str, version: str = "1", mase: float = 1.0, scores: int = 10) -> Score:
    """Return a score."""
    return Score(month, version, scores, mase, 2.0, 0.8)


def test_an_event_is_one_line_of_json() -> None:
    """Kind and month come first, then its own figures."""
    line = Event("scored", "1987-01", {"mase": 0.5, "unit": "°C"}).to_json()

    assert "\n" not in line
    assert list(json.loads(line).items()) == [("event", "scored"), ("month", "1987-01"), ("mase", 0.5), ("unit", "°C")]


def test_a_score_is_read_from_a_row_of_the_service() -> None:
    """Skill is what the error saves of seasonal naive's."""
    row = {"version": "2", "scores": 30, "mase": 0.5, "naive_mase": 2.0, "coverage": {"80": 0.7, "95": None}}

    score = Score.of("1987-01", row)

    assert score.to_dict() == {
        "version": "2",
        "scores": 30,
        "mase": 0.5,
        "naive_mase": 2.0,
        "skill": 0.75,
        "coverage_80": 0.7,
    }


def test_mean_error_weighs_by_scores_and_leaves_the_last_month_out() -> None:
    """A month with three times the scores counts three times."""
    scores = [make_score("1986-01", mase=1.0, scores=10), make_score("1986-02", mase=3.0, scores=30)]

    assert mean_error(scores) == 2.5
    assert mean_error(scores, until="1986-02") == 1.0
    assert mean_error(scores, version="2") is None
    assert mean_error(scores, naive=True) == 2.0


def test_it_recovered_where_the_new_version_errs_less_than_the_old_one_did_since_the_break() -> None:
    """Months in which the new version has not yet forecast every step ahead do not count."""
    scores = [
        make_score("1986-12", mase=0.7),
        make_score("1987-06", mase=5.0),
        make_score("1988-01", "2", mase=9.0),
        make_score("1988-03", "2", mase=0.8),
        make_score("1988-03", "1", mase=3.0),
    ]

    verdict = judge_recovery(scores, BROKEN, SWAP, HORIZON)

    assert verdict.recovered
    assert verdict.figures["error_before_break"] == 0.7
    assert verdict.figures["error_before_swap"] == 5.0
    assert verdict.figures["error_after_swap"] == 0.8
    assert verdict.figures["error_of_old_version_after_swap"] == 3.0


@pytest.mark.parametrize(
    ("scores", "swap", "why"),
    [
        ([make_score("1987-06")], None, "version never changed"),
        ([make_score("1987-06"), make_score("1988-01", "2")], SWAP, "Too few months"),
        ([make_score("1987-06", mase=2.0), make_score("1988-03", "2", mase=2.0)], SWAP, "not below 2.000"),
    ],
)
def test_it_did_not_recover_and_says_why(scores: list[Score], swap: Swap | None, why: str) -> None:
    """No swap, no months after it, or an error that is no smaller: each is named."""
    verdict = judge_recovery(scores, BROKEN, swap, HORIZON)

    assert not verdict.recovered
    assert why in verdict.why
