from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from training.jobs.stage_runner import Limits, StageCall, StageProcess
from training.jobs.steps import StageRun, WorkerRuntime, limits_of, run_stage


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


@pytest.mark.parametrize(
    ("own", "workers", "limit", "hint"),
    [
        (None, 500, 500, "ALMANAC_JOB_MEMORY"),
        (900, 500, 500, "ALMANAC_JOB_MEMORY"),
        (300, 500, 300, "memory_mb"),
        (300, None, 300, "memory_mb"),
        (None, None, None, "memory_mb"),
    ],
)
def test_the_lower_of_two_memory_limits_holds(
    own: int | None, workers: int | None, limit: int | None, hint: str
) -> None:
    """A request cannot raise the worker's; the error names the setting that would help."""
    found = limits_of({"config": {"retrain": {"memory_mb": own}}}, workers)

    assert found.megabytes == limit
    assert hint in found.memory_hint


def test_the_stage_that_closes_a_job_has_its_own_limits(tmp_path: Path) -> None:
    """The job may have exceeded the others."""
    process, narrow = RecordingProcess(), Limits(1.0, 1)
    run = StageRun("job-1", process, narrow, lambda _: None)
    runtime = WorkerRuntime(tmp_path, Event(), lambda _: None)

    for stage in ("read", "fit", "fail"):
        run_stage(runtime, run, stage, stage, [])

    assert process.limits == {"read": narrow, "fit": narrow, "fail": Limits(600.0)}
