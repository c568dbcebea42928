"""Stages: a retraining cut into steps that each survive a kill: read, fit one candidate, compare, refit, register, promote.

A stage takes and returns JSON. What it makes is in MLflow before it returns, under runs that are found again by the
job's id; called again it answers what it answered before, or does anew what a killed process left half done. So a job
goes on where it was, on this machine or on another.

    parent run (almanac.part = job)   read.json, data/, compare.json, refit.json, promote.json, decision.json
    a candidate's run (its name)      fit.json, candidate/, the winner's also served/
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from models import artifact
from models.errors import AlmanacError, ModelUnknown, RegistryError, TrainingError
from models.json_values import to_json_value
from training.config.training import ENSEMBLE, WARM_START
from training.data.eligibility import refuse_short
from training.data.holdout import tell_split
from training.evaluation import promotion
from training.evaluation.comparison import Failure, Result
from training.evaluation.rolling_origins import roll_origins
from training.fit.candidate import Candidate, EpochRecord
from training.pipeline import train
from training.pipeline.champion import STARTED_FROM, choose_block, is_warm, meet_champion
from training.pipeline.refit import refit as fit_again
from training.pipeline.register import describe_served, keep_at_rest, version_tags
from training.pipeline.task import Bench, Task
from training.registry import runs
from training.registry.client import CHAMPION, RUNNING
from training.retraining import stage_context
from training.retraining.compare import Contest, hold_contest
from training.retraining.stage_context import JOB, PARENT, PART, JobDesk, Plain

Given = Mapping[str, Any]
"""A JSON object that is only read."""

READ, FIT, COMPARE, REFIT, PROMOTE = ("read.json", "fit.json", "compare.json", "refit.json", "promote.json")
"""Where each stage keeps what it answered; a version has the job's id instead."""

SERVED = "served"
"""Folder of the winner's run with the artifact that becomes the version."""

PROMOTED = "almanac.promoted"
"""Tag of a version that its job made champion: a job does so once, whoever moves the alias afterwards."""

NOT_NEEDED = "NOT_NEEDED"
"""Code of an ensemble for which there were too few networks: it is left out, and is no failure."""


class _NotNeeded(TrainingError):
    """There is nothing for a candidate to be made of."""

    code = NOT_NEEDED


def read(desk: JobDesk, request: Given) -> Plain:
    """Freeze the data, choose origins and candidates, and say all of it in the job's own run.

    Args:
        desk: What every stage has at hand.
        request: `name` and `config`, optionally `reason`.

    Returns:
        `run_id`, `name`, `digest`, `file`, `series`, `observations`, `frequency`, `findings`, `candidates` to fit in this
        order, `left_out` with the reason by name, `champion` (`version`, `run_id` and `as`: whether it is compared as it
        is `served` or as it was `backtested`; or the `cause` why it cannot be), `origins` (`count`, `horizon`, `notes`).

    Raises:
        DataInvalid, ConfigInvalid: If nothing can be trained.
        ServiceUnreachable: If the observations cannot be fetched.
        RegistryError: If MLflow does not answer.
    """
    config = stage_context.config_of(request)
    there = desk.find(config.name, PARENT)
    if there and (before := desk.registry.read_json(there.run_id, READ)):
        return before
    bench = desk.bench("read")
    path, noticed = stage_context.freeze_data(desk, config)
    given, config = config.data, replace(config, data=path)
    with stage_context.told_of(given, path):
        data = train.read(config, bench.terminal)
    season = data.frequency.season_length
    rolled = roll_origins(data.series, config.horizon, season_length=season, wanted=config.retrain.origins)
    met = meet_champion(desk.registry, config.name, desk.folder / "champion")
    block = choose_block(rolled, met.reigning)
    task = stage_context.make_task(config, data, block.count, "")
    refuse_short(task.split.histories, config.horizon, season)
    judged = tell_split(task.split)
    bench.terminal.say_findings(judged)
    run_id = desk.begin(config.name, PARENT, f"retrain {', '.join(config.architecture)}")
    task = replace(task, run_id=run_id)
    candidates, left_out = stage_context.choose_candidates(task, met, desk)
    runs.log_provenance(desk.registry, run_id, task.describe(desk.surroundings))
    runs.log_parent(desk.registry, run_id, data, task.split)
    desk.registry.log(run_id, tags={"almanac.reason": request.get("reason", "").upper(), "origins": block.count})
    desk.registry.log_files(run_id, path.parent, "data")
    told = {
        "run_id": run_id,
        "name": config.name,
        "digest": data.digest,
        "file": path.name,
        "series": len(data.series),
        "observations": data.observed,
        "frequency": data.frequency.name,
        "findings": [asdict(one) for one in (*noticed, *data.findings, *judged)],
        "candidates": candidates,
        "left_out": left_out,
        "champion": met.to_dict(block.rival),
        "origins": {"count": block.count, "horizon": config.horizon, "notes": list(block.notes)},
    }
    desk.registry.log_json(run_id, told, READ)
    return told


