"""Job stages: the desk that a job's stages work at, and the stages that only a job has."""

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from training import stages
from training.export import service_address
from training.job_child import Tell
from training.job_desk import JobDesk
from training.judging import judge as judge_live
from training.live import SERVICE_URL
from training.place import Place
from training.provenance import Surroundings
from training.registry import Registry
from training.retrain_config import RetrainConfig

Answer = dict[str, Any]


def make_desk(job: str, folder: Path, tell: Tell) -> JobDesk:
    """Return what a stage works with, as the environment says."""
    registry = Registry(Place.from_environment(os.environ))
    surroundings = Surroundings.gather(["job", job])
    url = os.environ.get("ALMANAC_SERVICE_URL") or SERVICE_URL
    address = service_address({**os.environ, "ALMANAC_SERVICE_URL": url})
    return JobDesk(registry, job, folder, tell, surroundings, address=address)


def read(desk: JobDesk, request: Mapping[str, Any]) -> Answer:
    """Do what `stages.read` does, and say where the job's run is shown: `experiment_id`, and `run_url` (None: nowhere)."""
    told = stages.read(desk, request)
    run = desk.registry.run(told["run_id"])
    return {**told, "experiment_id": run.experiment, "run_url": desk.registry.place.page(run)}


def judge(desk: JobDesk, request: Mapping[str, Any]) -> Answer:
    """Return whether a model should be trained again, and why; nothing changes.

    Raises:
        RegistryUnreachable: If the registry does not answer.
    """
    config = RetrainConfig(**request["config"].get("retrain", {}))
    return judge_live(request["name"], config, desk.address, desk.registry, datetime.now(UTC)).to_dict()
