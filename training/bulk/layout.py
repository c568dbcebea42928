"""Layout: where the series of a folder of Parquet files lie, and how they are cut into parts."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.errors import DataInvalid
from models.tables import parquet
from models.tables.faults import TableInvalid
from models.tables.layout import find_layout
from training.bulk.places import DataFile, Place
from training.config.training import Columns

SERIES_A_PART = 2048
"""Series of a part, a multiple of a pass of the network: the passes are those of a file that is forecast whole."""

ROWS_A_PART = 500_000
"""Rows from which on a part ends, at the next multiple of BLOCK series."""

BLOCK = 32
BATCH_ROWS = 500_000
SAMPLE_ROWS = 1_000

SORT_HINT = "Sort the rows by id over all files, in the order of their names, and write them again."


@dataclass(frozen=True, slots=True)
class RowRange:
    """Rows of one file: `start` to `stop`, counted from 0."""

    file: int
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Part:
    """Some series that follow each other.

    Attributes:
        number: Counted from 0.
        ranges: Where their rows are; more than one if they go on in the next file.
        series: How many there are.
    """

    number: int
    ranges: tuple[RowRange, ...]
    series: int


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the series are.

    Attributes:
        files: In order of their names.
        columns: Names of the id, time and value columns.
        parts: All series, each in one part.
        rows: Number of rows.
        last: Newest time with a value, as it is written; None if there is no value.
        longest: The series with the most rows.
    """

    files: tuple[DataFile, ...]
    columns: Columns
    parts: tuple[Part, ...]
    rows: int
    last: np.datetime64 | None
    longest: Part

    @property
    def series(self) -> int:
        """Number of series."""
        return sum(part.series for part in self.parts)


@dataclass(slots=True)
class _Scan:
    """What was seen of the rows so far; 16 bytes are kept of each series."""

    starts: list[NDArray[np.int64]]
    names: list[NDArray[np.uint64]]
    rows: int = 0
    last: np.datetime64 | None = None
    previous: tuple[object, ...] | None = None


def find_parts(place: Place, columns: Columns, covariates: Sequence[str] = ()) -> Layout:
    """Return the parts of a folder or file; its ids, times and values are read once.

    The rows of a series follow each other, over the files in order of their names. Memory grows by 16 bytes a series.

    Raises:
        DataInvalid: With file and column or series, if a column is missing or of another type, an id is missing, or the
            rows of a series do not follow each other.
    """
    files = place.files()
    system, _ = place.open()
    named = _name_columns(system, files[0], columns, covariates)
    scan, counts = _Scan([], []), []
    for file in files:
        before = scan.rows
        for batch in _batches(system, file, named, covariates):
            _add(scan, batch, named, file)
        counts.append(scan.rows - before)
    if not scan.rows:
        raise DataInvalid(f"{place.address}: has no rows.", hint="Give files with at least one row.")
    starts = np.concatenate(scan.starts)
    edges, ends = np.append(starts, scan.rows), np.cumsum([0, *counts])
    _refuse_scattered(np.concatenate(scan.names), starts, files, ends)
    longest = int(np.argmax(np.diff(edges)))
    parts = tuple(
        Part(number, _ranges(int(edges[first]), int(edges[stop]), ends), stop - first)
        for number, (first, stop) in enumerate(_cut(edges))
    )
    one = Part(0, _ranges(int(edges[longest]), int(edges[longest + 1]), ends), 1)
    return Layout(tuple(files), named, parts, scan.rows, scan.last, one)


def open_parquet(system: Any, file: DataFile, texts: Sequence[str] = ()) -> Any:  # noqa: ANN401 - pyarrow's
    """Return a `pyarrow.parquet.ParquetFile`, whose `texts` are read as dictionaries; raises DataInvalid."""
    import pyarrow as pa

    try:
        return parquet.open_parquet(system.open_input_file(file.path), read_dictionary=list(texts))
    except (pa.ArrowException, OSError) as error:
        reason = (str(error).splitlines() or [""])[0][:200]
        raise DataInvalid(f"{file.path}: is not a Parquet file ({reason}).", hint="Check the file.") from error


def id_columns(columns: Columns) -> tuple[str, ...]:
    """Return the columns that name a series together."""
    return (columns.id,) if isinstance(columns.id, str) else columns.id or ()


def _name_columns(system: Any, file: DataFile, columns: Columns, covariates: Sequence[str]) -> Columns:  # noqa: ANN401
    """Return how the columns are named, as the first rows of the first file tell; raises DataInvalid."""
    import pyarrow as pa

    opened = open_parquet(system, file)
    first = next(opened.iter_batches(batch_size=SAMPLE_ROWS), None)
    table = opened.schema_arrow.empty_table() if first is None else pa.Table.from_batches([first])
    try:
        sheet = parquet.sheet_of(table)
        found = find_layout(sheet, columns.options, covariates)
    except TableInvalid as error:
        raise error.at(Path(file.path)) from error
    if sheet.is_export:
        raise DataInvalid(
            f"{file.path}: is an export of the service, whose timezones are not read part by part.",
            hint="Forecast it as one file, without --engine.",
        )
    if found.wide or not found.ids:
        raise DataInvalid(
            f"{file.path}: has no column with the ids of the series. It has {', '.join(opened.schema_arrow.names)}.",
            hint="Give long files, and name their columns: --id-column, --time-column, --value-column.",
        )
    return replace(columns, id=found.ids, time=found.time, value=found.values[0])


