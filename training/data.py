"""Data: a file as a set of series of one frequency, validated, with a digest of what it says."""

import hashlib
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.calendar import Frequency, infer_frequency, parse_frequency
from models.errors import AlmanacError, DataInvalid, Finding, FrequencyNotInferred
from models.series import Series
from training.config import Columns
from training.tables import Table, read_table

SAME_STEP = (0.6, 1.6)
"""How far a series' usual step may be from the set's, as a ratio: months differ by 28 to 31 days, quarters by more."""

FEW_POINTS = 4
"""Below this many points a series' usual step says little about its frequency."""

MOST_GAPS = 100
"""Grid steps for each observed value above which a stray date is likelier than a gap."""


CLOCK_HINT = (
    "Keep one value for each timestamp; where clocks go back, write hours with offsets: 2020-10-25T02:00+01:00."
)

DAY = np.timedelta64(1, "D")


@dataclass(frozen=True, slots=True)
class SeriesSet:
    """All series of one file.

    Attributes:
        path: The file.
        layout: `long` or `wide`.
        series: In order of first appearance, ids distinct.
        frequency: Of every series.
        digest: SHA-256 over what the file says, whatever its layout, format or order of rows.
        findings: What was noticed and repaired on the way.
    """

    path: Path
    layout: str
    series: tuple[Series, ...]
    frequency: Frequency
    digest: str
    findings: tuple[Finding, ...] = ()

    @property
    def observed(self) -> int:
        """Values that are not gaps."""
        return sum(one.observed for one in self.series)


@dataclass(frozen=True, slots=True)
class _Group:
    """Rows of one series, in order of time."""

    id: str
    ds: NDArray[np.datetime64]
    y: NDArray[np.float64]
    row: NDArray[np.int64]


def read_series(path: Path, *, frequency: str | None = None, columns: Columns | None = None) -> SeriesSet:
    """Return the series of a CSV or Parquet file.

    Args:
        path: Long (`unique_id, ds, y`, or as named by `columns`) or wide (a time column and one column per series).
        frequency: Any alias or word; None infers it from the longest series.
        columns: Names of a long file's columns where they are not the usual ones.

    Raises:
        DataInvalid: With file, row and column, if a cell is wrong, a timestamp stands twice or frequencies differ.
        FrequencyUnknown: If `frequency` is no alias.
        FrequencyNotInferred: If the dates do not tell the frequency.
    """
    table = read_table(path, columns or Columns())
    groups, findings = _group(table)
    groups, trimmed = _trim(groups)
    findings += trimmed
    known = parse_frequency(frequency) if frequency else _infer(path, groups)
    if frequency is None:
        _refuse_mixed(path, groups, known)
    made = [_make(path, group, known) for group in groups]
    series = tuple(one for one in made if one is not None)
    if not series:
        raise DataInvalid(f"{path}: every value is missing.", hint="Give a file with values.")
    findings += (*_count_gaps(series), *_name_dropped(groups, made))
    return SeriesSet(path, table.layout, series, known, digest(series), findings)


def digest(series: Sequence[Series]) -> str:
    """Return SHA-256 over ids, frequencies, starts and values, in order of id, as 64 hexadecimal digits."""
    total = hashlib.sha256()
    for one in sorted(series, key=lambda item: item.id):
        frequency = one.frequency.name if one.frequency else ""
        start = "" if one.start is None else str(one.start.astype("datetime64[us]"))
        total.update(f"{one.id}\0{frequency}\0{start}\0{len(one)}\0".encode())
        values = np.where(np.isnan(one.values), np.nan, one.values + 0.0)
        total.update(values.astype("<f8").tobytes())
    return total.hexdigest()


def _group(table: Table) -> tuple[list[_Group], tuple[Finding, ...]]:
    """Split the long frame by id and sort each part by time."""
    import pandas as pd

    frame, findings = table.frame, table.findings
    codes, ids = pd.factorize(frame["unique_id"])
    ds = frame["ds"].to_numpy(dtype="datetime64[us]")
    order = np.lexsort((ds, codes))
    codes, ds = codes[order], ds[order]
    y, row = frame["y"].to_numpy(dtype=np.float64)[order], frame["row"].to_numpy(dtype=np.int64)[order]
    same = codes[1:] == codes[:-1]
    if ((np.diff(order) < 0) & same).any():
        findings += (Finding("ROWS_SORTED", "Rows were not in order of time; they were sorted."),)
    twice = np.flatnonzero(same & (ds[1:] == ds[:-1]))
    if twice.size:
        at = int(twice[0])
        more = f" {twice.size - 1} more like it." if twice.size > 1 else ""
        raise DataInvalid(
            f"{table.path}, rows {row[at]} and {row[at + 1]}: series {ids[codes[at]]!r} has {_shown(ds[at])} twice.{more}",
            hint="Keep one value for each timestamp." if _is_midnight(ds[at]) else CLOCK_HINT,
        )
    edges = [0, *(np.flatnonzero(~same) + 1).tolist(), len(codes)]
    slices = [slice(start, stop) for start, stop in itertools.pairwise(edges)]
    return [_Group(str(ids[codes[part.start]]), ds[part], y[part], row[part]) for part in slices], findings


