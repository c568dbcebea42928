"""Stages: a retraining as steps that each survive a kill: read, fit one candidate, compare, refit, register, promote.

A stage takes the job's context, its request (`name` and `config`, optionally `reason`) and what the stages before it
returned; it returns JSON. DBOS remembers what it returned; its effects are in MLflow, in runs that are found by the
job's id. A stage that is run again, because the process was killed before DBOS wrote its result down, replaces what it
had left half done and never registers or promotes twice. Every stage raises RegistryError if MLflow does not answer.

    parent run (almanac.part = job)   data/, read.json, compare.json, decision.json
    a candidate's run (its name)      candidate/, and served/ of the winner
"""

from collections.abc import Sequence
from dataclasses import asdict, replace

from models import artifact
from models.errors import RegistryError
from models.json_values import to_json_value
from training.config.training import ENSEMBLE, WARM_START
from training.data.holdout import describe_split
from training.evaluation.comparison import Failure
from training.evaluation.promotion import PromotionDecision
from training.fit.candidate import Candidate
from training.pipeline.candidates import FittedCandidate, TooFewNetworks, fit_candidate, networks_of, score_candidates
from training.pipeline.champion import ChampionLookup, choose_warm_start, find_champion
from training.pipeline.compare import decide
from training.pipeline.plan import plan_comparison, read_data
from training.pipeline.record import log_comparison, log_start
from training.pipeline.refit import refit as fit_again
from training.pipeline.register import champion_version, describe_served, keep_candidate, upload
from training.pipeline.register import promote as carry_out
from training.pipeline.task import TrainingTask
from training.registry import runs
from training.registry.client import RUNNING
from training.retraining.job_context import (
    JOB,
    PARENT,
    PART,
    Given,
    JobContext,
    Plain,
    champion_of,
    config_of,
    errors_name,
    freeze_data,
    task_of,
)

READ, COMPARE = "read.json", "compare.json"
"""Files of the job's run that show a person what was read, and the result of the comparison."""

SERVED = "served"
"""Folder of the winner's run with the artifact that becomes the version."""

PROMOTED = "almanac.promoted"
"""Tag of a version that its job made champion: a job does so once, even if the alias moves afterwards."""


def read(job: JobContext, request: Given) -> Plain:
    """Freeze the data, and choose origins and candidates.

    Returns:
        `run_id`, `name`, `digest`, `file`, `series`, `observations`, `frequency`, `findings`, `candidates` to fit in this
        order, `left_out` with the reason by name, `champion` (`version`, `run_id` and `as`: whether it is compared as it
        is `served` or as it was `backtested`; or the `cause` why it cannot be), `origins` (`count`, `horizon`, `notes`).

    Raises:
        DataInvalid, ConfigInvalid: If nothing can be trained.
        ServiceUnreachable: If the observations cannot be fetched.
    """
    config, runtime = config_of(request), job.runtime("read")
    path, noticed = freeze_data(job, config)
    given, config = config.data, replace(config, data=path)
    with errors_name(given, path):
        data = job.data["data"] = read_data(config, runtime.progress)
    found = find_champion(job.registry, config.name, job.folder / "champion")
    plan = plan_comparison(config, data, found, job.emptied("start"))
    held_out = describe_split(plan.task.cutoff)
    runtime.progress.report_findings(held_out)
    run_id = job.begin(config.name, PARENT, f"retrain {', '.join(config.architecture)}")
    log_start(job.registry, run_id, plan.task, runtime)
    origins = len(plan.task.splits)
    job.registry.log(run_id, tags={"almanac.reason": request.get("reason", "").upper(), "origins": origins})
    job.registry.log_files(run_id, path.parent, "data")
    result = {
        "run_id": run_id,
        "name": config.name,
        "digest": data.digest,
        "file": path.name,
        "series": len(data.series),
        "observations": data.observed,
        "frequency": data.frequency.name,
        "findings": [asdict(one) for one in (*noticed, *data.findings, *held_out)],
        "candidates": list(plan.candidates),
        "left_out": dict(plan.left_out),
        "champion": _describe_champion(found, plan.champion_state),
        "origins": {"count": origins, "horizon": config.horizon, "notes": list(plan.notes)},
    }
    job.registry.log_json(run_id, result, READ)
    return result


