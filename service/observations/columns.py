"""Columns: the ids, timestamps and values of a posted body as they were sent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.calendar.timestamps import Timestamps
from models.errors import AlmanacError, Finding
from service.errors import BatchTooLarge

Faults = dict[int, AlmanacError]
"""The first error of each row, by its index."""

MAX_COLUMNS = 2_000
"""Most columns of a table: each takes a millisecond, and a few bytes of a body."""

ROW_POINTER = "/observations/{row}/{field}"


@dataclass(frozen=True, slots=True, eq=False)
class RawColumns:
    """The rows of a body as they were sent.

    Attributes:
        ids: Names of the series.
        timestamps: Text, or datetime64[us] if the file has them so; NaT is missing.
        values: Anything, or float64 if the file has them so; NaN is a gap.
        pointer: Pattern of the JSON pointer of a field, with {row} and {field}.
        faults: Rows that are wrong as a whole.
        places: Row of the body of each row here; None if they are the same.
        offsets: Microseconds east of UTC or NO_OFFSET of timestamps that are datetime64; None if they have none.
        zones: By series, the timezone that the file states.
        findings: What was noticed while a file was read.
    """

    ids: Sequence[Any]
    timestamps: Sequence[Any] | Timestamps
    values: Sequence[Any] | NDArray[np.float64]
    pointer: str = ROW_POINTER
    faults: Mapping[int, AlmanacError] = field(default_factory=dict)
    places: Sequence[int] | NDArray[np.int64] | None = None
    offsets: NDArray[np.int64] | None = None
    zones: Mapping[str, str] = field(default_factory=dict)
    findings: Sequence[Finding] = ()

    def pointer_to(self, row: int, name: str) -> str:
        """Return the JSON pointer of a field of a row."""
        return self.pointer.format(row=self.place(row), field=name)

    def place(self, row: int) -> int:
        """Return which row of the body a row here is, from 0."""
        return row if self.places is None else int(self.places[row])


def check_count(rows: int, limit: int) -> None:
    """Raise BatchTooLarge if a request has more than `limit` rows."""
    if rows > limit:
        raise BatchTooLarge(
            f"The request has {rows} observations.",
            pointer="/observations",
            hint=f"Send at most {limit} at a time (ALMANAC_MAX_OBSERVATIONS).",
        )
