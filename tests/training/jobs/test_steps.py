"""Steps: what a stage may use."""

from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import Any

from training.jobs.stage_runner import Child, Limits, Task
from training.jobs.steps import Bench, Seat, run_stage


class Recording(Child):
    """A child that answers at once, and keeps the limits that it was given."""

    def __init__(self) -> None:
        """Nothing is started."""
        super().__init__(Event())
        self.given: dict[str, Limits] = {}

    def run(
        self,
        task: Task,
        limits: Limits,
        _tell: Callable[[dict[str, Any]], None],
        _pulse: Callable[[], None] = lambda: None,
    ) -> dict[str, Any]:
        """Answer."""
        self.given[task.stage] = limits
        return {}


def test_what_closes_a_job_is_not_under_the_limits_that_the_job_went_over(tmp_path: Path) -> None:
    """A second and a megabyte are the stages' own; the one that closes the runs has ten minutes and no limit of memory."""
    child, narrow = Recording(), Limits(1.0, 1)
    seat = Seat("job-1", child, narrow, lambda _: None)
    bench = Bench(tmp_path, Event(), lambda _: None)

    for stage in ("read", "fit", "fail"):
        run_stage(bench, seat, stage, stage, [])

    assert child.given == {"read": narrow, "fit": narrow, "fail": Limits(600.0)}