def _is_midnight(stamp: np.datetime64) -> bool:
    return bool(stamp == stamp.astype("datetime64[D]"))


def _shown(stamp: np.datetime64) -> str:
    """Return a timestamp as a person writes it: no fractions, a day without its midnight."""
    return str(stamp.astype("datetime64[D]" if _is_midnight(stamp) else "datetime64[s]"))


def _trim(groups: Sequence[_Group]) -> tuple[list[_Group], tuple[Finding, ...]]:
    """Leave out the rows after the file's last value: they are the times that somebody wants forecast."""
    known = [group.ds[~np.isnan(group.y)].max() for group in groups if not np.isnan(group.y).all()]
    if not known:
        return list(groups), ()
    kept = [(group, group.ds <= max(known)) for group in groups]
    rows = sum(int(np.sum(~there)) for _, there in kept)
    if not rows:
        return list(groups), ()
    found = Finding("ROWS_TRIMMED", f"{rows} rows after the file's last value are left out.")
    trimmed = [_Group(group.id, group.ds[there], group.y[there], group.row[there]) for group, there in kept]
    return [group for group in trimmed if len(group.ds)], (found,)


def _infer(path: Path, groups: Sequence[_Group]) -> Frequency:
    longest = max(groups, key=lambda group: len(group.ds))
    try:
        return infer_frequency(longest.ds)
    except FrequencyNotInferred as error:
        raise FrequencyNotInferred(
            f"{path}: {error.detail}", hint="Give it with --frequency, such as M or D."
        ) from error


def _refuse_mixed(path: Path, groups: Sequence[_Group], frequency: Frequency) -> None:
    """Raise DataInvalid if a series' usual step is not the set's: a daily series would look like an hourly with gaps."""
    usual = _usual_step(max(groups, key=lambda group: len(group.ds)))
    low, high = SAME_STEP
    for group in groups:
        if len(group.ds) >= FEW_POINTS and not low < _usual_step(group) / usual < high:
            try:
                own = infer_frequency(group.ds).name
            except FrequencyNotInferred:
                own = "another one"
            raise DataInvalid(
                f"{path}, row {group.row[0]}: series {group.id!r} has frequency {own}, others have {frequency.name}.",
                hint="Give one file for each frequency, or say with --frequency which one is meant.",
            )


def _usual_step(group: _Group) -> float:
    return float(np.median(np.diff(group.ds).astype(np.int64))) if len(group.ds) > 1 else 1.0


def _make(path: Path, group: _Group, frequency: Frequency) -> Series | None:
    """Return the series on its grid, or None where every value is missing."""
    if np.isnan(group.y).all():
        return None
    try:
        series = Series.make(group.y, id=group.id, timestamps=group.ds, frequency=frequency)
    except AlmanacError as error:
        raise DataInvalid(f"{_place(path, group, error.pointer)}: {error.detail}", hint=error.hint) from error
    if len(series) > MOST_GAPS * len(group.y):
        raise DataInvalid(
            f"{path}, row {group.row[0]}: series {group.id!r} has {len(group.y)} values over {len(series)} steps of "
            f"{frequency.name}.",
            hint="Look for a wrong date, or give the frequency with --frequency.",
        )
    return series


def _place(path: Path, group: _Group, pointer: str) -> str:
    column, _, index = pointer.lstrip("/").partition("/")
    row = group.row[min(int(index), len(group.row) - 1)] if index.isdigit() else group.row[0]
    name = {"timestamps": ", column 'ds'", "values": ", column 'y'"}.get(column, "")
    return f"{path}, row {row}{name}, series {group.id!r}"


def _count_gaps(series: Sequence[Series]) -> Iterator[Finding]:
    said = {"GAP_INSERTED": "timestamps are missing", "GAP_MASKED": "values are empty"}
    for code, what in said.items():
        counts = [sum(repair.count for repair in one.repairs if repair.code == code) for one in series]
        if any(counts):
            touched = sum(count > 0 for count in counts)
            yield Finding(
                code, f"{sum(counts)} {what}, in {touched} of {len(series)} series; they are treated as gaps."
            )


def _name_dropped(groups: Sequence[_Group], made: Sequence[Any]) -> Iterator[Finding]:
    for group, one in zip(groups, made, strict=True):
        if one is None:
            yield Finding("SERIES_ALL_MISSING", f"Series {group.id!r} has no values and is left out.")
