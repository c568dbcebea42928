"""Repairs: the changes that made a series regular."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.calendar.frequency import Frequency

MOST_REPAIRS = 1000
"""Repairs of one kind that are listed one by one; more of them are one entry without an index."""


@dataclass(frozen=True, slots=True)
class Repair:
    """A change that made a series regular.

    Attributes:
        code: `GAP_MASKED` for a null or NaN among the values, `GAP_INSERTED` for a missing timestamp, `GAP_ZERO` for one
            that stands for zero, `TIMESTAMPS_SNAPPED` for timestamps a little off their step, `ROWS_REPEATED` for those that
            occur again with an equal value.
        index: Position in `Series.values`; None if there are too many to list, and for timestamps.
        count: Number of gaps or timestamps: 1, or all of them without an index.
        detail: What a person should know of it; "" for gaps.
    """

    code: str
    index: int | None
    count: int = 1
    detail: str = ""


def list_repairs(code: str, at: NDArray[np.bool_]) -> tuple[Repair, ...]:
    """Return a repair for each marked value, or one for all if there are too many."""
    if not at.any():
        return ()
    indices = np.flatnonzero(at).tolist()
    if len(indices) > MOST_REPAIRS:
        return (Repair(code, None, len(indices)),)
    return tuple(Repair(code, index) for index in indices)


def snapped_repair(count: int, largest_shift: np.timedelta64, frequency: Frequency) -> Repair:
    """Return the repair of timestamps that lay a little off their step."""
    what = "1 timestamp lies" if count == 1 else f"{count} timestamps lie"
    detail = (
        f"{what} up to {_write_span(largest_shift)} off the steps of {frequency.name}, each read as the nearest step."
    )
    return Repair("TIMESTAMPS_SNAPPED", None, count, detail)


def _write_span(span: np.timedelta64) -> str:
    """Return a length of time as a person writes it: 3 s, 2.5 ms, 20 min."""
    microseconds = int(span.astype("m8[us]").astype(np.int64))
    units = ((60_000_000, "min"), (1_000_000, "s"), (1_000, "ms"), (1, "µs"))
    size, unit = next((size, unit) for size, unit in units if microseconds >= size)
    return f"{microseconds / size:.3g} {unit}"
