"""Parse: from the bytes of a posted body to observations, and an error for each row that is wrong."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import lru_cache
from typing import Any

import numpy as np

from models.calendar.timestamps import load_timezone
from models.calendar.zoned_grid import parse_frequency
from models.columns import NAMES, find_column
from models.errors import AlmanacError, Finding
from models.ids import MAX_ID_LENGTH
from models.irregular.repairs import Repair
from models.tables.options import ReadOptions
from service.errors import FieldInvalid, FieldMissing
from service.json_input import SeriesFault, describe_value, fault_at, invalid_field, parse_object, reject_unknown_fields
from service.observations.cells import MISSING, parse_ids, parse_stamps, parse_values
from service.observations.columns import Faults, RawColumns, check_count
from service.observations.duplicates import refuse_contradictions
from service.observations.row_fields import find_name
from service.observations.validate import FindKnownSeries, ParsedRows, ValidatedRows, validate_rows
from service.store.known_series import KnownSeries
from service.store.observations import Calendar, Observations

BODY_FIELDS = ("observations", "frequency", "timezone")
LISTED_FAULTS = 1_000
"""Rows whose error is listed; all are counted."""
LISTED_WARNINGS = 100
_HINT = 'Send {"observations": [{"id": "a", "timestamp": "2024-01-31", "value": 1.5}]}, CSV or Parquet.'


@dataclass(frozen=True, slots=True)
class ParsedObservations:
    """The rows of a body.

    Attributes:
        observations: The valid rows, without repeats.
        calendars: What to store of the steps of each series in `observations`.
        accepted: Count of valid rows.
        refused: Count of the others.
        faults: Errors of the first of those, in the order of the rows.
        repairs: By series, what was changed.
        warnings: What was noticed while a file was read, at most LISTED_WARNINGS.
    """

    observations: Observations
    calendars: tuple[Calendar, ...]
    accepted: int
    refused: int
    faults: tuple[SeriesFault, ...]
    repairs: Mapping[str, Sequence[Repair]] = field(default_factory=dict)
    warnings: Sequence[Finding] = ()


@dataclass(frozen=True, slots=True)
class BodyOptions:
    """Media type and URL parameters of a request; `columns` says how a CSV or Parquet body is read."""

    media_type: str = ""
    frequency: str | None = None
    timezone: str | None = None
    columns: ReadOptions = field(default_factory=ReadOptions)


def no_series(_names: Sequence[str]) -> Mapping[str, KnownSeries]:
    """Return the known series of an empty database."""
    return {}


def parse_observations(
    body: bytes, options: BodyOptions, limit: int, find_known: FindKnownSeries = no_series
) -> ParsedObservations:
    """Return the rows of a body.

    Args:
        body: JSON (rows or columns), CSV or Parquet.
        options: Media type and parameters; `frequency` and `timezone` of a JSON body take precedence.
        limit: Most rows.
        find_known: Returns what is stored of the series.

    Raises:
        JsonInvalid, FileInvalid: If the body cannot be read.
        TypeUnsupported: If it is a file that the service does not read.
        FieldMissing, FieldUnknown, FieldInvalid, BatchTooLarge, FrequencyUnknown, TimestampInvalid: If the body as a whole
            is wrong.
    """
    frequency, timezone = options.frequency, options.timezone
    from service.observations import files  # imported with the first request, so that the service starts sooner

    files.refuse_type(body, options.media_type)
    if body.startswith(files.PARQUET):
        columns = files.read_parquet(body, limit, options.columns)
    elif "csv" in options.media_type:
        columns = files.read_csv(body, limit, options.columns, options.media_type)
    else:
        _refuse_options(options.columns)
        request = _read_json(body)
        frequency, timezone = request.get("frequency") or frequency, request.get("timezone") or timezone
        columns = _json_columns(request["observations"])
    if not len(columns.ids):
        raise FieldInvalid("There are no observations.", pointer="/observations", hint=_HINT)
    check_count(len(columns.ids), limit)
    return _parse(columns, _calendar(frequency, timezone), find_known)


def _refuse_options(options: ReadOptions) -> None:
    """Raise FieldInvalid for parameters that only files have."""
    given = [item.name for item in fields(options) if getattr(options, item.name)]
    if given:
        name = {"ids": "id_column", "time": "time_column", "value": "value_column"}.get(given[0], given[0])
        raise FieldInvalid(
            f"`{name}` is for CSV and Parquet.", pointer=f"/{name}", hint="Leave it out of a JSON request."
        )


def _read_json(body: bytes) -> Mapping[str, Any]:
    request = parse_object(body, _HINT, allow_inf_nan=True)
    reject_unknown_fields(request, BODY_FIELDS)
    if request.get("observations") is None:
        raise FieldMissing("`observations` is missing.", pointer="/observations", hint=_HINT)
    for name in ("frequency", "timezone"):
        if not isinstance(request.get(name), str | None):
            raise invalid_field(name, request[name], "Send text.")
    return request


def _calendar(frequency: str | None, timezone: str | None) -> Calendar:
    if timezone is not None:
        load_timezone(timezone)
    return Calendar(parse_frequency(frequency).name if frequency else None, timezone)


def _json_columns(sent: object) -> RawColumns:
    if isinstance(sent, dict):
        return _from_lists(sent)
    if isinstance(sent, list):
        return _from_rows(sent)
    raise invalid_field("observations", sent, _HINT)


def _from_lists(sent: Mapping[str, Any]) -> RawColumns:
    """Return the columns of an object of lists."""
    ids, stamps, values = columns = [sent.get(find_name(sent, what) or "") for what in NAMES]
    if not (isinstance(ids, list) and isinstance(stamps, list) and isinstance(values, list)) or not (
        len(ids) == len(stamps) == len(values)
    ):
        raise FieldInvalid(
            f"The columns are {', '.join(f'{name}: {describe_value(one)}' for name, one in zip(NAMES, columns, strict=True))}.",
            pointer="/observations",
            hint="Send id, timestamp and value as lists of one length.",
        )
    return RawColumns(ids, stamps, values, pointer="/observations/{field}/{row}")


def _from_rows(sent: Sequence[Any]) -> RawColumns:
    """Return the columns of a list of objects; anything else in the list is a row without fields."""
    faults: Faults = {}
    ids, stamps, values = list[Any](), list[Any](), list[Any]()
    for place, entry in enumerate(sent):
        row = entry if isinstance(entry, dict) else {}
        (key, time, value), error = _fields_of(tuple(row))
        if error is not None:
            faults[place] = error
        ids.append(row.get(key, MISSING))
        stamps.append(row.get(time, MISSING))
        values.append(row.get(value, MISSING))
    return RawColumns(ids, stamps, values, faults=faults)


@lru_cache(maxsize=64)
def _fields_of(names: tuple[str, ...]) -> tuple[tuple[str | None, ...], AlmanacError | None]:
    """Return which fields of a row are its id, timestamp and value, and the error of an ambiguous row."""
    try:
        return tuple(find_name(names, what) for what in NAMES), None
    except FieldInvalid as error:
        return tuple(find_column(names, what) for what in NAMES), error


def _parse(columns: RawColumns, calendar: Calendar, find_known: FindKnownSeries) -> ParsedObservations:
    faults = dict(columns.faults)
    ids = parse_ids(columns.ids, faults)
    values = parse_values(columns.values, faults)
    walls, offsets = parse_stamps(columns.timestamps, faults, columns.offsets)
    kept = np.ones(len(ids), dtype=np.bool_)
    kept[list(faults)] = False
    valid_ids = [one for one, keep in zip(ids, kept.tolist(), strict=True) if keep] if faults else ids
    cells = walls[kept], offsets[kept], values[kept]
    rows = ParsedRows(np.flatnonzero(kept), valid_ids, *cells, columns.zones, columns.timestamps)
    valid = validate_rows(rows, calendar, find_known(list(dict.fromkeys(valid_ids))), faults)
    names, observations = _kept(rows, valid)
    if len(observations) < len(names):
        refuse_contradictions(rows, valid, columns, faults)
        names, observations = _kept(rows, valid)
    calendars = tuple(valid.calendars[name] for name in observations.names)
    listed = tuple(_fault(row, faults[row], columns) for row in sorted(faults)[:LISTED_FAULTS])
    return ParsedObservations(
        observations, calendars, len(names), len(faults), listed, valid.repairs, columns.findings[:LISTED_WARNINGS]
    )


def _kept(rows: ParsedRows, valid: ValidatedRows) -> tuple[list[str], Observations]:
    """Return the series of each valid row, and the valid rows without repeats."""
    names = [one for one, keep in zip(rows.ids, valid.kept.tolist(), strict=True) if keep]
    return names, Observations.from_rows(names, valid.stamps[valid.kept], rows.values[valid.kept])


def _fault(row: int, error: AlmanacError, columns: RawColumns) -> SeriesFault:
    name = columns.ids[row]
    pointer = columns.pointer_to(row, error.pointer)
    return fault_at(pointer, name[:MAX_ID_LENGTH] if isinstance(name, str) else "", error)
