"""Segments: one model for each value of a column, such as the regions of a chain, under one MLflow run."""

import hashlib
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from models.errors import AlmanacError, DataInvalid, TrainingError
from models.names import FAMILY, LONGEST, SEGMENT, SEGMENT_COLUMN
from models.tables.cells import as_text
from models.tables.faults import TableInvalid
from models.tables.read import read_sheet
from models.tables.sheet import Sheet
from training.config.training import TrainConfig, check_name
from training.engines.engine import Engine, Work
from training.fit.ensemble import Combine
from training.fit.request import Fit
from training.pipeline.task import Runtime
from training.pipeline.train import Outcome, ParentRun, train
from training.progress import Progress
from training.registry import runs
from training.registry.client import Registry
from training.registry.location import RegistryLocation
from training.registry.provenance import RunEnvironment

DIGEST_LENGTH = 8
SUMMARY = "segments.json"


@dataclass(frozen=True, slots=True)
class Segment:
    """One value of the column, the name of its model, and the file with its rows."""

    value: str
    name: str
    path: Path


@dataclass(frozen=True, slots=True)
class SegmentsOutcome:
    """The results of training all segments.

    Attributes:
        name: The name that the models' names begin with.
        column: The column.
        run_id: The parent run.
        models: By segment, what was registered.
        failed: By segment, why there is no new version.
    """

    name: str
    column: str
    run_id: str
    models: Mapping[str, Mapping[str, Any]]
    failed: Mapping[str, str]

    def to_dict(self) -> dict[str, Any]:
        """Return the outcome as `almanac train --json` prints it."""
        return {
            "name": self.name,
            "segment_column": self.column,
            "run_id": self.run_id,
            "models": {value: dict(one) for value, one in self.models.items()},
            "failed": dict(self.failed),
        }


def train_segments(
    config: TrainConfig, column: str, registry: Registry, runtime: Runtime, engine: Engine
) -> SegmentsOutcome:
    """Train, register and promote one model for each value of a column; one that fails does not stop the others.

    The rows of each segment are kept in ALMANAC_HOME/segments, so that `almanac reproduce` finds them.

    Raises:
        DataInvalid: If the file cannot be read, has no such column or rows without a segment.
        TrainingError: If every segment fails.
    """
    segments = split_segments(config, column, registry.location.home / "segments" / config.name)
    runtime.progress.report(f"{config.data}: {len(segments)} segments by {column!r}")
    models, failed = dict[str, Mapping[str, Any]](), dict[str, str]()
    with runs.tracked_run(registry, config.name, f"segments by {column}") as run_id:
        registry.log(run_id, tags={"almanac.kind": "segments", SEGMENT_COLUMN: column})
        parent = ParentRun(config.name, run_id)
        work = Work(
            SegmentTrainer,
            (config, column, registry.location, parent, runtime.fit, runtime.combine, runtime.environment),
        )
        with runtime.progress.counting("trained", len(segments), "segments") as count:
            for done in engine.run(work, segments):
                value, failure = segments[done.at].value, done.failure or done.value.get("failure", "")
                if failure:
                    failed[value] = failure
                else:
                    models[value] = done.value
                ended = len(models) + len(failed)
                said = f"failed: {failure}" if failure else _said(done.value)
                runtime.progress.report(f"{ended} of {len(segments)}  {value}: {said}", "red" if failure else "")
                count(ended)
        outcome = SegmentsOutcome(config.name, column, run_id, _ordered(models, segments), _ordered(failed, segments))
        registry.log_json(run_id, outcome.to_dict(), SUMMARY)
        registry.log(run_id, metrics={"segments.trained": len(models), "segments.failed": len(failed)})
        if not models:
            raise TrainingError(f"Every segment failed. {next(iter(failed.values()))}")
    return outcome


class SegmentTrainer:
    """Trains segments in a worker."""

    def __init__(  # noqa: PLR0913, PLR0917 - what a training needs
        self,
        config: TrainConfig,
        column: str,
        location: RegistryLocation,
        parent: ParentRun,
        fit: Fit,
        combine: Combine,
        environment: RunEnvironment,
    ) -> None:
        """Connect to MLflow."""
        self._config, self._column, self._parent = config, column, parent
        self._fit, self._combine, self._environment = fit, combine, environment
        self._registry = Registry(location)

    def __call__(self, segment: Segment) -> dict[str, Any]:
        """Return what was registered, or the failure."""
        config = replace(self._config, name=segment.name, data=segment.path)
        try:
            with tempfile.TemporaryDirectory(prefix="almanac-") as scratch:
                quiet = Progress(Console(quiet=True))
                runtime = Runtime(quiet, self._fit, Path(scratch), self._environment, self._combine)
                outcome = train(config, self._registry, runtime, self._parent)
                tags = {FAMILY: self._config.name, SEGMENT_COLUMN: self._column, SEGMENT: segment.value}
                self._registry.models.tag_model(segment.name, tags)
        except AlmanacError as error:
            return {"failure": str(error)}
        except Exception as error:  # noqa: BLE001 - whatever it is, it does not stop the other segments
            return {"failure": f"{type(error).__name__}: {error}"}
        return _describe(outcome)


