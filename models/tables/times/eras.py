"""Eras: a column of a file whose years are not counted as in the Gregorian calendar."""

from typing import Any

import numpy as np

from models.calendar.eras import era_of
from models.calendar.timestamps import Timestamps
from models.tables.faults import TIME, TableInvalid
from models.tables.sheet import Rows

WRITTEN = " If the year is right, say how dates are written, as with --date-format %Y-%m-%d."


def refuse_era(walls: Timestamps, column: Any, name: str, rows: Rows, *, is_text: bool) -> None:  # noqa: ANN401 - pyarrow's
    """Raise TableInvalid if all dates are of years that look like those of another era: weekdays would be wrong.

    Args:
        walls: Wall clocks, NaT for a wrong cell, shape (rows,).
        column: The cells.
        name: Of the column.
        rows: Row of the file of each.
        is_text: Whether cells are text, which a date format may explain.
    """
    known = np.flatnonzero(~np.isnat(walls))
    era = era_of(walls[known])
    if era is not None:
        at = int(known[0])
        raise TableInvalid(
            era.detail(walls[at], str(column[at])),
            hint=era.hint(walls[at]) + (WRITTEN if is_text else ""),
            place=f", row {rows[at]}, column {name!r}",
            about=TIME,
        )
