"""Eras: dates whose years are not counted as in the Gregorian calendar."""

from typing import Any

import numpy as np

from models.calendar.timestamps import Timestamps
from models.tables.faults import TIME, TableInvalid
from models.tables.sheet import Rows

BUDDHIST = 543
"""Years that the Buddhist era, usual in Thailand, is ahead."""
YEARS = (1900, 2100)
"""First and last Gregorian year that such dates are taken to mean."""


def refuse_buddhist(walls: Timestamps, column: Any, name: str, rows: Rows) -> None:  # noqa: ANN401 - pyarrow's
    """Raise TableInvalid if all dates are of years that look like those of the Buddhist era: weekdays would be wrong.

    Args:
        walls: Wall clocks, NaT for a wrong cell, shape (rows,).
        column: The cells.
        name: Of the column.
        rows: Row of the file of each.
    """
    known = np.flatnonzero(~np.isnat(walls))
    if not known.size:
        return
    years = walls[known].astype("M8[Y]").astype(np.int64) + 1970 - BUDDHIST
    if YEARS[0] <= years.min() and years.max() <= YEARS[1]:
        at = int(known[0])
        raise TableInvalid(
            f"{str(column[at])!r} is in the year {years[0] + BUDDHIST}, which looks like one of the Buddhist era.",
            hint=f"Write Gregorian years, {BUDDHIST} less: {years[0]}. If the year is right, say how dates are written, as "
            "with --date-format %Y-%m-%d.",
            place=f", row {rows[at]}, column {name!r}",
            about=TIME,
        )
