"""Story: a retraining from its reason to its decision, as steps that are each done once."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Protocol

from models.jobs.errors import MemoryExceeded, TimeExceeded

Answer = dict[str, Any]
Request = Mapping[str, Any]

KILLED = "CHILD_KILLED"
"""Code of a candidate whose child took more than it may."""


class Step(Protocol):
    """Runs a stage in a child, or returns what it answered (or raises what it raised) when it was run before."""

    def __call__(self, name: str, stage: str, *arguments: Any) -> Answer:  # noqa: ANN401 (any JSON)
        """Return the answer of a stage; `name` is what its step is called."""
        ...


def retrain(step: Step, request: Request) -> Answer:
    """Judge whether it is needed where that was asked, fit the candidates, compare, and let the evidence decide.

    Args:
        step: Runs a stage.
        request: `name`, `config`, `if_needed`, `reason`; docs/retraining.md has all of it.

    Returns:
        `decision`, and, where something was trained, `run_id`, `experiment_id`, `run_url`, `version`, `promoted`, `champion`,
        `reason`; where it asked first, `judgement`: which reasons held.

    Raises:
        AlmanacError: Whatever ends the job, when the stage `fail` has closed its run; replayed, the same in DBOS's words.
    """
    judged: Answer = {}
    if request.get("if_needed"):
        decision = step("judge", "judge", request)
        if not decision["retrain"]:
            return {"decision": decision}
        judged = {"judgement": decision}
        request = {**request, **judged, "reason": name_reasons(decision)}
    try:
        return {**_train(step, request), **judged}
    except Exception as error:
        if code_of(error) is not None:
            with suppress(Exception):
                step("fail", "fail", request, str(error))
        raise


def name_reasons(judgement: Answer) -> str:
    """Return the codes of the reasons that hold."""
    return ", ".join(one["code"] for one in judgement["reasons"] if one["holds"])


def code_of(error: Exception) -> str | None:
    """Return the code of an error of ours, also after DBOS has written it down; None for an error of DBOS's own."""
    code = getattr(error, "code", None)
    return code if isinstance(code, str) else None


def _train(step: Step, request: Request) -> Answer:
    read = step("read", "read", request)
    fits: list[Answer] = []
    for candidate in read["candidates"]:
        fits.append(_fit(step, request, read, candidate, fits))
    compared = step("compare", "compare", request, read, fits)
    refitted = step("refit", "refit", request, read, compared)
    registered = step("register", "register", request, read, compared, refitted)
    promoted = step("promote", "promote", request, read, compared, registered)
    return {**promoted, **gist("read", read)}


def _fit(step: Step, request: Request, read: Answer, candidate: str, fits: Sequence[Answer]) -> Answer:
    """Fit one candidate; one that takes more time or memory than it may is out, and the others go on."""
    try:
        return step(f"fit {candidate}", "fit", request, read, candidate, list(fits))
    except Exception as error:
        if code_of(error) not in {TimeExceeded.code, MemoryExceeded.code}:
            raise
        cause = f"killed: {error}"
        return {
            "name": candidate,
            "run_id": "",
            "cause": cause,
            "code": KILLED,
            "step": 0,
            "seconds": 0.0,
            "validation_mase": None,
        }


def gist(stage: str, answer: Answer) -> Answer:
    """Return what a stage's answer adds to the summary of its job."""
    if stage == "judge":
        return {"judgement": answer, "reason": name_reasons(answer)} if answer["retrain"] else {"decision": answer}
    wanted = {
        "read": ("run_id", "run_url", "experiment_id"),
        "compare": ("decision", "winner"),
        "register": ("version",),
        "promote": ("version", "promoted", "champion", "decision"),
    }
    return {key: answer[key] for key in wanted.get(stage, ()) if key in answer}


def tell_result(name: str, result: Answer) -> str:
    """Return what became of a job, in a line."""
    if "version" not in result:
        return f"{name} is not retrained: none of its reasons holds."
    verdict = "is champion" if result.get("promoted") else "stays challenger"
    return f"{name} version {result['version']} {verdict}. {result.get('reason', '')}".rstrip()
