"""Job desk: where a retraining job works, and how each of its stages finds again what an earlier one left in MLflow."""

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from models.errors import AlmanacError, Finding, RegistryError, TrainingError
from training.config.toml import SERVICE, merge
from training.config.training import AUTO, ENSEMBLE, WARM_START, TrainConfig, require_file, train_config
from training.data.series_set import SeriesSet
from training.evaluation.comparison import name_causes
from training.evaluation.rolling_origins import last_origins
from training.fit.candidate import Candidate
from training.fit.candidate_files import take_up
from training.fit.ensemble import Combine, combine_with_keras
from training.fit.request import Fit
from training.pipeline.champion import Met, Reigning, choose_start, fetch_reigning
from training.pipeline.register import AT_REST
from training.pipeline.task import Bench, Task
from training.pipeline.train import fit_with_keras
from training.pipeline.train import read as read_data
from training.progress import Terminal
from training.registry.client import Registry
from training.registry.location import Run
from training.registry.provenance import Surroundings
from training.service_client.accuracy import Address
from training.service_client.observations import fetch_observations, keep_frequency

JOB, PART = "almanac.job", "almanac.part"
"""Tags by which a job's runs are found again: its id, and `job` for the parent or the candidate's name."""

PARENT = "job"

Plain = dict[str, Any]
"""A JSON object."""


def _tell_nobody(_progress: Plain) -> None:
    """Keep progress to oneself."""


@dataclass(frozen=True, slots=True)
class JobDesk:
    """What every stage of a job has at hand.

    Attributes:
        registry: Where runs and models go; what a stage leaves there is all that the next one needs.
        job: Id of the job.
        folder: For what is fetched and made on the way; may be empty, as on another machine.
        tell: Called with progress, as JSON: `stage`, `text`, and of an epoch its figures.
        surroundings: Command, code, packages and machine, for the record.
        fit: Makes one candidate.
        combine: Writes the network of an ensemble.
        address: Of the service whose observations are the data, where they are.
    """

    registry: Registry
    job: str
    folder: Path
    tell: Callable[[Plain], None] = _tell_nobody
    surroundings: Surroundings = field(default_factory=Surroundings)
    fit: Fit = fit_with_keras
    combine: Combine = combine_with_keras
    address: Address | None = None

    def bench(self, stage: str) -> Bench:
        """Return what a comparison works with, its scratch folder empty."""
        scratch = self.folder / "scratch" / stage
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True)
        terminal = Terminal(tell=lambda progress: self.tell({"stage": stage, **progress}))
        return Bench(self.registry, terminal, self.fit, scratch, self.surroundings, self.combine)

    def find(self, name: str, part: str) -> Run | None:
        """Return the job's run of a part, or None where there is none."""
        found = self.registry.runs(name, {JOB: self.job, PART: part})
        return found[-1] if found else None

    def begin(self, name: str, part: str, run: str, parent: str | None = None) -> str:
        """Begin the run of a part; one that a killed process left half made is given up, its record being half a one."""
        left = self.find(name, part)
        if left is not None:
            self.registry.log(left.run_id, tags={PART: f"{part} (given up)"})
            self.registry.finish(left.run_id, "KILLED")
        return self.registry.start(name, run, tags={JOB: self.job, PART: part}, parent=parent)

    def candidate(self, run_id: str) -> Candidate:
        """Return the candidate that a run has kept; raises RegistryError where it has none."""
        kept = self.registry.fetch(run_id, AT_REST, self.emptied(f"candidates/{run_id}"))
        if kept is None:
            raise RegistryError(f"Run {run_id} has no folder {AT_REST}.", hint="Start the job anew.")
        return take_up(kept)

    def emptied(self, name: str) -> Path:
        """Return a folder of the job with nothing in it."""
        folder = self.folder / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return folder

    def clear(self) -> None:
        """Delete what was fetched and made: all that counts is in MLflow."""
        for name in ("scratch", "candidates", "data", "champion", "start"):
            shutil.rmtree(self.folder / name, ignore_errors=True)


def config_of(request: Mapping[str, Any]) -> TrainConfig:
    """Return the configuration that a job was asked to train by, a warm start first where it wants one.

    Raises:
        ConfigInvalid: If it is no configuration.
    """
    config = train_config(merge(request["config"], {"name": request["name"]}))
    others = tuple(one for one in config.architecture if one != WARM_START)
    return replace(config, architecture=(WARM_START, *others)) if config.retrain.warm_start else config


