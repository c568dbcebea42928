"""Tables: how a file, long or wide, becomes one long frame whose every fault has a row and a column."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.errors import DataInvalid, Finding, TimestampInvalid
from models.ids import plain_id
from models.tables.faults import CellFault, TableInvalid
from models.tables.read import ParsedTable, read_columns, read_sheet
from models.tables.sheet import Sheet
from training.config.training import Columns, require_file
from training.data.file_clock import FileClock, settle_clock

Explain = Callable[[], tuple[str, str] | None]


@dataclass(frozen=True, slots=True)
class Table:
    """One file as a long frame.

    Attributes:
        path: The file.
        layout: `long` or `wide`.
        frame: Columns `unique_id` (str), `ds` (datetime64[us]), `y` (float64, NaN for a gap) and `row` (the row of the
            file, the header being row 1), in the order of the file.
        findings: What was noticed on the way.
        covariates: By name, a number for each row of the frame, NaN where unknown.
        timezone: IANA name; `ds` has UTC instants then, else wall clocks.
        style: How the times were written, for `format_timestamps`.
        zones: IANA name of each series of an export of the service that has one, by id; its `ds` are UTC instants then.
        value: Name of a long file's column of values; "" of a wide file.
        explain_repeats: Returns which columns may tell apart rows of one series and time, as text and remedy, or None.
    """

    path: Path
    layout: str
    frame: pd.DataFrame
    findings: tuple[Finding, ...] = ()
    covariates: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    timezone: str | None = None
    style: str = "YYYY-MM-DD"
    zones: Mapping[str, str] = field(default_factory=dict)
    explain_repeats: Explain = lambda: None
    value: str = ""


def read_table(path: Path, columns: Columns, covariates: Sequence[str] = (), *, valued: bool = True) -> Table:
    """Return the file as a long frame.

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
    """Return the sheet of a file as a long frame; arguments and errors as `read_table`."""
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
    ids = reading.ids
    if ids is None:
        texts, codes = pd.Series([name] * len(sheet.rows), dtype="str"), np.zeros(len(sheet.rows), dtype=np.int64)
    else:
        texts = pd.Series(ids.to_pandas(), dtype="str")
        codes = ids.dictionary_encode().indices.to_numpy(zero_copy_only=False).astype(np.int64)
    clock = settle_clock(reading.times, codes, sheet.rows, columns.timezone)
    values = reading.values[name].values if name else np.full(len(sheet.rows), np.nan)
    frame = pd.DataFrame({"unique_id": texts, "ds": clock.stamps, "y": values, "row": sheet.rows})
    covariates = {name: one.values for name, one in reading.covariates.items()}
    return _table(path, "long", frame, reading, clock, reading.findings, covariates)


def _wide(path: Path, reading: ParsedTable, columns: Columns) -> Table:
    rows, findings = reading.sheet.rows, reading.findings
    clock = settle_clock(reading.times, np.zeros(len(rows), dtype=np.int64), rows, columns.timezone)
    frames = []
    for name, numbers in reading.values.items():
        there = np.flatnonzero(~np.isnan(numbers.values))
        if not there.size:
            findings += (Finding("SERIES_ALL_MISSING", f"Column {name!r} has no values and is left out."),)
            continue
        part = slice(int(there[0]), int(there[-1]) + 1)
        frames.append(
            pd.DataFrame(
                {"unique_id": plain_id(name), "ds": clock.stamps[part], "y": numbers.values[part], "row": rows[part]}
            )
        )
    if not frames:
        raise TableInvalid("has only empty columns.", hint="Give a file with values.")
    return _table(path, "wide", pd.concat(frames, ignore_index=True), reading, clock, findings, {})


def _table(  # noqa: PLR0913, PLR0917 - the parts of a table
    path: Path,
    layout: str,
    frame: pd.DataFrame,
    reading: ParsedTable,
    clock: FileClock,
    findings: tuple[Finding, ...],
    covariates: Mapping[str, NDArray[np.float64]],
) -> Table:
    return Table(
        path,
        layout,
        frame,
        findings + clock.findings,
        covariates,
        clock.timezone,
        clock.style,
        reading.zones(),
        reading.explain_repeats,
        "" if reading.layout.wide else next(iter(reading.layout.values), ""),
    )
