"""Scoring: forecasts of a folder on an engine, and what onnxruntime alone takes for the same contexts.

Run by another process as `python -m tests.benchmarks.scale.scoring DATA OUTPUT ENGINE WORKERS`; prints one JSON object.
"""

import json
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import psutil

from models import starters
from models.covariates import CovariateNames
from models.forecaster import Forecaster
from models.forecasting.request import ForecasterRequest
from models.series import Series
from tests.prove.ray_environment import PYTHON as RAY
from tests.prove.ray_environment import environment
from training.bulk.layout import find_parts
from training.bulk.part_forecast import Model, PartForecaster
from training.bulk.part_series import make_series
from training.bulk.places import Place
from training.bulk.run import BulkRequest, forecast_folder, make_job
from training.config.training import Columns
from training.engines.choice import open_engine
from training.progress import Progress

HORIZON = 12
MEGABYTE = 1e6


@dataclass(frozen=True, slots=True)
class Run:
    """What a run took.

    Attributes:
        series: Forecasts that were made.
        processor_seconds: Of all processes.
        seconds: Wall time.
        worker_megabytes: Resident memory of the largest process beside the main one, or of that if it is alone, at its peak.
        main_megabytes: Of the main process.
    """

    series: int
    processor_seconds: float
    seconds: float
    worker_megabytes: float
    main_megabytes: float


def ask(data: Path, output: Path) -> BulkRequest:
    """Return the request of the starter's forecasts of a folder."""
    model = Model(starters.NAME, starters.version())
    return BulkRequest(model, Place.of(str(data)), Place.of(str(output)), Columns(), (80.0,), HORIZON)


def run(data: Path, output: Path, engine: str, workers: int) -> Run:
    """Forecast a folder in processes of its own."""
    python = str(RAY) if engine == "ray" else sys.executable
    command = [python, "-m", __spec__.name, str(data), str(output), engine, str(workers)]
    found = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment())  # noqa: S603
    return Run(**json.loads(found.stdout))


def finding_seconds(data: Path) -> float:
    """Return the processor seconds that finding the parts of a folder takes, which one process does; the first time loads pyarrow."""
    find_parts(Place.of(str(data)), Columns())
    began = time.process_time()
    find_parts(Place.of(str(data)), Columns())
    return time.process_time() - began


def digests(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each file of forecasts."""
    return {path.name: sha256(path.read_bytes()).hexdigest() for path in sorted(folder.glob("part-*.parquet"))}


def share_of_onnxruntime(data: Path, scratch: Path) -> tuple[float, float, float]:
    """Return onnxruntime's share, and the microseconds of a series alone and of all, by the time of one thread.

    Each part is forecast once, and before that its contexts go through the sessions alone, those of each network that takes part.
    The first part does not count: what is loaded once is loaded then.
    """
    request = ask(data, scratch)
    layout = find_parts(request.data, request.columns)
    job = make_job(request, layout, CovariateNames(), None)
    worker, model = PartForecaster(job), starters.load_starter(job.reading.frequency)
    alone = whole = 0.0
    series = 0
    for part in layout.parts:
        made = make_series(worker.read(part), job.reading).series
        calls = recorded(model, made)
        first = timed(lambda calls=calls: [session.run(None, inputs) for session, inputs in calls])  # type: ignore[misc]
        second = timed(lambda part=part: worker(part))  # type: ignore[misc]
        if part.number:
            alone, whole, series = alone + first, whole + second, series + part.series
    return alone / whole, 1e6 * alone / series, 1e6 * whole / series


@dataclass(frozen=True, slots=True)
class Recorder:
    """A session that notes what it is asked for."""

    session: Any
    calls: list[tuple[Any, Any]]

    def run(self, names: None, inputs: Any) -> Any:  # noqa: ANN401 - onnxruntime's
        """Return what the session returns."""
        self.calls.append((self.session, inputs))
        return self.session.run(names, inputs)


def recorded(model: Forecaster, series: Sequence[Series]) -> list[tuple[Any, Any]]:
    """Return the sessions that a forecast of series runs, each with its inputs."""
    calls: list[tuple[Any, Any]] = []
    networks = [model, *model.parts]
    sessions = [one._session for one in networks]
    for one, session in zip(networks, sessions, strict=True):
        one._session = Recorder(session, calls)
    try:
        model.forecast_many([ForecasterRequest(series, HORIZON)])
    finally:
        for one, session in zip(networks, sessions, strict=True):
            one._session = session
    return calls


def timed(work: Callable[[], Any]) -> float:
    """Return the processor time of this thread that a call takes."""
    began = time.thread_time()
    work()
    return time.thread_time() - began


class Memory(threading.Thread):
    """Notes the largest resident memory of this process and of those below it."""

    def __init__(self) -> None:
        """Begin with nothing."""
        super().__init__(daemon=True)
        self.main = self.worker = 0.0
        self.ended = threading.Event()

    def run(self) -> None:
        """Look twice a second."""
        own = psutil.Process()
        while not self.ended.wait(0.5):
            self.main = max(self.main, own.memory_info().rss / MEGABYTE)
            for one in own.children(recursive=True):
                try:
                    self.worker = max(self.worker, one.memory_info().rss / MEGABYTE)
                except psutil.Error:
                    continue


def processor_seconds() -> float:
    """Return what this process and all below it have used, those that have ended included."""
    total = 0.0
    for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
        usage = resource.getrusage(who)
        total += usage.ru_utime + usage.ru_stime
    for one in psutil.Process().children(recursive=True):
        try:
            times = one.cpu_times()
        except psutil.Error:
            continue
        total += times.user + times.system
    return total


def main(data: str, output: str, engine: str, workers: str) -> None:
    """Forecast a folder, and print what it took."""
    memory, began = Memory(), time.perf_counter()
    memory.start()
    manifest = forecast_folder(ask(Path(data), Path(output)), open_engine(engine, int(workers)), Progress())
    seconds, processor = time.perf_counter() - began, processor_seconds()
    memory.ended.set()
    memory.join()
    found = Run(manifest["forecasts"], processor, seconds, memory.worker or memory.main, memory.main)
    print(json.dumps(asdict(found)))  # noqa: T201 - the other process reads it


if __name__ == "__main__":
    main(*sys.argv[1:])
