"""Succession: which network a warm start goes on from, and why there may be none."""

import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from models import artifact
from models.errors import AlmanacError, ModelUnknown, RegistryUnreachable, TrainingError
from models.spec import ModelSpec
from training.config.training import ENSEMBLE, WARM_START
from training.evaluation.leakage import Seen, is_new_to, unseen_by
from training.evaluation.rolling_origins import Origins
from training.fit.candidate import Candidate, TrainingSet
from training.fit.candidate_files import ARTIFACT, MEMBERS
from training.pipeline.register import AT_REST, BACKTESTED, SEEN, SERVED
from training.registry.client import CHAMPION

if TYPE_CHECKING:
    from training.pipeline.task import Bench, Task
    from training.registry.client import Registry
    from training.registry.location import Version


STARTED_FROM = "warm_start.version"
"""Tag of a warm start's run: the version that it went on from."""


@dataclass(frozen=True, slots=True)
class Reigning:
    """The champion as files.

    Attributes:
        version: Its number.
        run_id: The run that made it.
        served: Its artifact.
        backtested: Itself before its last training, as `training.fit.candidate_files` lays it down; None where its run has not kept it.
    """

    version: str
    run_id: str
    served: Path
    backtested: Path | None

    @property
    def spec(self) -> ModelSpec:
        """What the champion promises."""
        return spec_in(self.served)

    def seen(self, rival: str) -> Seen:
        """Return how far it has seen, as it is served or as it was backtested."""
        if self.backtested is None:
            return Seen(self.spec.trained_to)
        spec = self.spec if rival == SERVED else spec_in(self.backtested / ARTIFACT)
        kept = self.backtested / SEEN
        ends = json.loads(kept.read_text(encoding="utf-8"))[rival] if kept.is_file() else None
        return Seen(spec.trained_to, ends)


def fetch_reigning(registry: "Registry", version: "Version", folder: Path) -> Reigning:
    """Return a champion fetched into a folder, which is emptied first.

    Raises:
        RegistryError: If it cannot be fetched.
        ArtifactError: If it does not answer as it did.
    """
    shutil.rmtree(folder, ignore_errors=True)
    served = registry.download(version, folder / "served")
    artifact.load(served)
    return Reigning(
        version.version, version.run_id, served, registry.fetch(version.run_id, AT_REST, folder / "backtested")
    )


@dataclass(frozen=True, slots=True)
class Met:
    """What a job finds on the throne.

    Attributes:
        version: The champion, None where there is none.
        reigning: It as files, None where there is none or it cannot be had.
        cause: Why it cannot be had.
    """

    version: "Version | None" = None
    reigning: Reigning | None = None
    cause: str = ""

    def to_dict(self, rival: str) -> dict[str, str] | None:
        """Return the champion as JSON: what it is compared as, or the cause why it cannot be."""
        if self.version is None:
            return None
        found = {"version": self.version.version, "run_id": self.version.run_id, "as": rival}
        return found | ({"cause": self.cause} if self.cause else {})


def meet_champion(registry: "Registry", name: str, folder: Path) -> Met:
    """Return the champion of a name, or why there is none to be compared with.

    Raises:
        RegistryUnreachable: If MLflow does not answer.
    """
    try:
        version = registry.resolve(f"{name}@{CHAMPION}")
    except ModelUnknown:
        return Met()
    try:
        return Met(version, fetch_reigning(registry, version, folder))
    except RegistryUnreachable:
        raise
    except AlmanacError as error:
        return Met(version, cause=str(error))


@dataclass(frozen=True, slots=True)
class Block:
    """Where candidates and champion are compared.

    Attributes:
        count: Origins, counted from the newest.
        rival: The champion as it is `served`, or as it was `backtested`.
        notes: What a reader of the comparison should know.
    """

    count: int
    rival: str
    notes: tuple[str, ...]


