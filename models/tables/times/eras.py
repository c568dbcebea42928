"""Eras: series of a file whose years are not counted as in the Gregorian calendar."""

import re
from typing import Any

import numpy as np

from models.calendar.eras import era_of, may_have_era
from models.calendar.timestamps import Timestamps
from models.tables.faults import TIME, TableInvalid
from models.tables.sheet import Rows

WRITTEN = " If the year is right, say how dates are written, as with --date-format {}."
_YEAR_FIRST = re.compile(r"\d{4}(?:([-/.])\d{1,2}(\1\d{1,2})?)?")


def refuse_eras(walls: Timestamps, column: Any, name: str, rows: Rows, ids: Any = None) -> None:  # noqa: ANN401 - pyarrow's
    """Raise TableInvalid if all dates of a series are of years that look like those of another era: weekdays would be wrong.

    Args:
        walls: Wall clocks, NaT for a wrong cell, shape (rows,).
        column: The cells.
        name: Of the column.
        rows: Row of the file of each.
        ids: Id of the series of each row, a pyarrow dictionary; None for a file of one series, or a wide one.
    """
    known = np.flatnonzero(~np.isnat(walls))
    if not may_have_era(walls[known]):
        return
    codes = np.zeros(len(walls), dtype=np.int64)
    if ids is not None:
        codes = ids.indices.to_numpy()
    order = known[np.argsort(codes[known], kind="stable")]
    for members in np.split(order, np.flatnonzero(np.diff(codes[order])) + 1):
        _refuse_era(walls, column, name, rows, members)


def _refuse_era(walls: Timestamps, column: Any, name: str, rows: Rows, members: Rows) -> None:  # noqa: ANN401 - pyarrow's
    era = era_of(walls[members])
    if era is not None:
        at = int(members[0])
        cell = str(column[at])
        raise TableInvalid(
            era.detail(walls[at], cell),
            hint=era.hint(walls[at]) + WRITTEN.format(_form_of(cell.strip())),
            place=f", row {rows[at]}, column {name!r}",
            about=TIME,
        )


def _form_of(cell: str) -> str:
    """Return the `--date-format` of a year, a month or a day that is written with the year first, else an example."""
    match = _YEAR_FIRST.fullmatch(cell)
    if match is None:
        return "%Y-%m-%d"
    sign, day = match[1] or "", match[2]
    return f"%Y{sign}%m{sign}%d" if day else f"%Y{sign}%m" if sign else "%Y"
