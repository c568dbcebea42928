from typing import Any

import pytest

from models.errors import DataInvalid
from models.jobs.errors import MemoryExceeded
from training.jobs import retrain_workflow
from training.jobs.retrain_workflow import KILLED, StageResult

RESULTS: dict[str, StageResult] = {
    "assess": {"retrain": True, "reasons": []},
    "read": {"run_id": "r1", "candidates": ["warm_start", "lstm"]},
    "fit": {"cause": None},
    "compare": {"winner": "lstm", "decision": {"promote": True}},
    "refit": {"refitted": True},
    "register": {"version": "7"},
    "promote": {"promoted": True, "version": "7", "reason": "It is better."},
    "fail": {},
}


class Steps:
    """Steps that return fixed results or raise errors."""

    def __init__(self, **changes: StageResult | Exception) -> None:
        """`changes` are results or errors of stages or steps, by name."""
        self.called: list[str] = []
        self.arguments: dict[str, tuple[Any, ...]] = {}
        self._results = {**RESULTS, **changes}

    def __call__(self, name: str, stage: str, *arguments: Any) -> StageResult:  # noqa: ANN401 (any JSON)
        """Return the result of a stage."""
        self.called.append(name)
        self.arguments[name] = arguments
        result = self._results.get(name.replace(" ", "_"), self._results[stage])
        if isinstance(result, Exception):
            raise result
        return result


def test_a_job_goes_from_data_to_decision() -> None:
    """Each stage is a step, and so is the fit of each candidate."""
    steps = Steps()

    result = retrain_workflow.retrain(steps, {"name": "m"})

    assert steps.called == ["read", "fit warm_start", "fit lstm", "compare", "refit", "register", "promote"]
    assert result == {"promoted": True, "version": "7", "reason": "It is better.", "run_id": "r1"}


@pytest.mark.parametrize(("needed", "steps_done"), [(True, 8), (False, 1)])
def test_a_job_that_checks_first_trains_only_for_a_reason(needed: bool, steps_done: int) -> None:  # noqa: FBT001 (a parameter of a test)
    """If no reason is met, the result has the decision only."""
    steps = Steps(judge={"retrain": needed, "reasons": []})

    result = retrain_workflow.retrain(steps, {"name": "m", "if_needed": True})

    assert len(steps.called) == steps_done
    assert ("version" in result) is needed
    assert needed or result == {"decision": {"retrain": False, "reasons": []}}


def test_the_reasons_that_hold_are_passed_on() -> None:
    """They replace the reason of the request, and the result has all reasons."""
    reasons = [{"code": "INPUT_DRIFT", "holds": True}, {"code": "ERROR_DECAY", "holds": False}]
    assessment = {"retrain": True, "reasons": reasons}
    steps = Steps(judge=assessment)

    result = retrain_workflow.retrain(steps, {"name": "m", "if_needed": True, "reason": "schedule"})

    assert steps.arguments["read"][0]["reason"] == "INPUT_DRIFT"
    assert result["judgement"] == steps.arguments["read"][0]["judgement"] == assessment
    assert retrain_workflow.summarize("assess", assessment)["reason"] == "INPUT_DRIFT"


def test_a_candidate_over_a_limit_is_left_out() -> None:
    """The others are compared, and the comparison gets the cause."""
    steps = Steps(fit_lstm=MemoryExceeded("It took 900 MB.", hint="Raise memory_mb."))

    retrain_workflow.retrain(steps, {"name": "m"})

    _, _, fits = steps.arguments["compare"]
    assert [one.get("code") for one in fits] == [None, KILLED]
    assert "900 MB" in fits[1]["cause"]


def test_a_job_that_fails_closes_its_run_and_says_why() -> None:
    """The stage `fail` gets the error of the stage."""
    steps = Steps(compare=DataInvalid("Row 3 is wrong."))

    with pytest.raises(DataInvalid, match="Row 3"):
        retrain_workflow.retrain(steps, {"name": "m"})

    assert steps.called[-1] == "fail"
    assert steps.arguments["fail"][1] == "Row 3 is wrong."


def test_an_error_while_the_run_is_closed_does_not_replace_the_first_one() -> None:
    """The job ends with the error of the stage."""
    steps = Steps(read=DataInvalid("Row 3 is wrong."), fail=DataInvalid("No registry."))

    with pytest.raises(DataInvalid, match="Row 3"):
        retrain_workflow.retrain(steps, {"name": "m"})


def test_a_lost_database_does_not_close_the_run() -> None:
    """The next try continues it."""
    steps = Steps(compare=ConnectionError("gone"))

    with pytest.raises(ConnectionError):
        retrain_workflow.retrain(steps, {"name": "m"})

    assert "fail" not in steps.called
