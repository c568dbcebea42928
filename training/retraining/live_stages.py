"""The stages that only a job has: why it is needed, and the watch over a new champion."""

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from models.names import CHAMPION
from models.registry.champion import AliasChange
from models.retraining.live_promotion import LivePromotion
from training.config.retrain import RetrainConfig
from training.pipeline.register import LIVE_SCORES
from training.registry.client import Registry
from training.registry.location import RegistryLocation
from training.registry.provenance import RunEnvironment
from training.retraining import stages
from training.retraining.job_context import JobContext
from training.retraining.rollback import Rollback
from training.retraining.stage_messages import OnEvent
from training.retraining.triggers import assess as assess_live
from training.retraining.triggers import compare_challenger
from training.retraining.triggers import watch as watch_live
from training.service_client.client import SERVICE_URL, service_address

StageResult = dict[str, Any]


def make_context(job: str, folder: Path, on_event: OnEvent) -> JobContext:
    """Return what a stage works with, as the environment says."""
    registry = Registry(RegistryLocation.from_environment(os.environ))
    environment = RunEnvironment.gather(["job", job])
    url = os.environ.get("ALMANAC_SERVICE_URL") or SERVICE_URL
    address = service_address({**os.environ, "ALMANAC_SERVICE_URL": url})
    return JobContext(registry, job, folder, on_event, environment, address=address)


def read(job: JobContext, request: Mapping[str, Any]) -> StageResult:
    """Run `stages.read`, and log why the job was needed.

    Returns:
        What `stages.read` returns, `experiment_id`, and `run_url`: the run's page, or None if no server shows it.

    Raises:
        AlmanacError: As `stages.read`.
    """
    result = stages.read(job, request)
    if "judgement" in request:
        job.registry.log_json(result["run_id"], request["judgement"], "judgement.json")
    run = job.registry.run(result["run_id"])
    return {**result, "experiment_id": run.experiment, "run_url": job.registry.location.run_url(run)}


def assess(job: JobContext, request: Mapping[str, Any]) -> StageResult:
    """Return whether a model should be trained again, and why; nothing changes.

    Raises:
        RegistryUnreachable: If the registry does not answer.
    """
    config = RetrainConfig(**request["config"].get("retrain", {}))
    return assess_live(request["name"], config, job.address, job.registry, datetime.now(UTC)).to_dict()


def watch(job: JobContext) -> StageResult:
    """Roll back every new champion whose live scores are worse than its predecessor's, and promote challengers that wait for theirs.

    The record is written first: if the watch is killed before the rollback, the next one decides the same and does it.

    Returns:
        `lines` to print, and by name `rollbacks`: the decision about each new champion that has scores, and `promotions`: the
        decision about each challenger that waits for live scores.

    Raises:
        RegistryUnreachable: If the registry does not answer.
    """
    lines: list[str] = []
    rollbacks: StageResult = {}
    promotions: StageResult = {}
    found = {"lines": lines, "rollbacks": rollbacks, "promotions": promotions}
    if job.address is None:
        return found
    for name in job.registry.models.names():
        decided = watch_live(name, job.address, job.registry)
        if decided is not None:
            rollbacks[name] = decided.to_dict()
            if decided.roll_back and _roll_back(job.registry, name, decided):
                lines.append(f"{name} version {decided.predecessor} is champion again. {decided.reason}")
        compared = compare_challenger(name, job.address, job.registry)
        if compared is not None:
            promotions[name] = compared.to_dict()
            if compared.has_enough_scores and _end_waiting(job.registry, name, compared):
                lines.append(f"{name} version {compared.challenger} {_outcome(compared)}. {compared.reason}")
    return found


def _outcome(found: LivePromotion) -> str:
    return "is champion" if found.allowed else "is not promoted"


def _end_waiting(registry: Registry, name: str, found: LivePromotion) -> bool:
    """Promote a challenger by its live scores, or let it wait no more; return False if the champion is another one by now.

    Its run has the comparison in `live.json` either way. The scores decide once, so that looking often does not make chance
    decide.
    """
    if registry.models.resolve(f"{name}@{CHAMPION}").version != found.champion:
        return False
    run_id = registry.models.resolve(f"{name}/{found.challenger}").run_id
    if run_id:
        registry.log_json(run_id, found.to_dict(), "live.json")
        registry.log(run_id, tags={"promoted": found.allowed, "promotion.reason": found.reason})
    if found.allowed:
        registry.models.promote(name, found.challenger)
    registry.models.tag(name, found.challenger, {LIVE_SCORES: "0"})
    return True


def _roll_back(registry: Registry, name: str, found: Rollback) -> bool:
    """Log a rollback in the new champion's run and do it; return False if the alias has moved since."""
    if registry.models.resolve(f"{name}@{CHAMPION}").version != found.fresh:
        return False
    now = datetime.now(UTC)
    registry.models.log_change(
        AliasChange("rollback", name, found.predecessor, found.fresh, now, "watch", found.reason, found.figures)
    )
    registry.models.rollback(name)
    return True
