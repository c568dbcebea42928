"""The stages that only a job has: why it is needed, and the watch over a new champion."""

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from training.config.retrain import RetrainConfig
from training.registry.alias_log import Move, log_move
from training.registry.client import CHAMPION, Registry
from training.registry.location import Place
from training.registry.provenance import Surroundings
from training.retraining import stages
from training.retraining.job_context import JobContext
from training.retraining.protocol import OnEvent
from training.retraining.rollback import Rollback
from training.retraining.triggers import judge as judge_live
from training.retraining.triggers import watch as watch_live
from training.service_client.accuracy import SERVICE_URL
from training.service_client.observations import service_address

Answer = dict[str, Any]


def make_context(job: str, folder: Path, on_event: OnEvent) -> JobContext:
    """Return what a stage works with, as the environment says."""
    registry = Registry(Place.from_environment(os.environ))
    environment = Surroundings.gather(["job", job])
    url = os.environ.get("ALMANAC_SERVICE_URL") or SERVICE_URL
    address = service_address({**os.environ, "ALMANAC_SERVICE_URL": url})
    return JobContext(registry, job, folder, on_event, environment, address=address)


def read(job: JobContext, request: Mapping[str, Any]) -> Answer:
    """Do what `stages.read` does, keep why the job was needed, and say where its run is shown.

    Returns:
        What `stages.read` returns, `experiment_id`, and `run_url`: the run's page, None where no server shows it.

    Raises:
        AlmanacError: As `stages.read`.
    """
    told = stages.read(job, request)
    if "judgement" in request:
        job.registry.log_json(told["run_id"], request["judgement"], "judgement.json")
    run = job.registry.run(told["run_id"])
    return {**told, "experiment_id": run.experiment, "run_url": job.registry.place.page(run)}


def judge(job: JobContext, request: Mapping[str, Any]) -> Answer:
    """Return whether a model should be trained again, and why; nothing changes.

    Raises:
        RegistryUnreachable: If the registry does not answer.
    """
    config = RetrainConfig(**request["config"].get("retrain", {}))
    return judge_live(request["name"], config, job.address, job.registry, datetime.now(UTC)).to_dict()


def watch(job: JobContext) -> Answer:
    """Take back every fresh champion that live scores say is worse than the one before it.

    What is recorded comes first: a watch that was killed in between decides the same again and takes the champion back.

    Returns:
        `lines` to print, and `rollbacks`: the decision by name, of each name that there was something to see of.

    Raises:
        RegistryUnreachable: If the registry does not answer.
    """
    lines: list[str] = []
    decisions: Answer = {}
    if job.address is None:
        return {"lines": lines, "rollbacks": decisions}
    for name in job.registry.names():
        found = watch_live(name, job.address, job.registry)
        if found is not None:
            decisions[name] = found.to_dict()
            if found.roll_back and _take_back(job.registry, name, found):
                lines.append(f"{name} version {found.predecessor} is champion again. {found.reason}")
    return {"lines": lines, "rollbacks": decisions}


def _take_back(registry: Registry, name: str, found: Rollback) -> bool:
    """Record a rollback in the fresh champion's run, and do it; False where somebody has moved the alias meanwhile."""
    if registry.resolve(f"{name}@{CHAMPION}").version != found.fresh:
        return False
    now = datetime.now(UTC)
    log_move(
        registry, Move("rollback", name, found.predecessor, found.fresh, now, "watch", found.reason, found.figures)
    )
    registry.rollback(name)
    return True
