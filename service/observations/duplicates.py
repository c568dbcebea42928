"""Duplicates: rows of one body with the same series and timestamp; those with different values contradict each other."""

import numpy as np

from models.calendar.timestamps import STYLES
from models.calendar.zoned_grid import format_timestamps
from models.errors import TimestampsDuplicated
from service.observations.columns import Faults, RawColumns
from service.observations.validate import ParsedRows, ValidatedRows


def refuse_contradictions(rows: ParsedRows, valid: ValidatedRows, columns: RawColumns, faults: Faults) -> None:
    """Refuse rows that have one series and timestamp and different values; equal ones are left.

    Args:
        rows: The rows.
        valid: Their timestamps, and which of them are valid; fewer afterwards.
        columns: The body, for the places of the rows.
        faults: Errors of the rows of the body; grows.
    """
    groups: dict[tuple[str, int], list[int]] = {}
    stamps = valid.stamps.astype(np.int64)
    for row in np.flatnonzero(valid.kept).tolist():
        groups.setdefault((rows.ids[row], int(stamps[row])), []).append(row)
    for group in groups.values():
        values = rows.values[group]
        other = np.flatnonzero(~((values == values[0]) | (np.isnan(values) & np.isnan(values[0]))))
        if len(group) > 1 and other.size:
            error = _contradiction(rows, (group[0], group[int(other[0])]), columns)
            faults.update({int(rows.places[row]): error for row in group})
            valid.kept[group] = False


def _contradiction(rows: ParsedRows, pair: tuple[int, int], columns: RawColumns) -> TimestampsDuplicated:
    places = [columns.pointer_to(int(rows.places[row]), "value") for row in pair]
    one, other = (f"{_shown(rows.values[row])} ({at})" for row, at in zip(pair, places, strict=True))
    wall = rows.walls[pair[0]]
    clocks = (
        "" if wall == wall.astype("M8[D]") else "; if clocks went back between them, send both times with their offsets"
    )
    stamp = format_timestamps(rows.walls[[pair[0]]], STYLES[5])[0]
    return TimestampsDuplicated(
        f"The timestamp {stamp} occurs twice, with {one} and {other}.",
        pointer="timestamp",
        hint=f"Send one value{clocks}.",
    )


def _shown(value: float) -> str:
    return "null" if np.isnan(value) else f"{value:.12g}"
