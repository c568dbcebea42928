"""Tables: a CSV or Parquet body as the series of a request, long or wide, as a training reads the file."""

import re
from collections.abc import Container, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.calendar.timestamps import NO_OFFSET
from models.calendar.zone_inference import recognize_zone
from models.errors import ConfigInvalid, Finding
from models.tables.content import decode
from models.tables.csv_text import read_csv
from models.tables.faults import TableInvalid
from models.tables.numbers import NumberStyle, read_numbers
from models.tables.options import ReadOptions
from models.tables.parquet import sheet_of
from models.tables.read import read_columns
from models.tables.sheet import Sheet
from service.api.frame_input import ANONYMOUS
from service.errors import FieldInvalid, FileInvalid
from service.forecasting.entries import parse_one_by_one
from service.forecasting.predict import index_of
from service.forecasting.request import ForecastQuery, check_entries, parse_options
from service.json_input import SeriesFault, reject_unknown_fields
from service.observations.columns import MAX_COLUMNS, RawColumns, check_count
from service.observations.files import (
    PARQUET,
    REMOTE_FORECAST,
    findings_in_url,
    in_url,
    is_western,
    refuse_type,
    rows_of,
    table_error,
)
from service.observations.parquet_size import read_table
from service.observations.table_rows import TableRows, with_gaps
from service.settings import Settings

READ_PARAMETERS = ("id_column", "time_column", "value_column", "decimal", "thousands", "date_format")
NUMBER = re.compile(r"\s*[-+]?[\d.,]*\d\s*")
OPTIONS = ("model", "missing", "frequency", "timezone")
MICROSECONDS = 1_000_000
FIRST_ROW = 2
"""Row of the file of the first row after the header, as a spreadsheet counts."""


def parse_table(
    body: bytes, media_type: str, sent: Mapping[str, str], settings: Settings
) -> tuple[ForecastQuery, tuple[Finding, ...]]:
    """Return the query of a CSV or Parquet body, and what was noticed while it was read.

    A series with a wrong row becomes a fault that points to the row, counted from 0. A single column of numbers is a series
    without dates.

    Raises:
        TypeUnsupported: If the body is a file of another kind.
        FileInvalid, FieldMissing, FieldInvalid, FieldUnknown: If it cannot be read, or a parameter is wrong.
        BodyTooLarge, BatchTooLarge: If it unpacks to too much, has too many rows or too many series.
    """
    reject_unknown_fields(sent, (*READ_PARAMETERS, *OPTIONS))
    refuse_type(body, media_type, REMOTE_FORECAST)
    query = parse_options({"horizon": 1, **{name: sent.get(name) for name in ("model", "missing")}}, 1)
    ids, *others = (sent.get(name) or None for name in READ_PARAMETERS)
    options = ReadOptions((ids,) if ids else (), *others)
    try:
        sheet = _read_sheet(body, media_type, settings.max_observations)
        check_count(len(sheet.rows), settings.max_observations)
        if len(sheet.columns) == 1:
            return _parse_column(sheet, options, query, settings)
        reading = read_columns(sheet, options)
    except TableInvalid as error:
        raise table_error(error) from error
    except ConfigInvalid as error:
        raise FieldInvalid(in_url(error.detail), hint=error.hint) from error
    rows = rows_of(reading, in_url, gaps=True)
    zone = None if sent.get("timezone") else _find_zone(rows)
    found = reading.findings if zone is None else (*reading.findings, _said(zone))
    sent = sent if zone is None else {**sent, "timezone": zone}
    return _parse_rows(rows, query, sent, settings), findings_in_url(found)


def _find_zone(rows: RawColumns) -> str | None:
    """Return the timezone that the changing offsets of a file are of, as a training finds it; None without one."""
    if rows.offsets is None or rows.zones or (rows.offsets == NO_OFFSET).any():
        return None
    seconds = rows.offsets // MICROSECONDS
    if len(np.unique(seconds)) < 2:  # noqa: PLR2004 - offsets that change
        return None
    return recognize_zone(np.asarray(rows.timestamps) - rows.offsets.astype("m8[us]"), seconds)


