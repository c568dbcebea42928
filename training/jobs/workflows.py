"""The DBOS workflows that a worker runs: a retraining, the watch, and the closing of a cancelled job's runs."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import Any

from dbos import DBOS, DBOSClient
from dbos import error as dbos_error

from models.jobs import names
from models.jobs.errors import StageFailed
from training.jobs import retrain_workflow
from training.jobs.missed_work import close_runs
from training.jobs.stage_runner import Limits, StageProcess, StageResult
from training.jobs.steps import StageRun, WorkerRuntime, limits_of, run_stage
from training.jobs.worker_settings import WorkerSettings
from training.processes import is_up

WATCH_FOLDER = "watch"
"""In place of a job's id: all ticks of the watch share one folder."""

WATCH_LIMITS = CLOSE_LIMITS = Limits(600.0)

MOST_RECOVERIES = 100
"""Number of interrupted tries after which DBOS gives a job up."""

WATCHES_KEPT = timedelta(days=1)
"""How long the database keeps finished ticks of the watch; MLflow keeps the rollbacks."""


@dataclass(frozen=True, slots=True)
class Workflows:
    """The workflows of a worker, which run until `stop` is set."""

    settings: WorkerSettings
    client: DBOSClient
    log: Callable[[str], None]
    stop: Event

    def register(self) -> None:
        """Register the workflows with DBOS. They are closures over this worker, so that importing the module does nothing."""
        runtime = WorkerRuntime(self.settings.home, self.stop, self.log, self.settings.first_wait)

        @DBOS.workflow(name=names.WORKFLOW, max_recovery_attempts=MOST_RECOVERIES)
        def retrain(scheduled_at: str, request: dict[str, Any]) -> StageResult:
            try:
                with StageProcess(self.stop, self.settings.command) as process:
                    return self._retrain(runtime, process, scheduled_at, request)
            except (dbos_error.DBOSWorkflowConflictIDError, dbos_error.DBOSWorkflowCancelledError):
                self._on_taken_away(str(DBOS.workflow_id), request)
                raise

        @DBOS.workflow(name=names.CLOSE_WORKFLOW, max_recovery_attempts=MOST_RECOVERIES)
        def close(job: str, request: dict[str, Any]) -> StageResult:
            with StageProcess(self.stop, self.settings.command) as process:
                run = StageRun(job, process, CLOSE_LIMITS, lambda _: None)
                arguments = [request, "The job was cancelled.", "KILLED"]
                return DBOS.run_step({"name": "fail"}, run_stage, runtime, run, "fail", "fail", arguments)

        @DBOS.workflow(name=names.WATCH_WORKFLOW, max_recovery_attempts=MOST_RECOVERIES)
        def watch(_scheduled_at: str, _request: dict[str, Any] | None) -> StageResult:
            with StageProcess(self.stop, self.settings.command) as process:
                return self._watch(runtime, process)

    def _retrain(
        self, runtime: WorkerRuntime, process: StageProcess, scheduled_at: str, request: dict[str, Any]
    ) -> StageResult:
        """Run a retraining, each stage as a step of DBOS."""
        job = str(DBOS.workflow_id)
        summary = {"name": request["name"], "reason": request.get("reason"), "worker": self.settings.name}
        run = StageRun(
            job,
            process,
            limits_of(request, self.settings.memory_mb),
            lambda progress: DBOS.set_event(names.PROGRESS, dict(progress)),
        )

        def run_and_summarize(name: str, stage: str, arguments: list[Any]) -> StageResult:
            try:
                result = run_stage(runtime, run, name, stage, arguments)
            except OSError as error:
                raise StageFailed(f"{name} could not be run: {error}.", hint="Check the worker's disk.") from error
            DBOS.set_event(names.SUMMARY, {**summary, **retrain_workflow.summarize(stage, result)})
            return result

        def step(name: str, stage: str, *arguments: Any) -> StageResult:  # noqa: ANN401 (any JSON)
            result = DBOS.run_step({"name": name}, run_and_summarize, name, stage, list(arguments))
            summary.update(retrain_workflow.summarize(stage, result))
            return result

        reason = request.get("reason") or "schedule"
        self.log(f"{job}: retraining {request['name']} ({reason}, requested {scheduled_at})")
        try:
            result = retrain_workflow.retrain(step, request)
        except Exception as error:
            self.log(f"{job}: failed: {error}")
            raise
        self.log(f"{job}: {retrain_workflow.describe_result(request['name'], result)}")
        return result

    def _on_taken_away(self, job: str, request: dict[str, Any]) -> None:
        """Close the MLflow runs of a cancelled job; a job that another worker adopted keeps its runs."""
        if self.client.list_workflows(workflow_ids=[job], status="CANCELLED"):
            self.log(f"{job}: cancelled")
            close_runs(self.client, job, request)
        else:
            self.log(f"{job}: another worker has adopted it")

    def _watch(self, runtime: WorkerRuntime, process: StageProcess) -> StageResult:
        """Check the new champions, if the service that scores them is up."""
        quiet = WorkerRuntime(runtime.home, runtime.stop, lambda _: None, runtime.first_wait)
        run = StageRun(WATCH_FOLDER, process, WATCH_LIMITS, lambda _: None)

        def watch() -> StageResult:
            if not is_up(f"{self.settings.service}/health/live"):
                return {"lines": [], "rollbacks": {}, "promotions": {}}
            return run_stage(quiet, run, "watch", "watch", [])

        try:
            result = DBOS.run_step({"name": "watch"}, watch)
        except Exception as error:
            self.log(f"watch: failed: {error}")
            raise
        for line in result["lines"]:
            self.log(f"watch: {line}")
        self._delete_watches(datetime.now(UTC) - WATCHES_KEPT)
        return result

    def _delete_watches(self, before: datetime) -> None:
        """Delete finished ticks of the watch, of which there are 288 a day."""
        finished = ["SUCCESS", "ERROR", "CANCELLED"]
        old = self.client.list_workflows(
            name=names.WATCH_WORKFLOW, status=finished, end_time=before.isoformat(), limit=1000, load_input=False
        )
        if old:
            self.client.delete_workflows([one.workflow_id for one in old])
