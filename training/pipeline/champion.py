"""The champion: its files, what it has seen, and what a warm start takes from it."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models import artifact
from models.errors import AlmanacError, ModelUnknown, RegistryUnreachable, TrainingError
from models.forecaster import Forecaster
from models.names import CHAMPION
from models.spec import ModelSpec
from training.config.training import ENSEMBLE
from training.evaluation.leakage import SeenData, is_new_to
from training.fit.candidate_files import ARTIFACT, MEMBERS
from training.pipeline.task import TrainingTask, WarmStart
from training.registry.client import Registry

SERVED, BACKTESTED = "served", "backtested"
"""A model as it is served, and as it was backtested, before its last training on all data."""

SEEN = "seen.json"
"""Last timestamp of each series by id, under `backtested` and `served`."""

CANDIDATE = "candidate"
"""Folder of a candidate's run with the candidate as `training.fit.candidate_files` saves it."""


@dataclass(frozen=True, slots=True)
class Champion:
    """A champion as files.

    Attributes:
        served: Its artifact.
        backtested: The candidate before its last training, as `training.fit.candidate_files` saves it; None if its run
            does not have it.
    """

    served: Path
    backtested: Path | None

    @property
    def spec(self) -> ModelSpec:
        """Specification of the model as it is served."""
        return spec_in(self.served)

    def seen(self, state: str) -> SeenData:
        """Return which data it has seen in a state: `served` or `backtested`."""
        if self.backtested is None:
            return SeenData(self.spec.trained_to)
        spec = self.spec if state == SERVED else spec_in(self.backtested / ARTIFACT)
        kept = self.backtested / SEEN
        ends = json.loads(kept.read_text(encoding="utf-8"))[state] if kept.is_file() else None
        return SeenData(spec.trained_to, ends)

    def load(self, state: str) -> Forecaster:
        """Return the forecaster in a state; raises ArtifactError if it is damaged."""
        before = self.backtested if state == BACKTESTED else None
        return artifact.load(before / ARTIFACT if before else self.served)


@dataclass(frozen=True, slots=True)
class ChampionLookup:
    """What was found when a champion was looked up: its version, run and files, or why it cannot be loaded."""

    version: str | None = None
    run_id: str = ""
    champion: Champion | None = None
    cause: str = ""


def find_champion(registry: Registry, name: str, folder: Path) -> ChampionLookup:
    """Return the current champion, or why it cannot be loaded; `folder` is emptied, and gets its files.

    Raises:
        RegistryUnreachable: If MLflow does not answer.
    """
    try:
        version = registry.models.resolve(f"{name}@{CHAMPION}")
    except ModelUnknown:
        return ChampionLookup()
    return fetch_champion(registry, name, version.version, folder)


def fetch_champion(registry: Registry, name: str, version: str, folder: Path) -> ChampionLookup:
    """Return a version's files, or why they cannot be loaded; arguments and errors as `find_champion`."""
    run_id = ""
    try:
        shutil.rmtree(folder, ignore_errors=True)
        found = registry.models.resolve(f"{name}/{version}")
        run_id = found.run_id
        served = registry.models.download(found, folder / SERVED)
        artifact.load(served)
        backtested = registry.fetch(run_id, CANDIDATE, folder / BACKTESTED)
    except RegistryUnreachable:
        raise
    except AlmanacError as error:
        return ChampionLookup(version, run_id, cause=str(error))
    return ChampionLookup(version, run_id, Champion(served, backtested))


def choose_warm_start(found: ChampionLookup, task: TrainingTask, folder: Path) -> WarmStart:
    """Return the weights that a warm start begins with: weights that have not seen the held-out block.

    If the champion is an ensemble, these are the weights of its heaviest member.

    Raises:
        TrainingError: If a warm start is not possible; the text says why.
    """
    champion = found.champion
    if champion is None or found.version is None:
        raise TrainingError(found.cause or "There is no champion yet.")
    kept = champion.backtested
    if kept is not None and is_new_to(task.cutoff, champion.seen(BACKTESTED)):
        start = _heaviest_member(kept) if (kept / MEMBERS).is_dir() else kept
        _check_compatible(spec_in(start / ARTIFACT), task)
        return WarmStart(start, found.version)
    if champion.spec.architecture == ENSEMBLE:
        raise TrainingError("The champion is an ensemble, and its run does not have its members.")
    if not is_new_to(task.cutoff, champion.seen(SERVED)):
        raise TrainingError("The champion has seen the held-out block, and its run has no earlier weights.")
    _check_compatible(champion.spec, task)
    shutil.copytree(champion.served, folder / ARTIFACT, dirs_exist_ok=True)
    return WarmStart(folder, found.version)


def spec_in(folder: Path) -> ModelSpec:
    """Return the specification in a folder."""
    return ModelSpec.from_json((folder / artifact.SPEC).read_bytes())


def _heaviest_member(folder: Path) -> Path:
    """Return the member with the largest weight in a saved ensemble, the first of equals."""
    members = spec_in(folder / ARTIFACT).options.members
    weights = [one.weight for one in members] or [1.0]
    return folder / MEMBERS / str(int(np.argmax(weights)))


def _check_compatible(spec: ModelSpec, task: TrainingTask) -> None:
    """Raise TrainingError if a network has another frequency, other covariates or a horizon that it cannot change."""
    config, data = task.config, task.data
    if spec.frequency != data.frequency.name:
        raise TrainingError(f"The champion has frequency {spec.frequency}, the data {data.frequency.name}.")
    if spec.covariates.all and spec.covariates != data.covariates:
        raise TrainingError("The champion reads other covariates.")
    if spec.horizon != config.horizon and (spec.covariates.all or spec.shape != "many_to_many"):
        raise TrainingError(
            f"The champion has horizon {spec.horizon}; only a network without covariates takes another."
        )
