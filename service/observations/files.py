"""Files: posted CSV and Parquet files as columns of ids, timestamps and values, read as for a training."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from models.calendar.timestamps import NO_OFFSET
from models.columns import TIMEZONE
from models.errors import AlmanacError, ConfigInvalid, Finding, SeriesInfinite, SeriesNotNumeric, TimestampInvalid
from models.ids import plain_id
from models.tables.content import UNREAD, decode
from models.tables.csv_text import read_csv as read_csv_text
from models.tables.faults import FILE, ID, TIME, CellFault, TableInvalid
from models.tables.options import ReadOptions
from models.tables.parquet import sheet_of
from models.tables.read import ParsedTable, read_columns
from models.tables.sheet import Sheet
from service.errors import FieldInvalid, FieldMissing, FileInvalid, TypeUnsupported
from service.observations.columns import MAX_COLUMNS, Faults, RawColumns, check_count
from service.observations.parquet_size import read_table

PARQUET = b"PAR1"
"""The first bytes of a Parquet file."""

UNSUPPORTED = (
    (b"PK\x03\x04", "an Excel file or a ZIP archive", "Send it with `{command}`, or save it as CSV."),
    (b"\xd0\xcf\x11\xe0", "an Excel file", "Send it with `{command}`, or save it as CSV."),
    (b"\x1f\x8b", "compressed with gzip", "Send it with `Content-Encoding: gzip`, or with `{command}`."),
    *UNREAD,
)
"""First bytes of files that the service does not read: what they are, and what to do."""
OBSERVE, REMOTE_FORECAST = "almanac observe", "almanac forecast --url"
"""The commands that read files of every kind and send their rows to a service: to be stored, and to be forecast."""

JSON_LINES = ("ndjson", "jsonl", "json-lines", "jsonlines")
WESTERN, UTF = (
    ("windows-1252", "cp1252", "iso-8859-1", "latin1", "latin-1"),
    ("utf-8", "utf8", "utf-16", "us-ascii", "ascii"),
)
"""Charsets that are read as Windows-1252, and those that the first bytes distinguish."""
NOT_UTF8 = "Send UTF-8, or Windows-1252 with `Content-Type: text/csv; charset=windows-1252`."
_CHARSET = re.compile(r"charset=\"?([\w.:-]+)")
_OPTION = re.compile(r"--([a-z-]+)(?: (?!is\b)('[^']*'|[^\s;]*[^\s;,.]))?")


def refuse_type(body: bytes, media_type: str, command: str = OBSERVE) -> None:
    """Raise TypeUnsupported for a file that the command line reads and the service does not, by name."""
    for magic, what, hint in UNSUPPORTED:
        if body.startswith(magic):
            raise TypeUnsupported(f"The body is {what}.", hint=hint.replace("{command}", command))
    if "csv" in media_type and body.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"{":
        hint = f"Send JSON as application/json, a file of JSON lines with `{command}`."
        raise TypeUnsupported("The body is JSON or JSON lines, not CSV.", hint=hint)
    if any(word in media_type for word in JSON_LINES):
        hint = f"Send JSON, CSV or Parquet, or the file with `{command}`."
        raise TypeUnsupported("The body is JSON lines.", hint=hint)


def read_csv(body: bytes, limit: int, options: ReadOptions, media_type: str = "") -> RawColumns:
    """Return the columns of a CSV file with a header, in UTF-8 or the charset of the media type; an empty cell is a gap.

    Raises:
        TypeUnsupported: If the charset is not read.
        FileInvalid: If the file cannot be read.
        FieldMissing, FieldInvalid: If a column is missing, ambiguous or can be read in two ways.
        BatchTooLarge: If it has more than `limit` rows.
    """

    def read() -> Sheet:
        try:
            text, findings = decode(body, guess=is_western(media_type))
        except TableInvalid as error:
            if error.about == FILE and "UTF-8" in str(error):
                raise TableInvalid("is not in UTF-8.", hint=NOT_UTF8) from error
            raise
        return read_csv_text(text, findings, most_columns=MAX_COLUMNS, most_rows=limit)

    return _read(read, limit, options)


def is_western(media_type: str) -> bool:
    """Return whether a media type names Windows-1252 or Latin-1, which is a part of it."""
    match = _CHARSET.search(media_type)
    charset = match[1].lower() if match else "utf-8"
    if charset not in {*WESTERN, *UTF}:
        raise TypeUnsupported(f"The charset {charset!r} is not read.", hint="Send UTF-8, UTF-16 or windows-1252.")
    return charset in WESTERN


def read_parquet(body: bytes, limit: int, options: ReadOptions) -> RawColumns:
    """Return the columns of a Parquet file.

    Raises:
        FileInvalid: If the file cannot be read.
        BodyTooLarge: If it unpacks to more than 128 MiB.
        FieldMissing, FieldInvalid: If a column is missing, ambiguous or can be read in two ways.
        BatchTooLarge: If it has more than `limit` rows.
    """
    import pyarrow as pa

    try:
        table = read_table(body, limit)
        return _read(lambda: sheet_of(table), limit, options)
    except (pa.ArrowException, OSError, OverflowError, UnicodeDecodeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise FileInvalid(f"The Parquet file cannot be read: {reason}.", hint="Write it again.") from error


def _read(read: Callable[[], Sheet], limit: int, options: ReadOptions) -> RawColumns:
    try:
        sheet = read()
        check_count(len(sheet.rows), limit)
        reading = read_columns(sheet, options, strict=True)
    except TableInvalid as error:
        raise table_error(error) from error
    except ConfigInvalid as error:
        raise FieldInvalid(in_url(error.detail), hint=error.hint) from error
    return replace(rows_of(reading, in_url), findings=findings_in_url(reading.findings))


def findings_in_url(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Return findings whose hints name parameters of the URL instead of options of the command line."""
    return tuple(replace(one, hint=in_url(one.hint)) for one in findings)


