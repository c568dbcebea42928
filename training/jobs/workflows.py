"""Workflows: the two that a worker runs, a retraining and the watch, each stage a checkpointed step of DBOS."""

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
from training.jobs.settings import Settings
from training.jobs.stage_runner import Child, Limits
from training.jobs.steps import Bench, Seat, limits_of, run_stage
from training.processes import is_up

WATCH_FOLDER = "watch"
"""Stands where a job's id would: all ticks of the watch share one folder."""

WATCH_LIMITS = CLOSE_LIMITS = Limits(600.0)

MOST_RECOVERIES = 100
"""A job that has taken so many workers down with it is given up."""

WATCHES_KEPT = timedelta(days=1)
"""How long what a watch has seen stays in the database; what it did stands in MLflow."""


@dataclass(frozen=True, slots=True)
class Workflows:
    """What a worker runs.

    Attributes:
        settings: The worker's.
        client: Of the jobs' database.
        say: Prints a line.
        stop: Set when the worker ends.
    """

    settings: Settings
    client: DBOSClient
    say: Callable[[str], None]
    stop: Event

    def register(self) -> None:
        """Tell DBOS its workflows: functions of this worker, not of a module, since importing does nothing here."""
        bench = Bench(self.settings.home, self.stop, self.say, self.settings.first_wait)

        @DBOS.workflow(name=names.WORKFLOW, max_recovery_attempts=MOST_RECOVERIES)
        def retrain(scheduled_at: str, request: dict[str, Any]) -> dict[str, Any]:
            try:
                with Child(self.stop, self.settings.command) as child:
                    return self._retrain(bench, child, scheduled_at, request)
            except (dbos_error.DBOSWorkflowConflictIDError, dbos_error.DBOSWorkflowCancelledError):
                self._let_go(str(DBOS.workflow_id), request)
                raise

        @DBOS.workflow(name=names.CLOSE_WORKFLOW, max_recovery_attempts=MOST_RECOVERIES)
        def close(job: str, request: dict[str, Any]) -> dict[str, Any]:
            with Child(self.stop, self.settings.command) as child:
                seat = Seat(job, child, CLOSE_LIMITS, lambda _: None)
                told = [request, "The job was cancelled.", "KILLED"]
                return DBOS.run_step({"name": "fail"}, run_stage, bench, seat, "fail", "fail", told)

        @DBOS.workflow(name=names.WATCH_WORKFLOW, max_recovery_attempts=MOST_RECOVERIES)
        def watch(_scheduled_at: str, _request: dict[str, Any] | None) -> dict[str, Any]:
            with Child(self.stop, self.settings.command) as child:
                return self._watch(bench, child)

    def _retrain(self, bench: Bench, child: Child, scheduled_at: str, request: dict[str, Any]) -> dict[str, Any]:
        """Run one job's story, each stage a step of DBOS."""
        job = str(DBOS.workflow_id)
        summary = {"name": request["name"], "reason": request.get("reason"), "worker": self.settings.name}
        seat = Seat(job, child, limits_of(request), lambda told: DBOS.set_event(names.PROGRESS, dict(told)))

        def run(name: str, stage: str, arguments: list[Any]) -> dict[str, Any]:
            try:
                answer = run_stage(bench, seat, name, stage, arguments)
            except OSError as error:
                raise StageFailed(f"{name} could not be run: {error}.", hint="Look at the worker's disk.") from error
            DBOS.set_event(names.SUMMARY, {**summary, **retrain_workflow.gist(stage, answer)})
            return answer

        def step(name: str, stage: str, *arguments: Any) -> dict[str, Any]:  # noqa: ANN401 (any JSON)
            answer = DBOS.run_step({"name": name}, run, name, stage, list(arguments))
            summary.update(retrain_workflow.gist(stage, answer))
            return answer

        self.say(f"{job}: retraining {request['name']} ({request.get('reason') or 'schedule'}, asked {scheduled_at})")
        try:
            result = retrain_workflow.retrain(step, request)
        except Exception as error:
            self.say(f"{job}: failed: {error}")
            raise
        self.say(f"{job}: {retrain_workflow.tell_result(request['name'], result)}")
        return result

    def _let_go(self, job: str, request: dict[str, Any]) -> None:
        """Have the runs of a job closed that was cancelled; one that another worker has taken over is that one's."""
        if self.client.list_workflows(workflow_ids=[job], status="CANCELLED"):
            self.say(f"{job}: cancelled")
            close_runs(self.client, job, request)
        else:
            self.say(f"{job}: another worker has taken it over")

    def _watch(self, bench: Bench, child: Child) -> dict[str, Any]:
        """Look at the fresh champions, where a service answers that could have scored them."""
        quiet = Bench(bench.home, bench.stop, lambda _: None, bench.first_wait)
        seat = Seat(WATCH_FOLDER, child, WATCH_LIMITS, lambda _: None)

        def look() -> dict[str, Any]:
            if not is_up(f"{self.settings.service}/health/live"):
                return {"lines": [], "rollbacks": {}}
            return run_stage(quiet, seat, "watch", "watch", [])

        try:
            seen = DBOS.run_step({"name": "watch"}, look)
        except Exception as error:
            self.say(f"watch: failed: {error}")
            raise
        for line in seen["lines"]:
            self.say(f"watch: {line}")
        self._forget_watches(datetime.now(UTC) - WATCHES_KEPT)
        return seen

    def _forget_watches(self, before: datetime) -> None:
        """Delete old looks, of which there are 288 a day."""
        over = ["SUCCESS", "ERROR", "CANCELLED"]
        old = self.client.list_workflows(
            name=names.WATCH_WORKFLOW, status=over, end_time=before.isoformat(), limit=1000, load_input=False
        )
        if old:
            self.client.delete_workflows([one.workflow_id for one in old])


def close_runs(client: DBOSClient, job: str, request: dict[str, Any]) -> None:
    """Have a worker close what a cancelled job has left open in MLflow, once."""
    options = {
        "workflow_name": names.CLOSE_WORKFLOW,
        "queue_name": names.WATCH_QUEUE,
        "workflow_id": names.close_workflow_id(job),
    }
    client.enqueue(options, job, request)  # type: ignore[arg-type] # a TypedDict
