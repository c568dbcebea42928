"""Run: the forecasts of a folder of any size, on any engine; an interrupted run resumes where it stopped."""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from models import artifact, starters
from models.calendar.zoned_grid import Frequency, parse_frequency
from models.covariates import CovariateNames
from models.errors import DataInvalid, TrainingError
from models.forecasting.sampling import Sampling
from models.irregular.bounds import UNBOUNDED, Bounds
from models.spec import ModelSpec
from training.bulk.layout import Layout, Part, find_parts
from training.bulk.manifest import PartRecord, begin, write_manifest
from training.bulk.part_forecast import Asked, Job, Model, PartForecaster
from training.bulk.part_reader import PartReader
from training.bulk.part_series import PartReading, settle_frequency
from training.bulk.places import Place
from training.config.training import Columns
from training.data.series_options import KEEP, SeriesOptions
from training.engines.engine import Engine, Work
from training.progress import Progress

NAMED = 3
"""Series that are left out and named on the terminal; the manifest has all of them."""


@dataclass(frozen=True, slots=True)
class BulkRequest:
    """What to forecast.

    Attributes:
        model: Name and version, and the artifact's files where it is not the starter.
        data: Parquet files of long layout, the rows of each series one after the other.
        output: Folder of the forecasts.
        columns: Names of the columns.
        levels: Of the intervals, in per cent.
        horizon: Steps; None for the model's own.
        frequency: None to infer it from the longest series.
        reading: What missing timestamps mean, and whether dates are read.
        bounds: Lowest and highest value that a forecast may have.
        outliers: `clip` or `mask`.
        mean: Whether the forecasts have a mean.
        sampling: Sample paths.
    """

    model: Model
    data: Place
    output: Place
    columns: Columns
    levels: tuple[float, ...]
    horizon: int | None = None
    frequency: str | None = None
    reading: SeriesOptions = KEEP
    bounds: Bounds = UNBOUNDED
    outliers: str = "clip"
    mean: bool = False
    sampling: Sampling | None = None


def forecast_folder(request: BulkRequest, engine: Engine, progress: Progress) -> dict[str, Any]:
    """Forecast every series of a folder, part by part, and return the manifest.

    Parts that an earlier call has written are kept. Nothing is held in memory but what `find_parts` keeps of each series,
    the records, and one part in each worker.

    Raises:
        DataInvalid: If the folder cannot be used.
        ConfigInvalid: If the output folder has other forecasts.
        TrainingError: If a part fails.
    """
    spec = _spec(request.model)
    covariates = CovariateNames() if spec is None else spec.covariates
    layout = find_parts(request.data, request.columns, covariates.read)
    progress.report(
        f"{request.data.address}: {layout.series} series, {layout.rows} rows, {len(layout.files)} files, {len(layout.parts)} parts"
    )
    job = make_job(request, layout, covariates, spec)
    progress.report(f"Frequency: {job.reading.frequency.name}; horizon {job.asked.horizon}")
    plan = _describe(request, job)
    records = begin(request.output, plan)
    if records:
        progress.report(f"{len(records)} parts are there already; they are kept.")
    left = [part for part in layout.parts if part.number not in records]
    done = len(records)
    for number, record in _run(engine, job, left):
        records[number] = record
        done += 1
        progress.report(f"part {done} of {len(layout.parts)}: {record.series} forecasts")
    manifest = write_manifest(request.output, plan, [*records.values()], layout.series)
    _report(manifest, records.values(), progress)
    return manifest


def _run(engine: Engine, job: Job, parts: Sequence[Part]) -> Any:  # noqa: ANN401 - pairs
    """Yield the number and the record of each part; raises TrainingError for the first that failed, after the others."""
    failed = []
    for done in engine.run(Work(PartForecaster, (job,)), parts):
        if done.failure:
            failed.append((parts[done.at].number, done.failure))
        else:
            yield parts[done.at].number, done.value
    if failed:
        number, cause = min(failed)
        raise TrainingError(
            f"{len(failed)} parts failed. Part {number}: {cause}", hint="Correct it, and run the same command again."
        )


def _spec(model: Model) -> ModelSpec | None:
    return ModelSpec.from_json(model.files[artifact.SPEC].decode()) if model.files else None


def make_job(request: BulkRequest, layout: Layout, covariates: CovariateNames, spec: ModelSpec | None) -> Job:
    """Return what workers need; raises FrequencyNotInferred if the dates tell no frequency."""
    default = None if spec is None else parse_frequency(spec.frequency)
    known = parse_frequency(request.frequency) if request.frequency else parse_frequency("D")
    path = Path(request.data.address)
    reading = PartReading(path, layout.columns, known, request.reading, layout.last, covariates, request.bounds)
    if request.frequency is None:
        frequency, usual = _settle(PartReader(request.data, layout, covariates.read), layout, reading, default)
        reading = replace(reading, frequency=frequency, usual_step=usual)
    horizon = request.horizon or (spec or starters.load_starter(reading.frequency).spec).horizon
    asked = Asked(horizon, request.levels, request.outliers, request.mean, request.sampling)
    return Job(request.model, request.data, layout, reading, asked, request.output)


def _settle(
    reader: PartReader, layout: Layout, reading: PartReading, default: Frequency | None
) -> tuple[Frequency, float]:
    """Return the frequency of the longest series, or if its rows contradict each other of the longest in the first part."""
    try:
        return settle_frequency(reader.read(layout.longest), reading, default)
    except DataInvalid:
        return settle_frequency(reader.read(layout.parts[0]), reading, default)


def _describe(request: BulkRequest, job: Job) -> dict[str, Any]:
    """Return what decides on the forecasts: a run resumes only if all of it is as it was."""
    model, reading, asked = request.model, job.reading, job.asked
    files = [[one.name, one.size, one.written] for one in job.layout.files]
    content = hashlib.sha256(b"".join(model.files[name] for name in sorted(model.files))).hexdigest()
    options = {
        "columns": repr(reading.columns),
        "frequency": reading.frequency.name,
        "reading": repr(reading.options),
        "bounds": repr(reading.bounds),
        "horizon": asked.horizon,
        "levels": list(asked.levels),
        "outliers": asked.outliers,
        "mean": asked.mean,
        "sampling": repr(asked.sampling),
    }
    return {
        "format": 1,
        "model": {"name": model.name, "version": model.version, "sha256": content if model.files else model.version},
        "data": {
            "address": request.data.address,
            "files": len(files),
            "digest": hashlib.sha256(json.dumps(files).encode()).hexdigest(),
        },
        "options": options,
        "series": job.layout.series,
        "parts": len(job.layout.parts),
    }


def _report(manifest: Mapping[str, Any], records: Any, progress: Progress) -> None:  # noqa: ANN401 - records
    found: list[PartRecord] = list(records)
    left_out = [one for record in found for one in record.left_out]
    for one in left_out[:NAMED]:
        progress.report(f"  {one.id} is left out: {one.detail}", "yellow")
    if len(left_out) > NAMED:
        progress.report(f"  {len(left_out) - NAMED} more series are left out; the manifest has their ids.", "yellow")
    warnings = Counter[str]()
    for record in found:
        warnings.update(record.warnings or {})
    for code, count in sorted(warnings.items()):
        progress.report(f"  {code}: {count} forecasts", "yellow")
    progress.report(f"{manifest['forecasts']} forecasts, {manifest['rows']} rows, {manifest['bytes'] / 1e6:.1f} MB")
