"""Candidates: each network of a comparison and their ensemble, fitted and scored."""

import gc
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass

from models import artifact
from models.errors import AlmanacError, LossNotFinite, RegistryError, TrainingError
from training.config.training import AUTO, ENSEMBLE, WARM_START, Contender, TrainConfig
from training.data.holdout import Split
from training.evaluation.baselines import BaselineRequest
from training.evaluation.classical import CLASSICAL, ready_processes
from training.evaluation.comparison import Comparison, Failure, Result, describe_failures
from training.evaluation.rolling_origins import baselines_over, score_over
from training.evaluation.scores import measure_latency
from training.fit.candidate import Candidate, EpochRecord
from training.fit.ensemble import make_ensemble
from training.fit.request import FitRequest
from training.pipeline.task import Runtime, TrainingTask
from training.pipeline.tracking import OpenRun, RunLog
from training.progress import native_noise_hidden

STARTED_FROM = "warm_start.version"
"""Tag of a warm start's run: the champion's version that it began with."""

SMALLEST_ENSEMBLE = 2


class TooFewNetworks(TrainingError):
    """Fewer than two networks are left to make an ensemble of."""

    code = "NOT_NEEDED"


@dataclass(frozen=True, slots=True)
class FittedCandidate:
    """What came of fitting one candidate in its run: the candidate, or why it failed."""

    name: str
    run_id: str
    candidate: Candidate | None = None
    failure: Failure | None = None


def fit_with_keras(request: FitRequest) -> Candidate:
    """Fit one candidate. TensorFlow is imported here, which takes ten seconds or more."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with native_noise_hidden():
        from training.fit.factory import make_candidate
    gc.freeze()  # the modules stay: looking for garbage in them takes a fifth of the time in which a step is traced
    return make_candidate(request)


def candidate_names(config: TrainConfig, left_out: Mapping[str, str]) -> list[str]:
    """Return the names of the candidates in the order in which they are fitted; the ensemble comes last.

    Raises:
        TrainingError: If no candidate is left.
    """
    kept = [one for one in config.contenders if one.architecture not in left_out]
    if not kept:
        raise TrainingError(
            f"No candidate can be fitted. {describe_failures(left_out)}", hint="Name another architecture."
        )
    joining = [one for one in kept if one.architecture != AUTO]
    return [*(one.name for one in kept), *([ENSEMBLE] if len(joining) >= SMALLEST_ENSEMBLE else [])]


def fit_candidates(
    names: Sequence[str], task: TrainingTask, runtime: Runtime, open_run: OpenRun
) -> list[FittedCandidate]:
    """Fit every candidate; one that fails is recorded, and the others are fitted all the same.

    An ensemble for which fewer than two networks are left is not needed, and is not among the results.
    """
    fitted: list[FittedCandidate] = []
    for name in names:
        networks = networks_of(fitted)
        if name != ENSEMBLE or len(networks) >= SMALLEST_ENSEMBLE:
            fitted.append(fit_candidate(name, task, runtime, open_run, networks))
    return fitted


def networks_of(fitted: Sequence[FittedCandidate]) -> dict[str, Candidate]:
    """Return the networks that an ensemble is made of: every fitted candidate that is not an ensemble itself."""
    made = {one.name: one.candidate for one in fitted}
    return {name: one for name, one in made.items() if one is not None and one.ensemble_weights is None}


def fit_candidate(
    name: str, task: TrainingTask, runtime: Runtime, open_run: OpenRun, networks: Mapping[str, Candidate]
) -> FittedCandidate:
    """Fit one candidate in a run of its own; raises RegistryError if MLflow does not answer."""
    log: RunLog | None = None
    epochs: list[EpochRecord] = []
    try:
        with open_run(name) as log:
            candidate = _make(name, task, runtime, log, networks, epochs)
    except RegistryError:
        raise
    except AlmanacError as error:
        failure = _describe_failure(name, error, epochs)
        if log is None:
            raise
        if not isinstance(error, TooFewNetworks):
            runtime.progress.report(f"{name} failed at step {failure.step}: {error.detail}", "red")
        log.failure(failure)
        return FittedCandidate(name, log.run_id, failure=failure)
    for warning in candidate.warnings:
        runtime.progress.report(f"  {name}: {warning}", "yellow")
    return FittedCandidate(name, log.run_id, candidate)


@contextmanager
def baseline_processes(task: TrainingTask) -> Iterator[Executor | None]:
    """Yield processes that get ready for a task's baselines while candidates are fitted; None if it has none that need them."""
    if CLASSICAL.keys().isdisjoint(task.config.baselines):
        yield None
        return
    with ready_processes(min(os.cpu_count() or 1, len(task.splits[0].scored))) as pool:
        yield pool