def fit(job: JobContext, request: Given, read: Given, candidate: str, fits: Sequence[Given] = ()) -> Plain:
    """Fit one candidate on what lies before the cutoff, and keep it in its run.

    Returns:
        `name`, `run_id`, `cause` (None, or why there is no candidate), `code`, `step`, `seconds`, `validation_mase`.

    A candidate that fails is a result with a cause.
    """
    runtime = job.runtime("fit")
    task = task_of(job, request, read, runtime)
    if candidate.partition("/")[0] == WARM_START:
        task = _with_warm_start(job, task, read)
    networks = networks_of([_fitted(job, one) for one in fits]) if candidate == ENSEMBLE else {}
    fitted = fit_candidate(candidate, task, runtime, job.children_of(read["name"], read["run_id"]), networks)
    result: Plain = {"name": candidate, "run_id": fitted.run_id, "cause": None, "code": None}
    if fitted.failure is not None:
        failed = {"cause": fitted.failure.cause, "code": fitted.failure.code, "step": fitted.failure.step}
        return result | failed | {"seconds": 0.0, "validation_mase": None}
    assert fitted.candidate is not None  # noqa: S101 - a candidate or a failure is always set
    made = fitted.candidate
    keep_candidate(job.registry, fitted.run_id, made, task)
    steps = made.history[-1].step if made.history else 0
    figures = {"step": steps, "seconds": made.train_seconds, "validation_mase": made.validation["mase"]}
    return dict(to_json_value(result | figures))


def compare(job: JobContext, request: Given, read: Given, fits: Sequence[Given]) -> Plain:
    """Score candidates, baselines and the champion at the same origins, and decide on the promotion.

    Returns:
        `winner`, `winner_run_id`, `models` (metrics by name, baselines among them), `failed` (causes by name),
        `beats_baselines`, `decision`, `notes`, and `served`: what the specification says of a winner that is not fitted
        again, and of one that is.

    Raises:
        TrainingError: If every candidate failed, or the picked one did; with the causes.
    """
    runtime = job.runtime("compare")
    task = task_of(job, request, read, runtime)
    fitted = [_fitted(job, one) for one in fits if one["code"] != TooFewNetworks.code]
    _close_killed(job, read["name"], fitted)
    comparison = score_candidates(task, fitted, runtime)
    open_run = job.children_of(read["name"], read["run_id"])
    log_comparison(job.registry, fitted, comparison, task, runtime, open_run)
    found, state = champion_of(job, read), (read["champion"] or {}).get("as", "")
    compared = decide(comparison, task, found, state, tuple(read["origins"]["notes"]))
    winner = compared.winner
    runs.log_winner(job.registry, read["run_id"], winner, comparison, refitted=task.config.refit)
    result: Plain = to_json_value(
        {
            "winner": winner.name,
            "winner_run_id": winner.run_id,
            "models": compared.metrics(),
            "failed": {one.name: one.cause for one in comparison.failures},
            "beats_baselines": comparison.beats_baselines(winner),
            "decision": compared.decision.to_dict(),
            "notes": list(compared.notes),
            "served": [describe_served(winner, comparison, task, refitted=one) for one in (False, True)],
        }
    )
    job.registry.log_json(read["run_id"], result, COMPARE)
    return result


def refit(job: JobContext, request: Given, read: Given, compared: Given) -> Plain:
    """Fit the winner again on all data if the configuration says so, and keep what will be served in its run.

    Returns:
        `run_id` of the winner, `refitted`: whether it was fitted again, `warnings`.
    """
    runtime = job.runtime("refit")
    task = task_of(job, request, read, runtime)
    run_id = compared["winner_run_id"]
    backtested = job.candidate(run_id)
    if _is_warm(backtested):
        task = _with_warm_start(job, task, read)
    served = fit_again(compared["winner"], backtested, task, runtime) if task.config.refit else backtested
    refitted = served is not backtested
    artifact.update_spec(served.directory, **compared["served"][refitted])
    job.registry.log_files(run_id, served.directory, SERVED)
    for one in (run_id, read["run_id"]):
        job.registry.log(one, tags={"refit": refitted})
    if refitted:
        runs.log_served(job.registry, run_id, served)
    return {"run_id": run_id, "refitted": refitted, "warnings": list(served.warnings)}


