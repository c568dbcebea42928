"""Eras: series of a file whose years are not counted as in the Gregorian calendar."""

import re
from typing import Any

import numpy as np

from models.calendar.eras import Era, era_of, may_have_era
from models.calendar.timestamps import Timestamps
from models.tables.faults import TIME, CellFault
from models.tables.sheet import Rows

WRITTEN = " If the year is right, say how dates are written, as with --date-format {}."
_YEAR_FIRST = re.compile(r"\d{4}(?:([-/.])\d{1,2}(\1\d{1,2})?)?")


def find_eras(walls: Timestamps, column: Any, name: str, rows: Rows, ids: Any = None) -> dict[int, CellFault]:  # noqa: ANN401 - pyarrow's
    """Return a fault for each row of the series whose years all look like those of another era: weekdays would be wrong.

    Args:
        walls: Wall clocks, NaT for a wrong cell, shape (rows,).
        column: The cells.
        name: Of the column.
        rows: Row of the file of each.
        ids: Id of the series of each row, a pyarrow dictionary; None for a file of one series, or a wide one.

    Raises:
        TableInvalid: If all series are such.
    """
    known = np.flatnonzero(~np.isnat(walls))
    if not may_have_era(walls[known]):
        return {}
    codes = np.zeros(len(walls), dtype=np.int64)
    if ids is not None:
        codes = ids.indices.to_numpy()
    order = known[np.argsort(codes[known], kind="stable")]
    series = np.split(order, np.flatnonzero(np.diff(codes[order])) + 1)
    found = [(members, era) for members in series if (era := era_of(walls[members])) is not None]
    if found and len(found) == len(series):
        at, era = int(found[0][0][0]), found[0][1]
        raise _fault(era, walls[at], str(column[at]), name, int(rows[at])).error()
    return {
        at: _fault(era, walls[at], str(column[at]), name, int(rows[at]))
        for members, era in found
        for at in members.tolist()
    }


def _fault(era: Era, wall: np.datetime64, cell: str, name: str, row: int) -> CellFault:
    hint = era.hint(wall) + WRITTEN.format(_form_of(cell.strip()))
    return CellFault(row, name, TIME, cell, era.what(wall), hint)


def _form_of(cell: str) -> str:
    """Return the `--date-format` of a year, a month or a day that is written with the year first, else an example."""
    match = _YEAR_FIRST.fullmatch(cell)
    if match is None:
        return "%Y-%m-%d"
    sign, day = match[1] or "", match[2]
    return f"%Y{sign}%m{sign}%d" if day else f"%Y{sign}%m" if sign else "%Y"
