"""Cells: ids, values and timestamps of a body as arrays, and an error for each cell that is wrong."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.calendar.timestamps import NO_OFFSET, Timestamps
from models.calendar.zoned_grid import parse_timestamp
from models.errors import AlmanacError, SeriesInfinite, SeriesNotNumeric, TimestampInvalid
from models.ids import ID_HINT, id_hint, is_id, plain_id
from service.errors import FieldInvalid, FieldMissing
from service.json_input import describe_value
from service.observations.columns import Faults

PLAIN_NUMBERS = {float, int, type(None)}
NUMBER_HINT = "Send a number, or null for a gap."
TIMESTAMP_HINT = "Send ISO 8601 text such as 2024-01-31."
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 (a wall clock)


class _Missing:
    """Stands for a field that a row does not have: null is a value."""


MISSING = _Missing()


def parse_ids(sent: Sequence[object], faults: Faults) -> list[str]:
    """Return the ids, "" for a wrong one."""
    read: dict[str, str] = {}
    ids = []
    for row, one in enumerate(sent):
        name = read.get(one) if isinstance(one, str) else ""
        if name is None:
            name = read[str(one)] = _read_id(str(one))
        if not name:
            faults.setdefault(row, _id_error(one))
        ids.append(name)
    return ids


def parse_values(sent: Sequence[object] | NDArray[np.float64], faults: Faults) -> NDArray[np.float64]:
    """Return the values, NaN for null and for a wrong one."""
    if isinstance(sent, np.ndarray):
        values = sent
    elif set(map(type, sent)) <= PLAIN_NUMBERS:
        values = np.array([_float(one) for one in sent], dtype=np.float64)
    else:
        values = np.array([_number(one, row, faults) for row, one in enumerate(sent)], dtype=np.float64)
    for row in np.flatnonzero(np.isinf(values)).tolist():
        detail, hint = "The value is infinite, or too large for a float64.", "Send null for a gap."
        faults.setdefault(row, SeriesInfinite(detail, pointer="value", hint=hint))
    return values


def parse_stamps(
    sent: Sequence[object] | Timestamps, faults: Faults, known_offsets: NDArray[np.int64] | None = None
) -> tuple[Timestamps, NDArray[np.int64]]:
    """Return wall clocks, datetime64[us], and microseconds east of UTC or NO_OFFSET, both (rows,)."""
    if isinstance(sent, np.ndarray):
        for row in np.flatnonzero(np.isnat(sent)).tolist():
            faults.setdefault(row, _stamp_error(None))
        return sent, np.full(len(sent), NO_OFFSET) if known_offsets is None else known_offsets
    known: dict[str, tuple[int, int]] = {}
    walls, offsets = np.zeros(len(sent), dtype=np.int64), np.full(len(sent), NO_OFFSET)
    for row, one in enumerate(sent):
        if not isinstance(one, str):
            faults.setdefault(row, _stamp_error(one))
            continue
        try:
            if one not in known:
                known[one] = _parse_stamp(one)
            walls[row], offsets[row] = known[one]
        except AlmanacError as error:
            faults.setdefault(row, TimestampInvalid(error.detail, pointer="timestamp", hint=error.hint))
    return walls.view("M8[us]"), offsets


def _read_id(text: str) -> str:
    """Return an id as it is stored, "" if it cannot be."""
    name = plain_id(text)
    return name if is_id(name) else ""


def _id_error(sent: object) -> AlmanacError:
    if sent is MISSING or sent is None:
        return FieldMissing("`id` is missing.", pointer="id", hint="Name the series.")
    hint = id_hint(plain_id(sent)) if isinstance(sent, str) else ID_HINT
    return FieldInvalid(f"`id` is {_shown(sent)}.", pointer="id", hint=hint)


def _number(sent: object, row: int, faults: Faults) -> float:
    if type(sent) in PLAIN_NUMBERS:
        return _float(sent)
    error = (
        FieldMissing("`value` is missing.", pointer="value", hint=NUMBER_HINT)
        if sent is MISSING
        else SeriesNotNumeric(f"The value is {_shown(sent)}.", pointer="value", hint=NUMBER_HINT)
    )
    faults.setdefault(row, error)
    return np.nan


def _float(number: Any) -> float:  # noqa: ANN401 (a plain number or None)
    try:
        return np.nan if number is None else float(number)
    except OverflowError:
        return np.inf


def _parse_stamp(text: str) -> tuple[int, int]:
    """Return a timestamp's wall clock in microseconds since 1970, and its offset in microseconds or NO_OFFSET."""
    if len(text) in (10, 19) and text[4] == text[7] == "-" and text.isascii():
        try:
            wall = datetime.fromisoformat(text) - _EPOCH
        except ValueError:
            pass  # parse_timestamp describes the error
        else:
            return (wall.days * 86_400 + wall.seconds) * 1_000_000, NO_OFFSET
    stamp = parse_timestamp(text)
    offset = NO_OFFSET if stamp.offset is None else stamp.offset * 1_000_000
    return int(stamp.value.astype(np.int64)), offset


def _stamp_error(sent: object) -> AlmanacError:
    if sent is MISSING or sent is None:
        return FieldMissing("`timestamp` is missing.", pointer="timestamp", hint=TIMESTAMP_HINT)
    return TimestampInvalid(f"The timestamp is {_shown(sent)}.", pointer="timestamp", hint=TIMESTAMP_HINT)


def _shown(sent: object) -> str:
    """Return a cell for an error text; a value that JSON does not have by its type."""
    return describe_value(sent) if isinstance(sent, str | bool | int | float | list | dict) else type(sent).__name__
