"""Record: what a comparison leaves in MLflow once its candidates are scored."""

from collections.abc import Sequence

from training.evaluation.comparison import Comparison, describe_failures
from training.pipeline.candidates import FittedCandidate
from training.pipeline.task import Runtime, TrainingTask
from training.pipeline.tracking import OpenRun
from training.registry import runs
from training.registry.client import Registry


def log_start(registry: Registry, run_id: str, task: TrainingTask, runtime: Runtime) -> None:
    """Log configuration, data and environment in the run of a comparison."""
    runs.log_provenance(registry, run_id, task.describe(runtime.environment))
    runs.log_data(registry, run_id, task.data, task.cutoff, origins=len(task.splits))


def log_comparison(  # noqa: PLR0913, PLR0917 - what is logged, and where
    registry: Registry,
    fitted: Sequence[FittedCandidate],
    comparison: Comparison,
    task: TrainingTask,
    runtime: Runtime,
    open_run: OpenRun,
) -> None:
    """Log every candidate in its run and every baseline in a new one, and report why candidates failed.

    Raises:
        RegistryError: If MLflow does not answer.
    """
    if comparison.failures:
        runtime.progress.report(describe_failures({one.name: one.cause for one in comparison.failures}), "red")
    run_ids = {one.name: one.run_id for one in fitted if one.candidate is not None}
    for failure in comparison.failures:
        if failure.name in run_ids:  # it was fitted, but cannot forecast the held-out block
            runs.log_failure(registry, run_ids[failure.name], failure)
            registry.finish(run_ids[failure.name], "FAILED")
    for result in comparison.results:
        runs.log_candidate(registry, result, comparison, task.newest, task.config.unit)
    for name in comparison.baselines:
        with open_run(name) as log:
            runs.log_baseline(registry, log.run_id, name, comparison)
