import json
from typing import Any

import pytest

from training.demo.events import LINES, Event, Kind, Score, Swap, assess_recovery, mean_error

BROKEN, HORIZON = "1987-01", 3
SWAP = Swap("1988-01", "1", "2")


def make_score(month: str, version: str = "1", mase: float = 1.0, scores: int = 10) -> Score:
    """Return a score."""
    return Score(month, version, scores, mase, 2.0, 0.8)


def test_an_event_is_one_line_of_json() -> None:
    """Kind and month come first, then its own fields."""
    line = Event("scored", "1987-01", {"mase": 0.5, "unit": "°C"}).to_json()

    assert "\n" not in line
    assert list(json.loads(line).items()) == [("event", "scored"), ("month", "1987-01"), ("mase", 0.5), ("unit", "°C")]


@pytest.mark.parametrize("kind", LINES)
def test_the_line_of_an_event_has_its_figures(kind: Kind) -> None:
    """Unknown errors are possible."""
    figures: dict[str, Any] = {"mase": 3.0, "naive_mase": 2.0, "coverage_80": 0.25, "seconds": 61.2, "reasons": ["A"]}
    texts = ("version", "job", "winner", "reason", "to_version", "from_version", "why")
    errors = ("before_break", "before_swap", "after_swap", "of_old_version_after_swap")
    figures |= dict.fromkeys(texts, "7") | {f"error_{name}": 0.7 for name in errors} | {"naive_error_after_swap": None}

    line = Event(kind, "1987-01", figures).to_line()

    assert line is not None
    assert line.plain.startswith("1987-01  ")
    assert "\n" not in line.plain


def test_a_score_is_read_from_a_row_of_the_service() -> None:
    """Skill compares the error with seasonal naive's."""
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


def test_the_mean_error_is_weighted_by_scores() -> None:
    """The month `until` is excluded."""
    scores = [make_score("1986-01", mase=1.0, scores=10), make_score("1986-02", mase=3.0, scores=30)]

    assert mean_error(scores) == 2.5
    assert mean_error(scores, until="1986-02") == 1.0
    assert mean_error(scores, version="2") is None
    assert mean_error(scores, naive=True) == 2.0


def test_accuracy_recovered_if_the_new_version_is_better_than_the_old_one_since_the_break() -> None:
    """Months in which the new version lacks forecasts of far steps do not count."""
    scores = [
        make_score("1986-12", mase=0.7),
        make_score("1987-06", mase=5.0),
        make_score("1988-01", "2", mase=9.0),
        make_score("1988-03", "2", mase=0.8),
        make_score("1988-03", "1", mase=3.0),
    ]

    recovery = assess_recovery(scores, BROKEN, SWAP, HORIZON)

    assert recovery.recovered
    assert recovery.figures["error_before_break"] == 0.7
    assert recovery.figures["error_before_swap"] == 5.0
    assert recovery.figures["error_after_swap"] == 0.8
    assert recovery.figures["error_of_old_version_after_swap"] == 3.0


@pytest.mark.parametrize(
    ("scores", "swap", "why"),
    [
        ([make_score("1987-06")], None, "No challenger"),
        ([make_score("1987-06"), make_score("1988-01", "2")], SWAP, "too few months"),
        ([make_score("1987-06", mase=2.0), make_score("1988-03", "2", mase=2.0)], SWAP, "not below"),
    ],
)
def test_accuracy_did_not_recover(scores: list[Score], swap: Swap | None, why: str) -> None:
    """No swap, no months after it, or an error that is not smaller."""
    recovery = assess_recovery(scores, BROKEN, swap, HORIZON)

    assert not recovery.recovered
    assert why in recovery.why