def score_candidates(
    task: TrainingTask, fitted: Sequence[FittedCandidate], runtime: Runtime, pool: Executor | None = None
) -> Comparison:
    """Score candidates and baselines, which a pool of `baseline_processes` may fit, at every origin.

    Raises:
        TrainingError: If every candidate failed, or the picked one did.
    """
    tried = [score(one, task.splits) for one in fitted]
    results = tuple(one for one in tried if isinstance(one, Result))
    failures = tuple(one for one in tried if isinstance(one, Failure))
    config = task.config
    comparison = Comparison(results, {}, failures, config.pick)
    _ = comparison.winner  # raises before the baselines are fitted
    wanted = BaselineRequest(config.baselines, config.baseline_series, config.seed, pool=pool)
    baselines = baselines_over(task.splits, wanted, runtime.progress)
    return Comparison(results, baselines, failures, config.pick)


def score(one: FittedCandidate, splits: Sequence[Split]) -> Result | Failure:
    """Return a candidate's errors at every origin and what serving it costs, or why it has none."""
    if one.candidate is None:
        assert one.failure is not None  # noqa: S101 - one of the two is always set
        return one.failure
    try:
        scores, predictions = score_over(one.candidate.forecaster, splits)
        latency = measure_latency(one.candidate.forecaster, splits[0])
    except AlmanacError as error:
        return _describe_failure(one.name, error, one.candidate.history)
    size = artifact.network_mb(one.candidate.directory)
    return Result(one.candidate, one.run_id, scores, predictions, latency, one.name, size)


def _make(  # noqa: PLR0913, PLR0917 - what a candidate is made of, and where its progress goes
    name: str,
    task: TrainingTask,
    runtime: Runtime,
    log: RunLog,
    networks: Mapping[str, Candidate],
    epochs: list[EpochRecord],
) -> Candidate:
    """Return a network or the ensemble; raises AlmanacError if it cannot be made."""
    if name == ENSEMBLE:
        candidate = _join(networks, task, runtime, log)
    else:
        (contender,) = (one for one in task.config.contenders if one.name == name)
        candidate = _fit(contender, task, runtime, log, epochs)
    runtime.progress.report_choice(name, candidate)
    return candidate


def _join(networks: Mapping[str, Candidate], task: TrainingTask, runtime: Runtime, log: RunLog) -> Candidate:
    """Return one model made of all networks."""
    if len(networks) < SMALLEST_ENSEMBLE:
        raise TooFewNetworks(f"An ensemble needs two networks; {len(networks)} could be fitted.")
    log.provenance(task.describe(runtime.environment))
    return make_ensemble(networks, runtime.scratch / ENSEMBLE, runtime.combine)


def _fit(
    contender: Contender, task: TrainingTask, runtime: Runtime, log: RunLog, epochs: list[EpochRecord]
) -> Candidate:
    """Return one network fitted on what lies before the cutoff; every epoch is shown and logged."""
    architecture, seed = contender.architecture, contender.seed
    log.provenance(task.describe(runtime.environment, architecture=architecture, seed=seed))
    if architecture == WARM_START and task.warm_start is not None:
        log.tags({STARTED_FROM: task.warm_start.version})
    with runtime.progress.training(contender.name) as show:

        def on_epoch(epoch: EpochRecord) -> None:
            epochs.append(epoch)
            show(epoch)
            log.epoch(epoch)

        return runtime.fit(
            FitRequest(
                training_set=task.training_set(whole=False),
                architecture=architecture,
                name=task.config.name,
                seed=seed,
                config=task.config.fit,
                directory=runtime.folder(contender.name),
                on_epoch=on_epoch,
            )
        )


def _describe_failure(name: str, error: AlmanacError, epochs: Sequence[EpochRecord]) -> Failure:
    """Return why a candidate failed, and after how many steps."""
    reached = error.step if isinstance(error, LossNotFinite) else epochs[-1].step if epochs else 0
    return Failure(name, str(error), error.code, reached)