def rows_of(reading: ParsedTable, hint_of: Callable[[str], str], *, gaps: bool = False) -> RawColumns:
    """Return the rows of a file, with an error for each that is wrong; `hint_of` rewrites hints, which have options.

    With `gaps` the empty cells of a wide file between the first and the last value of a column are rows, too.
    """
    return _from_wide(reading, hint_of, gaps=gaps) if reading.ids is None else _from_long(reading, hint_of)


def table_error(error: TableInvalid) -> AlmanacError:
    """Return an error of a table in the words of the service: parameters of the URL instead of options."""
    hint = in_url(error.hint)
    if error.about == FILE:
        return FileInvalid(str(error).removesuffix(error.hint).strip(), hint=hint)
    kind = FieldMissing if error.missing else FieldInvalid
    return kind(str(error).removesuffix(error.hint).strip(), pointer=f"/{error.about}", hint=hint)


def in_url(hint: str) -> str:
    """Return a hint with `?decimal=,` in place of `--decimal ,`."""

    def replace(match: re.Match[str]) -> str:
        value = f"={quote(match[2].strip(chr(39)), safe='/,:')}" if match[2] else ""
        return f"`?{match[1].replace('-', '_')}{value}`"

    return _OPTION.sub(replace, hint)


def _from_long(reading: ParsedTable, hint_of: Callable[[str], str]) -> RawColumns:
    """Return the rows of a file with ids."""
    values = next(iter(reading.values.values())).values
    faults = {at: fault_of(fault, hint_of) for at, fault in reading.faults().items()}
    ids, offsets, zones = reading.ids.to_pylist(), _offsets(reading), reading.zones()
    if zones:  # an export of the service: instants where the row has a timezone
        has_zone = reading.sheet.columns[TIMEZONE].is_valid().to_numpy(zero_copy_only=False)
        offsets = np.where(has_zone, 0, offsets)
    elif reading.times.zone is not None:
        zones = dict.fromkeys(ids, reading.times.zone)
    return RawColumns(
        ids, reading.times.walls, values, faults=faults, places=_places(reading), offsets=offsets, zones=zones
    )


def _from_wide(reading: ParsedTable, hint_of: Callable[[str], str], *, gaps: bool) -> RawColumns:
    """Return the cells of a wide file as rows; its empty cells are not observations, but gaps on request."""
    wrong = {at: fault_of(fault, hint_of) for at, fault in reading.sheet.faults.items()}
    times = {at: fault_of(fault, hint_of) for at, fault in reading.times.faults.items()}
    names, places, found = [""] * len(wrong), [np.array(sorted(wrong), dtype=np.int64)], [np.full(len(wrong), np.nan)]
    faults: Faults = dict(enumerate(wrong[at] for at in sorted(wrong)))
    for name, numbers in reading.values.items():
        there = ~np.isnan(numbers.values)
        there[[*numbers.faults]] = True
        if gaps and there.any():
            there[there.argmax() : len(there) - there[::-1].argmax()] = True
        there[[*wrong]] = False
        at = np.flatnonzero(there)
        for index, place in enumerate(at.tolist(), start=len(names)):
            if place in times:
                faults[index] = times[place]
            elif place in numbers.faults:
                faults[index] = fault_of(numbers.faults[place], hint_of)
        names += [plain_id(name)] * len(at)
        places.append(at)
        found.append(numbers.values[at])
    rows = np.concatenate(places)
    return RawColumns(
        names,
        reading.times.walls[rows],
        np.concatenate(found),
        faults=faults,
        places=_places(reading)[rows],
        offsets=_offsets(reading)[rows],
        zones=dict.fromkeys(map(plain_id, reading.values), reading.times.zone) if reading.times.zone else {},
    )


def _places(reading: ParsedTable) -> NDArray[np.int64]:
    """Return the row of each row, the first one after the header being 0."""
    return reading.sheet.rows - 2


def _offsets(reading: ParsedTable) -> NDArray[np.int64]:
    """Return microseconds east of UTC, or NO_OFFSET."""
    seconds = reading.times.offsets
    return np.where(seconds == NO_OFFSET, NO_OFFSET, np.where(seconds == NO_OFFSET, 0, seconds) * 1_000_000)


def fault_of(fault: CellFault, hint_of: Callable[[str], str]) -> AlmanacError:
    """Return what is wrong with a cell as the error of its row."""
    hint = hint_of(fault.hint)
    shown: dict[str, Any] = {"pointer": "value" if fault.about == FILE else fault.about, "hint": hint}
    if fault.about == FILE:
        return FieldInvalid(fault.detail, **shown)
    if fault.about == ID:
        return FieldMissing("`id` is missing.", **shown)
    if fault.about == TIME:
        if not fault.cell:
            return FieldMissing("`timestamp` is missing.", **shown)
        return TimestampInvalid(f"The timestamp {fault.detail}", **shown)
    kind = SeriesInfinite if "infinite" in fault.what else SeriesNotNumeric
    return kind(f"The value {fault.detail}", **shown)