def register(job: JobContext, request: Given, read: Given, compared: Given, refitted: Given) -> Plain:  # noqa: ARG001
    """Register what is served as a version of the name, alias challenger; one version for each job.

    A model that was uploaded but did not become a version is deleted and uploaded again.

    Returns:
        `version`.

    Raises:
        ArtifactError: If what should be served is damaged.
    """
    name, run_id = read["name"], refitted["run_id"]
    if registered := job.registry.models.tagged(name, {JOB: job.job}):
        job.registry.models.set_challenger(name, registered[0])
        return {"version": registered[0]}
    task = task_of(job, request, read, job.runtime("register"))
    folder = job.registry.fetch(run_id, SERVED, job.emptied("candidates/served"))
    if folder is None:
        raise RegistryError(f"Run {run_id} has no folder {SERVED}.", hint="Start the job again.")
    artifact.load(folder)
    job.registry.models.delete_logged_models(run_id)
    return {"version": upload(job.registry, run_id, folder, task, {JOB: job.job})}


def promote(job: JobContext, request: Given, read: Given, compared: Given, registered: Given) -> Plain:
    """Move the champion alias if the decision says so, and log the decision in any case.

    The alias moves once for each job, to a version whose golden forecasts are right, and only while the champion is the
    one that the winner was compared with. Run again, the stage changes nothing, even if a person has rolled back.

    Returns:
        `promoted`, `version`, `champion` (the version that the alias names now), `reason`, `decision`.

    Raises:
        ArtifactError: If the version is damaged; the alias stays where it is.
    """
    name, version = read["name"], registered["version"]
    decision = PromotionDecision(**{**compared["decision"], "notes": tuple(compared["decision"]["notes"])})
    decision = decision.with_figures(challenger_version=version)
    if version not in job.registry.models.tagged(name, {JOB: job.job, PROMOTED: "True"}):
        challenger = job.registry.models.resolve(f"{name}/{version}")
        if decision.promote:
            artifact.load(job.registry.models.download(challenger, job.emptied("candidates/version")))
        expected = read["champion"]["version"] if read["champion"] else None
        live_scores = config_of(request).retrain.live_scores
        decision = carry_out(job.registry, name, version, decision, expected, live_scores)
        if decision.promote:
            job.registry.models.tag(name, version, {PROMOTED: "True"})
    runs.log_decision(job.registry, name, (read["run_id"], compared["winner_run_id"]), decision, version)
    job.registry.finish(read["run_id"])
    job.clear()
    champion = champion_version(job.registry, name)
    result = {"promoted": decision.promote, "version": version, "champion": champion, "reason": decision.reason}
    return dict(to_json_value(result | {"decision": decision.to_dict()}))


def fail(job: JobContext, request: Given, cause: str, status: str = "FAILED") -> Plain:
    """End every open run of a job, with the cause.

    Returns:
        `run_id` of the job's own run, or None if it has none.
    """
    for run in job.registry.runs(request["name"], {JOB: job.job}, status=RUNNING):
        job.registry.log(run.run_id, tags={"failure.cause": cause})
        job.registry.finish(run.run_id, status)
    job.clear()
    own = job.find(request["name"], PARENT)
    return {"run_id": own.run_id if own else None}


def _describe_champion(found: ChampionLookup, state: str) -> Plain | None:
    if found.version is None:
        return None
    cause = {"cause": found.cause} if found.cause else {}
    return {"version": found.version, "run_id": found.run_id, "as": state, **cause}


def _fitted(job: JobContext, fit: Given) -> FittedCandidate:
    """Return a candidate as its stage left it."""
    if fit["cause"] is None:
        return FittedCandidate(fit["name"], fit["run_id"], job.candidate(fit["run_id"]))
    return FittedCandidate(
        fit["name"], fit["run_id"], failure=Failure(fit["name"], fit["cause"], fit["code"], fit["step"])
    )


def _close_killed(job: JobContext, name: str, fitted: Sequence[FittedCandidate]) -> None:
    """End the runs of candidates whose process was killed before it could end them."""
    failures = {one.name: one.failure for one in fitted}
    for run in job.registry.runs(name, {JOB: job.job}, status=RUNNING):
        if failure := failures.get(run.tags[PART]):
            runs.log_failure(job.registry, run.run_id, failure)
            job.registry.finish(run.run_id, "FAILED")


def _is_warm(candidate: Candidate) -> bool:
    """Return whether a candidate, or one of its members, is a warm start."""
    members = candidate.members.values()
    return candidate.forecaster.spec.architecture == WARM_START or any(_is_warm(one) for one in members)


def _with_warm_start(job: JobContext, task: TrainingTask, read: Given) -> TrainingTask:
    """Return the comparison with the weights that a warm start begins with."""
    return replace(task, warm_start=choose_warm_start(champion_of(job, read), task, job.emptied("start")))
