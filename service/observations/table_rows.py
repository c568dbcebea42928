"""Table rows: the rows of a table, of any series in any order, as entries of a JSON request."""

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from models.calendar.timestamps import NO_OFFSET, to_local_times
from models.series import DEFAULT_STYLE
from service.observations.series_view import style_of

Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class TableRows:
    """Rows as arrays of the same length.

    Attributes:
        names: The ids.
        codes: The place of each row's id in `names`.
        walls: Times as written, datetime64, NaT where a row is wrong.
        offsets: Seconds east of UTC, or NO_OFFSET.
        values: NaN for a gap.
        zones: Timezones by id, of the rows of an export; their times are in UTC.
    """

    names: list[str]
    codes: NDArray[np.int64]
    walls: NDArray[np.datetime64]
    offsets: NDArray[np.int64]
    values: NDArray[np.float64]
    zones: Mapping[str, str]

    def entries(self, wrong: Container[str], *, trimmed: bool) -> Iterator[tuple[Rows, dict[str, Any]]]:
        """Yield the rows of each series in the order of time, and its entry; no rows and no values if it is wrong.

        If `trimmed`, rows after the last value of all are left out, as a training leaves them out; but all rows of a series
        stay that has no others.
        """
        instants = self.walls - np.where(self.offsets == NO_OFFSET, 0, self.offsets).astype("m8[s]")
        is_late = _are_late(instants, self.values) if trimmed else np.zeros(len(instants), dtype=np.bool_)
        order = np.lexsort((instants, self.codes))
        ends = np.flatnonzero(np.diff(self.codes[order], append=-1)) + 1
        for name, members in zip(self.names, np.split(order, ends[:-1]), strict=True):
            kept = members[~is_late[members]]
            rows = np.empty(0, np.int64) if name in wrong else kept if len(kept) else members
            yield rows, self._entry(name, rows)

    def _entry(self, name: str, rows: Rows) -> dict[str, Any]:
        if not len(rows):
            return {"id": name, "values": []}
        walls = self.walls[rows]
        texts = _exported_texts(walls, self.zones.get(name)) or _timestamp_texts(walls, self.offsets[rows])
        return {"id": name, "values": with_gaps(self.values[rows]), "timestamps": texts}


def with_gaps(values: NDArray[np.float64]) -> list[float | None]:
    """Return values as a JSON request has them, None for a gap."""
    cells = values.astype(object)
    cells[np.isnan(values)] = None
    found: list[float | None] = cells.tolist()
    return found


def _are_late(instants: NDArray[np.datetime64], values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which rows of a table lie after its last value."""
    known = instants[~np.isnan(values) & ~np.isnat(instants)]
    return instants > known.max() if len(known) else np.zeros(len(instants), dtype=np.bool_)


def _exported_texts(instants: NDArray[np.datetime64], zone: str | None) -> list[str]:
    """Return UTC instants of an export as local dates if each begins a day of its zone, as in GET /series; else nothing."""
    if zone is None or style_of(instants.astype("M8[us]"), zone) != DEFAULT_STYLE:
        return []
    texts: list[str] = to_local_times(instants.astype("M8[us]"), zone).astype("M8[D]").astype(str).tolist()
    return texts


def _timestamp_texts(walls: NDArray[np.datetime64], offsets: NDArray[np.int64]) -> list[str]:
    """Return timestamps as a JSON request has them; offsets in seconds east of UTC, or NO_OFFSET."""
    whole = walls[~np.isnat(walls)]
    has_offset = offsets != NO_OFFSET
    unit: Literal["D", "s", "us"] = "us"
    if (whole == whole.astype("M8[s]")).all():
        unit = "D" if not has_offset.any() and (whole == whole.astype("M8[D]")).all() else "s"
    texts: NDArray[np.object_] = np.datetime_as_string(walls, unit=unit).astype(object)
    for offset in np.unique(offsets[has_offset]).tolist():
        sign, minutes = "-" if offset < 0 else "+", abs(offset) // 60
        at = offsets == offset
        texts[at] += "Z" if offset == 0 else f"{sign}{minutes // 60:02d}:{minutes % 60:02d}"
    found: list[str] = texts.tolist()
    return found
