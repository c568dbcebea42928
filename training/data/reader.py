"""Tables: how a file, long or wide, becomes one long table whose every fault has a row and a column."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.calendar.timestamps import Timestamps
from models.errors import DataInvalid, Finding, TimestampInvalid
from models.ids import plain_id
from models.tables.faults import CellFault, TableInvalid
from models.tables.read import ParsedTable, read_columns, read_sheet
from models.tables.sheet import Sheet
from models.values import Values
from training.config.training import Columns, require_file
from training.data.file_clock import FileClock, settle_clock

Explain = Callable[[], tuple[str, str] | None]


@dataclass(frozen=True, slots=True, eq=False)
class LongRows:
    """The rows of a file in its order, those of a wide one column by column.

    Attributes:
        ids: Of the series, each once.
        codes: Place of each row's id among them, shape (rows,).
        ds: Times, datetime64[us].
        y: Values, NaN for a gap.
        row: The row of the file, the header being row 1.
    """

    ids: Sequence[str]
    codes: NDArray[np.int64]
    ds: Timestamps
    y: Values
    row: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Table:
    """One file, long.

    Attributes:
        path: The file.
        layout: `long` or `wide`.
        rows: Its rows.
        findings: What was noticed on the way.
        covariates: By name, a number for each row, NaN where unknown.
        timezone: IANA name; `ds` has UTC instants then, else wall clocks.
        style: How the times were written, for `format_timestamps`.
        zones: IANA name of each series of an export of the service that has one, by id; its `ds` are UTC instants then.
        value: Name of a long file's column of values; "" of a wide file.
        explain_repeats: Returns which columns may tell apart rows of one series and time, as text and remedy, or None.
    """

    path: Path
    layout: str
    rows: LongRows
    findings: tuple[Finding, ...] = ()
    covariates: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    timezone: str | None = None
    style: str = "YYYY-MM-DD"
    zones: Mapping[str, str] = field(default_factory=dict)
    explain_repeats: Explain = lambda: None
    value: str = ""

    def of_series(self, code: int) -> "Table":
        """Return the rows of one series."""
        there, all_of = self.rows.codes == code, self.rows
        rows = LongRows(all_of.ids, all_of.codes[there], all_of.ds[there], all_of.y[there], all_of.row[there])
        return replace(self, rows=rows, covariates={name: one[there] for name, one in self.covariates.items()})


def read_table(path: Path, columns: Columns, covariates: Sequence[str] = (), *, valued: bool = True) -> Table:
    """Return the file as a long table.

    Args:
        path: The file: CSV, Parquet, a workbook or JSON lines, also compressed by gzip.
        columns: How its columns are named and written, where that is not the usual way.
        covariates: Columns of a long file that stand beside the values.
        valued: Whether the file must have values; one without them holds covariates alone, and its `y` is NaN.

    Raises:
        DataInvalid: If the file cannot be read, or a cell is not a date or not a number: with file, row and column.
    """
    require_file(path)
    try:
        sheet = read_sheet(path.read_bytes(), path.name, columns.options)
    except TableInvalid as error:
        raise error.at(path) from error
    except OSError as error:
        raise DataInvalid(f"{path}: cannot be read ({error.strerror}).", hint="Check the file.") from error
    return table_of(path, sheet, columns, covariates, valued=valued)


def table_of(
    path: Path, sheet: Sheet, columns: Columns, covariates: Sequence[str] = (), *, valued: bool = True
) -> Table:
    """Return the sheet of a file as a long table; arguments and errors as `read_table`."""
    try:
        reading = read_columns(sheet, columns.options, covariates, valued=valued)
        _refuse_faults(reading)
        return _wide(path, reading, columns) if reading.layout.wide else _long(path, reading, columns)
    except TableInvalid as error:
        raise error.at(path) from error
    except TimestampInvalid as error:
        raise DataInvalid(f"{path}: {error.detail}", hint=error.hint) from error


def _refuse_faults(reading: ParsedTable) -> None:
    """Raise TableInvalid for the first wrong cell, ids and times before values, and count those like it."""
    covariates = [one.faults for one in reading.covariates.values()]
    values = [one.faults for one in reading.values.values()]
    groups: list[Mapping[int, CellFault]] = [reading.sheet.faults, reading.times.faults, reading.id_faults, *values]
    for faults in (*groups, *covariates):
        if faults:
            raise faults[min(faults)].error(len(faults) - 1)


def _long(path: Path, reading: ParsedTable, columns: Columns) -> Table:
    sheet, layout = reading.sheet, reading.layout
    name = layout.values[0] if layout.values else ""
    codes, ids = np.zeros(len(sheet.rows), dtype=np.int64), [name]
    if reading.ids is not None:
        codes, ids = reading.ids.indices.to_numpy().astype(np.int64), reading.ids.dictionary.to_pylist()
    has_zones = bool(reading.zones())
    timezone = None if has_zones else columns.timezone
    clock = settle_clock(reading.times, codes, sheet.rows, timezone, are_instants=has_zones)
    values = reading.values[name].values if name else np.full(len(sheet.rows), np.nan)
    covariates = {name: one.values for name, one in reading.covariates.items()}
    rows = LongRows(ids, codes, clock.stamps, values, sheet.rows)
    return _table(path, rows, reading, clock, reading.findings, covariates)


def _wide(path: Path, reading: ParsedTable, columns: Columns) -> Table:
    rows, findings = reading.sheet.rows, reading.findings
    clock = settle_clock(reading.times, np.zeros(len(rows), dtype=np.int64), rows, columns.timezone)
    places: dict[str, int] = {}
    parts = []
    for name, numbers in reading.values.items():
        there = np.flatnonzero(~np.isnan(numbers.values))
        if not there.size:
            findings += (Finding("SERIES_ALL_MISSING", f"Column {name!r} has no values and is left out."),)
            continue
        part = slice(int(there[0]), int(there[-1]) + 1)
        code = places.setdefault(plain_id(name), len(places))
        parts.append((np.full(len(rows[part]), code), clock.stamps[part], numbers.values[part], rows[part]))
    if not parts:
        raise TableInvalid("has only empty columns.", hint="Give a file with values.")
    codes, ds, y, row = map(np.concatenate, zip(*parts, strict=True))
    return _table(path, LongRows(list(places), codes, ds, y, row), reading, clock, findings, {})


def _table(  # noqa: PLR0913, PLR0917 - the parts of a table
    path: Path,
    rows: LongRows,
    reading: ParsedTable,
    clock: FileClock,
    findings: tuple[Finding, ...],
    covariates: Mapping[str, NDArray[np.float64]],
) -> Table:
    return Table(
        path,
        "wide" if reading.layout.wide else "long",
        rows,
        findings + clock.findings,
        covariates,
        clock.timezone,
        clock.style,
        reading.zones(),
        reading.explain_repeats,
        "" if reading.layout.wide else next(iter(reading.layout.values), ""),
    )
