"""The stages that only a job has: why it is needed, and the watch over a new champion."""

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from models.names import CHAMPION
from models.registry.champion import AliasChange
from training.config.retrain import RetrainConfig
from training.registry.client import Registry
from training.registry.location import RegistryLocation
from training.registry.provenance import RunEnvironment
from training.retraining import stages
from training.retraining.job_context import JobContext
from training.retraining.rollback import Rollback
from training.retraining.stage_messages import OnEvent
from training.retraining.triggers import assess as assess_live
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
    """Roll back every new champion whose live scores are worse than those of its predecessor.

    The record is written first: if the watch is killed before the rollback, the next one decides the same and does it.

    Returns:
        `lines` to print, and `rollbacks`: by name, the decision about each new champion that has scores.

    Raises:
        RegistryUnreachable: If the registry does not answer.
    """
    lines: list[str] = []
    decisions: StageResult = {}
    if job.address is None:
        return {"lines": lines, "rollbacks": decisions}
    for name in job.registry.models.names():
        found = watch_live(name, job.address, job.registry)
        if found is not None:
            decisions[name] = found.to_dict()
            if found.roll_back and _roll_back(job.registry, name, found):
                lines.append(f"{name} version {found.predecessor} is champion again. {found.reason}")
    return {"lines": lines, "rollbacks": decisions}


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