def fit(desk: JobDesk, request: Given, read: Given, candidate: str) -> Plain:
    """Fit one candidate on what lies before the first origin, and keep it in its run.

    Returns:
        `name`, `run_id`, `cause` (None, or why there is no candidate), `code`, `step`, `seconds`, `validation_mase`.

    Raises:
        RegistryError: If MLflow does not answer. A candidate that fails on its data, or whose loss is no number, is told.
    """
    there = desk.find(read["name"], candidate)
    if there and (before := desk.registry.read_json(there.run_id, FIT)):
        return before
    bench = desk.bench("fit")
    task = stage_context.task_of(desk, request, read, bench)
    run_id = desk.begin(read["name"], candidate, candidate, parent=read["run_id"])
    told: Plain = {"name": candidate, "run_id": run_id, "cause": None, "code": None, "step": 0}
    epochs: list[EpochRecord] = []
    try:
        made = _make(candidate, desk, task, bench, read, run_id, epochs)
    except RegistryError:
        raise
    except AlmanacError as error:
        failure = train.describe_failure(candidate, error, epochs)
        runs.log_failure(desk.registry, run_id, failure)
        told |= {"cause": failure.cause, "code": failure.code, "step": failure.step}
        told |= {"seconds": epochs[-1].seconds if epochs else 0.0, "validation_mase": None}
    else:
        keep_at_rest(desk.registry, run_id, made, task)
        step = made.history[-1].step if made.history else 0
        told |= {"step": step, "seconds": made.train_seconds, "validation_mase": made.validation["mase"]}
    told = dict(to_json_value(told))
    desk.registry.log_json(run_id, told, FIT)
    desk.registry.finish(run_id, "FAILED" if told["cause"] else "FINISHED")
    return told


def compare(desk: JobDesk, request: Given, read: Given, fits: Sequence[Given]) -> Plain:
    """Set candidates, baselines and the champion side by side on the same origins, and decide.

    Args:
        desk: What every stage has at hand.
        request: As `read` had it.
        read: What `read` returned.
        fits: What `fit` returned, for each candidate.

    Returns:
        `winner`, `winner_run_id`, `models` (figures by name, baselines among them), `failed` (causes by name),
        `beats_baselines`, `decision`, `notes`, and `served`: what the specification of a winner says that was not
        trained again, and of one that was.

    Raises:
        TrainingError: If every candidate failed, or the one picked did; with the causes.
        RegistryError: If MLflow does not answer.
    """
    if before := desk.registry.read_json(read["run_id"], COMPARE):
        return before
    bench = desk.bench("compare")
    task = stage_context.task_of(desk, request, read, bench)
    lost = [one for one in fits if one["cause"] is not None and one["code"] != NOT_NEEDED]
    failures = [Failure(one["name"], one["cause"], one["code"], one["step"]) for one in lost]
    _close_given_up(desk, read["name"], failures)
    tried = [_backtested(desk, one, task) for one in fits if one["cause"] is None]
    results = [one for one in tried if isinstance(one, Result)]
    failures += [one for one in tried if isinstance(one, Failure)]
    contest = hold_contest(Contest(desk, read, task, bench), tuple(results), tuple(failures))
    winner, comparison = contest.winner, contest.comparison
    runs.log_winner(desk.registry, read["run_id"], winner, comparison, refitted=task.config.refit)
    told: Plain = to_json_value(
        {
            "winner": winner.name,
            "winner_run_id": winner.run_id,
            "models": contest.figures(),
            "failed": {one.name: one.cause for one in failures},
            "beats_baselines": comparison.beats_baselines(winner),
            "decision": _named(contest.decision, read, winner.run_id).to_dict(),
            "notes": list(contest.notes),
            "served": [describe_served(winner, comparison, task, refitted=one) for one in (False, True)],
        }
    )
    desk.registry.log_json(read["run_id"], told, COMPARE)
    return told


