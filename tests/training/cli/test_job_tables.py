from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from training.cli.job_tables import describe_job, duration, jobs_table, outcome, reasons_table, state_of

ROW: dict[str, Any] = {
    "id": "sales-1",
    "status": "SUCCESS",
    "name": "sales",
    "schedule": "monthly",
    "worker": "trainer-1",
    "created_at": "2026-03-01T03:00:00+00:00",
    "started_at": "2026-03-01T03:00:01+00:00",
    "completed_at": "2026-03-01T03:20:01+00:00",
    "request": {"reason": "schedule"},
    "progress": None,
    "summary": {"run_id": "r1", "run_url": "http://mlflow/#/runs/r1"},
    "result": {
        "version": "7",
        "decision": {
            "promote": False,
            "reason": "Not better by more than chance.",
            "figures": {"difference": 0.01234, "pairs": 40},
            "notes": ["The champion has seen part of it."],
        },
    },
    "error": None,
    "steps": [{"name": "read", "seconds": 2.0, "error": None}],
}


def printed(table: object) -> str:
    """Return a table as text."""
    console = Console(file=StringIO(), width=200)
    console.print(table)
    text: str = console.file.getvalue()  # type: ignore[attr-defined]
    return text


def test_a_job_is_described_with_its_decision() -> None:
    """With reason, figures and notes, version and run."""
    assert list(describe_job(ROW)) == [
        "sales-1: sales, succeeded, on trainer-1 (schedule monthly; created 2026-03-01 03:00 +0000)",
        "  read                 done  2.0 s",
        "Not promoted. Not better by more than chance.",
        "  difference 0.01234",
        "  pairs 40",
        "The champion has seen part of it.",
        "Registered as sales version 7.",
        "Run r1: http://mlflow/#/runs/r1",
    ]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "champion kept"),
        ({"result": {"decision": {"promote": True}}}, "promoted"),
        ({"result": {"decision": {"retrain": False, "reasons": []}}}, "not needed"),
        ({"status": "ERROR", "result": None, "error": {"code": "DATA_INVALID", "message": "m"}}, "DATA_INVALID"),
        ({"status": "ENQUEUED", "result": None}, ""),
    ],
)
def test_an_outcome_is_short(changes: dict[str, Any], words: str) -> None:
    """The list of jobs has it."""
    row = {**ROW, **changes}

    assert outcome(row) == words
    assert words in printed(jobs_table([row]))
    assert state_of(row) in printed(jobs_table([row]))


@pytest.mark.parametrize(
    ("ended", "words"),
    [
        ("2026-03-01T03:00:31+00:00", "30 s"),
        ("2026-03-01T03:20:01+00:00", "20 min"),
        ("2026-03-01T05:30:01+00:00", "2.5 h"),
        (None, ""),
    ],
)
def test_a_duration_has_the_unit_that_suits_it(ended: str | None, words: str) -> None:
    """A job that has not ended has none."""
    assert duration({**ROW, "completed_at": ended}) == words


def test_reasons_are_shown_with_value_and_threshold() -> None:
    """Those that hold, those that do not, and unknown ones."""
    one = {"holds": True, "known": True, "value": 0.41, "threshold": 0.25, "sentence": "The inputs differ."}
    assessment = {
        "name": "sales",
        "version": "7",
        "retrain": True,
        "reasons": [
            {"code": "INPUT_DRIFT", **one},
            {**one, "code": "ERROR_DECAY", "holds": False, "value": 1.0},
            {**one, "code": "COVERAGE_OFF", "holds": False, "known": False, "value": None},
        ],
    }

    text = printed(reasons_table(assessment))

    assert "sales version 7 would be retrained" in text
    for words in ("INPUT_DRIFT", "0.41", "0.25", " met", "not met", "unknown"):
        assert words in text
