# ruff: noqa: ARG001 (a stage takes all earlier results, whether it needs them or not)
"""A stage process with fake stages, which take no time."""

import os
import sys
import time
from pathlib import Path
from typing import Any

from models.errors import DataInvalid, RegistryUnreachable
from training.retraining.stage_messages import OnEvent
from training.retraining.stage_process import main

StageResult = dict[str, Any]


class Context:
    """What a fake stage works with: the job's folder, where each call is recorded."""

    def __init__(self, job: str, folder: Path, on_event: OnEvent) -> None:
        """Keep the arguments."""
        self.job, self.folder, self.on_event = job, folder, on_event

    def record(self, stage: str) -> int:
        """Record a call of a stage, and return how many calls it has had for this job."""
        with (self.folder / "done.txt").open("a", encoding="utf-8") as file:
            file.write(f"{time.time() * 1000:.0f} {stage}\n")
        lines = (self.folder / "done.txt").read_text(encoding="utf-8").splitlines()
        return [line.partition(" ")[2] for line in lines].count(stage)


def assess(job: Context, request: StageResult) -> StageResult:
    """Return `needed` of the request's configuration as the decision."""
    job.record("judge")
    return {"retrain": bool(request["config"].get("needed")), "reasons": []}


def read(job: Context, request: StageResult) -> StageResult:
    """Return the candidates, after as many failures as the configuration has in `read_fails`."""
    calls = job.record("read")
    fails = request["config"].get("read_fails", 0)
    if fails == "invalid":
        raise DataInvalid("Row 3 is wrong.", hint="Correct it.")
    if calls <= fails:
        raise RegistryUnreachable("No response.", hint="Start it.")
    return {"run_id": "r1", "candidates": request["config"].get("candidates", ["lstm"])}


def fit(job: Context, request: StageResult, read: StageResult, candidate: str, fits: list[StageResult]) -> StageResult:
    """Do what the candidate's name says: die, grow, wait, print, or be fitted in `fit_seconds`."""
    assert read["run_id"] == "r1"
    job.record(f"fit {candidate}")
    job.on_event({"candidate": candidate, "epoch": 1, "step": 10, "validation_mase": 0.9, "seconds": 0.1})
    if candidate == "dies":
        os._exit(3)
    if candidate == "grows":
        kept = bytearray(os.urandom(1 << 20) * 400)
        time.sleep(600 + len(kept) * 0)
    if candidate == "waits":
        (job.folder / "pid.txt").write_text(str(os.getpid()), encoding="utf-8")
        while not (job.folder / "go.txt").exists():
            time.sleep(0.02)
    if candidate == "prints":
        print("output of a library")  # noqa: T201 (as libraries do)
        sys.stdout.flush()
    time.sleep(request.get("config", {}).get("fit_seconds", 0.0))
    return {"name": candidate, "cause": None, "pid": os.getpid()}


def compare(job: Context, request: StageResult, read: StageResult, fits: list[StageResult]) -> StageResult:
    """Choose the first candidate."""
    job.record("compare")
    return {"winner": fits[0]["name"], "failed": {one["name"]: one["cause"] for one in fits if one["cause"]}}


def refit(job: Context, request: StageResult, read: StageResult, compared: StageResult) -> StageResult:
    """Do nothing."""
    job.record("refit")
    return {"refitted": True}


def register(
    job: Context, request: StageResult, read: StageResult, compared: StageResult, refitted: StageResult
) -> StageResult:
    """Write the file that stands for this job's version."""
    job.record("register")
    versions = job.folder.parent / "versions"
    versions.mkdir(exist_ok=True)
    (versions / job.job).touch()
    return {"version": "7"}


def promote(
    job: Context, request: StageResult, read: StageResult, compared: StageResult, registered: StageResult
) -> StageResult:
    """Promote."""
    job.record("promote")
    failed = compared["failed"]
    return {"promoted": True, "version": registered["version"], "reason": "It is better.", "failed": failed}


def fail(job: Context, request: StageResult, cause: str, status: str = "FAILED") -> StageResult:
    """Write cause and status of the runs, after as many failures as the configuration has in `fail_fails`."""
    if job.record("fail") <= request["config"].get("fail_fails", 0):
        raise RegistryUnreachable("No response.", hint="Start it.")
    (job.folder / "cause.txt").write_text(cause, encoding="utf-8")
    (job.folder / "status.txt").write_text(status, encoding="utf-8")
    return {}


def watch(job: Context) -> StageResult:
    """Roll a champion back."""
    return {"lines": ["sales version 1 is champion again."]}


STAGES = {stage.__name__: stage for stage in (assess, read, fit, compare, refit, register, promote, fail, watch)}

if __name__ == "__main__":
    main(STAGES.__getitem__, Context)
