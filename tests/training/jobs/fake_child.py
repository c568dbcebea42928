# ruff: noqa: ARG001 (a stage takes what came before, whether it needs it or not)
"""Fake child: stages that take no time, in the process where a worker's stages run."""

import os
import sys
import time
from pathlib import Path
from typing import Any

from models.errors import DataInvalid, RegistryUnreachable
from training.retraining.protocol import OnEvent
from training.retraining.stage_process import main

Answer = dict[str, Any]


class Desk:
    """What a fake stage works with: the job's folder, beside which effects are counted."""

    def __init__(self, job: str, folder: Path, tell: OnEvent) -> None:
        """Keep them."""
        self.job, self.folder, self.tell = job, folder, tell

    def leave(self, what: str) -> int:
        """Write down that something was done for this job, and return how often it has been."""
        with (self.folder / "done.txt").open("a", encoding="utf-8") as file:
            file.write(f"{time.time() * 1000:.0f} {what}\n")
        lines = (self.folder / "done.txt").read_text(encoding="utf-8").splitlines()
        return [line.partition(" ")[2] for line in lines].count(what)


def judge(desk: Desk, request: Answer) -> Answer:
    """Say what the request's configuration wants said."""
    desk.leave("judge")
    return {"retrain": bool(request["config"].get("needed")), "reasons": []}


def read(desk: Desk, request: Answer) -> Answer:
    """Return one candidate."""
    times = desk.leave("read")
    fails = request["config"].get("read_fails", 0)
    if fails == "invalid":
        raise DataInvalid("Row 3 is wrong.", hint="Mend it.")
    if times <= fails:
        raise RegistryUnreachable("No answer.", hint="Start it.")
    return {"run_id": "r1", "candidates": request["config"].get("candidates", ["lstm"])}


def fit(desk: Desk, request: Answer, read: Answer, candidate: str) -> Answer:
    """Do what the candidate's name says: wait, grow, die, or be fitted, for as long as the configuration says."""
    assert read["run_id"] == "r1"
    desk.leave(f"fit {candidate}")
    desk.tell({"candidate": candidate, "epoch": 1, "step": 10, "validation_mase": 0.9, "seconds": 0.1})
    if candidate == "dies":
        os._exit(3)
    if candidate == "grows":
        kept = bytearray(os.urandom(1 << 20) * 400)
        time.sleep(600 + len(kept) * 0)
    if candidate == "waits":
        (desk.folder / "pid.txt").write_text(str(os.getpid()), encoding="utf-8")
        while not (desk.folder / "go.txt").exists():
            time.sleep(0.02)
    if candidate == "prints":
        print("noise of a library")  # noqa: T201 (it does)
        sys.stdout.flush()
    time.sleep(request.get("config", {}).get("fit_seconds", 0.0))
    return {"name": candidate, "cause": None, "pid": os.getpid()}


def compare(desk: Desk, request: Answer, read: Answer, fits: list[Answer]) -> Answer:
    """Choose the first that was fitted."""
    desk.leave("compare")
    return {"winner": fits[0]["name"], "failed": {one["name"]: one["cause"] for one in fits if one["cause"]}}


def refit(desk: Desk, request: Answer, read: Answer, compared: Answer) -> Answer:
    """Do nothing."""
    desk.leave("refit")
    return {"refitted": True}


def register(desk: Desk, request: Answer, read: Answer, compared: Answer, refitted: Answer) -> Answer:
    """Have the one effect there is: a version for this job, there once however often this runs."""
    desk.leave("register")
    versions = desk.folder.parent / "versions"
    versions.mkdir(exist_ok=True)
    (versions / desk.job).touch()
    return {"version": "7"}


def promote(desk: Desk, request: Answer, read: Answer, compared: Answer, registered: Answer) -> Answer:
    """Promote."""
    desk.leave("promote")
    failed = compared["failed"]
    return {"promoted": True, "version": registered["version"], "reason": "It is better.", "failed": failed}


def fail(desk: Desk, request: Answer, cause: str, status: str = "FAILED") -> Answer:
    """Write down the cause, and how the runs end."""
    if desk.leave("fail") <= request["config"].get("fail_fails", 0):
        raise RegistryUnreachable("No answer.", hint="Start it.")
    (desk.folder / "cause.txt").write_text(cause, encoding="utf-8")
    (desk.folder / "status.txt").write_text(status, encoding="utf-8")
    return {}


def watch(desk: Desk) -> Answer:
    """Take a champion back."""
    return {"lines": ["sales version 1 is champion again."]}


STAGES = {stage.__name__: stage for stage in (judge, read, fit, compare, refit, register, promote, fail, watch)}

if __name__ == "__main__":
    main(STAGES.__getitem__, Desk)
