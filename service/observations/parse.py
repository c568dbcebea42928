"""Posting: from the bytes of a posted body to sound observations, and a finding for each row that is not."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic_core import from_json

from models.calendar.on_calendar import parse_frequency, parse_timestamp
from models.calendar.timestamps import Timestamps, find_zone
from models.errors import AlmanacError, SeriesInfinite, SeriesNotNumeric, TimestampInvalid
from service.errors import FieldInvalid, FieldMissing, JsonInvalid
from service.forecasting.request import MAX_ID_LENGTH
from service.json_input import SeriesFault, describe_value, fault_at, reject_unknown_fields
from service.observations.files import (
    NAMES,
    PARQUET,
    RawColumns,
    check_count,
    find_names,
    get_field,
    read_csv,
    read_parquet,
)
from service.observations.validate import NO_OFFSET, Faults, FindKnownSeries, ParsedRows, validate_rows
from service.store.known_series import KnownSeries
from service.store.observations import Calendar, Observations

BODY_FIELDS = ("observations", "frequency", "timezone")
LISTED_FAULTS = 1_000
"""ParsedRows that are named; more are counted."""
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
FORECAST = "/forecast"
"""The address of a series that is called so would be that of another one's forecast."""
PLAIN_NUMBERS = {float, int, type(None)}
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 (a wall clock)
_HINT = 'Send {"observations": [{"id": "a", "timestamp": "2024-01-31", "value": 1.5}]}, CSV or Parquet.'


@dataclass(frozen=True, slots=True)
class ParsedObservations:
    """A body whose envelope is sound.

    Attributes:
        observations: The sound rows; of rows of one series and timestamp the last.
        calendars: What is to be remembered of the steps of each of the observations' series.
        accepted: Sound rows.
        refused: The others.
        faults: What is wrong with the first of those, in their order.
    """

    observations: Observations
    calendars: tuple[Calendar, ...]
    accepted: int
    refused: int
    faults: tuple[SeriesFault, ...]


@dataclass(frozen=True, slots=True)
class BodyOptions:
    """What stands beside a body: its media type, and what its address says of the series' steps."""

    media_type: str = ""
    frequency: str | None = None
    timezone: str | None = None


def nothing_known(_names: Sequence[str]) -> Mapping[str, KnownSeries]:
    """Return what an empty database knows of series."""
    return {}


def parse_observations(
    body: bytes, said: BodyOptions, limit: int, look_up: FindKnownSeries = nothing_known
) -> ParsedObservations:
    """Return what a body holds.

    Args:
        body: JSON (rows or columns), CSV or Parquet.
        said: What stands beside it; a JSON body's own `frequency` and `timezone` go first.
        limit: Most rows.
        look_up: Tells what is known of the series.

    Raises:
        JsonInvalid, FileInvalid: If the body cannot be read as what it is.
        FieldMissing, FieldUnknown, FieldInvalid, BatchTooLarge, FrequencyUnknown, TimestampInvalid: If the envelope is wrong.
    """
    frequency, timezone = said.frequency, said.timezone
    if body.startswith(PARQUET):
        columns = read_parquet(body, limit)
    elif "csv" in said.media_type:
        columns = read_csv(body, limit)
    else:
        request = _envelope(body)
        frequency, timezone = request.get("frequency") or frequency, request.get("timezone") or timezone
        columns = _columns(request["observations"])
    if not len(columns.ids):
        raise FieldInvalid("There are no observations.", pointer="/observations", hint=_HINT)
    check_count(len(columns.ids), limit)
    return _read(columns, _calendar(frequency, timezone), look_up)


def _envelope(body: bytes) -> Mapping[str, Any]:
    try:
        request = from_json(body)
    except ValueError as error:
        raise JsonInvalid(f"The body is no JSON: {error}.", hint=_HINT) from error
    if not isinstance(request, dict):
        raise FieldInvalid(f"The body is {describe_value(request)}; it must be an object.", hint=_HINT)
    reject_unknown_fields(request, BODY_FIELDS)
    if request.get("observations") is None:
        raise FieldMissing("`observations` is missing.", pointer="/observations", hint=_HINT)
    for name in ("frequency", "timezone"):
        if not isinstance(request.get(name), str | None):
            raise FieldInvalid(f"`{name}` is {describe_value(request[name])}.", pointer=f"/{name}", hint="Send text.")
    return request


