"""A stage process with real stages around a fake training, killed after chosen calls of MLflow.

KILL_FILE is a JSON list of calls: a number, or a name for the first call of that name. `calls.txt` beside it gets a line for
each call that writes.
"""

import functools
import json
import os
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from mlflow.tracking import MlflowClient

from tests.training.fakes import combine_graphs, make_fit
from training.retraining import stage_process
from training.retraining.job_context import JobContext
from training.retraining.stage_messages import OnEvent, Stage
from training.retraining.stage_process import find_stage

WRITES = (
    "create_run",
    "log_batch",
    "log_inputs",
    "log_artifacts",
    "log_dict",
    "set_tag",
    "set_terminated",
    "update_run",
    "create_logged_model",
    "finalize_logged_model",
    "log_model_artifacts",
    "delete_logged_model",
    "create_registered_model",
    "create_model_version",
    "set_model_version_tag",
    "set_registered_model_alias",
)
"""Methods that change a run, a model or an alias."""


def patch(orders: Path) -> None:
    """Count every write, and kill the worker and this process right after a chosen one."""
    calls = orders.with_name("calls.txt")

    def counted(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(method)
        def call(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 (MLflow's client is untyped)
            result = method(*args, **kwargs)
            with calls.open("a", encoding="utf-8") as file:
                file.write(f"{name}\n")
            made = calls.read_text(encoding="utf-8").splitlines()
            ordered = json.loads(orders.read_text(encoding="utf-8"))
            if len(made) in ordered or (name in ordered and made.count(name) == 1):
                os.kill(os.getppid(), signal.SIGKILL)
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return call

    for name in WRITES:
        setattr(MlflowClient, name, counted(name, getattr(MlflowClient, name)))


def noted(name: str) -> Stage:
    """Return a stage that records when it begins."""

    def stage(job: JobContext, *arguments: Any) -> dict[str, Any]:  # noqa: ANN401 (any JSON)
        with (job.folder / "done.txt").open("a", encoding="utf-8") as file:
            file.write(f"{time.time() * 1000:.0f} {name}{f' {arguments[2]}' if name == 'fit' else ''}\n")
        return find_stage(name)(job, *arguments)

    return stage


def make_context(job: str, folder: Path, on_event: OnEvent) -> JobContext:
    """Return the context of a job whose training takes no time."""
    context: JobContext = stage_process.make_context(job, folder, on_event)
    return replace(context, fit=make_fit(), combine=combine_graphs)


if __name__ == "__main__":
    patch(Path(os.environ["KILL_FILE"]))
    stage_process.main(noted, make_context)
