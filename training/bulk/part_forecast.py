"""PartForecaster: reads, forecasts and writes one part after the other, in one worker with one network."""

import gc
import hashlib
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from models import artifact, starters
from models.errors import AlmanacError, ArtifactMismatch, ForecastNotFinite
from models.forecast import Forecast
from models.forecaster import Forecaster
from models.forecasting.open_steps import reach_open_steps
from models.forecasting.request import ForecasterRequest, Outcome
from models.forecasting.sampling import Sampling
from models.series import Series
from training.bulk.frame import to_table
from training.bulk.layout import Layout, Part
from training.bulk.manifest import LeftOut, PartRecord, part_name, write_record
from training.bulk.part_reader import PartReader
from training.bulk.part_series import PartReading, make_series
from training.bulk.places import Place


@dataclass(frozen=True, slots=True)
class Model:
    """The model as it is sent to a worker.

    Attributes:
        name: Registered name, or the starter's.
        version: Its version.
        files: Content of the artifact's files by path; empty for the starter, which each installation has.
    """

    name: str
    version: str
    files: Mapping[str, bytes] = field(default_factory=dict)

    @classmethod
    def of_folder(cls, name: str, version: str, folder: Path) -> "Model":
        """Return the model of an artifact's folder."""
        return cls(name, version, {one: (folder / one).read_bytes() for one in artifact.served_files(folder)})


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of each forecast; as `ForecasterRequest`."""

    horizon: int
    levels: tuple[float, ...]
    outliers: str = "clip"
    mean: bool = False
    sampling: Sampling | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """Everything that a worker needs.

    Attributes:
        model: The model.
        data: The folder with the histories.
        layout: Where their series are.
        reading: How they are read.
        asked: What is forecast.
        output: The folder of the forecasts.
    """

    model: Model
    data: Place
    layout: Layout
    reading: PartReading
    asked: Asked
    output: Place


class PartForecaster:
    """Forecasts parts."""

    def __init__(self, job: Job) -> None:
        """Load the network; raises ArtifactMismatch if the starter of this machine is another one."""
        self._job = job
        self._reader = PartReader(job.data, job.layout, job.reading.covariates.read)
        self._forecaster = _load(job)
        gc.freeze()  # the collector looks through what is loaded for good again and again otherwise
        self._warning = starters.season_warning(job.reading.frequency) if not job.model.files else None

    def __call__(self, part: Part) -> PartRecord:
        """Write the forecasts of a part, then its record, and return the record; raises AlmanacError."""
        with _collected_afterwards():
            return self._forecast_part(part)

    def _forecast_part(self, part: Part) -> PartRecord:
        made = make_series(self.read(part), self._job.reading)
        outcomes = self.forecast(made.series)
        errors = dict(made.errors)
        errors |= {
            one.id: found for one, found in zip(made.series, outcomes, strict=True) if isinstance(found, AlmanacError)
        }
        forecasts = [found for found in outcomes if isinstance(found, Forecast)]
        content = _to_parquet(forecasts) if forecasts else b""
        warnings = Counter(warning.code for one in forecasts for warning in one.warnings)
        if self._warning is not None:
            warnings[self._warning.code] += len(forecasts)
        record = PartRecord(
            part.number,
            len(forecasts),
            sum(len(one.median) for one in forecasts),
            len(content),
            hashlib.sha256(content).hexdigest() if content else "",
            tuple(LeftOut(name, error.code, str(error)) for name, error in errors.items()),
            dict(sorted(warnings.items())),
        )
        if content:
            self._job.output.write(part_name(part.number), content)
        write_record(self._job.output, record)
        return record

    def read(self, part: Part) -> Any:  # noqa: ANN401 - pyarrow's
        """Return the rows of a part as a `pyarrow.Table`; raises DataInvalid."""
        return self._reader.read(part)

    def forecast(self, series: Sequence[Series]) -> list[Outcome]:
        """Return the forecast of each series, as a file shows it, or its error."""
        asked, found = self._job.asked, dict[int, Outcome]()
        request = ForecasterRequest(series, asked.horizon, asked.levels, (), asked.outliers, asked.mean, asked.sampling)
        for part, places in reach_open_steps(request):
            (outcomes,) = self._forecaster.forecast_many([part])
            found |= zip(places, map(_shown, outcomes), strict=True)
        return [found[at] for at in range(len(series))]


@contextmanager
def _collected_afterwards() -> Iterator[None]:
    """Look for garbage once after the work, not each time that some hundred of its thousands of objects are new."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
        gc.collect()


def _load(job: Job) -> Forecaster:
    model = job.model
    if not model.files:
        if starters.version() != model.version:
            raise ArtifactMismatch(
                f"This worker has starter {starters.version()}; {model.version} is asked for.",
                hint="Install the same version of Almanac on each machine.",
            )
        return starters.load_starter(job.reading.frequency)
    with tempfile.TemporaryDirectory(prefix="almanac-") as scratch:
        folder = Path(scratch)
        for name, content in model.files.items():
            (folder / name).parent.mkdir(exist_ok=True, parents=True)
            (folder / name).write_bytes(content)
        return artifact.load(folder)


def _shown(outcome: Outcome) -> Outcome:
    if isinstance(outcome, AlmanacError):
        return outcome
    return outcome.shown if outcome.is_finite else ForecastNotFinite()


def _to_parquet(forecasts: Sequence[Forecast]) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = to_table(forecasts)
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="snappy", use_dictionary=["unique_id", "ds"])
    return bytes(sink.getvalue())
