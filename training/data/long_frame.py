"""Rows: the lines of a file by series and in order of time, up to the file's last value and after it."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.calendar.timestamps import Timestamps, write_exactly
from models.calendar.zone_inference import zone_of_repeats
from models.covariates import NO_COVARIATES, CovariateNames
from models.errors import DataInvalid, Finding
from models.irregular.repeats import find_repeats
from training.config.training import Columns
from training.data.reader import Table, read_table

KEY_HINT = "Name all columns that tell the series apart, as --id-column A,B; or correct the rows that are wrong."
_OFFSETS = "write hours with offsets, 2020-10-25T02:00+01:00."
CLOCK_HINT = f"{KEY_HINT} Where clocks go back, give --timezone, or {_OFFSETS}"


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of one series, in order of time.

    Attributes:
        id: The series'.
        ds: Timestamps, shape (rows,), datetime64[us].
        y: Values, NaN where the cell is empty.
        row: Lines of the file, the header being 1.
        covariates: By name, NaN where unknown.
    """

    id: str
    ds: NDArray[np.datetime64]
    y: NDArray[np.float64]
    row: NDArray[np.int64]
    covariates: Mapping[str, NDArray[np.float64]] = field(default_factory=lambda: NO_COVARIATES)

    def where(self, there: NDArray[np.bool_]) -> "Rows":
        """Return some of the rows."""
        columns = {name: column[there] for name, column in self.covariates.items()}
        return Rows(self.id, self.ds[there], self.y[there], self.row[there], columns)


def group_rows(table: Table) -> tuple[list[Rows], tuple[Finding, ...]]:
    """Split a long table by id and sort each part by time."""
    rows, findings = table.rows, table.findings
    ids, codes, ds, y, row = rows.ids, rows.codes, rows.ds, rows.y, rows.row
    columns = dict(table.covariates)
    same = codes[1:] == codes[:-1]
    if not ((codes[1:] > codes[:-1]) | (same & (ds[1:] >= ds[:-1]))).all():
        order = np.lexsort((ds, codes))
        codes, ds, y, row = codes[order], ds[order], y[order], row[order]
        columns = {name: column[order] for name, column in columns.items()}
        same = codes[1:] == codes[:-1]
        if ((np.diff(order) < 0) & same).any():
            findings += (Finding("ROWS_SORTED", "Rows were not in order of time; they were sorted."),)
    repeats = find_repeats(same & (ds[1:] == ds[:-1]), [y, *columns.values()])
    if repeats.any() and table.explain_repeats() is None:
        findings += (_say_repeats(ds, row, repeats),)
        codes, ds, y, row = codes[~repeats], ds[~repeats], y[~repeats], row[~repeats]
        columns = {name: column[~repeats] for name, column in columns.items()}
        same = codes[1:] == codes[:-1]
    twice = np.flatnonzero(same & (ds[1:] == ds[:-1]))
    if twice.size:
        at = int(twice[0])
        more = f" {twice.size - 1} more like it." if twice.size > 1 else ""
        detail, hint = table.explain_repeats() or ("", _advise(ds[1:][twice], table))
        raise DataInvalid(
            f"{table.path}, rows {row[at]} and {row[at + 1]}: series {ids[codes[at]]!r} has {shown(ds[at])} twice.{more} "
            f"{detail}".strip(),
            hint=hint,
        )
    edges = [0, *(np.flatnonzero(~same) + 1).tolist(), len(codes)]
    slices = [slice(start, stop) for start, stop in itertools.pairwise(edges)]
    names = [ids[code] for code in codes[edges[:-1]].tolist()]
    if not columns:
        return [Rows(name, ds[at], y[at], row[at]) for name, at in zip(names, slices, strict=True)], findings
    return [
        Rows(name, ds[at], y[at], row[at], {key: one[at] for key, one in columns.items()})
        for name, at in zip(names, slices, strict=True)
    ], findings


def _advise(ds: Timestamps, table: Table) -> str:
    """Return what to do about times that stand twice with different values."""
    if all(map(_is_midnight, ds)):
        return KEY_HINT
    zone = None if table.timezone else zone_of_repeats(ds)
    if zone is None:
        return CLOCK_HINT
    return f"Clocks go back then, as in {zone}: give --timezone {zone}, or the timezone of the data, or {_OFFSETS}"


def _say_repeats(ds: Timestamps, row: NDArray[np.int64], repeats: NDArray[np.bool_]) -> Finding:
    at, count = int(np.argmax(repeats)), int(repeats.sum())
    example = f"rows {row[at - 1]} and {row[at]} are equal"
    detail = f"{count} rows repeat another one: " if count > 1 else "One row repeats another one: "
    zone = None if all(map(_is_midnight, ds[repeats])) else zone_of_repeats(ds[repeats])
    if zone is None:
        return Finding("ROWS_REPEATED", f"{detail}{example}. Each counts once.")
    why = f"Clocks go back at {shown(ds[at])}, as in {zone}."
    hint = f"If each is an hour of its own, give --timezone {zone}, or the timezone of the data."
    return Finding("ROWS_REPEATED", f"{detail}{example}. Each counts once. {why}", hint=hint)


