from typing import Any

import pytest

from models.errors import DataInvalid
from models.jobs.errors import MemoryExceeded
from training.jobs import retrain_workflow
from training.jobs.retrain_workflow import KILLED, Answer

ANSWERS: dict[str, Answer] = {
    "judge": {"retrain": True, "reasons": []},
    "read": {"run_id": "r1", "candidates": ["warm_start", "lstm"]},
    "fit": {"cause": None},
    "compare": {"winner": "lstm", "decision": {"promote": True}},
    "refit": {"refitted": True},
    "register": {"version": "7"},
    "promote": {"promoted": True, "version": "7", "reason": "It is better."},
    "fail": {},
}


class Steps:
    """Steps that answer at once, and can fail."""

    def __init__(self, **changes: Answer | Exception) -> None:
        """`changes` are what stages, or the steps named so, answer or raise."""
        self.called: list[str] = []
        self.arguments: dict[str, tuple[Any, ...]] = {}
        self._answers = {**ANSWERS, **changes}

    def __call__(self, name: str, stage: str, *arguments: Any) -> Answer:  # noqa: ANN401 (any JSON)
        """Return the answer of a stage."""
        self.called.append(name)
        self.arguments[name] = arguments
        answer = self._answers.get(name.replace(" ", "_"), self._answers[stage])
        if isinstance(answer, Exception):
            raise answer
        return answer


def test_a_job_goes_from_data_to_decision() -> None:
    """Every stage is a step of its own, and each candidate's fit too."""
    steps = Steps()

    result = retrain_workflow.retrain(steps, {"name": "m"})

    assert steps.called == ["read", "fit warm_start", "fit lstm", "compare", "refit", "register", "promote"]
    assert result == {"promoted": True, "version": "7", "reason": "It is better.", "run_id": "r1"}


@pytest.mark.parametrize(("needed", "steps_done"), [(True, 8), (False, 1)])
def test_a_job_that_asks_first_trains_only_for_a_reason(needed: bool, steps_done: int) -> None:  # noqa: FBT001 (a parameter of a test)
    """Where none of the reasons holds, the decision is the whole result."""
    steps = Steps(judge={"retrain": needed, "reasons": []})

    result = retrain_workflow.retrain(steps, {"name": "m", "if_needed": True})

    assert len(steps.called) == steps_done
    assert ("version" in result) is needed
    assert needed or result == {"decision": {"retrain": False, "reasons": []}}


def test_what_is_trained_for_a_reason_says_which() -> None:
    """The stages are told the reasons that hold, in place of the schedule's word, and the result has all of them."""
    reasons = [{"code": "INPUT_DRIFT", "holds": True}, {"code": "ERROR_DECAY", "holds": False}]
    judgement = {"retrain": True, "reasons": reasons}
    steps = Steps(judge=judgement)

    result = retrain_workflow.retrain(steps, {"name": "m", "if_needed": True, "reason": "schedule"})

    assert steps.arguments["read"][0]["reason"] == "INPUT_DRIFT"
    assert result["judgement"] == steps.arguments["read"][0]["judgement"] == judgement
    assert retrain_workflow.gist("judge", judgement)["reason"] == "INPUT_DRIFT"


def test_a_candidate_that_takes_too_much_is_out_and_the_others_go_on() -> None:
    """One greedy network does not cost the whole retraining, and the comparison is told why it is missing."""
    steps = Steps(fit_lstm=MemoryExceeded("It took 900 MB.", hint="Raise memory_mb."))

    retrain_workflow.retrain(steps, {"name": "m"})

    _, _, fits = steps.arguments["compare"]
    assert [one.get("code") for one in fits] == [None, KILLED]
    assert "900 MB" in fits[1]["cause"]


def test_a_job_that_fails_closes_its_run_and_says_why() -> None:
    """The reason is the stage's own; the stage `fail` is told it last."""
    steps = Steps(compare=DataInvalid("Row 3 is wrong."))

    with pytest.raises(DataInvalid, match="Row 3"):
        retrain_workflow.retrain(steps, {"name": "m"})

    assert steps.called[-1] == "fail"
    assert steps.arguments["fail"][1] == "Row 3 is wrong."


def test_the_reason_survives_a_run_that_cannot_be_closed() -> None:
    """What went wrong first is what is told."""
    steps = Steps(read=DataInvalid("Row 3 is wrong."), fail=DataInvalid("No registry."))

    with pytest.raises(DataInvalid, match="Row 3"):
        retrain_workflow.retrain(steps, {"name": "m"})


def test_an_error_of_the_machinery_is_no_failure_of_the_job() -> None:
    """A lost database says nothing about the training, so its run is left open for the next try."""
    steps = Steps(compare=ConnectionError("gone"))

    with pytest.raises(ConnectionError):
        retrain_workflow.retrain(steps, {"name": "m"})

    assert "fail" not in steps.called


def test_the_result_is_told_in_a_line() -> None:
    """Champion, challenger, or nothing to do."""
    results: list[Answer] = [
        {"version": "7", "promoted": True, "reason": "Better."},
        {"version": "8"},
        {"decision": {}},
    ]

    told = [retrain_workflow.tell_result("m", result) for result in results]

    assert told == [
        "m version 7 is champion. Better.",
        "m version 8 stays challenger.",
        "m is not retrained: none of its reasons holds.",
    ]
