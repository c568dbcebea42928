"""Benchmark sets: a folder of Parquet files with an INDEX.csv, each file split into histories and their last points."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.calendar.dates import Dates
from models.calendar.zoned_grid import Frequency, parse_frequency
from models.errors import AlmanacError, DataInvalid, FrequencyUnknown, SeriesAllMissing, SeriesEmpty
from models.series import Series
from training.config.training import Columns
from training.data.long_frame import Rows, group_rows
from training.data.reader import Table, read_table

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

INDEX = "INDEX.csv"
COLUMNS = ("file", "frequency", "horizon", "season")
"""Columns of INDEX.csv that are read; others are ignored."""

LARGEST = 100_000
"""Largest horizon and season."""

SHOWN = 40
"""Characters of a wrong cell that an error shows."""


@dataclass(frozen=True, slots=True)
class BenchmarkSet:
    """One row of INDEX.csv.

    Attributes:
        name: Stem of the Parquet file.
        path: The file: long, with columns unique_id, ds and y.
        frequency: Alias as INDEX.csv has it, which groups the sets.
        horizon: Points at the end of each series that are the test.
        season: Season length of the scale of MASE and of the baselines.
    """

    name: str
    path: Path
    frequency: str
    horizon: int
    season: int


@dataclass(frozen=True, slots=True)
class SetSplit:
    """The series of a set, cut before their last `horizon` rows.

    Attributes:
        histories: Series before the test.
        steps: Step ahead of each row of the test, from 0, shape (series, horizon); 0 … horizon - 1 unless rows are missing.
        targets: Values of the test, shape (series, horizon), NaN for a gap.
        scales: Mean absolute seasonal difference of each history, shape (series,), NaN where it is undefined or 0.
        skipped: Number of series without an observed value before the test.
    """

    histories: tuple[Series, ...]
    steps: Indices
    targets: Floats
    scales: Floats
    skipped: int

    @property
    def reach(self) -> int:
        """Steps ahead that the test of every series lies within."""
        return int(self.steps.max()) + 1


def read_index(folder: Path, only: Sequence[str] = ()) -> list[BenchmarkSet]:
    """Return the sets of a folder in the order of its INDEX.csv.

    Args:
        folder: With INDEX.csv and the Parquet files.
        only: Names of the wanted sets; empty for all.

    Raises:
        DataInvalid: If there is no INDEX.csv, a column is missing, a cell is wrong, or `only` names an unknown set.
    """
    path = folder / INDEX
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            reader = csv.DictReader(lines)
            names = [name.strip() for name in reader.fieldnames or []]
            reader.fieldnames = names
            rows = [{name: (row[name] or "").strip() for name in names} for row in reader]
    except (OSError, UnicodeDecodeError) as error:
        raise DataInvalid(
            f"{path} cannot be read: {getattr(error, 'strerror', None) or error}.",
            hint=f"Give a folder with an {INDEX} of columns {', '.join(COLUMNS)}.",
        ) from error
    missing = [name for name in COLUMNS if name not in names]
    if missing:
        raise DataInvalid(
            f"{path} has no column {', '.join(missing)}; it has {', '.join(names) or 'none'}.",
            hint=f"Give it the columns {', '.join(COLUMNS)}.",
        )
    sets: dict[str, BenchmarkSet] = {}
    for number, row in enumerate(rows, start=2):
        one = _read_row(path, number, row)
        if one.name in sets:
            raise DataInvalid(
                f"{path}, row {number}, column 'file': {one.name!r} is in a row above, too.",
                hint="Keep one row for each file; a second horizon needs a file of its own.",
            )
        sets[one.name] = one
    unknown = [name for name in only if name not in sets]
    if unknown or not sets:
        detail = f"{path} has no set {', '.join(map(repr, unknown))}." if unknown else f"{path} lists no set."
        raise DataInvalid(detail, hint=f"Choose from {', '.join(sets)}." if sets else "Add a row for each file.")
    return [one for name, one in sets.items() if not only or name in only]


def _read_row(path: Path, number: int, row: dict[str, str]) -> BenchmarkSet:
    """Return one row of INDEX.csv; raises DataInvalid with file, row and column."""
    try:
        parse_frequency(row["frequency"])
    except FrequencyUnknown as error:
        raise DataInvalid(f"{path}, row {number}, column 'frequency': {error.detail}", hint=error.hint) from error
    for name in ("horizon", "season"):
        text = row[name]
        if not text.isdecimal() or len(text) > len(str(LARGEST)) or not 1 <= int(text) <= LARGEST:
            shown = repr(text if len(text) <= SHOWN else f"{text[:SHOWN]}…") if text else "empty"
            raise DataInvalid(
                f"{path}, row {number}, column {name!r}: the cell is {shown}, not a whole number from 1 to {LARGEST}.",
                hint="Correct the cell.",
            )
    name = row["file"].removesuffix(".parquet")
    return BenchmarkSet(
        name, path.with_name(f"{name}.parquet"), row["frequency"], int(row["horizon"]), int(row["season"])
    )


def hold_out_end(one: BenchmarkSet, max_series: int | None = None, origins: int = 1) -> SetSplit:
    """Return the histories and tests of a set, read as `almanac forecast` reads a file.

    Args:
        one: The set.
        max_series: Largest number of series, spaced evenly over the file; None for all.
        origins: Tests of each series, one horizon apart, the newest at its end; where the history before a test is shorter
            than the horizon, only the newest counts.

    Raises:
        DataInvalid: If the file is missing or cannot be read, or no series has a history.
    """
    table = read_table(one.path, Columns())
    groups = evenly_spaced(group_rows(table)[0], max_series)
    splits = [_split(table, part, one) for group in groups for part in _cut_back(group, one.horizon, origins)]
    known = [part for part in splits if part is not None]
    if not known:
        raise DataInvalid(
            f"{one.path}: no series has an observed value before its last {one.horizon} rows.",
            hint=f"Give longer series, or a shorter horizon in {INDEX}.",
        )
    histories, steps, targets, scales = zip(*known, strict=True)
    if np.isnan(targets).all():
        raise DataInvalid(
            f"{one.path}: no value of the last {one.horizon} rows is observed, so nothing can be compared.",
            hint="Cut the empty rows at the end.",
        )
    return SetSplit(histories, np.stack(steps), np.stack(targets), np.array(scales), len(splits) - len(known))


def _cut_back(group: Rows, horizon: int, origins: int) -> list[Rows]:
    """Return the rows as they were at the origins of a series, the newest first."""
    lengths = [len(group.y) - back * horizon for back in range(origins)]
    kept = [length for back, length in enumerate(lengths) if not back or length >= 2 * horizon]
    return [replace(group, ds=group.ds[:length], y=group.y[:length]) for length in kept]


def evenly_spaced(groups: Sequence[Rows], count: int | None) -> Sequence[Rows]:
    """Return at most `count` of the groups, the first and the last among them if there are two or more."""
    if count is None or count >= len(groups):
        return groups
    places = np.linspace(0, len(groups) - 1, count).round().astype(int)
    return [groups[place] for place in places]


def seasonal_error(history: Floats, season: int) -> float:
    """Return the mean absolute difference of rows a season apart, or NaN if it is undefined or 0.

    Pairs with a gap are left out. Unlike `models.accuracy.seasonal_scale`, no value is masked and no shorter lag stands in
    for a season that the history does not have.

    Args:
        history: Rows before the test, shape (rows,), NaN for a gap.
        season: Rows in a season.

    Source: `MASE` of the package fev, whose benchmark leaves out series without such a scale.
    """
    differences = np.abs(history[season:] - history[:-season])
    differences = differences[~np.isnan(differences)]
    scale = float(differences.mean()) if differences.size else 0.0
    return scale if scale > 0 else float("nan")


def _split(table: Table, group: Rows, one: BenchmarkSet) -> tuple[Series, Indices, Floats, float] | None:
    """Return history, steps, targets and scale of a series, or None if nothing is observed before the test."""
    cut = len(group.y) - one.horizon
    if cut < 1:
        return None
    frequency = parse_frequency(one.frequency)
    try:
        history = _make(table, group, frequency, cut)
        steps = _steps(_make(table, group, frequency, len(group.y)), group.ds, cut)
    except (SeriesEmpty, SeriesAllMissing):
        return None
    except AlmanacError as error:
        raise DataInvalid(f"{one.path}, series {group.id!r}: {error.detail}", hint=error.hint) from error
    return history, steps, group.y[cut:], seasonal_error(group.y[:cut], one.season)


def _make(table: Table, group: Rows, frequency: Frequency, count: int) -> Series:
    dates = Dates(group.ds[:count], table.style, table.timezone)
    return Series.make(group.y[:count], id=group.id, timestamps=dates, frequency=frequency)


def _steps(whole: Series, ds: NDArray[np.datetime64], cut: int) -> Indices:
    """Return how many steps after the history each row of the test lies, from 0, shape (horizon,)."""
    if whole.timestamps is None or len(whole) == len(ds):
        return np.arange(len(ds) - cut)
    grid = whole.timestamps.astype(np.int64)
    stamps = ds[cut - 1 :].astype("datetime64[us]").astype(np.int64)
    right = np.clip(np.searchsorted(grid, stamps), 1, len(grid) - 1)
    nearest = right - (stamps - grid[right - 1] < grid[right] - stamps)
    steps: Indices = nearest[1:] - nearest[0] - 1
    return steps