def _batches(system: Any, file: DataFile, columns: Columns, covariates: Sequence[str]) -> Iterator[Any]:  # noqa: ANN401
    """Yield ids, times and values of a file; raises DataInvalid if a column is missing or of another type."""
    opened = open_parquet(system, file)
    schema = opened.schema_arrow
    wanted = [*id_columns(columns), str(columns.time), str(columns.value)]
    missing = [name for name in (*wanted, *covariates) if name not in schema.names]
    if missing:
        raise DataInvalid(
            f"{file.path}: has no column {missing[0]!r}. It has {', '.join(schema.names)}.",
            hint="Give files with the same columns.",
        )
    _check_types(schema, file, columns)
    opened = open_parquet(system, file, [name for name in id_columns(columns) if is_text(schema.field(name).type)])
    yield from opened.iter_batches(batch_size=BATCH_ROWS, columns=wanted)


def is_text(kind: Any) -> bool:  # noqa: ANN401 - pyarrow's
    """Return whether a type of pyarrow is text, which is read as a dictionary."""
    import pyarrow as pa

    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _check_types(schema: Any, file: DataFile, columns: Columns) -> None:  # noqa: ANN401 - pyarrow's
    """Raise DataInvalid if times are text or of a timezone that is not UTC, or values are no numbers."""
    from pyarrow import types

    time, value = schema.field(columns.time).type, schema.field(columns.value).type
    if not (types.is_date(time) or (types.is_timestamp(time) and time.tz in {None, "UTC"})):
        raise DataInvalid(
            f"{file.path}, column {columns.time!r}: has the type {time}.",
            hint="Write dates, timestamps without a timezone, or timestamps of UTC.",
        )
    if not any(check(value) for check in (types.is_integer, types.is_floating, types.is_decimal, types.is_boolean)):
        raise DataInvalid(f"{file.path}, column {columns.value!r}: has the type {value}.", hint="Write numbers.")


def _add(scan: _Scan, batch: Any, columns: Columns, file: DataFile) -> None:  # noqa: ANN401 - pyarrow's
    """Add the rows of a batch to a scan."""
    import pyarrow as pa

    if not batch.num_rows:
        return
    names = id_columns(columns)
    ids = [batch.column(name) for name in names]
    for name, column in zip(names, ids, strict=True):
        if column.null_count:
            raise DataInvalid(f"{file.path}, column {name!r}: an id is missing.", hint="Give each row an id.")
    changes = np.zeros(batch.num_rows, dtype=np.bool_)
    for column in ids:
        codes = column.indices if isinstance(column, pa.DictionaryArray) else column
        codes = codes.to_numpy(zero_copy_only=False)
        changes[1:] |= codes[1:] != codes[:-1]
    changes[0] = tuple(column[0].as_py() for column in ids) != scan.previous
    scan.previous = tuple(column[-1].as_py() for column in ids)
    at = np.flatnonzero(changes)
    scan.starts.append(scan.rows + at)
    scan.names.append(_hashes([column.take(pa.array(at)) for column in ids]))
    scan.rows += batch.num_rows
    values = batch.column(columns.value).cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    stamps = batch.column(columns.time).to_numpy(zero_copy_only=False).astype("M8[us]")[~np.isnan(values)]
    if len(stamps):
        newest: np.datetime64 = stamps.max()
        scan.last = newest if scan.last is None else max(scan.last, newest)


def _hashes(ids: Sequence[Any]) -> NDArray[np.uint64]:
    """Return a 64-bit hash of each row of id columns."""
    import pandas as pd

    total = np.zeros(len(ids[0]), dtype=np.uint64)
    for column in ids:
        found = pd.util.hash_array(column.to_numpy(zero_copy_only=False), categorize=False)
        total = total * np.uint64(0x9E3779B97F4A7C15) + found
    return total


def _refuse_scattered(
    names: NDArray[np.uint64], starts: NDArray[np.int64], files: Sequence[DataFile], ends: NDArray[np.int64]
) -> None:
    """Raise DataInvalid if a series begins twice."""
    order = np.argsort(names, kind="stable")
    twice = np.flatnonzero(names[order][1:] == names[order][:-1])
    if not twice.size:
        return
    places = []
    for at in starts[order[twice[0] : twice[0] + 2]].tolist():
        file = int(np.searchsorted(ends, at, side="right")) - 1
        places.append(f"{files[file].path}, row {at - int(ends[file]) + 2}")
    raise DataInvalid(
        f"The rows of a series do not follow each other: one begins at {places[0]}, and again at {places[1]}. "
        f"{twice.size} series begin again.",
        hint=SORT_HINT,
    )


def _cut(edges: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Yield the first series of each part, and the one after its last."""
    first, series = 0, len(edges) - 1
    while first < series:
        stop = min(first + SERIES_A_PART, series)
        if edges[stop] - edges[first] > ROWS_A_PART:
            fitting = int(np.searchsorted(edges, edges[first] + ROWS_A_PART, side="right")) - 1 - first
            stop = min(first + max(fitting // BLOCK, 1) * BLOCK, series)
        yield first, stop
        first = stop


def _ranges(start: int, stop: int, ends: NDArray[np.int64]) -> tuple[RowRange, ...]:
    """Return rows, counted over all files, as rows of files."""
    found = []
    for file in range(int(np.searchsorted(ends, start, side="right")) - 1, len(ends) - 1):
        begin, end = int(ends[file]), int(ends[file + 1])
        if begin >= stop:
            break
        if end > start:
            found.append(RowRange(file, max(start, begin) - begin, min(stop, end) - begin))
    return tuple(found)
