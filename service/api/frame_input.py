"""Frames: the rows of a Parquet or Arrow body as series, and the lines of an NDJSON body."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic_core import from_json

from models.columns import TIMEZONE
from models.errors import AlmanacError, ConfigInvalid, Finding
from models.tables.faults import FILE, TableInvalid
from models.tables.options import ReadOptions
from models.tables.parquet import sheet_of
from models.tables.read import ParsedTable, read_columns
from service.errors import FieldInvalid, FieldMissing, FileInvalid, JsonInvalid
from service.forecasting.entries import given_ids, parse_one_by_one
from service.forecasting.predict import index_of
from service.forecasting.request import REQUEST_FIELDS, ForecastQuery, check_entries, parse_options
from service.json_input import SeriesFault, reject_repeated_names, reject_unknown_fields
from service.observations.arrow_size import read_arrow
from service.observations.files import fault_of, in_url
from service.observations.parquet_size import read_table
from service.observations.table_rows import Rows, TableRows
from service.settings import Settings

BOUNDS = ("minimum", "maximum")
COLUMNS = ("id_column", "time_column", "value_column")
SERIES_OPTIONS = ("frequency", "timezone")
PARAMETERS = tuple(name for name in REQUEST_FIELDS if name not in {"series", "bounds"}) + BOUNDS + SERIES_OPTIONS
"""Query parameters of a body that is not JSON."""
ANONYMOUS = "series"
"""The id of the only series in a frame without ids."""
FLAGS: Mapping[str, bool] = {"true": True, "false": False, "on": True, "off": False, "1": True, "0": False}


def parse_parameters(sent: Mapping[str, str], *, columns: bool) -> dict[str, Any]:
    """Return query parameters as the fields of a JSON request have them; what is not a number stays text, and is refused there.

    Raises:
        FieldUnknown: If there is another parameter.
        FieldMissing: If `horizon` is missing.
    """
    reject_unknown_fields(sent, (*PARAMETERS, *COLUMNS) if columns else PARAMETERS)
    if not sent.get("horizon"):
        raise FieldMissing("`horizon` is missing.", pointer="/horizon", hint="Add `?horizon=12` to the URL.")
    fields: dict[str, Any] = {**sent, "horizon": _number(sent["horizon"])}
    for name in ("levels", "quantiles"):
        if name in sent:
            fields[name] = [_number(part) for part in sent[name].split(",")] if sent[name] else []
    for name in ("paths", "seed"):
        if name in sent:
            fields[name] = _number(sent[name])
    if "sums" in sent:
        fields["sums"] = sent["sums"].split(",") if sent["sums"] else []
    bounds = {name: _number(fields.pop(name)) for name in BOUNDS if name in sent}
    if bounds:
        fields["bounds"] = bounds
    for name in ("record", "mean"):
        if name in sent:
            fields[name] = FLAGS.get(sent[name].lower(), sent[name])
    return fields


def _number(text: str) -> float | int | str:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def parse_lines(body: bytes, sent: Mapping[str, str], settings: Settings) -> ForecastQuery:
    """Return the query of an NDJSON body, one series a line as in `series` of a JSON request.

    Raises:
        JsonInvalid: If a line is not JSON.
        AlmanacError: As `parse_request`.
    """
    fields = parse_parameters(sent, columns=False)
    query = parse_options(fields, settings.max_horizon)
    defaults = {name: fields[name] for name in SERIES_OPTIONS if name in fields}
    lines = [(number, line) for number, line in enumerate(body.splitlines(), start=1) if line.strip()]
    check_entries(lines, query.horizon, settings)
    given = given_ids(_entry(number, line, defaults) for number, line in lines)
    entries = (_entry(number, line, defaults) for number, line in lines)  # again: decoded, all of them take much memory
    return parse_one_by_one(query, entries, given, settings)


def _entry(number: int, line: bytes, defaults: Mapping[str, str]) -> Any:  # noqa: ANN401 (any JSON)
    try:
        entry = from_json(line, allow_inf_nan=True)
        reject_repeated_names(line, entry)
    except (ValueError, JsonInvalid) as error:
        detail = f"Line {number} is not valid JSON: {error}"
        raise JsonInvalid(f"{detail.rstrip('.')}.", hint='Send {"values": [...]} on each line.') from error
    if not isinstance(entry, dict):
        return entry
    return entry | {name: one for name, one in defaults.items() if entry.get(name) is None}


def parse_frame(body: bytes, sent: Mapping[str, str], settings: Settings, *, parquet: bool) -> ForecastQuery:
    """Return the query of a long Parquet or Arrow frame: one row for each series, timestamp and value, in any order.

    A series with a wrong row becomes a fault that points to the row, counted from 0.

    Raises:
        FileInvalid: If the body cannot be read.
        BodyTooLarge, BatchTooLarge: If it unpacks to too much.
        FieldMissing, FieldInvalid, FieldUnknown: If a parameter or column is missing, unknown or wrong.
    """
    import pyarrow as pa

    fields = parse_parameters(sent, columns=True)
    query = parse_options(fields, settings.max_horizon)
    try:
        table = (read_table if parquet else read_arrow)(body, settings.max_observations)
        columns = ReadOptions((sent["id_column"],) if sent.get("id_column") else (), *map(sent.get, COLUMNS[1:]))
        reading = read_columns(sheet_of(table), columns, strict=True)
    except TableInvalid as error:
        raise _column_error(error) from error
    except ConfigInvalid as error:
        raise FieldInvalid(in_url(error.detail), hint=error.hint) from error
    except (pa.ArrowException, OSError, OverflowError, UnicodeDecodeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise FileInvalid(f"The body cannot be read: {reason}.", hint="Write it again.") from error
    if reading.layout.wide and len(reading.values) > 1:
        raise FieldInvalid(
            f"The columns {', '.join(list(reading.values)[:5])} may all be values.",
            hint="Send one row for each series and timestamp, in the columns `unique_id`, `ds` and `y`.",
        )
    return _query_of(reading, query, fields, settings)


def _column_error(error: TableInvalid) -> AlmanacError:
    hint = in_url(error.hint)
    detail = str(error).removesuffix(error.hint).strip()
    if detail.startswith("The file "):
        detail = f"The table {detail.removeprefix('The file ')}"
    if error.about == FILE:
        return FileInvalid(detail, hint=hint)
    return (FieldMissing if error.missing else FieldInvalid)(detail, pointer=f"/{error.about}", hint=hint)


def _query_of(
    reading: ParsedTable, query: ForecastQuery, fields: Mapping[str, Any], settings: Settings
) -> ForecastQuery:
    """Return the query with one series for each id, in the order of their first rows."""
    names, wrong, entries = series_entries(reading, fields, trimmed=True)
    check_entries(names, query.horizon, settings)
    found = parse_one_by_one(query, entries, set(names), settings)
    return replace(found, faults=tuple(wrong.get(names[index_of(fault)], fault) for fault in found.faults))


def series_entries(
    reading: ParsedTable, fields: Mapping[str, Any], *, trimmed: bool = False
) -> tuple[list[str], dict[str, SeriesFault], Iterator[dict[str, Any]]]:
    """Return the ids of a frame, the error of each series with a wrong row, and each series as an entry of a JSON request.

    `fields` may have `frequency` and `timezone`. Columns beside the values are `past_covariates`, one number for each row. If
    `trimmed`, rows after the last value of all are left out; else they may be the future of covariates.
    """
    names, codes = _groups(reading)
    wrong = _wrong(reading, names, codes)
    values = next(iter(reading.values.values())).values
    rows = TableRows(names, codes, reading.times.walls, _offsets(reading), values, reading.zones())
    return names, wrong, _entries(reading, rows.entries(wrong, trimmed=trimmed), fields)


def _entries(
    reading: ParsedTable, entries: Iterator[tuple[Rows, dict[str, Any]]], fields: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    """Yield entries with frequency, timezone and covariates."""
    zones = reading.zones()
    for rows, entry in entries:
        zone = fields.get("timezone") or zones.get(entry["id"]) or reading.times.zone
        shown = {"frequency": fields.get("frequency"), "timezone": zone}
        if reading.covariates:
            shown["past_covariates"] = {key: one.values[rows].tolist() for key, one in reading.covariates.items()}
        yield entry | shown


def _groups(reading: ParsedTable) -> tuple[list[str], NDArray[np.int64]]:
    """Return the ids in the order of their first rows, and the number of the id of each row."""
    if reading.ids is None:
        return [ANONYMOUS], np.zeros(len(reading.times.walls), dtype=np.int64)
    encoded = reading.ids
    return encoded.dictionary.to_pylist(), encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)


def _offsets(reading: ParsedTable) -> NDArray[np.int64]:
    """Return seconds east of UTC, or NO_OFFSET; rows of an export are in UTC if they have a timezone."""
    if not reading.zones():
        return reading.times.offsets
    has_zone = reading.sheet.columns[TIMEZONE].is_valid().to_numpy(zero_copy_only=False)
    return np.where(has_zone, 0, reading.times.offsets)


def _wrong(reading: ParsedTable, names: list[str], codes: NDArray[np.int64]) -> dict[str, SeriesFault]:
    """Return the first wrong row of each series that has one, as its fault."""
    wrong: dict[str, SeriesFault] = {}
    for at, fault in sorted(reading.faults().items()):
        error, name = fault_of(fault, in_url), names[codes[at]]
        pointer = f"/rows/{int(reading.sheet.rows[at]) - 2}/{error.pointer.strip('/')}"
        wrong.setdefault(name, SeriesFault(name, Finding(error.code, error.detail, pointer, error.hint)))
    return wrong
