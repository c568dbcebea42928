"""Reading: a frame as the series of a forecast request, as the service reads the Parquet body of `POST /forecast`."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from almanac.frames import ALONE, ID, TARGET, TIME, Columns, Frame, concatenate, read_frame
from models.columns import find_column
from models.errors import AlmanacError, CovariateUnknown, DataInvalid, Finding
from models.tables.faults import TableInvalid
from models.tables.options import ReadOptions
from models.tables.parquet import sheet_of
from models.tables.read import read_columns
from service.api.frame_input import series_entries
from service.errors import FieldMissing
from service.json_input import SeriesFault

OPTIONS: Mapping[str, str] = {"id-column": "id_col", "time-column": "time_col", "value-column": "target_col"}
"""Parameters in Python, by the name of the option on the command line."""


@dataclass(frozen=True, slots=True)
class Names:
    """The names of the columns of a frame, as its forecasts have them."""

    id: str = ID
    time: str = TIME
    target: str = TARGET


@dataclass(frozen=True, slots=True)
class SeriesFrame:
    """The series of a frame.

    Attributes:
        frame: The frame.
        names: Its columns.
        entries: Each series as an entry of `series` in `POST /forecast`; those of `faults` have no values.
        faults: By id, the error of each series with a wrong row.
        findings: What was noticed.
        notes: What a person should know of the frame, such as rows that are no part of the history.
    """

    frame: Frame
    names: Names
    entries: Sequence[dict[str, Any]]
    faults: Mapping[str, SeriesFault]
    findings: tuple[Finding, ...]
    notes: tuple[str, ...] = ()

    @property
    def time_type(self) -> Any:  # noqa: ANN401 - a type of pyarrow
        """Return the type of the timestamps."""
        return self.frame.table.schema.field(self.names.time).type


def read_series(  # noqa: PLR0913 - what is said about a frame
    data: Any,  # noqa: ANN401 - a frame of any kind
    columns: Columns,
    *,
    fields: Mapping[str, Any],
    horizon: int | None = None,
    covariates: tuple[Sequence[str], Sequence[str]] = ((), ()),
    future: Any = None,  # noqa: ANN401 - same
    date_format: str | None = None,
) -> SeriesFrame:
    """Return the series of a frame, in the order of their first rows.

    Args:
        data: The frame.
        columns: Names of its columns.
        fields: May have `frequency` and `timezone`.
        horizon: Steps over which covariates are read; None for all.
        covariates: Names of the covariates that are known up to the last value, and of those known ahead.
        future: A frame with the covariates over the horizon; otherwise they are in rows after the last value.
        date_format: How dates are written, as for `strptime`; None finds it out.

    Raises:
        DataInvalid: If the frame cannot be read.
    """
    frame = read_frame(data, columns)
    past, ahead = covariates
    if future is not None:
        beyond = read_frame(future, replace(columns, target=None))
        if not ahead:
            raise _unread_future(beyond)
        frame = replace(frame, table=concatenate(frame.table, beyond.table))
    table = frame.table
    if not table.num_rows:
        raise DataInvalid("The frame has no rows.", hint="Give one row for each series and timestamp.")
    read = [name for name in (*past, *ahead) if name in table.column_names]
    chosen = frame.columns
    options = ReadOptions((chosen.id,) if chosen.id else (), chosen.time, chosen.target, date_format=date_format)
    try:
        reading = read_columns(sheet_of(table), options, read, strict=True)
    except TableInvalid as error:
        detail = _in_rows(_of_frame(str(error).removesuffix(error.hint).strip()))
        raise DataInvalid(detail, hint=in_python(error.hint)) from error
    except AlmanacError as error:
        error.hint = in_python(error.hint)
        raise
    if reading.layout.wide and len(reading.values) > 1:
        raise DataInvalid(
            f"The columns {', '.join(list(reading.values)[:5])} may all be values.",
            hint="Name one with target_col=, or make the dates the index, so that each column is a series.",
        )
    names = Names(next(iter(reading.layout.ids), chosen.id or ID), reading.layout.time, next(iter(reading.values)))
    _, wrong, entries = series_entries(reading, fields)
    known = [name for name in ahead if name in read]
    split = [_split(one, known, horizon) for one in entries if one["id"]]
    if reading.ids is None and len(split) == 1:
        split[0]["id"] = ALONE
    faults = {name: _of_row(fault) for name, fault in wrong.items()}
    others = set(table.column_names) - {names.id, names.time, names.target, *read}
    return SeriesFrame(frame, names, split, faults, reading.findings, _notes(split, others))


def in_python(hint: str) -> str:
    """Return a hint with the parameters of Python in place of the options of the command line and of the service's query."""
    hint = re.sub(r"`\?([a-z_]+)`", lambda match: f"--{match[1].replace('_', '-')}", hint)
    named = re.sub(r"--((?:id|time|value)-column) ('[^']*'|[\w./,:@+-]*[\w/:@+-])", _name_column, hint)
    named = re.sub(r"--date-format (%\S*\w)", r"--date-format '\1'", named)
    apart = re.sub(r"(?<=[\"\]]) (?=(?:time|target)_col=)", ", ", named)
    return re.sub(r"--([a-z-]+)(?: )?", lambda match: f"{OPTIONS.get(match[1], match[1].replace('-', '_'))}=", apart)