def _calendar(frequency: str | None, timezone: str | None) -> Calendar:
    if timezone is not None:
        find_zone(timezone)
    return Calendar(parse_frequency(frequency).name if frequency else None, timezone)


def _columns(sent: object) -> RawColumns:
    """Return rows, or columns, as columns; a row that is no object has three missing fields."""
    if isinstance(sent, dict):
        for name in NAMES:
            find_names(sent, name)
        found = {name: get_field(sent, name) for name in ("id", "timestamp", "value")}
        lengths = {len(column) if isinstance(column, list) else -1 for column in found.values()}
        if -1 in lengths or len(lengths) > 1:
            raise FieldInvalid(
                f"The columns are {', '.join(f'{name}: {describe_value(column)}' for name, column in found.items())}.",
                pointer="/observations",
                hint="Send id, timestamp and value as lists of one length.",
            )
        return RawColumns(found["id"], found["timestamp"], found["value"], "/observations/{field}/{row}")
    if not isinstance(sent, list):
        raise FieldInvalid(f"`observations` is {describe_value(sent)}.", pointer="/observations", hint=_HINT)
    try:
        ids, stamps, values = ([row[name] for row in sent] for name in ("id", "timestamp", "value"))
    except (KeyError, TypeError, IndexError):
        rows = [row if isinstance(row, dict) else {} for row in sent]
        ids, stamps, values = ([get_field(row, name, MISSING) for row in rows] for name in ("id", "timestamp", "value"))
    return RawColumns(ids, stamps, values, "/observations/{row}/{field}", _doubled(sent))


def _doubled(rows: Sequence[Any]) -> Faults:
    """Return the rows that say the same twice, such as `value` and `y`."""
    faults: Faults = {}
    for place, row in enumerate(rows):
        if isinstance(row, dict) and len(row) > len(NAMES):
            try:
                for name in NAMES:
                    find_names(row, name)
            except FieldInvalid as error:
                faults[place] = error
    return faults


class _Missing:
    """What a row has where it lacks a field: null is a value."""


MISSING = _Missing()


def _read(columns: RawColumns, said: Calendar, look_up: FindKnownSeries) -> ParsedObservations:
    faults = dict(columns.faults)
    ids = _ids(columns.ids, faults)
    values = _values(columns.values, faults)
    walls, offsets = _stamps(columns.timestamps, faults)
    kept = np.ones(len(ids), dtype=np.bool_)
    kept[list(faults)] = False
    sound = [one for one, keep in zip(ids, kept.tolist(), strict=True) if keep] if faults else ids
    rows = ParsedRows(np.flatnonzero(kept), sound, walls[kept], offsets[kept], values[kept])
    placed = validate_rows(rows, said, look_up(list(dict.fromkeys(sound))), faults)
    named = [one for one, keep in zip(sound, placed.kept.tolist(), strict=True) if keep]
    observations = Observations.from_rows(named, placed.stamps[placed.kept], rows.values[placed.kept])
    listed = [_fault(row, faults[row], columns) for row in sorted(faults)[:LISTED_FAULTS]]
    calendars = tuple(placed.calendars[name] for name in observations.names)
    return ParsedObservations(observations, calendars, len(named), len(faults), tuple(listed))


def _fault(row: int, error: AlmanacError, columns: RawColumns) -> SeriesFault:
    named = columns.ids[row]
    pointer = columns.pointer.format(field=error.pointer, row=row)
    return fault_at(pointer, named[:MAX_ID_LENGTH] if isinstance(named, str) else "", error)


def _ids(sent: Sequence[object], faults: Faults) -> list[str]:
    """Return the ids; "" where there is none that can be used."""
    sound: dict[object, bool] = {}
    ids = []
    for row, one in enumerate(sent):
        if type(one) is not str or not sound.setdefault(one, _is_sound(one)):
            faults.setdefault(row, _id_error(one))
            one = ""  # noqa: PLW2901 (what stands in its place)
        ids.append(one)
    return ids


def _is_sound(text: str) -> bool:
    """Return whether a database can hold a text as an id."""
    try:
        text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair
        return False
    return 0 < len(text) <= MAX_ID_LENGTH and not CONTROL.search(text) and not text.endswith(FORECAST)


