"""Data: a file as a set of series of one frequency, validated, with a digest of what it says."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.calendar.on_calendar import Frequency, infer_frequency, parse_frequency
from models.covariates import CovariateNames
from models.errors import AlmanacError, DataInvalid, Finding, FrequencyNotInferred, SeriesTooLong
from models.series import Series
from training.config.training import Columns
from training.data.date_outliers import MOST_GAPS, name_gap, refuse_strays
from training.data.ended import name_ended
from training.data.long_frame import Rows, group_rows, join_rows, part_rows, read_future, shown
from training.data.reader import read_table
from training.data.zones import are_days, read_zones, to_local_days, write_instants

SAME_STEP = (0.6, 1.6)
"""How far a series' usual step may be from the set's, as a ratio: months differ by 28 to 31 days, quarters by more."""

FEW_POINTS = 4
"""Below this many points a series' usual step says little about its frequency."""

STRAY = "Correct the date if one is wrong, or give the frequency with --frequency."


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
        covariates: Which covariates the series carry.
    """

    path: Path
    layout: str
    series: tuple[Series, ...]
    frequency: Frequency
    digest: str
    findings: tuple[Finding, ...] = ()
    covariates: CovariateNames = field(default_factory=CovariateNames)

    @property
    def observed(self) -> int:
        """Values that are not gaps."""
        return sum(one.observed for one in self.series)


def read_series(
    path: Path,
    *,
    frequency: str | None = None,
    columns: Columns | None = None,
    covariates: CovariateNames | None = None,
    future: Path | None = None,
) -> SeriesSet:
    """Return the series of a CSV or Parquet file.

    Where covariates are known ahead, rows after the file's last value carry their future.

    Args:
        path: Long (`unique_id, ds, y`, or as named by `columns`) or wide (a time column and one column per series).
        frequency: Any alias or word; None infers it from the longest series.
        columns: Names of a long file's columns where they are not the usual ones.
        covariates: Columns of a long file to be read beside the values; holidays are counted, not read.
        future: A long file of ids, times and covariates known ahead, after the last value; without an id column it is
            every series' future.

    Raises:
        DataInvalid: With file, row and column, if a cell is wrong, a timestamp stands twice or far from all others, or
            frequencies differ.
        FrequencyUnknown: If `frequency` is no alias.
        FrequencyNotInferred: If the dates do not tell the frequency.
    """
    names = covariates or CovariateNames()
    table = read_table(path, columns or Columns(), names.read)
    groups, findings = group_rows(table)
    zones = read_zones(path)
    days = parse_frequency(frequency).nanoseconds is None if frequency else are_days(groups)
    if days:
        groups = [to_local_days(group, zones[group.id]) if group.id in zones else group for group in groups]
    groups, later, trimmed = part_rows(groups, known_ahead=bool(names.future))
    if future is not None:
        later, found = read_future(future, columns or Columns(), names, groups)
        findings += found
    findings += (*trimmed, *name_ended(groups))
    refuse_strays(path, groups)
    known = parse_frequency(frequency) if frequency else _infer(path, groups)
    if frequency is None:
        _refuse_mixed(path, groups, known)
    refuse_strays(path, groups, known)
    made = [_make(path, group, known, names, later.get(group.id), zones.get(group.id)) for group in groups]
    series = tuple(one for one in made if one is not None)
    if not series:
        raise DataInvalid(f"{path}: every value is missing.", hint="Give a file with values.")
    findings += (*_count_gaps(series), *_count_unknown(series, names), *_name_dropped(groups, made))
    if future is not None:
        findings += tuple(_find_late(future, series, names, later))
    return SeriesSet(path, table.layout, series, known, digest(series), findings, names)


def digest(series: Sequence[Series]) -> str:
    """Return SHA-256 over ids, frequencies, starts, values and covariates, in order of id, as 64 hexadecimal digits."""
    total = hashlib.sha256()
    for one in sorted(series, key=lambda item: item.id):
        frequency = one.frequency.name if one.frequency else ""
        start = "" if one.start is None else str(one.start.astype("datetime64[us]"))
        total.update(f"{one.id}\0{frequency}\0{start}\0{len(one)}\0".encode())
        total.update(_bytes_of(one.values))
        for known in (one.past_covariates, one.future_covariates):
            for name in sorted(known):
                total.update(f"{name}\0{len(known[name])}\0".encode() + _bytes_of(known[name]))
    return total.hexdigest()


def _bytes_of(values: NDArray[np.float64]) -> bytes:
    """Return numbers as bytes, the same for every NaN and both zeros."""
    return np.where(np.isnan(values), np.nan, values + 0.0).astype("<f8").tobytes()


def _infer(path: Path, groups: Sequence[Rows]) -> Frequency:
    longest = max(groups, key=lambda group: len(group.ds))
    try:
        return infer_frequency(longest.ds)
    except FrequencyNotInferred as error:
        raise FrequencyNotInferred(
            f"{path}: {error.detail}", hint="Give it with --frequency, such as M or D."
        ) from error


def _refuse_mixed(path: Path, groups: Sequence[Rows], frequency: Frequency) -> None:
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


def _usual_step(group: Rows) -> float:
    return float(np.median(np.diff(group.ds).astype(np.int64))) if len(group.ds) > 1 else 1.0


def _make(  # noqa: PLR0913, PLR0917 - what makes a series
    path: Path, group: Rows, frequency: Frequency, names: CovariateNames, later: Rows | None, zone: str | None
) -> Series | None:
    """Return the series on its grid, with what is known later, or None where every value is missing."""
    if np.isnan(group.y).all():
        return None
    try:
        series = _lay(group, frequency, names, zone)
        if later is not None and len(later.ds):
            whole = _lay(join_rows(group, later), frequency, names, zone).before(len(series))
            series = replace(whole, repairs=series.repairs)
    except SeriesTooLong as error:
        rows = group if later is None else join_rows(group, later)
        raise DataInvalid(f"{path}, series {group.id!r}: {error.detail}{name_gap(rows)}", hint=STRAY) from error
    except AlmanacError as error:
        raise DataInvalid(f"{_place(path, group, error.pointer)}: {error.detail}", hint=error.hint) from error
    if len(series) > MOST_GAPS * len(group.y):
        raise DataInvalid(
            f"{path}, series {group.id!r}: {len(group.y)} values spread over {len(series)} steps of {frequency.name}."
            f"{name_gap(group)}",
            hint=STRAY,
        )
    return series


def _lay(group: Rows, frequency: Frequency, names: CovariateNames, zone: str | None) -> Series:
    """Return rows as a series on its grid; with a zone, days are local and hours instants; raises as `Series.make`."""
    is_instant = zone is not None and frequency.nanoseconds is not None
    return Series.make(
        group.y,
        id=group.id,
        timestamps=write_instants(group.ds) if is_instant else group.ds,
        frequency=frequency,
        timezone=zone,
        past_covariates=dict(group.covariates),
        future_covariates={name: [] for name in names.read if name in names.future},
    )


def _place(path: Path, group: Rows, pointer: str) -> str:
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


def _count_unknown(series: Sequence[Series], names: CovariateNames) -> Iterator[Finding]:
    """Yield how many values of each covariate are unknown up to the last value, where any are."""
    for name in names.read:
        counts = [int(np.isnan(one.past_covariates[name]).sum()) for one in series]
        if any(counts):
            yield Finding("COVARIATE_GAPS", f"{sum(counts)} values of {name!r} are unknown; they are masked.")


def _find_late(
    path: Path, series: Sequence[Series], names: CovariateNames, later: Mapping[str, Rows]
) -> Iterator[Finding]:
    """Yield, for the first series of which a second file does not know the first step ahead, what it begins with."""
    ahead = [name for name in names.read if name in names.future]
    for one in series:
        expected, rows = one.future(1), later.get(one.id)
        unknown = all(np.isnan(one.future_covariates[name][:1]).all() for name in ahead)
        if unknown and expected is not None and rows is not None and len(rows.ds):
            yield Finding(
                "FUTURE_LATE",
                f"{path}: the first step after the last value of {one.id!r} is {shown(expected[0])}; its rows begin with "
                f"{shown(rows.ds.min())}.",
            )
            return


def _name_dropped(groups: Sequence[Rows], made: Sequence[Any]) -> Iterator[Finding]:
    for group, one in zip(groups, made, strict=True):
        if one is None:
            yield Finding("SERIES_ALL_MISSING", f"Series {group.id!r} has no values and is left out.")