def _name_column(match: re.Match[str]) -> str:
    """Return an option that names a column, or several with the ids, as a parameter of Python."""
    names = match[2].strip("'")
    given = names.split(",") if match[1] == "id-column" and "," in names else names
    return f"{OPTIONS[match[1]]}={json.dumps(given, ensure_ascii=False)}"


def _notes(entries: Sequence[dict[str, Any]], others: set[str]) -> tuple[str, ...]:
    """Return what a person should know if columns are not read, and series end in rows without a value: a future, perhaps."""
    open_ended = [one["id"] for one in entries if others and one["values"] and one["values"][-1] is None]
    if not open_ended:
        return ()
    shown = ", ".join(open_ended[:5]) + (", …" if len(open_ended) > 5 else "")  # noqa: PLR2004 - some
    text = (
        f"{len(open_ended)} series end in rows without a value ({shown}): their forecasts begin after these rows. Drop them if "
        f"they are the future of {', '.join(sorted(others)[:5])}, which this model does not read."
    )
    return (text,)


def _unread_future(future: Frame) -> AlmanacError:
    """Return the error of a future of covariates for a model that reads none."""
    error = CovariateUnknown(
        "The model reads no covariates that are known ahead, so future= cannot be used.",
        hint="Leave future= out, or train a model with almanac.Forecaster(future_covariates=[…]).",
    )
    name = future.columns.id or find_column(future.table.column_names, "id")
    error.ids = tuple(map(str, future.table.column(name).unique().to_pylist())) if name else ()
    return error


def _of_row(fault: SeriesFault) -> SeriesFault:
    """Return the error of a row with the row, counted from 0; its hint is for dates as text only if there is one."""
    found = fault.finding
    row = found.pointer.split("/")[2]
    hint = "Fill in or drop the rows without one." if found.code == FieldMissing.code else found.hint
    return replace(fault, finding=replace(found, detail=f"Row {row}: {found.detail}", hint=hint))


def _in_rows(detail: str) -> str:
    """Return a text about a row of a file, the first of which has the header, as one about a row of a frame."""
    return re.sub(r"^Row (\d+)", lambda match: f"Row {int(match[1]) - 2}", detail)


def _of_frame(detail: str) -> str:
    return f"The frame {detail.removeprefix('The file ')}" if detail.startswith("The file ") else detail


def _split(entry: dict[str, Any], ahead: Sequence[str], horizon: int | None) -> dict[str, Any]:
    """Return an entry whose rows after the last value are the future of the covariates that are known ahead."""
    covariates = entry.pop("past_covariates", None)
    if covariates is None:
        return entry
    values = entry["values"]
    count = len(values)
    if ahead:
        count = next((place + 1 for place in range(count - 1, -1, -1) if values[place] is not None), count)
    columns = {name: [None if math.isnan(one) else one for one in column] for name, column in covariates.items()}
    return {
        **entry,
        "values": values[:count],
        "timestamps": entry["timestamps"][:count],
        "past_covariates": {name: column[:count] for name, column in columns.items()},
        "future_covariates": {name: columns[name][count:][:horizon] for name in ahead},
    }


def history_of(entries: Sequence[dict[str, Any]]) -> dict[str, tuple[list[str], list[float | None]]]:
    """Return the timestamps and values of each series, by id."""
    return {one["id"]: (one["timestamps"], one["values"]) for one in entries if one.get("values")}