def _is_midnight(stamp: np.datetime64) -> bool:
    return bool(stamp == stamp.astype("datetime64[D]"))


def shown(stamp: np.datetime64) -> str:
    """Return a timestamp as a person writes it: a day without its midnight, fractions of a second where it has them."""
    return write_exactly(stamp)


def part_rows(
    groups: Sequence[Rows], *, known_ahead: bool, last: np.datetime64 | None = None
) -> tuple[list[Rows], dict[str, Rows], tuple[Finding, ...]]:
    """Return the rows up to the file's last value, and those after it by series: the times to forecast.

    `last` is the time of the last value where the groups are not all of the file.
    """
    if last is None:
        known = [group.ds[~np.isnan(group.y)].max() for group in groups if not np.isnan(group.y).all()]
        if not known:
            return list(groups), {}, ()
        last = max(known)
    is_late = (np.array([group.ds[-1] for group in groups]) > last).tolist()
    later = {group.id: group.where(group.ds > last) for group, late in zip(groups, is_late, strict=True) if late}
    rows = sum(len(group.ds) for group in later.values())
    if not rows:
        return list(groups), {}, ()
    use = "carry what is known ahead" if known_ahead else "are left out"
    found = Finding("ROWS_AHEAD" if known_ahead else "ROWS_TRIMMED", f"{rows} rows after the file's last value {use}.")
    kept = [group.where(group.ds <= last) for group in groups]
    return [group for group in kept if len(group.ds)], later if known_ahead else {}, (found,)


def read_future(
    path: Path, columns: Columns, names: CovariateNames, groups: Sequence[Rows]
) -> tuple[dict[str, Rows], tuple[Finding, ...]]:
    """Return what a second file says of the time after the last value, by series.

    Raises:
        DataInvalid: If the file cannot be used or ends with the last value, or the model knows nothing ahead.
    """
    ahead = tuple(name for name in names.read if name in names.future)
    if not ahead:
        raise DataInvalid(f"{path}: no covariate is known ahead, so there is no use for it.", hint="Leave it out.")
    table = read_table(path, columns, ahead, valued=False)
    found, findings = group_rows(table)
    last = max(group.ds.max() for group in groups)
    everyone = len(found) == 1 and not found[0].id
    given = {group.id: group.where(group.ds > last) for group in found}
    _refuse_past(path, found, last)
    if everyone:
        return {group.id: replace(given[found[0].id], id=group.id) for group in groups}, findings
    unknown = given.keys() - {group.id for group in groups}
    if unknown:
        detail = f"{path}: {len(unknown)} series are in no data, such as {min(unknown)!r}; they are left out."
        findings += (Finding("SERIES_UNKNOWN", detail),)
    return given, findings


def _refuse_past(path: Path, found: Sequence[Rows], last: np.datetime64) -> None:
    """Raise DataInvalid if no row lies after the last value."""
    ends = [group.ds.max() for group in found]
    if max(ends) <= last:
        first = min(group.ds.min() for group in found)
        raise DataInvalid(
            f"{path}: no row lies after the last value, {shown(last)}; the file has {shown(first)} to {shown(max(ends))}.",
            hint="Give rows for the steps that are to be forecast.",
        )


def join_rows(group: Rows, later: Rows) -> Rows:
    """Return the rows of a series and those after them, covariates that the latter lack as NaN."""
    unknown = np.full(len(later.ds), np.nan)
    columns = {
        name: np.concatenate([column, later.covariates.get(name, unknown)]) for name, column in group.covariates.items()
    }
    parts = ((group.ds, later.ds), (group.y, unknown), (group.row, later.row))
    ds, y, row = (np.concatenate(pair) for pair in parts)
    return Rows(group.id, ds, y, row, columns)


def end_with_zero(groups: Sequence[Rows], newest: np.datetime64 | None = None) -> list[Rows]:
    """Return rows of which each series ends with the last one of the file: where nothing happened since, with 0.

    `newest` is the last time of the file where the groups are not all of it.
    """
    last = newest or max(group.ds.max() for group in groups)
    return [group if group.ds[-1] == last else _with_zero(group, last) for group in groups]


def _with_zero(group: Rows, last: np.datetime64) -> Rows:
    columns = {name: np.append(column, np.nan) for name, column in group.covariates.items()}
    return Rows(
        group.id, np.append(group.ds, last), np.append(group.y, 0.0), np.append(group.row, group.row[-1]), columns
    )