def _id_error(sent: object) -> AlmanacError:
    if sent is MISSING or sent is None:
        return FieldMissing("`id` is missing.", pointer="id", hint="Name the series.")
    what = f"is {describe_value(sent)}" if isinstance(sent, str | int | float | list | dict) else "is no text"
    return FieldInvalid(
        f"`id` {what}.",
        pointer="id",
        hint=f"Send text of 1 to {MAX_ID_LENGTH} characters, no control characters, and no {FORECAST} at its end.",
    )


def _values(sent: Sequence[object] | NDArray[np.float64], faults: Faults) -> NDArray[np.float64]:
    """Return the values, null as NaN."""
    if isinstance(sent, np.ndarray):
        values = sent
    elif set(map(type, sent)) <= PLAIN_NUMBERS:
        values = np.array([_float(one) for one in sent], dtype=np.float64)
    else:
        values = np.array([_number(one, row, faults) for row, one in enumerate(sent)], dtype=np.float64)
    for row in np.flatnonzero(np.isinf(values)).tolist():
        faults.setdefault(
            row,
            SeriesInfinite(
                "The value is infinite, or too large for a float64.",
                pointer="value",
                hint="Send null where nothing was observed.",
            ),
        )
    return values


def _number(sent: object, row: int, faults: Faults) -> float:
    if type(sent) in PLAIN_NUMBERS:
        return _float(sent)
    if sent is MISSING:
        error: AlmanacError = FieldMissing(
            "`value` is missing.", pointer="value", hint="Send a number, or null for a gap."
        )
    else:
        what = describe_value(sent) if isinstance(sent, str | bool | list | dict) else type(sent).__name__
        error = SeriesNotNumeric(f"The value is {what}.", pointer="value", hint="Send a number, or null for a gap.")
    faults.setdefault(row, error)
    return np.nan


def _float(number: Any) -> float:  # noqa: ANN401 (a plain number or None)
    try:
        return np.nan if number is None else float(number)
    except OverflowError:
        return np.inf


def _stamps(sent: Sequence[object] | Timestamps, faults: Faults) -> tuple[Timestamps, NDArray[np.int64]]:
    """Return wall clocks, datetime64[us], and how far each is east of UTC, both (rows,)."""
    if isinstance(sent, np.ndarray):
        for row in np.flatnonzero(np.isnat(sent)).tolist():
            faults.setdefault(row, _stamp_error(None))
        return sent, np.full(len(sent), NO_OFFSET)
    known: dict[str, tuple[int, int]] = {}
    walls, offsets = np.zeros(len(sent), dtype=np.int64), np.full(len(sent), NO_OFFSET)
    for row, one in enumerate(sent):
        if type(one) is not str:
            faults.setdefault(row, _stamp_error(one))
            continue
        found = known.get(one)
        if found is None:
            try:
                found = known[one] = _stamp(one)
            except AlmanacError as error:
                faults.setdefault(row, TimestampInvalid(error.detail, pointer="timestamp", hint=error.hint))
                continue
        walls[row], offsets[row] = found
    return walls.view("M8[us]"), offsets


def _stamp(text: str) -> tuple[int, int]:
    """Return a timestamp's wall clock in microseconds since 1970, and its offset in microseconds."""
    if len(text) in (10, 19) and text[4] == text[7] == "-" and text.isascii():
        try:
            wall = datetime.fromisoformat(text) - _EPOCH
        except ValueError:
            pass  # the reading below says in words what is wrong
        else:
            return (wall.days * 86_400 + wall.seconds) * 1_000_000, NO_OFFSET
    stamp = parse_timestamp(text)
    offset = NO_OFFSET if stamp.offset is None else stamp.offset * 1_000_000
    return int(stamp.value.astype(np.int64)), offset


def _stamp_error(sent: object) -> AlmanacError:
    if sent is MISSING or sent is None:
        return FieldMissing(
            "`timestamp` is missing.", pointer="timestamp", hint="Send ISO 8601 text such as 2024-01-31."
        )
    what = describe_value(sent) if isinstance(sent, str | int | float | list | dict) else type(sent).__name__
    return TimestampInvalid(
        f"The timestamp is {what}.", pointer="timestamp", hint="Send ISO 8601 text such as 2024-01-31."
    )
