"""Job context: what every stage of a retraining job works with, and how it finds what an earlier stage left in MLflow."""

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from models.errors import AlmanacError, Finding, RegistryError, TrainingError
from training.config.toml import SERVICE, merge
from training.config.training import WARM_START, TrainConfig, require_file, train_config
from training.data.series_set import SeriesSet
from training.evaluation.rolling_origins import last_origins
from training.fit.candidate import Candidate
from training.fit.candidate_files import load_candidate
from training.fit.ensemble import Combine, combine_with_keras
from training.fit.request import Fit
from training.pipeline.candidates import fit_with_keras
from training.pipeline.champion import CANDIDATE, ChampionLookup, fetch_champion
from training.pipeline.plan import read_data
from training.pipeline.task import Runtime, TrainingTask
from training.pipeline.tracking import OpenRun, RunLog
from training.progress import Progress
from training.registry.client import Registry
from training.registry.location import Run
from training.registry.provenance import RunEnvironment
from training.service_client.client import Address
from training.service_client.observations import fetch_observations, keep_frequency

JOB, PART = "almanac.job", "almanac.part"
"""Tags by which a job's runs are found again: its id, and `job` for the parent or the candidate's name."""

PARENT = "job"

Plain = dict[str, Any]
"""A JSON object."""

Given = Mapping[str, Any]
"""A JSON object that is only read."""


def _ignore(_event: Plain) -> None:
    """Do nothing."""


@dataclass(frozen=True, slots=True)
class JobContext:
    """What every stage of a job works with.

    Attributes:
        registry: Where runs and models go; a later stage needs nothing else of an earlier one.
        job: Id of the job.
        folder: For downloads and temporary files; may be empty, as on another machine.
        on_event: Called with progress, as JSON: `stage`, `text`, and the figures of an epoch.
        environment: Command, code, packages and machine, for the record.
        fit: Fits one candidate.
        combine: Writes the network of an ensemble.
        address: Of the service whose observations are the data, if they are.
        data: The job's data, read once by this process, under `data`.
    """

    registry: Registry
    job: str
    folder: Path
    on_event: Callable[[Plain], None] = _ignore
    environment: RunEnvironment = field(default_factory=RunEnvironment)
    fit: Fit = fit_with_keras
    combine: Combine = combine_with_keras
    address: Address | None = None
    data: dict[str, SeriesSet] = field(default_factory=dict)

    def runtime(self, stage: str) -> Runtime:
        """Return what a stage fits with, its scratch folder empty."""
        progress = Progress(on_event=lambda event: self.on_event({"stage": stage, **event}))
        return Runtime(progress, self.fit, self.emptied(f"scratch/{stage}"), self.environment, self.combine)

    def find(self, name: str, part: str) -> Run | None:
        """Return the job's run of a part, or None if there is none."""
        found = self.registry.runs(name, {JOB: self.job, PART: part})
        return found[-1] if found else None

    def begin(self, name: str, part: str, run: str, parent: str | None = None) -> str:
        """Begin the run of a part; a run that a killed process left is closed and renamed."""
        left = self.find(name, part)
        if left is not None:
            self.registry.log(left.run_id, tags={PART: f"{part} (given up)"})
            self.registry.finish(left.run_id, "KILLED")
        return self.registry.start(name, run, tags={JOB: self.job, PART: part}, parent=parent)

    def children_of(self, name: str, parent: str) -> OpenRun:
        """Return what opens the runs of the job's candidates and baselines; a killed process leaves them RUNNING."""

        @contextmanager
        def open_run(part: str) -> Iterator[RunLog]:
            run_id = self.begin(name, part, part, parent=parent)
            try:
                yield RunLog(self.registry, run_id)
            except AlmanacError:
                self.registry.finish(run_id, "FAILED")
                raise
            self.registry.finish(run_id)

        return open_run

    def candidate(self, run_id: str) -> Candidate:
        """Return the candidate that a run keeps; raises RegistryError if it has none."""
        kept = self.registry.fetch(run_id, CANDIDATE, self.emptied(f"candidates/{run_id}"))
        if kept is None:
            raise RegistryError(f"Run {run_id} has no folder {CANDIDATE}.", hint="Start the job again.")
        return load_candidate(kept)

    def emptied(self, name: str) -> Path:
        """Return a folder of the job with nothing in it."""
        folder = self.folder / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return folder

    def clear(self) -> None:
        """Delete downloads and temporary files; everything that counts is in MLflow."""
        for name in ("scratch", "candidates", "data", "champion", "start"):
            shutil.rmtree(self.folder / name, ignore_errors=True)


def config_of(request: Given) -> TrainConfig:
    """Return the configuration of a job; a warm start is its first candidate if `retrain.warm_start` is set.

    Raises:
        ConfigInvalid: If it is not a configuration.
    """
    config = train_config(merge(request["config"], {"name": request["name"]}))
    others = tuple(one for one in config.architecture if one != WARM_START)
    return replace(config, architecture=(WARM_START, *others)) if config.retrain.warm_start else config


def freeze_data(job: JobContext, config: TrainConfig) -> tuple[Path, tuple[Finding, ...]]:
    """Return a copy of the data that does not change while the job runs, and findings.

    Raises:
        DataInvalid: If there is no such file.
        ServiceUnreachable: If the service does not export its observations.
    """
    folder = job.emptied("data")
    if str(config.data) == SERVICE:
        path = fetch_observations(job.address, folder / "observations.parquet")
        return path, keep_frequency(path, config.frequency)
    require_file(config.data)
    return Path(shutil.copy(config.data, folder / config.data.name)), ()


@contextmanager
def errors_name(given: Path, copy: Path) -> Iterator[None]:
    """Make errors about the job's copy of a file name the given file, which is the one to correct."""
    try:
        yield
    except AlmanacError as error:
        error.detail, error.hint = (text.replace(str(copy), str(given)) for text in (error.detail, error.hint))
        error.args = (f"{error.detail} {error.hint}".strip(),)
        raise


def task_of(job: JobContext, request: Given, read: Given, runtime: Runtime) -> TrainingTask:
    """Return the comparison as the job's first stage planned it; its data is read once by each process.

    Raises:
        TrainingError: If the data is not what the job began with.
        RegistryError: If the job's copy of the data cannot be fetched.
    """
    config = replace(config_of(request), data=_frozen_file(job, read))
    if "data" not in job.data:
        job.data["data"] = read_data(config, replace(runtime.progress, on_event=None))
    data = job.data["data"]
    if data.digest != read["digest"]:
        raise TrainingError(f"The job's data has digest {data.digest[:12]}; it began with {read['digest'][:12]}.")
    season, count = data.frequency.season_length, read["origins"]["count"]
    return TrainingTask(config, data, last_origins(data.series, config.horizon, season_length=season, count=count))


def champion_of(job: JobContext, read: Given) -> ChampionLookup:
    """Return the champion that the job began with; raises RegistryUnreachable if MLflow does not answer."""
    if read["champion"] is None:
        return ChampionLookup()
    return fetch_champion(job.registry, read["name"], read["champion"]["version"], job.folder / "champion")


def _frozen_file(job: JobContext, read: Given) -> Path:
    """Return the job's copy of the data, fetched from its run if this machine does not have it."""
    path = job.folder / "data" / str(read["file"])
    if not path.is_file():
        found = job.registry.fetch(read["run_id"], "data", job.emptied("data").parent)
        if found is None or not path.is_file():
            raise RegistryError(f"Run {read['run_id']} has no data/{read['file']}.", hint="Start the job again.")
    return path