def choose_candidates(task: Task, met: Met, desk: JobDesk) -> tuple[list[str], dict[str, str]]:
    """Return the names of the candidates to fit, in order, and of those left out the reason.

    Raises:
        TrainingError: If none is left.
    """
    config, left_out = task.config, dict[str, str]()
    if WARM_START in config.architecture and (why := _why_not_warm(task, met, desk)):
        left_out[WARM_START] = why
    contenders = [one for one in config.contenders if one.architecture not in left_out]
    names = [one.name for one in contenders]
    if not names:
        raise TrainingError(f"There is no candidate to fit. {name_causes(left_out)}", hint="Name an architecture.")
    joining = [one for one in contenders if one.architecture != AUTO]
    return [*names, *([ENSEMBLE] if len(joining) > 1 else [])], left_out


def _why_not_warm(task: Task, met: Met, desk: JobDesk) -> str:
    """Return why there is no warm start, or nothing where there is one."""
    if met.reigning is None:
        return met.cause or "There is no champion yet."
    try:
        choose_start(met.reigning, task, desk.emptied("start"))
    except TrainingError as error:
        return str(error)
    return ""


def freeze_data(desk: JobDesk, config: TrainConfig) -> tuple[Path, tuple[Finding, ...]]:
    """Return the data as a file of the job's own, which nobody changes while it runs, and what was noticed on the way.

    Raises:
        DataInvalid: If there is no such file.
        ServiceUnreachable: If the service does not hand its observations over.
    """
    folder = desk.emptied("data")
    if str(config.data) == SERVICE:
        path = fetch_observations(desk.address, folder / "observations.parquet")
        return path, keep_frequency(path, config.frequency)
    require_file(config.data)
    return Path(shutil.copy(config.data, folder / config.data.name)), ()


@contextmanager
def told_of(given: Path, copy: Path) -> Iterator[None]:
    """Have errors about the job's copy of a file name the file that was given, which is the one to mend."""
    try:
        yield
    except AlmanacError as error:
        error.detail, error.hint = (text.replace(str(copy), str(given)) for text in (error.detail, error.hint))
        error.args = (f"{error.detail} {error.hint}".strip(),)
        raise


def frozen_config(desk: JobDesk, request: Mapping[str, Any], read: Mapping[str, Any]) -> TrainConfig:
    """Return the configuration with the frozen data, fetched from the job's run where this machine has not got it."""
    path = desk.folder / "data" / read["file"]
    if not path.is_file():
        found = desk.registry.fetch(read["run_id"], "data", desk.emptied("data").parent)
        if found is None or not path.is_file():
            raise RegistryError(f"Run {read['run_id']} has no data/{read['file']}.", hint="Start the job anew.")
    return replace(config_of(request), data=path)


def task_of(desk: JobDesk, request: Mapping[str, Any], read: Mapping[str, Any], bench: Bench) -> Task:
    """Return the comparison that a job makes, as its first stage found it."""
    config = frozen_config(desk, request, read)
    data = read_data(config, replace(bench.terminal, tell=None))
    if data.digest != read["digest"]:
        raise TrainingError(f"The job's data has digest {data.digest[:12]}; it began with {read['digest'][:12]}.")
    return make_task(config, data, read["origins"]["count"], read["run_id"])


def make_task(config: TrainConfig, data: SeriesSet, origins: int, run_id: str) -> Task:
    """Return a comparison over so many origins."""
    season = data.frequency.season_length
    *later, oldest = last_origins(data.series, config.horizon, season_length=season, count=origins)
    return Task(config, data, oldest, run_id, tuple(later))


def champion_of(desk: JobDesk, read: Mapping[str, Any]) -> Reigning:
    """Return the champion that a job began with, fetched; raises as `fetch_reigning`."""
    version = desk.registry.resolve(f"{read['name']}/{read['champion']['version']}")
    return fetch_reigning(desk.registry, version, desk.folder / "champion")


def started(desk: JobDesk, task: Task, read: Mapping[str, Any]) -> Task:
    """Return the comparison with what a warm start goes on from, fetched once more."""
    return replace(task, start=choose_start(champion_of(desk, read), task, desk.emptied("start")))