def choose_block(origins: Origins, champion: Reigning | None) -> Block:
    """Return where the champion is compared, and as what, so that it has not seen what it is compared on.

    As it is served where as many origins as were asked for lie after its training; else as it was before its last training,
    which is further back; of two ways the one with more origins. A block that both have seen is taken whole, and can only
    favour the champion.

    Few origins just after the champion's training would leave a candidate nothing new to learn before them: what it
    is fitted on ends where they begin.
    """
    wanted = len(origins.splits)
    ways = [] if champion is None else [SERVED, *([BACKTESTED] if champion.backtested else [])]
    counts = {rival: len(unseen_by(origins, champion.seen(rival))) for rival in ways if champion is not None}
    best = max(ways, key=lambda rival: counts[rival], default=SERVED)
    if not counts.get(best):
        return Block(wanted, SERVED, origins.notes)
    return Block(counts[best], best, (*origins.notes, *_tell_fewer(counts[best], wanted)))


def _tell_fewer(count: int, wanted: int) -> tuple[str, ...]:
    told = f"{count} of {wanted} origins: those before them lie in what the champion was trained on."
    return (told,) if count < wanted else ()


def is_warm(candidate: Candidate) -> bool:
    """Return whether a candidate, or one of its members, is a warm start."""
    members = candidate.members.values()
    return candidate.forecaster.spec.architecture == WARM_START or any(is_warm(one) for one in members)


def choose_start(champion: Reigning, task: "Task", folder: Path) -> Path:
    """Return the folder that a warm start goes on from: weights that have seen nothing of the held-out block.

    Of an average it is the member that counts most.

    Args:
        champion: Fetched.
        task: What is asked for.
        folder: Where a start is laid down that is not one already.

    Raises:
        TrainingError: If the champion cannot be gone on from; the text says why.
    """
    rest = champion.backtested
    if rest is not None and is_new_to(task.split, champion.seen(BACKTESTED)):
        start = _heaviest(rest) if (rest / MEMBERS).is_dir() else rest
        _refuse_unlike(spec_in(start / ARTIFACT), task)
        return start
    if champion.spec.architecture == ENSEMBLE:
        raise TrainingError("The champion is an ensemble whose members were not kept.")
    if not is_new_to(task.split, champion.seen(SERVED)):
        raise TrainingError("The champion has seen the held-out block, and what it was before has not been kept.")
    _refuse_unlike(champion.spec, task)
    shutil.copytree(champion.served, folder / ARTIFACT, dirs_exist_ok=True)
    return folder


def seen_by(architecture: str, task: "Task", bench: "Bench", *, whole: bool, run_id: str | None = None) -> TrainingSet:
    """Return what a candidate may see; for a warm start with what it goes on from, which its run then says.

    Raises:
        TrainingError: If it is a warm start and there is nothing to go on from.
        RegistryError: If the champion cannot be fetched.
        ArtifactError: If it does not answer as it did.
    """
    seen = task.training_set(whole=whole)
    if architecture != WARM_START or seen.start is not None:
        return seen
    try:
        version = bench.registry.resolve(f"{task.config.name}@{CHAMPION}")
    except ModelUnknown as error:
        raise TrainingError(
            f"{task.config.name} has no champion to go on from.", hint="Leave warm_start out of the first training."
        ) from error
    if run_id is not None:
        bench.registry.log(run_id, tags={STARTED_FROM: version.version})
    champion = fetch_reigning(bench.registry, version, bench.scratch / "reigning")
    return replace(seen, start=choose_start(champion, task, bench.scratch / "start"))


def spec_in(folder: Path) -> ModelSpec:
    """Return the specification in a folder."""
    return ModelSpec.from_json((folder / artifact.SPEC).read_bytes())


def _heaviest(rest: Path) -> Path:
    """Return the member that counts most in an average at rest, the first of equals."""
    members = spec_in(rest / ARTIFACT).options.get("members", [])
    weights = [float(one["weight"]) for one in members] or [1.0]
    return rest / MEMBERS / str(int(np.argmax(weights)))


def _refuse_unlike(spec: ModelSpec, task: "Task") -> None:
    """Raise TrainingError where a network is of another frequency or other covariates, or its graph is of another length."""
    config, data = task.config, task.data
    if spec.frequency != data.frequency.name:
        raise TrainingError(f"The champion has frequency {spec.frequency}, the data {data.frequency.name}.")
    if spec.covariates.all and spec.covariates != data.covariates:
        raise TrainingError("The champion reads other covariates.")
    if spec.horizon != config.horizon and (spec.covariates.all or spec.shape != "many_to_many"):
        raise TrainingError(f"The champion has horizon {spec.horizon}, and only a plain network takes another.")