def _said(zone: str) -> Finding:
    detail = f"Offsets change as in {zone}; times are read as local times there."
    return Finding("TIMEZONE_FOUND", detail, hint=f"--timezone {zone}, or another zone, settles it.")


def _read_sheet(body: bytes, media_type: str, limit: int) -> Sheet:
    import pyarrow as pa

    if not body.startswith(PARQUET):
        return read_csv(*decode(body, guess=is_western(media_type)), most_columns=MAX_COLUMNS, most_rows=limit)
    try:
        return sheet_of(read_table(body, limit))
    except (pa.ArrowException, OSError, OverflowError, UnicodeDecodeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise FileInvalid(f"The Parquet file cannot be read: {reason}.", hint="Write it again.") from error


def _parse_column(
    sheet: Sheet, options: ReadOptions, query: ForecastQuery, settings: Settings
) -> tuple[ForecastQuery, tuple[Finding, ...]]:
    """Return the query of a table with one column, whose cells are values without dates."""
    name, column, rows = _headed(sheet)
    numbers = read_numbers(column, name, rows, NumberStyle(options.decimal, options.thousands, sheet.separator))
    if numbers.faults:
        raise table_error(numbers.faults[min(numbers.faults)].error(len(numbers.faults) - 1))
    values = np.full(rows[-1] - rows[0] + 1, np.nan)
    values[rows - rows[0]] = numbers.values  # the sheet leaves empty rows out; here they are gaps
    entries = [{"id": name, "values": with_gaps(values)}]
    return parse_one_by_one(query, entries, {name}, settings), findings_in_url((*sheet.findings, *numbers.findings))


def _headed(sheet: Sheet) -> tuple[str, Any, NDArray[np.int64]]:
    """Return name, cells and rows of the only column; a number in place of a header is its first value."""
    import pyarrow as pa

    ((name, column),) = sheet.columns.items()
    if not NUMBER.fullmatch(name) or not pa.types.is_string(column.type):
        return name, column, sheet.rows
    return (
        ANONYMOUS,
        pa.concat_arrays([pa.array([name], column.type), column]),
        np.insert(sheet.rows, 0, sheet.rows[0] - 1),
    )


def _parse_rows(rows: RawColumns, query: ForecastQuery, sent: Mapping[str, str], settings: Settings) -> ForecastQuery:
    """Return the query with one series for each id, in the order of their first rows."""
    places = {name: place for place, name in enumerate(dict.fromkeys(rows.ids))}
    codes = np.fromiter((places[name] for name in rows.ids), dtype=np.int64, count=len(rows.ids))
    names = [*places]
    check_entries(names, query.horizon, settings)
    wrong = _wrong(rows)
    offsets = np.full(len(codes), NO_OFFSET) if rows.offsets is None else rows.offsets
    seconds = np.where(offsets == NO_OFFSET, NO_OFFSET, offsets // MICROSECONDS)
    values = np.asarray(rows.values, dtype=np.float64)
    table = TableRows(names, codes, np.asarray(rows.timestamps), seconds, values, rows.zones)
    found = parse_one_by_one(query, _entries(table, wrong, sent), set(names), settings)
    return replace(found, faults=tuple(wrong.get(names[index_of(fault)], fault) for fault in found.faults))


def _entries(table: TableRows, wrong: Container[str], sent: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """Yield each series as an entry, with frequency and timezone."""
    for _, entry in table.entries(wrong, trimmed=True):
        zone = sent.get("timezone") or table.zones.get(entry["id"])
        yield entry | {"frequency": sent.get("frequency"), "timezone": zone}


def _wrong(rows: RawColumns) -> dict[str, SeriesFault]:
    """Return the first wrong row of each series that has one, as its fault."""
    wrong: dict[str, SeriesFault] = {}
    for at, error in sorted(rows.faults.items()):
        name = str(rows.ids[at])
        pointer = f"/rows/{rows.place(at)}/{error.pointer.strip('/')}"
        detail = f"Row {rows.place(at) + FIRST_ROW}: {error.detail}"
        wrong.setdefault(name, SeriesFault(name, Finding(error.code, detail, pointer, error.hint)))
    return wrong