def refit(desk: JobDesk, request: Given, read: Given, compared: Given) -> Plain:
    """Train the winner again on all data, if the configuration says so, and keep what will be served in its run.

    Returns:
        `run_id` of the winner, `refitted`: whether it was trained again, `warnings`.

    Raises:
        RegistryError: If MLflow does not answer.
    """
    if before := desk.registry.read_json(read["run_id"], REFIT):
        return before
    bench = desk.bench("refit")
    task = stage_context.task_of(desk, request, read, bench)
    run_id = compared["winner_run_id"]
    first = desk.candidate(run_id)
    if is_warm(first):
        task = stage_context.started(desk, task, read)
    final = fit_again(compared["winner"], first, task, bench) if task.config.refit else first
    again = final is not first
    artifact.update_spec(final.directory, **compared["served"][again])
    desk.registry.log_files(run_id, final.directory, SERVED)
    for one in (run_id, read["run_id"]):
        desk.registry.log(one, tags={"refit": again})
    if again:
        runs.log_served(desk.registry, run_id, final)
    told: Plain = {"run_id": run_id, "refitted": again, "warnings": list(final.warnings)}
    desk.registry.log_json(read["run_id"], told, REFIT)
    return told


def register(desk: JobDesk, request: Given, read: Given, compared: Given, refitted: Given) -> Plain:  # noqa: ARG001
    """Make what is served a version of the name, one for each job however often this is called; alias `challenger`.

    A model that was uploaded without becoming a version is deleted and uploaded anew. The version has its tags from the
    moment on that there is one; the alias comes last.

    Returns:
        `version`.

    Raises:
        ArtifactError: If what should be served is not whole.
        RegistryError: If MLflow does not answer.
    """
    name, run_id = read["name"], refitted["run_id"]
    if there := desk.registry.tagged(name, {JOB: desk.job}):
        desk.registry.name_challenger(name, there[0])
        return {"version": there[0]}
    bench = desk.bench("register")
    task = stage_context.task_of(desk, request, read, bench)
    folder = desk.registry.fetch(run_id, SERVED, desk.emptied("candidates/served"))
    if folder is None:
        raise RegistryError(f"Run {run_id} has no folder {SERVED}.", hint="Start the job anew.")
    artifact.load(folder)
    desk.registry.forget_models(run_id)
    uri = desk.registry.log_model(run_id, folder, runs.model_example(task.data, task.config.horizon))
    tags = {**version_tags(folder, task.config.unit), JOB: desk.job}
    return {"version": desk.registry.register(name, uri, run_id=run_id, tags=tags)}


def promote(desk: JobDesk, request: Given, read: Given, compared: Given, registered: Given) -> Plain:  # noqa: ARG001
    """Move the champion alias if the decision says so, and write the decision whichever way it went.

    The alias moves once for each job, to a version that answers as it did when it was made, and only while the champion
    is the one that the winner was compared with. Called again it changes nothing, even where somebody has rolled back.

    Returns:
        `promoted`, `version`, `champion` (the version that the alias names now), `reason`, `decision`.

    Raises:
        ArtifactError: If the version is not whole; the alias stays where it is.
        RegistryError: If MLflow does not answer.
    """
    if before := desk.registry.read_json(read["run_id"], PROMOTE):
        return before
    name, version = read["name"], registered["version"]
    decision = promotion.Decision(**{**compared["decision"], "notes": tuple(compared["decision"]["notes"])})
    done = version in desk.registry.tagged(name, {JOB: desk.job, PROMOTED: "True"})
    decision = decision.with_figures(challenger_version=version)
    if not done:
        decision = _carry_out(desk, read, version, decision)
    runs.log_decision(desk.registry, (read["run_id"], compared["winner_run_id"]), decision, version)
    told: Plain = to_json_value(
        {
            "promoted": decision.promote,
            "version": version,
            "champion": _champion(desk, name),
            "reason": decision.reason,
            "decision": decision.to_dict(),
        }
    )
    desk.registry.log_json(read["run_id"], told, PROMOTE)
    desk.registry.finish(read["run_id"])
    desk.clear()
    return told


def fail(desk: JobDesk, request: Given, cause: str, status: str = "FAILED") -> Plain:
    """End every run of a job that is given up, with the cause; a job that came to no run has none to end.

    Args:
        desk: What every stage has at hand.
        request: As `read` had it.
        cause: One sentence.
        status: `FAILED`, or `KILLED` where somebody cancelled the job.

    Returns:
        `run_id` of the job's own run, or None.
    """
    for run in desk.registry.runs(request["name"], {JOB: desk.job}, status=RUNNING):
        desk.registry.log(run.run_id, tags={"failure.cause": cause})
        desk.registry.finish(run.run_id, status)
    desk.clear()
    own = desk.find(request["name"], PARENT)
    return {"run_id": own.run_id if own else None}


