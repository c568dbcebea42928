from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import Any

from training.jobs.stage_runner import Limits, StageCall, StageProcess
from training.jobs.steps import StageRun, WorkerRuntime, run_stage


class RecordingProcess(StageProcess):
    """A process that runs nothing and records the limits."""

    def __init__(self) -> None:
        """Start nothing."""
        super().__init__(Event())
        self.limits: dict[str, Limits] = {}

    def run(
        self,
        call: StageCall,
        limits: Limits,
        _on_event: Callable[[dict[str, Any]], None],
        _on_tick: Callable[[], None] = lambda: None,
    ) -> dict[str, Any]:
        """Record the limits."""
        self.limits[call.stage] = limits
        return {}


def test_the_stage_that_closes_a_job_has_its_own_limits(tmp_path: Path) -> None:
    """The job may have exceeded the others."""
    process, narrow = RecordingProcess(), Limits(1.0, 1)
    run = StageRun("job-1", process, narrow, lambda _: None)
    runtime = WorkerRuntime(tmp_path, Event(), lambda _: None)

    for stage in ("read", "fit", "fail"):
        run_stage(runtime, run, stage, stage, [])

    assert process.limits == {"read": narrow, "fit": narrow, "fail": Limits(600.0)}