def split_segments(config: TrainConfig, column: str, folder: Path) -> list[Segment]:
    """Write the rows of each value of a column into a file of its own, and return them in order of first appearance.

    Raises:
        DataInvalid: If the file cannot be read, has no such column, or rows without a value in it.
    """
    path = config.data
    try:
        sheet = read_sheet(path.read_bytes(), path.name, config.columns.options)
    except TableInvalid as error:
        raise error.at(path) from error
    if column not in sheet.columns:
        raise DataInvalid(
            f"{path}: has no column {column!r}. It has {', '.join(sheet.names)}.", hint="Check --segment-column."
        )
    values = [None if one is None else one.strip() or None for one in as_text(sheet.columns[column]).to_pylist()]
    if None in values:
        row = int(sheet.rows[values.index(None)])
        raise DataInvalid(
            f"{path}, row {row}, column {column!r}: the segment is missing. {values.count(None)} rows have none.",
            hint="Give each row a segment, or take out these rows.",
        )
    texts = np.array(values, dtype=object)
    names = segment_names(config.name, [str(one) for one in dict.fromkeys(values)])
    folder.mkdir(parents=True, exist_ok=True)
    kept = [name for name in sheet.names if name != column or name in config.columns.options.ids]
    return [
        Segment(value, name, _write(sheet, kept, np.flatnonzero(texts == value), folder / name))
        for value, name in names.items()
    ]


def segment_names(model: str, values: Sequence[str]) -> dict[str, str]:
    """Return the name of each segment's model: `MODEL-VALUE`, and a digest of the value if a character of it is replaced.

    A name depends on its value alone, so that it is the same when segments come and go.

    Raises:
        ConfigInvalid: If the model's name leaves no place for a segment.
        DataInvalid: If two segments have the same name.
    """
    found = {value: _segment_name(model, value) for value in values}
    taken = dict[str, str]()
    for value, name in found.items():
        check_name("model", name)
        if name in taken:
            raise DataInvalid(
                f"Segments {taken[name]!r} and {value!r} have the same model name, {name!r}.",
                hint="Rename one of them.",
            )
        taken[name] = value
    return found


def _segment_name(model: str, value: str) -> str:
    plain = "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in value)
    name = f"{model}-{plain}"
    if plain == value and len(name.encode()) <= LONGEST:
        return name
    digest = hashlib.sha256(value.encode()).hexdigest()[:DIGEST_LENGTH]
    room = LONGEST - DIGEST_LENGTH - 1
    return f"{name.encode()[:room].decode(errors='ignore')}-{digest}"


def _write(sheet: Sheet, names: Sequence[str], rows: Any, stem: Path) -> Path:  # noqa: ANN401 - places
    """Write rows of a sheet: text with the separator that it had, which numbers are read by, all else as Parquet."""
    import pyarrow as pa
    import pyarrow.csv as pc
    import pyarrow.parquet as pq

    table = pa.table({name: sheet.columns[name].take(pa.array(rows)) for name in names})
    if sheet.separator:
        path = stem.with_name(f"{stem.name}.csv")
        pc.write_csv(table, path, pc.WriteOptions(delimiter=sheet.separator))
    else:
        path = stem.with_name(f"{stem.name}.parquet")
        pq.write_table(table, path)
    return path


def _describe(outcome: Outcome) -> dict[str, Any]:
    winner = outcome.compared.winner
    return {
        "name": outcome.name,
        "version": outcome.version,
        "winner": winner.name,
        "mase": float(winner.scores.summary()["mase"]),
        "beats_baselines": outcome.comparison.beats_baselines(winner),
        "decision": outcome.decision.to_dict(),
        "run_id": outcome.run_id,
    }


def _said(model: Mapping[str, Any]) -> str:
    promoted = "champion" if model["decision"]["promote"] else "challenger"
    return f"{model['name']} version {model['version']}, {model['winner']}, MASE {model['mase']:.3f}, {promoted}"


def _ordered(found: Mapping[str, Any], segments: Sequence[Segment]) -> dict[str, Any]:
    return {one.value: found[one.value] for one in segments if one.value in found}