def _close_given_up(desk: JobDesk, name: str, failures: Sequence[Failure]) -> None:
    """End the runs of candidates whose child was killed, which could not do so itself."""
    causes = {one.name: one for one in failures}
    for run in desk.registry.runs(name, {JOB: desk.job}, status=RUNNING):
        if failure := causes.get(run.tags[PART]):
            runs.log_failure(desk.registry, run.run_id, failure)
            desk.registry.finish(run.run_id, "FAILED")


def _backtested(desk: JobDesk, fit: Given, task: Task) -> Result | Failure:
    """Return a candidate with its errors on every origin, or why it cannot forecast them."""
    try:
        return train.backtest_candidate(fit["name"], desk.candidate(fit["run_id"]), fit["run_id"], task.splits)
    except RegistryError:
        raise
    except AlmanacError as error:
        return Failure(fit["name"], str(error), error.code, fit["step"])


def _make(  # noqa: PLR0913, PLR0917 - one argument a thing that a candidate is made with
    name: str, desk: JobDesk, task: Task, bench: Bench, read: Given, run_id: str, epochs: list[EpochRecord]
) -> Candidate:
    """Return a candidate of a name; raises AlmanacError where it cannot be made."""
    if name == ENSEMBLE:
        return train.join_networks(_networks(desk, read), task, bench, run_id)
    (contender,) = (one for one in task.config.contenders if one.name == name)
    if contender.architecture == WARM_START:
        task = stage_context.started(desk, task, read)
        desk.registry.log(run_id, tags={STARTED_FROM: read["champion"]["version"]})
    made = train.make_network(contender, task, bench, run_id, epochs)
    for warning in made.warnings:
        bench.terminal.say(f"  {name}: {warning}", "yellow")
    return made


def _networks(desk: JobDesk, read: Given) -> dict[str, Candidate]:
    """Return the candidates that an ensemble is made of: all that are no average themselves; raises _NotNeeded."""
    runs = {name: desk.find(read["name"], name) for name in read["candidates"] if name != ENSEMBLE}
    told = {name: (run, desk.registry.read_json(run.run_id, FIT)) for name, run in runs.items() if run}
    kept = {name: desk.candidate(run.run_id) for name, (run, fit) in told.items() if fit and fit["cause"] is None}
    networks = {name: one for name, one in kept.items() if one.mixture is None}
    if len(networks) < 2:  # noqa: PLR2004 - an ensemble of one is that one
        raise _NotNeeded(f"There are {len(networks)} networks to make an ensemble of.")
    return networks


def _named(decision: promotion.Decision, read: Given, run_id: str) -> promotion.Decision:
    """Return a decision that says which champion it was made against, and which run made the challenger."""
    champion = read["champion"]["version"] if read["champion"] else None
    return decision.with_figures(champion_version=champion, challenger_run_id=run_id)


def _carry_out(desk: JobDesk, read: Given, version: str, decision: promotion.Decision) -> promotion.Decision:
    """Make a version champion if the decision says so, and return the decision as it came out.

    One that was made against a version that is champion no more moves nothing, and says so.
    """
    name, now = read["name"], _champion(desk, read["name"])
    expected = read["champion"]["version"] if read["champion"] else None
    if now not in {expected, version}:
        there, against = (f"version {one}" if one else "no version" for one in (now, expected))
        reason = f"The champion is {there} by now, not {against}, which it was compared with."
        if not decision.promote:
            return replace(decision, notes=(*decision.notes, reason))
        return replace(decision, promote=False, reason=reason, notes=(*decision.notes, reason))
    if decision.promote:
        _move_alias(desk, name, version)
    return decision


def _move_alias(desk: JobDesk, name: str, version: str) -> None:
    """Make a version champion that answers as it did; raises ArtifactError where it does not."""
    artifact.load(
        desk.registry.download(desk.registry.resolve(f"{name}/{version}"), desk.emptied("candidates/version"))
    )
    desk.registry.promote(name, version)
    desk.registry.tag(name, version, {PROMOTED: "True"})


def _champion(desk: JobDesk, name: str) -> str | None:
    """Return the version that the champion alias names, or None where there is none."""
    try:
        return desk.registry.resolve(f"{name}@{CHAMPION}").version
    except ModelUnknown:
        return None
