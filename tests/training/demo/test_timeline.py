"""Story lines: what a person reads of each event."""

import pytest

from training.demo.events import Event
from training.demo.timeline import bar, break_line, line_of, progress_line

SCORED = {"version": "1", "mase": 3.0, "naive_mase": 2.0, "skill": -0.5, "coverage_80": 0.25, "scores": 30}
ERRORS = {
    "from_version": "1",
    "to_version": "2",
    "error_before_break": 0.71,
    "error_before_swap": 3.9,
    "error_after_swap": 0.82,
    "error_of_old_version_after_swap": 1.7,
    "naive_error_after_swap": None,
}
JOB = {"job": "j1", "seconds": 61.2, "version": "1", "reason": "No better.", "winner": "lstm"}


@pytest.mark.parametrize(
    ("event", "parts"),
    [
        (Event("scored", "1987-01", SCORED), ("1987-01  version 1: MASE  3.00, seasonal naive  2.00,  25%", "█")),
        (
            Event("drift", "1987-03", {"reasons": [{"sentence": "It is off."}, {"sentence": "It drifts."}]}),
            ("Reasons to retrain: It is off. It drifts.",),
        ),
        (
            Event("job_started", "1988-01", {"job": "j1", "reasons": ["COVERAGE_OFF", "ERROR_DECAY"]}),
            ("job j1 starts: COVERAGE_OFF, ERROR_DECAY",),
        ),
        (Event("not_needed", "1986-01", JOB), ("job j1 finds no reason to retrain version 1",)),
        (Event("kept", "1988-01", JOB), ("Version 1 stays, not challenger lstm, 61 s: No better.",)),
        (Event("promoted", "1988-01", {**JOB, "version": "2"}), ("Challenger lstm is promoted as version 2, 61 s",)),
        (Event("swapped", "1988-01", {"to_version": "2", "seconds": 0.8}), ("answers with version 2, 0.8 s",)),
        (Event("recovered", "1988-12", ERRORS), ("0.71 before", "3.90 between", "0.82 after", "naive unknown")),
        (Event("not_recovered", "1988-12", {"why": "Nothing was promoted."}), ("Nothing was promoted.",)),
    ],
)
def test_an_event_is_one_line_with_its_figures(event: Event, parts: tuple[str, ...]) -> None:
    """Each kind says what happened, in words and numbers, without a line break."""
    line = line_of(event)

    assert line is not None
    assert "\n" not in line.plain
    for part in parts:
        assert part in line.plain


def test_what_the_scores_tell_too_has_no_line_of_its_own() -> None:
    """A month is one line, not three."""
    assert line_of(Event("forecast", "1987-01")) is None
    assert line_of(Event("observed", "1987-01")) is None


def test_the_break_is_said_to_be_made() -> None:
    """Nobody takes it for the weather."""
    assert "made" in break_line("1987-01").plain


def test_a_bar_is_as_long_as_the_error_and_ends_somewhere() -> None:
    """Blocks of eighths, cut at the longest."""
    assert (bar(0.0), len(bar(5.0)), len(bar(10.0)), len(bar(60.0))) == ("", 12, 24, 24)


def test_a_step_that_failed_says_why() -> None:
    """Progress lines name the step, its seconds and its error."""
    step = {"name": "fit lstm", "seconds": 12.34, "error": {"code": "X", "detail": "Too long."}}

    assert progress_line(step).plain.strip() == "fit lstm, 12.3 s: Too long."
    assert progress_line({"name": "read", "seconds": None, "error": None}).plain.strip() == "read"
