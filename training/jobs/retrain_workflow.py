"""A retraining as a sequence of steps, each of which is done once."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Protocol

from models.jobs.errors import MemoryExceeded, TimeExceeded

StageResult = dict[str, Any]
Request = Mapping[str, Any]

KILLED = "CHILD_KILLED"
"""Code of a candidate whose process exceeded the time or memory limit."""


class Step(Protocol):
    """Runs a stage in its own process, or returns (or raises) the recorded outcome of an earlier run."""

    def __call__(self, name: str, stage: str, *arguments: Any) -> StageResult:  # noqa: ANN401 (any JSON)
        """Return the result of a stage; `name` is the name of the step."""
        ...


def retrain(step: Step, request: Request) -> StageResult:
    """Check the reasons if the request asks for it, then fit the candidates, compare, register and promote.

    Returns:
        `decision`; after a training also `run_id`, `experiment_id`, `run_url`, `version`, `promoted`, `champion` and `reason`;
        after a check also `judgement`, the reasons.

    Raises:
        AlmanacError: The error that ends the job, after the stage `fail` has closed its run. On replay, DBOS's copy of it.
    """
    assessment: StageResult = {}
    if request.get("if_needed"):
        decision = step("judge", "assess", request)  # the first is a name that databases hold
        if not decision["retrain"]:
            return {"decision": decision}
        assessment = {"judgement": decision}
        request = {**request, **assessment, "reason": reason_codes(decision)}
    try:
        return {**_train(step, request), **assessment}
    except Exception as error:
        if code_of(error) is not None:
            with suppress(Exception):
                step("fail", "fail", request, str(error))
        raise


def reason_codes(assessment: StageResult) -> str:
    """Return the codes of the reasons that hold, separated by commas."""
    return ", ".join(one["code"] for one in assessment["reasons"] if one["holds"])


def code_of(error: Exception) -> str | None:
    """Return the code of an AlmanacError, also of DBOS's copy of it; None for DBOS's own errors."""
    code = getattr(error, "code", None)
    return code if isinstance(code, str) else None


def _train(step: Step, request: Request) -> StageResult:
    read = step("read", "read", request)
    fits: list[StageResult] = []
    for candidate in read["candidates"]:
        fits.append(_fit(step, request, read, candidate, fits))
    compared = step("compare", "compare", request, read, fits)
    refitted = step("refit", "refit", request, read, compared)
    registered = step("register", "register", request, read, compared, refitted)
    promoted = step("promote", "promote", request, read, compared, registered)
    return {**promoted, **summarize("read", read)}


def _fit(step: Step, request: Request, read: StageResult, candidate: str, fits: Sequence[StageResult]) -> StageResult:
    """Fit one candidate; one that exceeds the time or memory limit is left out of the comparison."""
    try:
        return step(f"fit {candidate}", "fit", request, read, candidate, list(fits))
    except Exception as error:
        if code_of(error) not in {TimeExceeded.code, MemoryExceeded.code}:
            raise
        return {
            "name": candidate,
            "run_id": "",
            "cause": f"killed: {error}",
            "code": KILLED,
            "step": 0,
            "seconds": 0.0,
            "validation_mase": None,
        }


def summarize(stage: str, result: StageResult) -> StageResult:
    """Return what a stage's result adds to the summary of its job."""
    if stage == "assess":
        return {"judgement": result, "reason": reason_codes(result)} if result["retrain"] else {"decision": result}
    keys = {
        "read": ("run_id", "run_url", "experiment_id"),
        "compare": ("decision", "winner"),
        "register": ("version",),
        "promote": ("version", "promoted", "champion", "decision"),
    }
    return {key: result[key] for key in keys.get(stage, ()) if key in result}


def describe_result(name: str, result: StageResult) -> str:
    """Return the outcome of a job as one line."""
    if "version" not in result:
        return f"{name} is not retrained: no reason is met."
    outcome = "is champion" if result.get("promoted") else "stays challenger"
    return f"{name} version {result['version']} {outcome}. {result.get('reason', '')}".rstrip()
